"""Small VRM avatars, 1.0 and 0.x: our own head on the bones that a VRM must have, and a second mesh with its shapes."""

import json
import struct

from emo3d.face import FaceRig
from emo3d.face.export import write_glb
from emo3d_lab.characters.vrma import T_POSE

META = {
    "1.0": {"name": "test", "version": "1", "authors": ["Emo3D"], "licenseUrl": "https://vrm.dev/licenses/1.0/"},
    "0.x": {"title": "test", "author": "Emo3D", "allowedUserName": "Everyone", "licenseName": "CC0"},
}


def chunks_of(path):
    """The JSON, and the bytes of the binary chunk, read by this file's own few lines."""
    content = path.read_bytes()
    (size,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + size]), content[28 + size :]


def write_container(path, document, chunk):
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    parts = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(chunk), b"BIN\0") + chunk
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(parts)) + parts)


def write_vrm(path, version, expressions=None, *, targets=None, identity="adult"):
    """Write an avatar.

    Args:
        version: "1.0", "0.x", or None for a GLB with bones and no extension.
        expressions: what the file has under `expressions`, or the groups of 0.x.
        targets: other names of the 52 targets, and of more: they move what `names[k % 52]` moves.
    """
    write_glb(path, {}, rig=FaceRig.from_anny(identity))
    document, chunk = chunks_of(path)
    bones = list(T_POSE)
    document["nodes"] += [{"name": bone, "translation": list(place)} for bone, (_, place) in T_POSE.items()]
    for child, (parent, _) in T_POSE.items():
        if parent:
            document["nodes"][1 + bones.index(parent)].setdefault("children", []).append(1 + bones.index(child))
    # The same mesh once more, as teeth or glasses with shapes of their own are a second one.
    document["meshes"].append({**document["meshes"][0], "name": "second"})
    document["nodes"].append({"name": "second", "mesh": 1, "scale": [0.001, 0.001, 0.001]})
    document["scenes"][0]["nodes"] = [0, 1, len(document["nodes"]) - 1]
    if targets is not None:
        document["meshes"][0]["extras"] = {"targetNames": targets}
    human = {bone: {"node": 1 + place} for place, bone in enumerate(bones)}
    if version == "1.0":
        extension = {"specVersion": "1.0", "meta": META[version], "humanoid": {"humanBones": human}}
        extension |= {"expressions": expressions} if expressions is not None else {}
        document["extensions"] = {"VRMC_vrm": extension}
        document["extensionsUsed"] = ["VRMC_vrm"]
    elif version == "0.x":
        humanoid = {"humanBones": [{"bone": bone, **node} for bone, node in human.items()]}
        # A face of 0.x looks along -z; a half turn about y.
        document["nodes"][0]["rotation"] = [0, 1, 0, 0]
        extension = {"specVersion": "0.0", "meta": META[version], "humanoid": humanoid, "materialProperties": []}
        extension |= {"blendShapeMaster": {"blendShapeGroups": expressions}} if expressions is not None else {}
        document["extensions"] = {"VRM": extension}
        document["extensionsUsed"] = ["VRM"]
    write_container(path, document, chunk)
    return path
