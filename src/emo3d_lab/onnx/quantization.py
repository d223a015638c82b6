"""Graphs with weights of 8 bits: a quarter of the size."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic


def quantize(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with weights of 8 bits, per channel."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(graph, source)
        quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8)
        return onnx.load(target)
