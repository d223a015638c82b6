"""Opening glTF 2.0: the arrays, pictures and placed nodes of a .glb or .gltf file, checked.

Of the parsers at hand, trimesh leaves morph targets out, and pygltflib leaves accessors, sparse ones and skins to its
user, which is nearly all that there is to do.

Source: glTF 2.0 specification, Khronos Group, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import numpy as np
from PIL import Image

from emo3d.documents import parse_json
from emo3d.pictures import open_picture
from emo3d_lab.rigs.extensions import DRACO, decode_draco, decode_meshopt, meshopt_of, picture_of

LARGEST = 2048  # side of a texture, in texels; a picture of a face shows less
_LARGEST_PICTURE = 8192 * 8192  # pixels of a texture that is read, and made smaller
_LARGEST_FILE = 500 << 20  # bytes, with the files beside it, and unpacked
_MOST_NODES = 100_000
_MOST_PARTS = 5_000  # primitives as often as they are placed
MOST_VERTICES = 500_000  # of all meshes as often as they are placed
_MOST_CORNERS = 12 * MOST_VERTICES  # of triangles
_MOST_VALUES = 3_000_000  # of the JSON
# Files can ask for the same numbers over and over, so the work is counted. All that a rig of the most vertices takes is
# a third of it, and it is done in seconds.
_MOST_WORK = 2**28  # numbers read of accessors, and thirds of the texels of pictures
_CALL = 2000  # numbers that could be read in the time that it takes to look an accessor up
_EXPORT = "; export it from Blender as glTF 2.0 (.glb) with Shape Keys on"
_MANY = 16  # pictures; more are kept smaller, since all share one texture of `LARGEST` in the end

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Asset:
    """A glTF file opened: its JSON, and arrays, pictures and placed nodes out of it."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.folder = path.parent.resolve()
        self._claimed: set[object] = set()
        self._size = self._work = self._corners = 0
        content = self._read_file(path)
        self.digest = hashlib.sha256(content)  # of what is read beside, too
        self.origin = self.digest.hexdigest()
        self.is_binary = content[:4] == b"glTF"
        empty = memoryview(b"")
        text, self.chunk, self.other_chunks = _chunks(content) if self.is_binary else (content, empty, empty)
        if sum(map(text.count, (b",", b"[", b"{"))) > _MOST_VALUES:
            raise ValueError(f"expected JSON of at most {_MOST_VALUES} values, got more")
        try:
            self.json: dict[str, Any] = parse_json(text.removeprefix(b"\xef\xbb\xbf"))
            version = str(self.json["asset"]["version"])
        except (ValueError, LookupError, TypeError) as error:
            reason = f" ({error})" if isinstance(error, ValueError) and text[:1] == b"{" else ""
            advice = _EXPORT if path.suffix.lower() not in (".glb", ".gltf", ".vrm") else ""
            raise ValueError(f"expected a glTF 2.0 file (.glb or .gltf), got something else{reason}{advice}") from None
        if not version.startswith("2."):
            raise ValueError(f"expected glTF 2.0, got version {version}")
        self._contents: list[bytes | memoryview] | None = None
        self._unpacked: dict[int, memoryview] = {}  # buffer views that meshopt packed
        self._pictures: dict[int, Image.Image] = {}
        self.world: dict[int, np.ndarray] = {}  # 4 x 4 matrix of every node that is placed

    def entry(self, kind: str, index: Any) -> dict[str, Any]:
        """The entry of a list of the file, such as `accessors`; a LookupError where there is none."""
        entries = self.json.get(kind, [])
        if type(index) is not int or not 0 <= index < len(entries) or not isinstance(entries[index], dict):
            raise LookupError(f"{index!r:.40} is none of {len(entries)} {kind}")
        return entries[index]

    @property
    def _buffers(self) -> list[bytes | memoryview]:
        if self._contents is None:
            self._contents = [self._buffer(buffer) for buffer in self.json.get("buffers", ())]
        return self._contents

    def scene(self) -> list[dict[str, Any]]:
        """Place the nodes of the default scene; return those with a visible mesh, `index` added."""
        nodes = self.json.get("nodes", [])
        if len(nodes) > _MOST_NODES:
            raise ValueError(f"expected at most {_MOST_NODES} nodes, got {len(nodes)}")
        if "scenes" in self.json:
            roots = self.entry("scenes", self.json.get("scene", 0)).get("nodes", ())
        else:
            children = {child for node in nodes for child in node.get("children", ())}
            roots = [index for index in range(len(nodes)) if index not in children]
        self.world = {}
        self._work = self._corners = 0  # of what is read once
        waiting = [(index, np.eye(4), True) for index in roots]
        meshes = []
        while waiting:
            index, parent, visible = waiting.pop()
            node = self.entry("nodes", index)
            if index in self.world:
                raise ValueError(f"expected nodes in a tree, got node {index} twice")
            with np.errstate(over="ignore", invalid="ignore"):
                self.world[index] = parent @ _local(node)
            if not np.isfinite(self.world[index]).all():
                raise ValueError(f"expected finite numbers, got others in the place of node {index}")
            extension = node.get("extensions", {}).get("KHR_node_visibility", {})
            visible = visible and extension.get("visible", True) is not False
            if "mesh" in node and visible:
                meshes.append({**node, "index": index})
            waiting += [(child, self.world[index], visible) for child in reversed(node.get("children", ()))]
        parts = [self.entry("meshes", node["mesh"])["primitives"] for node in meshes]
        if (number := sum(max(1, len(primitives)) for primitives in parts)) > _MOST_PARTS:
            raise ValueError(f"expected at most {_MOST_PARTS} primitives, got {number}: leave out what is not the head")
        positions = (part["attributes"]["POSITION"] for primitives in parts for part in primitives)
        total = sum(_whole(self.entry("accessors", position), "count") for position in positions)
        if total > MOST_VERTICES:
            raise ValueError(f"expected at most {MOST_VERTICES} vertices, got {total}: leave out what is not the head")
        return meshes

    def primitive(self, primitive: dict[str, Any]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Attributes of a primitive, each (V, width), and its indices (N,), or None where it has none."""
        accessors = {**primitive["attributes"]}
        count = _whole(self.entry("accessors", accessors["POSITION"]), "count")
        attributes, indices = {}, None
        draco = primitive.get("extensions", {}).get(DRACO)
        if draco is not None and "bufferView" not in self.entry("accessors", accessors["POSITION"]):
            data = self._view(draco["bufferView"])
            values, indices = decode_draco(data, draco["attributes"])
            self._corners += len(indices)
            for name in values:
                if len(values[name]) != count:
                    raise ValueError(f"expected {count} vertices in a Draco mesh, got {len(values[name])}")
                # Draco's decoder widens whole numbers; what they are a share of, the accessor says.
                kind = COMPONENTS[self.entry("accessors", accessors[name])["componentType"]]
                attributes[name] = self._check_numbers(values[name].astype(kind), accessors.pop(name))
        elif "indices" in primitive:
            self._corners += _whole(self.entry("accessors", primitive["indices"]), "count")
            indices = self.array(primitive["indices"])[:, 0] if self._corners <= _MOST_CORNERS else None
        if self._corners > _MOST_CORNERS:
            raise ValueError(
                f"expected at most {_MOST_CORNERS // 3} triangles, got more: leave out what is not the head"
            )
        if "POSITION" in accessors:  # these must have bytes, so that a small file is no large mesh
            attributes["POSITION"] = self.array(accessors.pop("POSITION"))
        return attributes | {name: self.array(index, count) for name, index in accessors.items()}, indices

    def array(self, index: int, count: int | None = None) -> np.ndarray:
        """Values of an accessor, (count, width); normalised integers as floats.

        A `count` is what it must be; only such accessors may do without bytes of their own (zeros).
        """
        accessor = self.entry("accessors", index)
        dtype = np.dtype(COMPONENTS[accessor["componentType"]])
        shape = _whole(accessor, "count", least=1), _WIDTHS[accessor["type"]]
        if count is not None and shape[0] != count:
            raise ValueError(f"expected {count} values in accessor {index}, got {shape[0]}")
        self.count_work(_CALL + shape[0] * shape[1])
        if "bufferView" in accessor:
            values = self._slice(accessor, dtype, shape)
        elif count is None:
            raise ValueError(f"expected values in accessor {index}, got none")
        else:
            values = np.zeros(shape, dtype)
        if "sparse" in accessor:
            sparse, values = accessor["sparse"], values.copy()
            kind = np.dtype(COMPONENTS[sparse["indices"]["componentType"]])
            if kind.kind != "u":
                raise ValueError(f"expected unsigned indices in accessor {index}, got {kind}")
            entries = _whole(sparse, "count", least=1)
            self.count_work(2 * entries)
            rows = self._slice(sparse["indices"], kind, (entries, 1))[:, 0]
            if rows.max() >= shape[0]:
                raise ValueError(f"expected indices below {shape[0]} in accessor {index}, got {rows.max()}")
            values[rows] = self._slice(sparse["values"], dtype, (entries, shape[1]))
        return self._check_numbers(values, index)

    def _check_numbers(self, values: np.ndarray, index: int) -> np.ndarray:
        if self.entry("accessors", index).get("normalized") and values.dtype.kind != "f":
            values = np.maximum(values / np.float32(np.iinfo(values.dtype).max), -1)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"expected finite numbers, got others in accessor {index}")
        return values

    def picture(self, texture: int) -> Image.Image:
        """A texture's picture, RGBA, at most `LARGEST` texels wide and high."""
        index = picture_of(self.entry("textures", texture), texture)
        if index in self._pictures:
            return self._pictures[index]
        data = bytes(self._bytes(self.entry("images", index)))
        try:
            picture = open_picture(data, largest=_LARGEST_PICTURE)
        except ValueError as error:
            raise ValueError(f"expected texture {texture} to be a picture: {error}") from None
        self.count_work(picture.width * picture.height // 3)
        if picture.mode not in ("RGB", "RGBA", "L"):
            picture = picture.convert("RGBA")
        side = LARGEST if len(self._pictures) < _MANY else LARGEST // 4
        picture.thumbnail((side, side))
        return self._pictures.setdefault(index, picture.convert("RGBA"))

    def count_work(self, amount: int) -> None:
        """Count what is about to be done; a ValueError where it is more than any face takes."""
        self._work += amount
        if self._work > _MOST_WORK:
            raise ValueError(
                "expected numbers and texels of one face, got as many as of hundreds: leave out the others"
            )

    def _slice(self, entry: dict[str, Any], dtype: np.dtype[Any], shape: tuple[int, int]) -> np.ndarray:
        view, data = self.entry("bufferViews", entry["bufferView"]), self._view(entry["bufferView"])
        width = shape[1] * dtype.itemsize
        row, offset = _whole(view, "byteStride", width), _whole(entry, "byteOffset", 0)
        if row < width:
            raise ValueError(f"expected rows of at least {width} bytes in buffer view {entry['bufferView']}, got {row}")
        size = offset + (shape[0] - 1) * row + width
        if size > len(data):
            raise ValueError(f"expected {size} bytes in buffer view {entry['bufferView']}, got {len(data)}")
        return np.ndarray(shape, dtype, data, offset, (row, dtype.itemsize))

    def _view(self, index: int) -> memoryview:
        view = self.entry("bufferViews", index)
        data = self._span(view)
        packed = meshopt_of(self.json, view, plain=len(data) > 0)
        if packed is None:
            return data
        if index not in self._unpacked:
            count, stride = _whole(packed, "count", least=1), _whole(packed, "byteStride", least=1)
            self._claim(index, count * stride)
            data, mode, kind = self._span(packed), str(packed["mode"]), str(packed.get("filter", "NONE"))
            self._unpacked[index] = decode_meshopt(data, count, stride, mode, kind)
        return self._unpacked[index]

    def _span(self, view: dict[str, Any]) -> memoryview:
        start, length, buffer = _whole(view, "byteOffset", 0), _whole(view, "byteLength"), view["buffer"]
        if type(buffer) is not int or not 0 <= buffer < len(self._buffers):
            raise LookupError(f"{buffer!r:.40} is none of {len(self._buffers)} buffers")
        return memoryview(self._buffers[buffer])[start : start + length]

    def _buffer(self, entry: dict[str, Any]) -> bytes | memoryview:
        is_copy = meshopt_of(self.json, entry, plain=False) is not None  # of what meshopt packed; need not be there
        uri = entry.get("uri")
        if uri is None or (is_copy and not uri.startswith("data:") and not self.beside(uri).exists()):
            return b"" if is_copy else self.chunk
        return self._bytes(entry)

    def _bytes(self, entry: dict[str, Any]) -> bytes:
        """As `content_of`; what lies beside belongs to the digest from now on."""
        data = self.content_of(entry)
        if not entry.get("uri", "data:").startswith("data:"):
            self.digest.update(data)
        return data

    def content_of(self, entry: dict[str, Any]) -> bytes:
        """Bytes of a buffer or an image: in a view, inline, in a file beside, or in the GLB's own chunk."""
        if "bufferView" in entry:
            return bytes(self._view(entry["bufferView"]))
        if "uri" not in entry:
            return bytes(self._buffer(entry))
        uri = entry["uri"]
        if uri.startswith("data:"):
            try:
                return base64.b64decode(uri.partition(",")[2])
            except binascii.Error as error:
                raise ValueError(f"expected base64 in a data URI: {error}") from None
        return self._read_file(self.beside(uri))

    def _read_file(self, path: Path) -> bytes:
        if not path.exists():
            raise FileNotFoundError(f"no such file: {path}")
        if not path.is_file():
            raise ValueError(f"expected a file, got {path.name}, which is {'a folder' if path.is_dir() else 'none'}")
        self._claim(path, path.stat().st_size)
        return path.read_bytes()

    def _claim(self, key: object, size: int) -> None:
        self._size += 0 if key in self._claimed else size
        self._claimed.add(key)
        if self._size > _LARGEST_FILE:
            most, size = _LARGEST_FILE >> 20, self._size >> 20
            raise ValueError(f"expected at most {most} MB, files beside and unpacked ones with it, got {size} MB")

    def beside(self, uri: str) -> Path:
        """Where a file beside lies; a ValueError where that is no place below the folder."""
        name = unquote(uri)
        # A name that leads elsewhere would read any file of this machine, and so would a link that came in an archive.
        # A snapshot in the Hub's cache is made of links to `../../blobs`, which hold files of the same repository.
        parts = PurePosixPath(name).parts
        if "\0" in name or "\\" in name or ":" in name or not parts or parts[0] == "/" or ".." in parts:
            raise ValueError(f"expected files in the same folder, got {uri!r:.200}")
        path = self.folder.joinpath(*parts)
        folders = [self.folder]
        if "snapshots" in self.folder.parts:
            depth = len(self.folder.parts) - self.folder.parts[::-1].index("snapshots") - 1
            folders.append(Path(*self.folder.parts[:depth], "blobs"))
        if not any(path.resolve().is_relative_to(folder) for folder in folders):
            raise ValueError(f"expected files in the same folder, got {uri!r:.200}, a link to another")
        return path


def _whole(entry: dict[str, Any], name: str, default: int | None = None, least: int = 0) -> int:
    value = entry[name] if default is None else entry.get(name, default)
    if type(value) is not int or not least <= value < 2**40:
        raise ValueError(f"expected {name} to be a whole number of at least {least}, got {value!r:.40}")
    return value


def _chunks(content: bytes) -> tuple[bytes, memoryview, memoryview]:
    """JSON and binary chunk, which come first, and all that follows: others belong to extensions."""
    _, version, length = struct.unpack_from("<4sII", content)
    if version != 2 or length > len(content):
        raise ValueError(f"expected a GLB of version 2 and {length} bytes, got version {version}, {len(content)} bytes")
    whole = memoryview(content)  # copies would be as large as the file
    parts, start = [], 12
    for expected in (b"JSON", b"BIN\0"):
        size, kind = struct.unpack_from("<I4s", content, start) if start < length else (0, b"")
        parts.append(whole[start + 8 : start + 8 + size] if kind == expected else whole[:0])
        start += 8 + size if kind == expected else 0
    return bytes(parts[0]), parts[1], whole[start:length]


def _local(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T  # column by column
    x, y, z, w = (float(value) for value in node.get("rotation", (0, 0, 0, 1)))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    local = np.eye(4)
    with np.errstate(over="ignore", invalid="ignore"):
        local[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), float)
    local[:3, 3] = node.get("translation", (0, 0, 0))
    return local
