"""Which face of a scene is meant: meshes that lie where a head lies belong to it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import numpy as np

from emo3d.face.heads import TARGETS
from emo3d_lab.listing import first_few
from emo3d_lab.rigs.gltf import COMPONENTS, Asset

_UPPER = tuple(TARGETS.index(name) for name in TARGETS if name.startswith(("brow", "eye")))
_LOWER = tuple(TARGETS.index(name) for name in TARGETS if name.startswith(("jaw", "mouth")))
_HEAD = 6  # units above the nose and below it that make a mesh a head: lashes and teeth have fewer of one kind


def choose_face(asset: Asset, drives: Sequence[np.ndarray], name: str | None) -> frozenset[int]:
    """Choose the nodes of one face.

    Args:
        asset: of the scene.
        drives: (52, M) of each mesh that has morph targets, in the file's order.
        name: of a node or mesh of that face; None where there is but one.

    Returns:
        Indices of the nodes that place its meshes.

    Raises:
        ValueError: two faces that lie apart, and no name; or no face of that name.
    """
    nodes = sorted(asset.scene(), key=lambda node: node["index"])
    order = [index for index, mesh in enumerate(asset.json.get("meshes", ())) if _has_targets(mesh)]
    driven = dict(zip(order, drives, strict=True))
    placed = [node for node in nodes if node["mesh"] in driven]
    if not any(driven[node["mesh"]].any() for node in placed):
        raise ValueError("expected a mesh with morph targets in the default scene, got none there")
    boxes = {node["index"]: _box(asset, node) for node in placed}
    # The largest first: eyes that have all the shapes are a part of the head about them, and no two faces.
    placed.sort(key=lambda node: -float(np.ptp(boxes[node["index"]], axis=0).max()))
    heads = [node["index"] for node in placed if _is_head(driven[node["mesh"]])]
    groups: list[list[int]] = []  # of faces that lie apart
    for head in heads:
        group = next((group for group in groups if not _apart(boxes[head], boxes[group[0]])), None)
        groups.append([head]) if group is None else group.append(head)
    groups = groups if len(groups) > 1 else [list(boxes)]
    names = {node["index"]: _names(asset, node) for node in placed}
    called = [dict.fromkeys(name for head in group for name in names[head]) for group in groups]
    if name is None and len(groups) > 1:
        titles = [next((own for own in of if sum(own in other for other in called) == 1), "") for of in called]
        ways = " or ".join(f"--face {shlex.quote(title)}" for title in titles if title)
        raise ValueError(f'expected one face in the scene, got {len(groups)}: pass {ways} (face="..." in Python)')
    chosen = [group for group, known in zip(groups, called, strict=True) if name is None or name in known]
    if not chosen:
        every = [repr(own) for own in dict.fromkeys(own for of in called for own in of)]
        named = [own for own in every if not own.startswith("'node ")]
        raise ValueError(f"no face {name!r}; there are {first_few(named or every, 20)}")
    if len(chosen) > 1:
        raise ValueError(f"expected the name of one face, got {name!r}, as parts of {len(chosen)} are called")
    if len(groups) < 2:
        return frozenset(boxes)
    centres = {group[0]: boxes[group[0]].mean(axis=0) for group in groups}

    def nearest(index: int) -> int:
        return min(centres, key=lambda head: float(np.linalg.norm(boxes[index].mean(axis=0) - centres[head])))

    return frozenset(index for index in boxes if nearest(index) == chosen[0][0])


def _has_targets(mesh: dict) -> bool:
    return any(primitive.get("targets") for primitive in mesh["primitives"])


def _is_head(drive: np.ndarray) -> bool:
    return all(np.count_nonzero(drive[[*part]].any(axis=1)) >= _HEAD for part in (_UPPER, _LOWER))


def _names(asset: Asset, node: dict) -> list[str]:
    names = [node.get("name"), asset.json["meshes"][node["mesh"]].get("name")]
    return [*(str(name) for name in names if name), f"node {node['index']}"]


def _box(asset: Asset, node: dict) -> np.ndarray:
    """Corners (2, 3) of what a node places, by the bounds that the file states."""
    parts = asset.json["meshes"][node["mesh"]]["primitives"]
    corners = np.array([_bounds(asset.entry("accessors", part["attributes"]["POSITION"])) for part in parts])
    corners = np.stack([corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)])
    place = asset.world[node["index"]]
    if "skin" in node:
        skin = asset.json["skins"][node["skin"]]
        place = asset.world.get(skin["joints"][0], np.eye(4))
        try:
            place = place @ asset.array(skin["inverseBindMatrices"])[0].reshape(4, 4).T
        except (ValueError, LookupError):  # compressed, or none: where it is bound is near enough
            place = np.eye(4)
    moved = np.array([[*(corners[pick, [0, 1, 2]]), 1.0] for pick in np.ndindex(2, 2, 2)]) @ place.T
    return np.stack([moved[:, :3].min(axis=0), moved[:, :3].max(axis=0)])


def _bounds(accessor: dict) -> np.ndarray:
    bounds = np.array([accessor.get(side, [0.0] * 3) for side in ("min", "max")], float)
    whole = accessor.get("normalized") and COMPONENTS.get(accessor["componentType"])
    return bounds / np.iinfo(whole).max if whole else bounds


def _apart(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two boxes have a gap along an axis of a quarter of the smaller one's side there."""
    gap = np.maximum(one[0] - other[1], other[0] - one[1])
    side = np.minimum(one[1] - one[0], other[1] - other[0])
    return bool((gap > side / 4).any())
