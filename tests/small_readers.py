"""Emotion readers small enough for a test: nets with known or random weights, in the files that the real ones have."""

import json

import numpy as np
import torch
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

LAYERS = [f"dense{block}/conv{layer}" for block in range(4) for layer in range(4)]
WIDTHS = (32, 64, 128, 256)
EIGHT = ("angry", "Contempt", "disgusted", "fear", "joy", "neutral", "sad", "surprised")


def save_face_api(folder, bias, extra=b""):
    """Files in face-api's format of a net whose every weight is 0 but for the last bias, as bytes: bias / 10 - 1."""
    quantized = {"quantization": {"dtype": "uint8", "scale": 0.1, "min": -1.0}}
    entries, width = [], 3
    for name in LAYERS:
        wide = WIDTHS[int(name[5])]
        if name == "dense0/conv0":
            entries.append((f"{name}/filters", [3, 3, width, wide]))
        else:
            entries += [
                (f"{name}/depthwise_filter", [3, 3, width, 1]),
                (f"{name}/pointwise_filter", [1, 1, width, wide]),
            ]
        entries.append((f"{name}/bias", [wide]))
        width = wide
    entries += [("fc/weights", [width, 7]), ("fc/bias", [7])]
    weights = [{"name": name, "shape": shape, "dtype": "float32", **quantized} for name, shape in entries]
    content = b"".join(bytes([10]) * int(np.prod(shape)) for _, shape in entries[:-1]) + bytes(bias) + extra
    (folder / "face_expression_model-weights_manifest.json").write_text(json.dumps([{"weights": weights}]))
    (folder / "face_expression_model.bin").write_bytes(content)
    return folder


def save_classifier(folder, labels=EIGHT, seed=0):
    """A random ViT with an image processor, as the Hub has image classifiers."""
    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = ViTConfig(image_size=32, patch_size=8, id2label=dict(enumerate(labels)), **sizes)
    model = ViTForImageClassification(config)
    torch.nn.init.normal_(model.classifier.weight, std=2)  # so that pictures move the answer
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def save_onnx(path, width=10):
    """A model with HSEmotion's input: channel means of the pixels, times a fixed matrix, of so many answers."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    matrix = np.arange(3 * width, dtype=np.float32).reshape(3, width) / 10
    nodes = [
        helper.make_node("ReduceMean", ["input", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "matrix"], ["output"]),
    ]
    constants = {"axes": np.array([2, 3]), "matrix": matrix}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "net",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 224, 224])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", width])],
            [numpy_helper.from_array(values, name) for name, values in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    checker.check_model(model)
    save(model, path)
    return matrix
