"""glTF folders: a document, its buffer and its picture, with everything that is read of materials, nodes and skins."""

import io
import json
import logging
import struct
from pathlib import Path

import numpy as np
from PIL import Image

_HEAD = Path(__file__).parents[2] / "lab" / "rigs" / "compressed" / "head.glb"


def seeds(folder: Path) -> list[dict[str, bytes]]:
    content = _HEAD.read_bytes()
    (size,) = struct.unpack_from("<I", content, 12)
    plain, blob = json.loads(content[20 : 20 + size]), content[28 + size :]
    plain["buffers"] = [{"uri": "head.bin", "byteLength": len(blob)}]
    plain["images"] = [{"uri": "skin.png"}]
    rich = json.loads(json.dumps(plain))
    count = rich["accessors"][0]["count"]
    joints, weights = np.zeros((count, 4), np.uint8), np.full((count, 4), 0.25, np.float32)
    for values, code in ((joints, 5121), (weights, 5126), (np.tile(np.eye(4, dtype=np.float32), (1, 1)), 5126)):
        rich["bufferViews"].append({"buffer": 0, "byteOffset": len(blob), "byteLength": values.nbytes})
        kind = {"componentType": code, "count": len(values), "type": "VEC4"}
        rich["accessors"].append({"bufferView": len(rich["bufferViews"]) - 1, **kind})
        blob += values.tobytes()
    last = len(rich["accessors"]) - 1
    rich["accessors"][last] |= {"count": 1, "type": "MAT4"}
    rich["meshes"][0]["primitives"][0]["attributes"] |= {"JOINTS_0": last - 2, "WEIGHTS_0": last - 1}
    rich["nodes"] = [
        {"mesh": 0, "skin": 0},
        {"children": [2], "scale": [1, 1, 1]},
        {"rotation": [0, 0, 0, 1], "extensions": {"KHR_node_visibility": {"visible": True}}},
    ]
    rich["skins"] = [{"joints": [2], "inverseBindMatrices": last}]
    rich["scenes"][0]["nodes"] = [0, 1]
    rich["samplers"] = [{"wrapS": 33648, "wrapT": 33071}]
    rich["textures"][0]["sampler"] = 0
    rich["extensionsUsed"] = ["KHR_texture_transform", "VRM"]
    rich["extensions"] = {"VRM": {"materialProperties": [{"vectorProperties": {"_MainTex": [0, 0, 1, 1]}}]}}
    transform = {"KHR_texture_transform": {"offset": [0.1, 0.2], "scale": [2, 2], "rotation": 0.3, "texCoord": 0}}
    rich["materials"][0] |= {"alphaMode": "MASK", "alphaCutoff": 0.4, "doubleSided": True}
    rich["materials"][0]["pbrMetallicRoughness"] |= {"baseColorFactor": [1, 1, 1, 0.9]}
    rich["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]["extensions"] = transform
    rich["accessors"][3] |= {
        "sparse": {
            "count": 2,
            "indices": {"bufferView": rich["accessors"][2]["bufferView"], "componentType": 5123},
            "values": {"bufferView": rich["accessors"][4]["bufferView"]},
        }
    }
    picture = Image.fromarray(np.arange(16 * 16 * 4, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 4))
    files = []
    for document, suffix in ((plain, "PNG"), (rich, "WEBP"), (rich, "PNG")):
        file = io.BytesIO()
        picture.save(file, suffix)
        files.append({"head.gltf": json.dumps(document).encode(), "head.bin": blob, "skin.png": file.getvalue()})
    return files


def enter(folder: Path) -> None:
    from emo3d.face import FaceRig, RenderSettings, render

    logging.getLogger("emo3d_lab").setLevel(logging.ERROR)  # what a rig lacks
    rig = FaceRig.from_glb(folder / "head.gltf")
    render([[0.5] * 51], rig=rig, settings=RenderSettings(size=24, samples=1))
