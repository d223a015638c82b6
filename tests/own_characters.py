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
