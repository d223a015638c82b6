"""Reading a face: any glTF head with ARKit morph targets becomes the arrays of a rig."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.heads import TARGETS, frame_head
from emo3d_lab.listing import first_few
from emo3d_lab.rigs.extensions import check_extensions, errors_of
from emo3d_lab.rigs.facing import LIDS, LIPS, centre, rotation_to_front
from emo3d_lab.rigs.gltf import MOST_VERTICES, Asset
from emo3d_lab.rigs.materials import Cover, join_covers, read_cover
from emo3d_lab.rigs.welds import close_borders, weld

logger = logging.getLogger(__name__)

_TRIANGLES = 4  # glTF primitive mode
_MOST_TRIANGLES = 4 * MOST_VERTICES
_FAR = 1e9  # in the file's unit
_NEAR = 2.5  # triangles further than this many half heights from the face's centre are left out (body, hands)
_VRM_0_FRONT = (0, 0, -1)  # vrm-specification 0.0: the model faces -z; VRM 1.0 faces +z, as glTF does

# From the centre of what blinks down to the chin and back to the eyes, and from the eyes to the chin, in units of the
# height between that centre and the one of what the lips move: means over the identities of anny.
_CHIN, _BACK, _UNIT = 1.77, 0.13, 1.76


def read_face(
    asset: Asset, drives: Mapping[int, np.ndarray], defaults: Mapping[int, np.ndarray], nodes: Collection[int]
) -> dict[str, Any]:
    """Read a face: the fields of a `FaceRig` but `calibration`, in the file's unit of length (metres, says glTF).

    Args:
        asset: of the file.
        drives: what a weight of each unit adds to each morph target, (52, M) of each mesh that has some.
        defaults: the targets' own weights where a node places such a mesh, (M,) of the node (zeros where it is not
            named); they count where no unit moves the target.
        nodes: those that place the face's meshes; others with morph targets are left out.

    Raises:
        ValueError: what `FaceRig.from_glb` says; the message begins with the file's name.
    """
    with errors_of(asset.name):
        face = _merge(asset, read_pieces(asset, drives, defaults, nodes))
    if face["missing"]:
        logger.warning("%s lacks %d of 51 units: %s", asset.name, len(face["missing"]), first_few(face["missing"]))
    digest = asset.digest.hexdigest()
    return {"name": f"{Path(asset.name).stem}-{digest[:8]}", "origin": digest, **face}


@dataclass(frozen=True, eq=False)
class Piece:
    """A primitive in its place, and what covers it."""

    vertices: np.ndarray  # (V, 3) float64
    normals: np.ndarray  # (V, 3) float32, the file's own, at rest; 0 where it has none
    deltas: dict[int, np.ndarray]  # by row of `drives`, (V, 3) float32
    triangles: np.ndarray  # (T, 3) int64
    cover: Cover


def read_pieces(
    asset: Asset, drives: Mapping[int, np.ndarray], defaults: Mapping[int, np.ndarray], nodes: Collection[int]
) -> list[Piece]:
    """Read the primitives of a scene in their places; arguments as for `read_face`, with K rows in each of `drives`."""
    check_extensions(asset.json, asset.name)
    pieces: list[Piece] = []
    rows = max(map(len, drives.values()), default=0)
    for node in asset.scene():
        if node["mesh"] in drives and node["index"] not in nodes:
            continue
        mesh = asset.entry("meshes", node["mesh"])
        count = max(len(primitive.get("targets", ())) for primitive in mesh["primitives"])
        drive = drives.get(node["mesh"], np.zeros((rows, count)))
        own = np.where(drive.any(axis=0), 0, defaults.get(node["index"], np.zeros(count)))
        pieces += _pieces(asset, node, np.vstack([drive, own]))
        if sum(len(piece.triangles) for piece in pieces) > _MOST_TRIANGLES:
            raise ValueError(f"expected at most {_MOST_TRIANGLES} triangles, got more")
    return pieces


def _pieces(asset: Asset, node: dict[str, Any], moves: np.ndarray) -> list[Piece]:
    mesh = asset.entry("meshes", node["mesh"])
    pieces = []
    for primitive in mesh["primitives"]:
        if primitive.get("mode", _TRIANGLES) == _TRIANGLES:
            pieces.append(_piece(asset, node, primitive, moves))
        else:
            logger.warning("mesh %s: a primitive that is no list of triangles is left out", mesh.get("name", ""))
    return pieces


def _piece(asset: Asset, node: dict[str, Any], primitive: dict[str, Any], moves: np.ndarray) -> Piece:
    attributes, indices = asset.primitive(primitive)
    vertices = attributes["POSITION"].astype(np.float64)
    count = len(vertices)
    place = _place(asset, node, attributes)
    linear = np.broadcast_to(place[:, :3, :3], (count, 3, 3))
    deltas, own = _deltas(asset, primitive, linear, moves)
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
    placed = np.einsum("vij,vj->vi", linear, vertices) + place[:, :3, 3] + own
    piece = Piece(placed, _normals(attributes, linear), deltas, triangles, cover)
    return piece if cover.opaque or not cover.double_sided else _both_sides(piece)


def _normals(attributes: dict[str, np.ndarray], linear: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3), as far as angles between them go: for nodes that scale all axes alike."""
    if attributes.get("NORMAL", np.zeros(0)).shape != attributes["POSITION"].shape:
        return np.zeros(attributes["POSITION"].shape, np.float32)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        normals = np.einsum("vij,vj->vi", linear, attributes["NORMAL"])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return np.nan_to_num(normals, posinf=0, neginf=0).astype(np.float32)


def _deltas(
    asset: Asset, primitive: dict[str, Any], linear: np.ndarray, moves: np.ndarray
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """What each row of drives moves, and what the file's own weights do, (V, 3).

    Args:
        moves: (K + 1, M), what a weight of each row adds to each target; last, the file's own weights.
    """
    sums: dict[int, np.ndarray] = {}
    for place, target in enumerate(primitive.get("targets", ())):
        rows = np.flatnonzero(moves[:, place]).tolist()
        if not rows or "POSITION" not in target:
            continue
        delta = np.einsum("vij,vj->vi", linear, asset.array(target["POSITION"], len(linear)))
        for row in rows:
            sums[row] = sums.get(row, np.zeros(())) + moves[row, place] * delta
    own = sums.pop(len(moves) - 1, np.zeros((len(linear), 3)))
    return {row: delta.astype(np.float32) for row, delta in sums.items()}, own


def _both_sides(piece: Piece) -> Piece:
    """A card such as lashes are made of, and its back, with vertices of its own, since normals point the other way."""
    count, cover = len(piece.vertices), piece.cover
    return Piece(
        np.tile(piece.vertices, (2, 1)),
        np.concatenate([piece.normals, -piece.normals]),
        {row: np.tile(delta, (2, 1)) for row, delta in piece.deltas.items()},
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
    asset.count_work(16 * len(skin["joints"]))
    joints = np.stack([asset.world[joint] for joint in skin["joints"]])
    if "inverseBindMatrices" in skin:
        joints = joints @ asset.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    place = np.zeros((len(attributes["POSITION"]), 4, 4))
    for name in [name for name in attributes if name.startswith("JOINTS_")]:
        weights = attributes[name.replace("JOINTS", "WEIGHTS")]
        place += np.einsum("vk,vkij->vij", weights, joints[attributes[name]])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # what is not finite is refused by `_merge`
        return place / place[:, 3:, 3:]  # weights may not sum to 1


def read_front(
    asset: Asset, drives: Mapping[int, np.ndarray], defaults: Mapping[int, np.ndarray], nodes: Collection[int]
) -> np.ndarray:
    """The rotation (3, 3) from a file's axes to those of its face: y up, +z the front. Arguments as for `read_face`."""
    with errors_of(asset.name):
        return _turned(asset, read_pieces(asset, drives, defaults, nodes))[0]


def _turned(asset: Asset, pieces: list[Piece]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The rotation to the front; vertices turned by it, how far units move each, triangles, and where pieces start."""
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    neutral = np.concatenate([piece.vertices for piece in pieces])
    moves = np.zeros((len(TARGETS), len(neutral)), np.float32)
    for start, piece in zip(starts, pieces, strict=False):
        for row, delta in piece.deltas.items():
            moves[row, start : start + len(delta)] = np.linalg.norm(delta, axis=1)
    if not (np.abs(neutral).max() < _FAR and moves.max() < _FAR):  # NaN, too
        raise ValueError("expected places of vertices that can be pictured, got ones that are not finite or far off")
    triangles = np.concatenate([piece.triangles + start for start, piece in zip(starts, pieces, strict=False)])
    front = _VRM_0_FRONT if "VRM" in asset.json.get("extensions", {}) else (0, 0, 0)
    rotation = rotation_to_front(neutral, moves, triangles, front)
    return rotation, neutral @ rotation.T, moves, triangles, starts


def _merge(asset: Asset, pieces: list[Piece]) -> dict[str, Any]:
    rotation, neutral, moves, triangles, starts = _turned(asset, pieces)
    frame = _frame(neutral, moves)
    near = (np.abs(neutral - frame[:3]) < _NEAR * frame[3]).all(axis=1)
    indices, corners = np.unique(triangles[near[triangles].all(axis=1)], return_inverse=True)
    if not len(indices):
        raise ValueError("expected triangles where the morph targets move a face, got none")
    neutral = neutral[indices]
    deltas = np.zeros((len(TARGETS), len(indices), 3), np.float32)
    for start, piece in zip(starts, pieces, strict=False):
        first, last = np.searchsorted(indices, [start, start + len(piece.vertices)])
        for row, delta in piece.deltas.items():
            deltas[row, first:last] = delta[indices[first:last] - start] @ rotation.T
    normals = np.concatenate([piece.normals for piece in pieces])[indices]
    triangles = corners.reshape(-1, 3).astype(np.int32)
    owners = np.searchsorted(starts, indices, side="right") - 1
    welds = weld(neutral, deltas, normals, frame[3])
    welds = close_borders(neutral, deltas, normals, triangles, owners, welds, frame[3])
    kept = np.unique(owners)  # of clothes and the like no texture takes room
    covers = [pieces[owner].cover for owner in kept]
    texture, uv, colors = join_covers(covers)
    rows = np.flatnonzero(np.isin(np.repeat(np.arange(len(pieces)), np.diff(starts)), kept))
    own = np.searchsorted(rows, indices)
    return {
        "neutral": neutral.astype(np.float32),
        "deltas": deltas,
        "triangles": triangles,
        "welds": welds,
        "colors": colors[own].astype(np.float32),
        "uv": uv[own].astype(np.float32),
        "texture": texture,
        "frame": frame,
        "missing": tuple(name for name in BLENDSHAPES if not deltas[TARGETS.index(name)].any()),
    }


def _frame(neutral: np.ndarray, moves: np.ndarray) -> tuple[float, float, float, float]:
    """Centre and half the height to show: a head by its lids and lips, or all that moves if one is missing."""
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
    head = neutral[(np.abs(neutral - (x, y, z)) < _NEAR * _UNIT * unit).all(axis=1)]
    return float(x), *frame_head(head, float(y - _CHIN * unit), float(z - _BACK * unit), float(_UNIT * unit))[1:]
