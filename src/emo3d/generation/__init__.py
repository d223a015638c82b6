"""Description -> expression: transformers models that write 51 blendshape scores for a sentence.

Importing this registers them with transformers: with the Auto classes, and the task `text-to-expression` of `pipeline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import AutoConfig, AutoModel

from emo3d.generation.base import ExpressionOutput
from emo3d.generation.clip import ClipExpressionConfig, ClipExpressionModel
from emo3d.generation.load import load_generator, register_task
from emo3d.generation.model import ExpressionConfig, ExpressionModel
from emo3d.generation.pipeline import TASK, ExpressionPipeline
from emo3d.generation.vae import VaeClipConfig, VaeClipModel, VaeClipOutput

if TYPE_CHECKING:
    from emo3d.generation.language_model import LanguageModelGenerator

__all__ = [
    "TASK",
    "ClipExpressionConfig",
    "ClipExpressionModel",
    "ExpressionConfig",
    "ExpressionModel",
    "ExpressionOutput",
    "ExpressionPipeline",
    "LanguageModelGenerator",
    "VaeClipConfig",
    "VaeClipModel",
    "VaeClipOutput",
    "load_generator",
]

for _model in (ExpressionModel, ClipExpressionModel, VaeClipModel):
    AutoConfig.register(_model.config_class.model_type, _model.config_class)
    AutoModel.register(_model.config_class, _model)
register_task()


def __getattr__(name: str) -> Any:
    if name == "LanguageModelGenerator":  # no part of generating by a model of ours
        from importlib import import_module

        return import_module("emo3d.generation.language_model").LanguageModelGenerator
    raise AttributeError(f"module 'emo3d.generation' has no attribute {name!r}")
