"""All morph targets of a character, whatever they are called: by name, which vertices each moves, and how."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emo3d.face.rig import TARGETS, FaceRig
from emo3d_lab.characters.faces import choose_face
from emo3d_lab.characters.maps import MappedMesh
from emo3d_lab.characters.targets import CharacterMesh, find_meshes, mapped_meshes
from emo3d_lab.rigs.extensions import errors_of
from emo3d_lab.rigs.glb import Piece, read_pieces
from emo3d_lab.rigs.gltf import Asset
from emo3d_lab.rigs.materials import join_covers

MOST = 5_000
"""Morph targets of a character or a basis."""

_AT_ONCE = 128  # targets read at once, so that only what they move is kept
_STILL = 1e-6  # of the mesh's size: a vertex that a target moves by less is not moved
_HEAD = 12  # targets that make a mesh a face of its own, where it lies apart from others
_LARGEST = 2**31  # bytes of a basis
CLAY = (0.80, 0.66, 0.58)
"""sRGB of what has no colours."""
WHITE = np.full((2, 2, 3), 255, np.uint8)
"""A texture that changes no colour."""


class Move(NamedTuple):
    """What a target does."""

    rows: np.ndarray  # (N,) the vertices that it moves
    deltas: np.ndarray  # (N, 3) float32


@dataclass(frozen=True, eq=False)
class Morphs:
    """A mesh of V vertices and its K targets."""

    rig: FaceRig  # in the file's own axes, with no deltas and no frame
    moves: Mapping[str, Move]  # key of a `CharacterMap` -> what it does
    origin: str | None  # SHA-256 of the file
    defaults: Mapping[str, float] = field(default_factory=dict)  # the file's own weights, with which the rig is at rest
    targets: tuple[MappedMesh, ...] = ()  # of the file's meshes

    @property
    def reach(self) -> np.ndarray:
        """(V,) how far the target that moves it most moves each vertex."""
        reach = np.zeros(len(self.rig.neutral))
        for rows, deltas in self.moves.values():
            reach[rows] = np.maximum(reach[rows], np.linalg.norm(deltas, axis=1))
        return reach

    def combine(self, combination: Mapping[str, float]) -> np.ndarray:
        """Deltas (V, 3) float32 of targets and coefficients."""
        delta = np.zeros(self.rig.neutral.shape, np.float32)
        for key, coefficient in combination.items():
            rows, deltas = self.moves[key]
            delta[rows] += np.float32(coefficient) * deltas
        return delta


def read_morphs(path: str | os.PathLike[str], *, face: str | None = None) -> Morphs:
    """Read a .glb, .gltf or .vrm file.

    Args:
        path: of the file.
        face: name of a node or mesh, where the scene has several faces.

    Raises:
        ValueError: what `emo3d_lab.characters.Character.from_file` refuses in a file but for its names, no morph
            targets, more than `MOST`, or two faces. The message begins with the file's name.
    """
    path = Path(path)
    with errors_of(path.name):
        asset = Asset(path)
        meshes = find_meshes(asset)
        keys = _keys(meshes)
        if not keys:
            raise ValueError(
                "expected morph targets (shape keys, blend shapes) to map to, got a file without any; "
                "in Blender's glTF export switch on Shape Keys"
            )
        if len(keys) > MOST:
            raise ValueError(f"expected at most {MOST} morph targets, got {len(keys)}")
        nodes = choose_face(asset, [_drives(mesh) for mesh in meshes], face)
        rig, moves = _read(asset, meshes, keys, nodes)
        weights = {key: float(meshes[mesh].defaults[place]) for key, ((mesh, place), *_) in keys.items()}
        mapped = mapped_meshes(asset, meshes)
    return Morphs(rig, moves, asset.origin, weights, mapped)


def read_basis(path: str | os.PathLike[str]) -> Morphs:
    """Read a linear basis: an .npz of neutral (V, 3), deltas (K, V, 3), triangles (T, 3) and perhaps names (K,).

    Raises:
        ValueError: an array is missing, or has another shape or numbers that are not finite.
    """
    path = Path(path)
    arrays = _arrays(path)
    for name in ("neutral", "deltas", "triangles"):
        if name not in arrays:
            raise ValueError(f"{path.name}: expected arrays neutral, deltas and triangles, got {', '.join(arrays)}")
    neutral, deltas, triangles = (np.asarray(arrays[name]) for name in ("neutral", "deltas", "triangles"))
    if neutral.ndim != 2 or neutral.shape[1] != 3 or deltas.ndim != 3 or deltas.shape[1:] != neutral.shape:
        shapes = f"{neutral.shape} and {deltas.shape}"
        raise ValueError(f"{path.name}: expected a neutral (V, 3) and deltas (K, V, 3), got arrays of {shapes}")
    if not 0 < len(deltas) <= MOST:
        raise ValueError(f"{path.name}: expected 1 to {MOST} components, got {len(deltas)}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        raise ValueError(f"{path.name}: expected triangles (T, 3) of whole numbers, got {triangles.shape}")
    if not len(triangles) or not 0 <= triangles.min() <= triangles.max() < len(neutral):
        raise ValueError(f"{path.name}: expected triangles of the {len(neutral)} vertices, got others")
    names = arrays["names"] if "names" in arrays else [f"#{place}" for place in range(len(deltas))]
    names = [str(name) for name in names]
    if len(set(names)) != len(deltas):
        raise ValueError(f"{path.name}: expected {len(deltas)} different names, got {len(set(names))}")
    if not (np.isfinite(neutral).all() and np.isfinite(deltas).all()):
        raise ValueError(f"{path.name}: expected finite numbers, got others")
    size = float(np.ptp(neutral, axis=0).max())
    moves = {name: _move(np.asarray(delta, np.float32), size) for name, delta in zip(names, deltas, strict=True)}
    return Morphs(_rig(path.name, neutral, triangles), moves, None)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz, without Python objects."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _LARGEST:
            raise ValueError(f"expected at most {_LARGEST >> 20} MB of arrays, got {size >> 20} MB")
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path.name}: expected an .npz of arrays, got something else: {error!s:.200}") from error


def _keys(meshes: Sequence[CharacterMesh]) -> dict[str, list[tuple[int, int]]]:
    """Keys of a map, and the places of each mesh and target that they mean."""
    nameless = sum(any(target.startswith("#") for target in mesh.targets) for mesh in meshes) > 1
    keys: dict[str, list[tuple[int, int]]] = {}
    for row, mesh in enumerate(meshes):
        for place, target in enumerate(mesh.targets):
            key = f"{mesh.name}/{target}" if nameless and target.startswith("#") else target
            places = keys.setdefault(key, [])
            if (row, mesh.targets.index(target)) not in places:  # the second of a name is never driven
                places.append((row, place))
    return keys


def _drives(mesh: CharacterMesh) -> np.ndarray:
    """What tells heads from lashes where names do not: how many targets a mesh has."""
    drive = np.zeros((len(TARGETS), len(mesh.targets)))
    drive[: len(TARGETS) if len(mesh.targets) >= _HEAD else 1] = 1
    return drive


def _read(
    asset: Asset, meshes: Sequence[CharacterMesh], keys: Mapping[str, list[tuple[int, int]]], nodes: Collection[int]
) -> tuple[FaceRig, dict[str, Move]]:
    moves: dict[str, Move] = {}
    rests = {node: rest for mesh in meshes for node, rest in mesh.rests.items()}
    still = {mesh.index: np.zeros((1, len(mesh.targets))) for mesh in meshes}
    rig = _merge(asset.name, read_pieces(asset, still, rests, nodes))
    size = float(np.ptp(rig.neutral, axis=0).max())
    names = list(keys)
    for start in range(0, len(names), _AT_ONCE):
        part = names[start : start + _AT_ONCE]
        drives = {mesh.index: np.zeros((len(part), len(mesh.targets))) for mesh in meshes}
        for row, key in enumerate(part):
            for mesh, place in keys[key]:
                drives[meshes[mesh].index][row, place] = 1
        pieces = read_pieces(asset, drives, rests, nodes)
        starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
        for row, key in enumerate(part):
            parts = [
                _move(piece.deltas[row], size, int(first))
                for first, piece in zip(starts, pieces, strict=False)
                if row in piece.deltas
            ]
            moves[key] = Move(*map(np.concatenate, zip(*parts, strict=True))) if parts else Move(*_NOTHING)
    return rig, moves


_NOTHING = np.zeros(0, int), np.zeros((0, 3), np.float32)


def _move(delta: np.ndarray, size: float, start: int = 0) -> Move:
    rows = np.flatnonzero((np.abs(delta) > _STILL * size).any(axis=1))
    return Move(rows + start, delta[rows])


def _merge(name: str, pieces: Sequence[Piece]) -> FaceRig:
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    texture, uv, colors = join_covers([piece.cover for piece in pieces])
    neutral = np.concatenate([piece.vertices for piece in pieces])
    if not (np.isfinite(neutral).all() and np.abs(neutral).max() < 1e9):
        raise ValueError("expected places of vertices that can be pictured, got ones that are not finite or far off")
    triangles = np.concatenate([piece.triangles + start for start, piece in zip(starts, pieces, strict=False)])
    return _rig(name, neutral, triangles, colors, uv, texture)


def no_deltas(count: int) -> np.ndarray:
    """Deltas (52, V, 3) of a rig of V vertices that nothing moves."""
    return np.broadcast_to(np.zeros((1, 1, 1), np.float32), (len(TARGETS), count, 3))


def _rig(
    name: str,
    neutral: np.ndarray,
    triangles: np.ndarray,
    colors: np.ndarray | None = None,
    uv: np.ndarray | None = None,
    texture: np.ndarray | None = None,
) -> FaceRig:
    """A rig to picture; without colours, of clay."""
    count = len(neutral)
    _, first, inverse = np.unique(np.float32(neutral), axis=0, return_index=True, return_inverse=True)
    return FaceRig(
        name=name,
        neutral=np.asarray(neutral, np.float32),
        deltas=no_deltas(count),
        triangles=np.asarray(triangles, np.int32),
        welds=first[inverse.ravel()].astype(np.int32),
        colors=np.tile(np.array(CLAY, np.float32), (count, 1)) if colors is None else colors.astype(np.float32),
        uv=np.zeros((count, 2), np.float32) if uv is None else uv.astype(np.float32),
        texture=WHITE if texture is None else texture,
        frame=(0.0, 0.0, 0.0, 1.0),
        calibration=None,
    )
