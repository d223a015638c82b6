"""Characters as visitors have them: one of our heads, changed as a file by JSON alone, and what is none."""

import json
import struct

from emo3d.face import FaceRig
from emo3d_lab.rigs import glb_bytes

TEETH = 600  # indices of the head that its second mesh has


def chunks(content):
    """JSON and binary chunk of a GLB, as the specification lays them out."""
    (size,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + size]), content[28 + size :]


def pack(document, binary):
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def changed(content, change):
    """The same file after `change(document)`."""
    document, binary = chunks(content)
    return pack(change(document) or document, binary)


def avatar(identity="elderly-man"):
    """A head with what ours has not: names in another spelling, a second mesh that moves with it, a node, extras."""

    def change(document):
        (mesh,) = document["meshes"]
        (primitive,) = mesh["primitives"]
        names = [name[0].upper() + name[1:] for name in mesh["extras"]["targetNames"]]
        mesh["extras"] = {"targetNames": names, "tailor": "own"}
        shortened = {**document["accessors"][primitive["indices"]], "count": TEETH}
        document["accessors"].append(shortened)
        teeth = {**primitive, "indices": len(document["accessors"]) - 1}
        document["meshes"].append({"name": "teeth", "primitives": [teeth], "extras": {"targetNames": names}})
        document["nodes"] += [{"name": "hat stand", "translation": [9, 0, 0]}, {"name": "teeth", "mesh": 1}]
        document["scenes"][0]["nodes"] += [1, 2]
        document["materials"][0]["extras"] = {"shader": "own"}

    return changed(glb_bytes({}, rig=FaceRig.from_anny(identity)), change)


def hostile(secret="secret.csv"):
    """Name -> content of a file that is no character, and a part of the sentence that says so."""
    content = avatar()
    document, binary = chunks(content)

    def two_faces(document):
        document["nodes"].append({"name": "twin", "mesh": 0, "translation": [3, 0, 0]})
        document["scenes"][0]["nodes"].append(3)

    def cyclic(document):
        document["nodes"][0]["children"] = [1]
        document["nodes"][1]["children"] = [0]

    def many_morphs(document):
        for mesh in document["meshes"]:
            mesh["extras"]["targetNames"] = [f"morph {number}" for number in range(5000)]
            mesh["primitives"][0]["targets"] = mesh["primitives"][0]["targets"][:1] * 5000
            mesh.pop("weights", None)

    def liar(document):
        document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]["count"] = 10**9

    def reaching_buffer(document):
        document["buffers"] = [{"byteLength": len(binary), "uri": f"../../{secret}"}]

    def reaching_picture(document):
        document["images"][0] = {"uri": f"/etc/../{secret}"}

    def beside(document):
        document["images"][0] = {"uri": "skin.png"}

    def nameless(document):
        for mesh in document["meshes"]:
            mesh["extras"]["targetNames"] = [f"<b>{number}</b>" for number in range(52)]

    def still(document):
        for mesh in document["meshes"]:
            del mesh["primitives"][0]["targets"], mesh["extras"]
            mesh.pop("weights", None)

    return {
        "zip": (b"PK\3\4" + bytes(60), "expected a glTF 2.0 file"),
        "byte": (b"g", "expected a glTF 2.0 file"),
        "nothing": (b"", "expected a glTF 2.0 file"),
        "cut": (content[:1000], "expected a GLB of version 2"),
        "text": (json.dumps(document).encode(), "expected"),
        "deep": (b'{"asset": {"version": "2.0"}, "extras": ' + b"[" * 100_000, "expected a glTF 2.0 file"),
        "two faces": (changed(content, two_faces), "expected one face in the scene, got 2"),
        "cyclic": (changed(content, cyclic), "expected nodes in a tree"),
        "5,000 morphs": (changed(content, many_morphs), "expected at most 2000 morph targets"),
        "liar": (changed(content, liar), "vertices"),
        "reaching buffer": (changed(content, reaching_buffer), "expected files in the same folder"),
        "reaching picture": (changed(content, reaching_picture), "expected files in the same folder"),
        "beside": (changed(content, beside), "expected all in one file"),
        "other names": (changed(content, nameless), "--out map.json` measures what they do"),
        "no morphs": (changed(content, still), "no morph targets at all"),
    }
