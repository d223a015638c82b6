"""Reading a face: any glTF head with ARKit morph targets becomes the arrays of a rig."""

from __future__ import annotations

import logging
import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.heads import TARGETS
from emo3d.names import Names, blendshape_name
from emo3d_lab.rigs.extensions import targets_of
from emo3d_lab.rigs.facing import LIDS, LIPS, centre, rotation_to_front
from emo3d_lab.rigs.gltf import MOST_VERTICES, Asset
from emo3d_lab.rigs.materials import Cover, atlas, read_cover

logger = logging.getLogger(__name__)

_TRIANGLES = 4  # glTF primitive mode
_MOST_TRIANGLES = 4 * MOST_VERTICES
_FAR = 1e9  # in the file's unit
_NEAR = 2.5  # triangles further than this many half heights from the face's centre are left out (body, hands)
_VRM_0_FRONT = (0, 0, -1)  # vrm-specification 0.0: the model faces -z; VRM 1.0 faces +z, as glTF does

# The frame from the centres of what blinks and of what the lips move, in units of the height between them: the mean
# over the identities of anny, hair and all, whose own frames are within 6% of it.
_DOWN, _BACK, _HALF_HEIGHT = 0.19, 0.13, 1.91


def read_glb(path: str | os.PathLike[str], names: Names | None = None) -> dict[str, Any]:
    """Read a face: the fields of a `FaceRig` but `calibration`, in the file's unit of length (metres, says glTF).

    Raises:
        ValueError: what `FaceRig.from_glb` says; the message begins with the file's name.
    """
    path = Path(path)
    try:
        asset = Asset(path, names)
        pieces: list[_Piece] = []
        for node in asset.scene():
            pieces += _pieces(asset, node)
            if sum(len(piece.triangles) for piece in pieces) > _MOST_TRIANGLES:
                raise ValueError(f"expected at most {_MOST_TRIANGLES} triangles, got more")
        face = _merge(asset, pieces)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    except (LookupError, TypeError, AttributeError, struct.error, ArithmeticError, MemoryError) as error:
        raise ValueError(f"{path.name}: expected a glTF 2.0 file, got a broken one ({error!r:.200})") from error
    if face["missing"]:
        logger.warning("%s lacks %d of 51 units: %s", path.name, len(face["missing"]), ", ".join(face["missing"]))
    digest = asset.digest.hexdigest()
    return {"name": f"{path.stem}-{digest[:8]}", "origin": digest, **face}


@dataclass(frozen=True, eq=False)
class _Piece:
    """A primitive in its place, and what covers it."""

    vertices: np.ndarray  # (V, 3) float64
    deltas: dict[str, np.ndarray]  # by blendshape, (V, 3) float32
    triangles: np.ndarray  # (T, 3) int64
    cover: Cover


def _pieces(asset: Asset, node: dict[str, Any]) -> list[_Piece]:
    mesh = asset.entry("meshes", node["mesh"])
    pieces = []
    for primitive in mesh["primitives"]:
        if primitive.get("mode", _TRIANGLES) == _TRIANGLES:
            pieces.append(_piece(asset, node, mesh, primitive))
        else:
            logger.warning("mesh %s: a primitive that is no list of triangles is left out", mesh.get("name", ""))
    return pieces


def _piece(asset: Asset, node: dict[str, Any], mesh: dict[str, Any], primitive: dict[str, Any]) -> _Piece:
    attributes, indices = asset.primitive(primitive)
    vertices = attributes["POSITION"].astype(np.float64)
    count = len(vertices)
    place = _place(asset, node, attributes)
    linear = np.broadcast_to(place[:, :3, :3], (count, 3, 3))
    deltas = _deltas(asset, mesh, primitive, linear)
    triangles = np.arange(count) if indices is None else indices
    triangles = triangles[: len(triangles) // 3 * 3].reshape(-1, 3).astype(np.int64)
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < count:
        raise ValueError(f"expected indices below {count}, got {triangles.max()}")
    if np.linalg.det(linear).mean() < 0:  # a mirroring node turns triangles inside out
        triangles = triangles[:, ::-1]
    cover = read_cover(asset, primitive, attributes, triangles)
    if not cover.opaque:  # what is cut away altogether need not be tested sample by sample
        most = np.asarray(cover.picture)[..., 3].max() / 255
        triangles = triangles[cover.coverage[triangles].max(axis=1) * most >= 0.5]
    piece = _Piece(np.einsum("vij,vj->vi", linear, vertices) + place[:, :3, 3], deltas, triangles, cover)
    return piece if cover.opaque or not cover.double_sided else _both_sides(piece)


def _deltas(asset: Asset, mesh: dict[str, Any], primitive: dict[str, Any], linear: np.ndarray) -> dict[str, np.ndarray]:
    deltas: dict[str, np.ndarray] = {}
    spellings: dict[str, str] = {}
    for spelling, target in zip(targets_of(asset.json, mesh, primitive), primitive.get("targets", []), strict=True):
        name = blendshape_name(spelling, asset.names)
        if name not in TARGETS or "POSITION" not in target:
            continue
        delta = np.einsum("vij,vj->vi", linear, asset.array(target["POSITION"], len(linear))).astype(np.float32)
        if name in deltas:
            twice = f"mesh {mesh.get('name', '')!r} has {name} twice, as {spellings[name]!r} and {spelling!r}"
            if not np.array_equal(deltas[name], delta):
                raise ValueError(f"{twice}, which differ: remove one of them")
            logger.warning("%s; they are alike, and one is read", twice)
        deltas[name], spellings[name] = delta, spelling
    return deltas


def _both_sides(piece: _Piece) -> _Piece:
    """A card such as lashes are made of, and its back, with vertices of its own, since normals point the other way."""
    count, cover = len(piece.vertices), piece.cover
    return _Piece(
        np.tile(piece.vertices, (2, 1)),
        {name: np.tile(delta, (2, 1)) for name, delta in piece.deltas.items()},
        np.concatenate([piece.triangles, piece.triangles[:, ::-1] + count]),
        replace(
            cover,
            colors=np.tile(cover.colors, (2, 1)),
            coverage=np.tile(cover.coverage, 2),
            uv=np.tile(cover.uv, (2, 1)),
        ),
    )


def _place(asset: Asset, node: dict[str, Any], attributes: dict[str, np.ndarray]) -> np.ndarray:
    """Matrices that place the vertices: (1, 4, 4) of the node, or (V, 4, 4) of the joints of its skin, at rest."""
    if "skin" not in node or "JOINTS_0" not in attributes:
        return asset.world[node["index"]][None]
    skin = asset.json["skins"][node["skin"]]
    joints = np.stack([asset.world[joint] for joint in skin["joints"]])
    if "inverseBindMatrices" in skin:
        joints = joints @ asset.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    place = np.zeros((len(attributes["POSITION"]), 4, 4))
    for name in [name for name in attributes if name.startswith("JOINTS_")]:
        weights = attributes[name.replace("JOINTS", "WEIGHTS")]
        place += np.einsum("vk,vkij->vij", weights, joints[attributes[name]])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # what is not finite is refused by `_merge`
        return place / place[:, 3:, 3:]  # weights may not sum to 1


def _merge(asset: Asset, pieces: list[_Piece]) -> dict[str, Any]:
    if not any(piece.deltas for piece in pieces):
        raise ValueError(f"expected morph targets with ARKit names, jawOpen and so on, got {_other_targets(asset)}")
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    neutral = np.concatenate([piece.vertices for piece in pieces])
    moves = np.zeros((len(TARGETS), len(neutral)), np.float32)
    for start, piece in zip(starts, pieces, strict=False):
        for name, delta in piece.deltas.items():
            moves[TARGETS.index(name), start : start + len(delta)] = np.linalg.norm(delta, axis=1)
    if not (np.abs(neutral).max() < _FAR and moves.max() < _FAR):  # NaN, too
        raise ValueError("expected places of vertices that can be pictured, got ones that are not finite or far off")
    triangles = np.concatenate([piece.triangles + start for start, piece in zip(starts, pieces, strict=False)])
    front = _VRM_0_FRONT if "VRM" in asset.json.get("extensions", {}) else (0, 0, 0)
    rotation = rotation_to_front(neutral, moves, triangles, front)
    neutral = neutral @ rotation.T
    frame = _frame(neutral, moves)
    near = (np.abs(neutral - frame[:3]) < _NEAR * frame[3]).all(axis=1)
    indices, corners = np.unique(triangles[near[triangles].all(axis=1)], return_inverse=True)
    if not len(indices):
        raise ValueError("expected triangles where the morph targets move a face, got none")
    neutral = neutral[indices]
    deltas = np.zeros((len(TARGETS), len(indices), 3), np.float32)
    for start, piece in zip(starts, pieces, strict=False):
        first, last = np.searchsorted(indices, [start, start + len(piece.vertices)])
        for name, delta in piece.deltas.items():
            deltas[TARGETS.index(name), first:last] = delta[indices[first:last] - start] @ rotation.T
    covers = [piece.cover for piece in pieces]
    texture, uv = atlas(covers)
    colors = np.concatenate([cover.colors for cover in covers])
    if texture.shape[2] == 4:
        colors = np.column_stack([colors, np.concatenate([cover.coverage for cover in covers])])
    return {
        "neutral": neutral.astype(np.float32),
        "deltas": deltas,
        "triangles": corners.reshape(-1, 3).astype(np.int32),
        "welds": _welds(neutral, deltas, frame[3]),
        "colors": colors[indices].astype(np.float32),
        "uv": uv[indices].astype(np.float32),
        "texture": texture,
        "frame": frame,
        "missing": tuple(name for name in BLENDSHAPES if not deltas[TARGETS.index(name)].any()),
    }


def _other_targets(asset: Asset) -> str:
    meshes = asset.json.get("meshes", ())
    names = [name for mesh in meshes for part in mesh["primitives"] for name in targets_of(asset.json, mesh, part)]
    if not names:
        return "no morph targets at all"
    if not any(names):
        return f"{len(names)} without names (they belong in the mesh's extras.targetNames; exporters have a switch)"
    return f"{len(names)} others, {', '.join(name for name in names if name)[:200]}"


def _frame(neutral: np.ndarray, moves: np.ndarray) -> tuple[float, float, float, float]:
    """Centre of the face and half the height to show: from lids and lips, or from all that moves if one is missing."""
    (x, y, z), (_, lips, _) = centre(neutral, moves, LIDS), centre(neutral, moves, LIPS)
    unit = y - lips
    if np.isnan(unit):
        corners = neutral[moves.max(axis=0) > 0]
        if len(corners) < 2:
            raise ValueError("expected morph targets that move a face, got ones that move one vertex or none")
        low, high = corners.min(axis=0), corners.max(axis=0)
        x, y, z = (low + high) / 2
        return float(x), float(y), float(z), float(0.7 * (high - low).max())
    if unit <= 0:
        raise ValueError("expected a face with y up, got eyes below the mouth")
    return float(x), float(y - _DOWN * unit), float(z - _BACK * unit), float(_HALF_HEIGHT * unit)


def _welds(neutral: np.ndarray, deltas: np.ndarray, half_height: float) -> np.ndarray:
    """The first vertex at the same place that moves alike: copies along a seam, but not the lips of a closed mouth."""
    grain = 1e-5 * half_height
    _, inverse, counts = np.unique(np.rint(neutral / grain), axis=0, return_inverse=True, return_counts=True)
    welds = np.arange(len(neutral), dtype=np.int32)
    copies = np.flatnonzero(counts[inverse.ravel()] > 1)  # few; their moves are many numbers
    if len(copies):
        keys = np.concatenate([neutral[copies][:, None], deltas[:, copies].transpose(1, 0, 2)], axis=1)
        keys = np.rint(keys.reshape(len(copies), -1) / grain)
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        welds[copies] = copies[first[inverse.ravel()]]
    return welds
