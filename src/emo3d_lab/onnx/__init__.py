"""Generators outside Python: as ONNX, in a folder that a web page or `OnnxGenerator` loads (extra `onnx`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emo3d_lab.onnx.export import write_folder
    from emo3d_lab.onnx.generator import OnnxGenerator

__all__ = ["OnnxGenerator", "write_folder"]


def __getattr__(name: str) -> Any:
    if name == "write_folder":  # what makes a folder imports torch, what reads one does not
        from emo3d_lab.onnx.export import write_folder

        return write_folder
    if name == "OnnxGenerator":
        from emo3d_lab.onnx.generator import OnnxGenerator

        return OnnxGenerator
    raise AttributeError(f"module 'emo3d_lab.onnx' has no attribute {name!r}")
