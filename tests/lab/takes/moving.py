"""A small character to be moved, and what takes have, read without the package."""

import csv
import json
import struct
from pathlib import Path

import numpy as np

CASES = Path(__file__).parents[4] / "shared" / "cases"
ROTATIONS = [f"{part}{axis}" for part in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll")]

# Apple's names, by hand from https://developer.apple.com/documentation/arkit/arfaceanchor/blendshapelocation
APPLE = """
eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft eyeBlinkRight
eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight eyeSquintRight eyeWideRight jawForward jawLeft jawRight
jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight mouthSmileLeft mouthSmileRight mouthFrownLeft
mouthFrownRight mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower mouthRollUpper
mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft
mouthUpperUpRight browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
cheekSquintRight noseSneerLeft noseSneerRight tongueOut
""".split()


def write_character(path, names=None, teeth=("jawOpen", "tongueOut")):
    """A head below an armature, with 52 shapes and one of its own, and teeth with two."""
    meshes = {"head_mesh": [*(names or APPLE), "viseme_aa"], "teeth_mesh": list(teeth)}
    places = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0.5], [1, 0, 0.5], [0, 1, 0.5]], "<f4")
    chunk, views, accessors, entries = b"", [], [], []

    def add(array):
        nonlocal chunk
        views.append({"buffer": 0, "byteOffset": len(chunk), "byteLength": array.nbytes})
        chunk += array.tobytes()
        bounds = {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        accessors.append({"bufferView": len(views) - 1, "componentType": 5126, "count": 6, "type": "VEC3", **bounds})
        return len(accessors) - 1

    for name, targets in meshes.items():
        moves = [{"POSITION": add(np.full((6, 3), 0.01 * (k + 1), "<f4"))} for k in range(len(targets))]
        primitive = {"attributes": {"POSITION": add(places)}, "targets": moves}
        entries.append({"name": name, "primitives": [primitive], "extras": {"targetNames": targets}})
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"name": "Armature", "children": [1, 2]},
            {"name": "Head", "mesh": 0},
            {"name": "Upper teeth", "mesh": 1},
        ],
        "meshes": entries,
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(chunk)}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<4sIIII", b"glTF", 2, 28 + len(text) + len(chunk), len(text), 0x4E4F534A)
    path.write_bytes(header + text + struct.pack("<II", len(chunk), 0x004E4942) + chunk)
    return path


def truth(name):
    """Seconds, weights by Apple's name and rotations of a case, clipped to 0..1; read by csv and json alone."""
    path = CASES / name
    if path.suffix == ".json":
        rows, seconds = _json_rows(json.loads(path.read_text()))
    else:
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines(), delimiter=";" if "semicolon" in name else ","))
        clocks = [next(value for key, value in row.items() if key.lower() == "timecode") for row in rows]
        parts = [[float(part) for part in clock.split(":")] for clock in clocks]
        seconds = np.array([3600 * h + 60 * m + s + sixtieths / 60 for h, m, s, sixtieths in parts])
    scale = 100 if "percent" in name else 1
    short = {_short(apple): apple for apple in (*APPLE, *ROTATIONS)}
    weights, angles = {}, {}
    for key in rows[0]:
        apple = short.get(_short(key))
        values = np.array([float(row[key]) for row in rows]) if apple else None
        if apple in ROTATIONS:
            angles[apple[0].lower() + apple[1:]] = values
        elif apple:
            weights[apple] = np.clip(values / scale, 0, 1)
    assert len(weights) in (51, 52)
    weights.setdefault("tongueOut", np.zeros(len(rows)))
    return None if seconds is None else seconds - seconds[0], weights, angles


def _json_rows(document):
    if "weightMat" in document:
        rows = [dict(zip(document["facsNames"], row, strict=True)) for row in document["weightMat"]]
        return rows, np.arange(len(rows)) / document["exportFps"]
    if "frames" in document:
        rows = [dict(zip(document["names"], frame["weights"], strict=True)) for frame in document["frames"]]
        return rows, np.array([frame["time"] for frame in document["frames"]])
    if isinstance(document[0], list) and isinstance(document[0][0], float):
        return [dict(zip(APPLE, row, strict=False)) for row in document], None
    if "score" in document[0]:
        document = [document]
    if isinstance(document[0], list):
        name = "categoryName" if "categoryName" in document[0][0] else "category_name"
        return [{shape[name]: shape["score"] for shape in face} for face in document], None
    return document, None


def _short(name):
    return name.lower().replace("_", "").replace("left", "l").replace("right", "r")
