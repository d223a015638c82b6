"""Generators as graphs of ONNX: tokens or embeddings in, expressions out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from emo3d.encoders import call_tokenizer
from emo3d.face.calibration import load_calibration
from emo3d.numerics import fixed_numerics
from emo3d_lab.onnx.parts import Encoder, Parts

OPSET = 18
"""Of ONNX's operators; onnxruntime from 1.14 on has them all, and so has onnxruntime-web."""

TOLERANCE = 1e-3
"""Largest difference of an expression from PyTorch's with which a graph in float32 is written."""


class _Graph(nn.Module):
    """A function of tensors, as a module whose parts `torch.onnx` finds."""

    def __init__(self, function: Callable[..., Any], parts: list[nn.Module]) -> None:
        super().__init__()
        self.parts, self._function = nn.ModuleList(parts), function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self._function(*inputs)


def make_graph(parts: Parts) -> onnx.ModelProto:
    """Make the graph of a whole generator, or of its head where it comes without an encoder.

    Inputs are `input_ids` and `attention_mask` (N, L) int64 or `embeddings` (N, D) float32, and `strength` (N,) float32
    where the head takes it. Outputs are `expressions` (N, 51) float32, as `forward` answers, and for a generator of
    readings the `weights` (N, 51) that the packaged calibration makes of them.

    Raises:
        ValueError: PyTorch cannot export it, or not what it answers to texts of any length; the message has the reason.
    """
    calibration = load_calibration() if parts.space == "reading" else None

    def answer(embeddings: torch.Tensor, *strength: torch.Tensor) -> Any:
        expressions = parts.answer(embeddings, *strength)
        return expressions if calibration is None else (expressions, calibration._inverse(expressions))

    modules, axes = [parts.head], {"expressions": {0: "N"}}
    function: Callable[..., Any] = answer
    if parts.encoder is None:
        inputs = {"embeddings": torch.zeros(2, parts.width)}
        axes["embeddings"] = {0: "N"}
    else:
        embed = parts.encoder.embed
        modules += parts.encoder.modules

        def answer_tokens(input_ids: torch.Tensor, attention_mask: torch.Tensor, *strength: torch.Tensor) -> Any:
            return answer(embed(input_ids, attention_mask), *strength)

        function = answer_tokens
        inputs = _tokens(parts.encoder, ["she is thrilled", "an old man in despair"])
        axes |= {name: {0: "N", 1: "L"} for name in inputs}
    if parts.takes_strength:
        inputs["strength"] = torch.ones(2)
        axes["strength"] = {0: "N"}
    if calibration is not None:
        axes["weights"] = {0: "N"}
    # By tracing: the newer exporter wants another package, and gives the same numbers.
    options: dict[str, Any] = {"dynamo": False} if "dynamo" in signature(torch.onnx.export).parameters else {}
    with TemporaryDirectory() as folder, torch.no_grad(), fixed_numerics(), warnings.catch_warnings():
        file = Path(folder, "graph.onnx")
        warnings.simplefilter("ignore")  # of tracing: the numbers are compared with PyTorch's, at other lengths too
        try:
            torch.onnx.export(
                _Graph(function, modules).eval(),
                tuple(inputs.values()),
                str(file),
                input_names=[*inputs],
                output_names=["expressions", "weights"][: 1 if calibration is None else 2],
                dynamic_axes=axes,
                opset_version=OPSET,
                **options,
            )
        except Exception as error:  # whatever a model of others does that has no operator
            raise ValueError(f"PyTorch cannot make ONNX of it: {str(error)[:200]}") from error
        graph = onnx.load(file)
    onnx.checker.check_model(graph)
    _check_answers(graph, function, parts)
    return graph


def _tokens(encoder: Encoder, texts: list[str]) -> dict[str, torch.Tensor]:
    options = {"padding": True, "truncation": True, "max_length": encoder.window}
    tokens = call_tokenizer(encoder.tokenizer, texts, **options)
    return {name: torch.tensor(tokens[name]) for name in ("input_ids", "attention_mask")}


def _check_answers(graph: onnx.ModelProto, function: Callable[..., Any], parts: Parts) -> None:
    """Compare with PyTorch on other numbers and lengths than those of the trace, which may have become constants."""
    if parts.encoder is None:
        inputs = {"embeddings": torch.randn(3, parts.width, generator=torch.Generator().manual_seed(0))}
    else:
        inputs = _tokens(parts.encoder, ["hm", "an old man in deep despair, his lips trembling " * 3, "thrilled"])
    if parts.takes_strength:
        inputs["strength"] = torch.tensor([0.5, 1.0, 1.5])
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (answer, *_) = session.run(["expressions"], {name: value.numpy() for name, value in inputs.items()})
    with torch.no_grad(), fixed_numerics():
        expected = function(*inputs.values())
    expected = expected[0] if isinstance(expected, tuple) else expected
    if not (error := float(np.abs(answer - expected.numpy()).max())) <= TOLERANCE:
        raise ValueError(f"its graph answers otherwise than PyTorch, by {error:.2g}: expected {TOLERANCE} at most")
