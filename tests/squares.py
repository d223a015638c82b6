"""glTF documents of one square, written by hand; what a test changes of one, it changes before it is written."""

import base64
import io
import json

import numpy as np
from PIL import Image

PLACES = np.array([[-1, 0, 0], [1, 0, 0], [1, 2, 0], [-1, 2, 0]], np.float32)  # a square that looks along +z
STAY = [0, 0, 0]
MOVES = {
    "jawOpen": [[0, -1, 0], STAY, STAY, STAY],
    "EyeBlinkLeft": [STAY, STAY, [0, 0, 0.5], STAY],
    "mouthSmile_R": [[0.25, 0, 0], STAY, STAY, STAY],
    "viseme_aa": [[9, 9, 9]] * 4,
}


class Square:
    """A glTF document with one square and four morph targets; to be changed before it is written."""

    def __init__(self):
        self.blob = b""
        self.document = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "bufferViews": [],
            "accessors": [],
        }
        self.primitive = {
            "attributes": {"POSITION": self.add(PLACES)},
            "indices": self.add(np.array([0, 1, 2, 0, 2, 3], np.uint16)),
            "targets": [{"POSITION": self.add(np.array(rows, np.float32))} for rows in MOVES.values()],
        }
        self.mesh = {"primitives": [self.primitive], "extras": {"targetNames": list(MOVES)}}
        self.document["meshes"] = [self.mesh]

    def view(self, data):
        self.document["bufferViews"].append({"buffer": 0, "byteOffset": len(self.blob), "byteLength": len(data)})
        self.blob += data + b"\0" * (-len(data) % 4)
        return len(self.document["bufferViews"]) - 1

    def add(self, values, **more):
        code = {"int16": 5122, "uint8": 5121, "uint16": 5123, "float32": 5126}[str(values.dtype)]
        kind = {1: "SCALAR", 3: "VEC3", 2: "VEC2", 4: "VEC4", 16: "MAT4"}[1 if values.ndim == 1 else values.shape[1]]
        accessor = {
            "bufferView": self.view(values.tobytes()),
            "componentType": code,
            "count": len(values),
            "type": kind,
        }
        self.document["accessors"].append({**accessor, **more})
        return len(self.document["accessors"]) - 1

    def write(self, path):
        data = base64.b64encode(self.blob).decode()
        buffer = {"byteLength": len(self.blob), "uri": f"data:application/octet-stream;base64,{data}"}
        path.write_text(json.dumps({**self.document, "buffers": [buffer]}))
        return path


def png(*colors):
    picture = Image.new("RGBA", (len(colors), len(colors)))
    for column, color in enumerate(colors):
        picture.paste(color, (column, 0, column + 1, len(colors)))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def seen(rig, k):
    column, row = (rig.uv[k] * len(rig.texture)).astype(int)
    return rig.texture[row, column].tolist()
