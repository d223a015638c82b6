"""A user's glTF file that comes back whole: its JSON may be changed and data appended; every other byte stays."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import struct
from mimetypes import guess_type
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.files import check_output, whole_file
from emo3d_lab.rigs.extensions import errors_of
from emo3d_lab.rigs.gltf import Asset

_FLOAT = 5126  # glTF component type
_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp", b"\xabKTX": "image/ktx2"}


class EditedFile:
    """The content of a .glb, .gltf or .vrm file, to be changed and written.

    Attributes:
        json: the document, a copy that may be changed.
        added: name of the animation or expression that it was given, None of neither.
    """

    def __init__(self, asset: Asset) -> None:
        self._asset = asset
        self.added: str | None = None
        self.json: dict[str, Any] = json.loads(json.dumps(asset.json))
        self._added = bytearray()  # in a buffer of its own until the file is written
        buffers = self.json.get("buffers", [])
        self._in_chunk = asset.is_binary and (not buffers or "uri" not in buffers[0])
        self._buffer = 0 if self._in_chunk else len(buffers)
        self._start = -(-len(asset.chunk) // 4) * 4 if self._in_chunk else 0

    def add_view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes, aligned to four; return the buffer view's index."""
        view = {"buffer": self._buffer, "byteOffset": self._start + len(self._added), "byteLength": len(data)}
        self.json.setdefault("bufferViews", []).append(view | ({} if target is None else {"target": target}))
        self._added += data + b"\0" * (-len(data) % 4)
        return len(self.json["bufferViews"]) - 1

    def add_floats(self, values: np.ndarray) -> int:
        """Append numbers (N,) or (N, 2 to 4) as float32; return the accessor's index."""
        values = np.asarray(values, "<f4")
        flat = values.reshape(len(values), -1)
        accessor = {
            "bufferView": self.add_view(values.tobytes()),
            "componentType": _FLOAT,
            "count": len(values),
            "type": "SCALAR" if values.ndim == 1 else f"VEC{values.shape[1]}",
            "min": flat.min(axis=0).tolist(),
            "max": flat.max(axis=0).tolist(),
        }
        self.json.setdefault("accessors", []).append(accessor)
        return len(self.json["accessors"]) - 1

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file: `.glb` and `.vrm` as one container, `.gltf` with the files that lie beside it.

        Raises:
            ValueError: another ending; a .gltf of what came as one container; other files of the same names there.
            OSError: a folder that is missing or cannot be written to.
        """
        path = Path(path)
        ending = path.suffix.lower()
        if ending not in (".glb", ".gltf", ".vrm"):
            raise ValueError(f"expected a file .glb, .gltf or .vrm to write, got {path.name}")
        if ending == ".vrm" and not {"VRM", "VRMC_vrm"} & self.json.get("extensions", {}).keys():
            raise ValueError(f"expected .glb or .gltf for a character that is no VRM, got {path.name}")
        if ending == ".gltf" and self._asset.is_binary:
            raise ValueError(f"expected .glb or .vrm for a file that came as one container, got {path.name}")
        check_output(path)
        whole = self.json
        kinds = whole.keys() & {"buffers", "bufferViews", "images"}  # where the bytes come to lie
        try:
            with errors_of(self._asset.name):
                self.json = {**whole, **{kind: [*map(dict, whole[kind])] for kind in kinds}}
                self._write_text(path) if ending == ".gltf" else self._write_container(path)
        finally:
            self.json = whole

    def _copy_beside(self, path: Path) -> None:
        uris = [entry.get("uri", "data:") for kind in ("buffers", "images") for entry in self.json.get(kind, ())]
        copies = {}
        for uri in uris:
            if uri.startswith("data:"):
                continue
            source = self._asset.beside(uri)
            copy = path.parent / source.relative_to(self._asset.folder)
            if copy.resolve() == source.resolve() or not source.exists():  # what lacked a picture lacks it still
                continue
            if copy.exists() and _digest(copy) != _digest(source):
                raise ValueError(f"expected room for {copy.name} beside {path.name}, got another file of that name")
            copies[copy] = source
        for copy, source in copies.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(copy) as file:
                shutil.copyfile(source, file)

    def _write_text(self, path: Path) -> None:
        self._copy_beside(path)
        if self._added:
            self._extend_buffers(self._inline())
        with whole_file(path) as file:
            file.write_bytes(self._text())

    def _write_container(self, path: Path) -> None:
        added = b""
        if not self._asset.is_binary:
            chunk: bytes | memoryview = self._pack()
        else:
            self._copy_beside(path)
            chunk = self._asset.chunk
            if self._in_chunk:
                added = bytes(self._added)
            if added:
                self._extend_buffers({"byteLength": self._start + len(added)})
            elif self._added:
                self._extend_buffers(self._inline())
        text = self._text()
        text += b" " * (-len(text) % 4)
        middle = b"\0" * (self._start - len(chunk)) if added else b"\0" * (-len(chunk) % 4)
        size = len(chunk) + len(middle) + len(added)
        binary = [struct.pack("<I4s", size, b"BIN\0"), chunk, middle, added] if size else []
        parts: list[bytes | memoryview] = [
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            *binary,
            self._asset.other_chunks,
        ]
        with whole_file(path) as file, open(file, "wb") as stream:
            stream.write(struct.pack("<4sII", b"glTF", 2, 12 + sum(map(len, parts))))
            stream.writelines(parts)

    def _pack(self) -> bytes:
        """All buffers and pictures beside a .gltf as one chunk, for a container."""
        views = self.json.get("bufferViews", [])
        if any("buffer" in extension for view in views for extension in view.get("extensions", {}).values()):
            raise ValueError("expected .gltf to write for a .gltf with compressed buffers (meshopt), got one container")
        packed, starts = bytearray(), []
        buffers = [self._asset.content_of(entry) for entry in self.json.get("buffers", ())]
        for data in [*buffers, *([bytes(self._added)] if self._added else [])]:
            starts.append(len(packed))
            packed += data + b"\0" * (-len(data) % 4)
        for view in views:
            view["byteOffset"] = view.get("byteOffset", 0) + starts[view["buffer"]]
            view["buffer"] = 0
        for image in self.json.get("images", ()):
            if "uri" not in image:
                continue
            data, uri = self._asset.content_of(image), image.pop("uri")
            stated = image.get("mimeType") or guess_type(uri)[0] or "image/png"
            image["mimeType"] = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), stated)
            image["bufferView"] = len(self.json.setdefault("bufferViews", []))
            self.json["bufferViews"].append({"buffer": 0, "byteOffset": len(packed), "byteLength": len(data)})
            packed += data + b"\0" * (-len(data) % 4)
        if packed:
            self.json["buffers"] = [{"byteLength": len(packed)}]
        return bytes(packed)

    def _inline(self) -> dict[str, Any]:
        uri = "data:application/octet-stream;base64," + base64.b64encode(self._added).decode()
        return {"uri": uri, "byteLength": len(self._added)}

    def _extend_buffers(self, buffer: dict[str, Any]) -> None:
        buffers = self.json.setdefault("buffers", [])
        if self._buffer < len(buffers):
            buffers[self._buffer] |= buffer
        else:
            buffers.append(buffer)

    def _text(self) -> bytes:
        return json.dumps(self.json, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
