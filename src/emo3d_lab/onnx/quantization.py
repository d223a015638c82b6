"""Graphs whose weights have 8 bits: a quarter of the bytes, and the arithmetic of the float graph.

Only weights are rounded, not what flows between them. Rounding that too (dynamic quantisation) is twice as fast, and
loses four times as much; and since it rounds what two processors compute differently in the last bit, a browser's face
and Python's are up to 0.1 apart (docs/web.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

_SMALLEST = 10_000  # numbers; smaller tensors stay as they are
_LEVELS = 127


def quantize(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Make a copy whose matrices and tables of embeddings are int8, with a float scale for each output, or each token.

    A matrix becomes a float one once, when a runtime loads the graph (Cast and Mul of constants are folded); of a table
    only the rows that a text needs do.
    """
    result = onnx.ModelProto()
    result.CopyFrom(graph)
    tensors = {tensor.name: tensor for tensor in result.graph.initializer}
    users = defaultdict(list)
    for node in result.graph.node:
        for name in node.input:
            users[name].append(node)
    axes: dict[str, int] = {}  # of a tensor, the axis that is summed over
    for name, readers in users.items():
        if name in tensors and len(dims := tensors[name].dims) == 2 and np.prod(dims) >= _SMALLEST:
            of_users = {_summed_axis(node, name) for node in readers}
            if len(of_users) == 1 and (axis := of_users.pop()) is not None:
                axes[name] = axis
    nodes: list[onnx.NodeProto] = []
    done: set[str] = set()
    whole: set[str] = set()
    for node in result.graph.node:
        name = next((name for name in node.input if name in axes), None)
        if name is None:
            nodes.append(node)
            continue
        if name not in done:
            done.add(name)
            for part in _parts(name, numpy_helper.to_array(tensors[name]), axes[name]):
                result.graph.initializer.append(part)
        if node.op_type == "Gather":
            nodes += _rows(name, node)
        else:
            if name not in whole:
                whole.add(name)
                nodes += _product(f"{name}.int8", f"{name}.scale", f"{name}.float")
            node.input[list(node.input).index(name)] = f"{name}.float"
            nodes.append(node)
    kept = [tensor for tensor in result.graph.initializer if tensor.name not in done]
    del result.graph.initializer[:], result.graph.node[:]
    result.graph.initializer.extend(kept)
    result.graph.node.extend(nodes)
    onnx.checker.check_model(result)
    return result


def _summed_axis(node: onnx.NodeProto, name: str) -> int | None:
    """The axis of a weight that a node sums over, or looks rows up along the other; None where it does neither."""
    options = {option.name: helper.get_attribute_value(option) for option in node.attribute}
    if node.op_type == "Gather":
        return 1 if node.input[0] == name and options.get("axis", 0) == 0 else None
    if node.op_type == "MatMul":
        return 0 if node.input[1] == name else None
    if node.op_type == "Gemm" and node.input[1] == name:
        return 1 if options.get("transB", 0) else 0
    return None


def _parts(name: str, values: np.ndarray, axis: int) -> Iterator[onnx.TensorProto]:
    scale = np.abs(values).max(axis=axis, keepdims=True).astype(np.float32) / _LEVELS
    scale[scale == 0] = 1  # of a row of zeros
    yield numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}.int8")
    yield numpy_helper.from_array(scale, f"{name}.scale")


def _product(integers: str, scale: str, output: str) -> list[onnx.NodeProto]:
    cast = helper.make_node("Cast", [integers], [f"{output}.cast"], to=onnx.TensorProto.FLOAT)
    return [cast, helper.make_node("Mul", [f"{output}.cast", scale], [output])]


def _rows(name: str, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    output, parts = node.output[0], ("int8", "scale")
    gathers = [helper.make_node("Gather", [f"{name}.{part}", node.input[1]], [f"{output}.{part}"]) for part in parts]
    return [*gathers, *_product(f"{output}.int8", f"{output}.scale", output)]
