"""Opening glTF 2.0: the arrays, pictures and placed nodes of a .glb or .gltf file, checked.

Done with the standard library, numpy and Pillow, as `export.py` writes: of the parsers at hand, trimesh leaves morph
targets out, and pygltflib leaves accessors, sparse ones and skins to its user, which is nearly all that there is to do.

Source: glTF 2.0 specification, Khronos Group, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from PIL import Image

from emo3d.names import Names

LARGEST = 2048  # side of a texture, in texels; a picture of a face shows less

_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_HARMLESS = re.compile("KHR_mesh_quantization|KHR_materials_.*|KHR_lights_punctual")  # required, yet read as it is


class Asset:
    """A glTF file opened: its JSON, and arrays, pictures and placed nodes out of it."""

    names: Names | None = None  # the user's own, of morph targets

    def __init__(self, path: Path) -> None:
        self.folder = path.parent.resolve()
        content = path.read_bytes()
        self.digest = hashlib.sha256(content)
        text, self._chunk = _chunks(content) if content[:4] == b"glTF" else (content, b"")
        try:
            self.json: dict[str, Any] = json.loads(text)
            version = str(self.json["asset"]["version"])
        except (ValueError, LookupError, TypeError):
            raise ValueError("expected a glTF 2.0 file (.glb or .gltf), got something else") from None
        if not version.startswith("2."):
            raise ValueError(f"expected glTF 2.0, got version {version}")
        needed = [name for name in self.json.get("extensionsRequired", ()) if not _HARMLESS.fullmatch(name)]
        if needed:
            raise ValueError(f"expected a file without compression or extensions, got one that needs {needed[0]}")
        self._buffers = [self._bytes(buffer) for buffer in self.json.get("buffers", ())]
        self._pictures: dict[int, Image.Image] = {}
        self.world: dict[int, np.ndarray] = {}  # 4 x 4 matrix of every node that is placed

    def scene(self) -> list[dict[str, Any]]:
        """Place the nodes of the default scene; those with a mesh, `index` added."""
        nodes = self.json.get("nodes", [])
        scenes = self.json.get("scenes", [{"nodes": range(len(nodes))}])
        waiting = [(index, np.eye(4)) for index in scenes[self.json.get("scene", 0)].get("nodes", ())]
        while waiting:
            index, parent = waiting.pop(0)
            if index in self.world:
                raise ValueError(f"expected nodes in a tree, got node {index} twice")
            self.world[index] = parent @ _local(nodes[index])
            waiting += [(child, self.world[index]) for child in nodes[index].get("children", ())]
        return [{**nodes[index], "index": index} for index in self.world if "mesh" in nodes[index]]

    def array(self, index: int) -> np.ndarray:
        """Values of an accessor, (count, width); normalised integers as floats."""
        accessor = self.json["accessors"][index]
        dtype = np.dtype(_COMPONENTS[accessor["componentType"]])
        shape = accessor["count"], _WIDTHS[accessor["type"]]
        values = self._slice(accessor, dtype, shape) if "bufferView" in accessor else np.zeros(shape, dtype)
        if "sparse" in accessor:
            sparse, values = accessor["sparse"], values.copy()
            kind = np.dtype(_COMPONENTS[sparse["indices"]["componentType"]])
            rows = self._slice(sparse["indices"], kind, (sparse["count"], 1))[:, 0]
            values[rows] = self._slice(sparse["values"], dtype, (sparse["count"], shape[1]))
        if accessor.get("normalized"):
            values = np.maximum(values / np.float32(np.iinfo(dtype).max), -1)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"expected finite numbers, got others in accessor {index}")
        return values

    def picture(self, texture: int) -> Image.Image:
        """A texture's picture, RGBA, at most `LARGEST` texels wide and high."""
        if texture in self._pictures:
            return self._pictures[texture]
        data = self._bytes(self.json["images"][self.json["textures"][texture]["source"]])
        try:
            picture = Image.open(io.BytesIO(data)).convert("RGBA")
        except OSError as error:
            raise ValueError(f"expected texture {texture} to be a picture: {error}") from None
        picture.thumbnail((LARGEST, LARGEST))
        return self._pictures.setdefault(texture, picture)

    def _slice(self, where: dict[str, Any], dtype: np.dtype[Any], shape: tuple[int, int]) -> np.ndarray:
        view = self.json["bufferViews"][where["bufferView"]]
        row, offset, data = (
            view.get("byteStride", shape[1] * dtype.itemsize),
            where.get("byteOffset", 0),
            self._view(view),
        )
        needed = offset + (shape[0] - 1) * row + shape[1] * dtype.itemsize
        if needed > len(data):
            raise ValueError(f"expected {needed} bytes in buffer view {where['bufferView']}, got {len(data)}")
        return np.ndarray(shape, dtype, data, offset, (row, dtype.itemsize))

    def _view(self, view: dict[str, Any]) -> bytes:
        start = view.get("byteOffset", 0)
        return self._buffers[view["buffer"]][start : start + view["byteLength"]]

    def _bytes(self, entry: dict[str, Any]) -> bytes:
        """Bytes of a buffer or an image: in a view, inline, in a file beside, or in the GLB's own chunk."""
        if "bufferView" in entry:
            return self._view(self.json["bufferViews"][entry["bufferView"]])
        if "uri" not in entry:
            return self._chunk
        if entry["uri"].startswith("data:"):
            return base64.b64decode(entry["uri"].partition(",")[2])
        beside = (self.folder / unquote(entry["uri"])).resolve()
        if not beside.is_relative_to(self.folder):
            raise ValueError(f"expected files in the same folder, got {entry['uri']!r}")
        data = beside.read_bytes()
        self.digest.update(data)
        return data


def _chunks(content: bytes) -> tuple[bytes, bytes]:
    _, version, length = struct.unpack_from("<4sII", content)
    if version != 2 or length > len(content):
        raise ValueError(f"expected a GLB of version 2 and {length} bytes, got version {version}, {len(content)} bytes")
    found, start = {b"JSON": b"", b"BIN\0": b""}, 12
    while start < length:
        size, kind = struct.unpack_from("<I4s", content, start)
        found[kind] = content[start + 8 : start + 8 + size]
        start += 8 + size
    return found[b"JSON"], found[b"BIN\0"]


def _local(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T  # column by column
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    local = np.eye(4)
    local[:3, :3] = turn * node.get("scale", (1, 1, 1))
    local[:3, 3] = node.get("translation", (0, 0, 0))
    return local
