"""The bone of a character's head: which node it is, and how it turns when the face does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from emo3d_lab.characters.character import Character

# Head, mixamorig:Head, mixamorigHead, CC_Base_Head, J_Bip_C_Head, Bip01 Head; not HeadTop_End or forehead.
_HEAD = re.compile(r"(.*[^a-z])?(mixamorig)?head", re.IGNORECASE)
_SKEWED = 1e-3  # cosine of the angle between axes that are no right angle


def find_head(character: Character) -> int | None:
    """The node that turns a character's whole face: a VRM's head bone, or a node of that name; None where none does."""
    nodes, world = character.document.get("nodes", []), character.asset.world
    carried = {node: _carriers(character, node) for mesh in character.meshes for node in character.placing(mesh.index)}
    named = [_vrm_head(character.document)]
    if named == [None]:
        named = [place for place, node in enumerate(nodes) if _HEAD.fullmatch(str(node.get("name", "")))]
    for place in named:
        if place not in world or {"mesh", "matrix"} & nodes[place].keys():
            continue
        below = _below(nodes, place)
        if carried and all(carriers & below for carriers in carried.values()) and _axes(character, place) is not None:
            return place
    return None


def head_turns(character: Character, head: int, quaternions: np.ndarray) -> np.ndarray:
    """What a head bone's own rotation becomes, (N, 4) x, y, z, w, for turns (N, 4) in the axes of the face."""
    axes = _axes(character, head)
    if axes is None:
        raise ValueError(f"expected the bones above node {head} to have right angles between their axes")
    turned = np.hstack([quaternions[:, :3] @ (axes @ character.front.T).T, quaternions[:, 3:]])
    x, y, z, w = np.array(character.document["nodes"][head].get("rotation", (0, 0, 0, 1)), np.float64)
    own = np.array([[w, z, -y, x], [-z, w, x, y], [y, -x, w, z], [-x, -y, -z, w]])  # of q: turned * q = own @ turned
    return turned @ own.T


def _axes(character: Character, head: int) -> np.ndarray | None:
    """The file's axes in those of the bone above the head, (3, 3); None where it is skewed or stretched."""
    nodes, world = character.document["nodes"], character.asset.world
    above = next((place for place, node in enumerate(nodes) if head in node.get("children", ())), None)
    matrix = np.eye(3) if above is None else world[above][:3, :3]
    size = np.cbrt(np.linalg.det(matrix))  # below 0 where it mirrors, which turns alike
    axes = matrix.T / size if size else matrix
    return axes if np.abs(axes @ axes.T - np.eye(3)).max() < _SKEWED else None


def _vrm_head(document: dict[str, Any]) -> int | None:
    extensions = document.get("extensions", {})
    bones = extensions.get("VRMC_vrm", extensions.get("VRM", {})).get("humanoid", {}).get("humanBones", {})
    if isinstance(bones, list):  # of VRM 0
        bones = {bone.get("bone"): bone for bone in bones}
    node = bones.get("head", {}).get("node")
    return node if type(node) is int else None


def _carriers(character: Character, node: int) -> set[int]:
    """Nodes of which one has to move for a mesh to move: the joints of its skin, or itself."""
    entry = character.document["nodes"][node]
    return set(character.document["skins"][entry["skin"]]["joints"]) if "skin" in entry else {node}


def _below(nodes: list[dict[str, Any]], top: int) -> set[int]:
    below, waiting = set(), [top]
    while waiting:
        below.add(waiting[0])
        waiting += nodes[waiting.pop(0)].get("children", ())
    return below
