"""Description -> expression: transformers models that write 51 blendshape scores for a sentence.

Importing this registers them with transformers: with the Auto classes, and the task `text-to-expression` of `pipeline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import AutoConfig, AutoModel

from emo3d.generation.base import ExpressionOutput
from emo3d.generation.load import load_generator, register_task
from emo3d.generation.model import ExpressionConfig, ExpressionModel
from emo3d.generation.pipeline import TASK, ExpressionPipeline
from emo3d.loading import workshop_part

if TYPE_CHECKING:
    from emo3d_lab.generators import (
        ClipExpressionConfig,
        ClipExpressionModel,
        LanguageModelGenerator,
        VaeClipConfig,
        VaeClipModel,
        VaeClipOutput,
    )

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

AutoConfig.register(ExpressionConfig.model_type, ExpressionConfig)
AutoModel.register(ExpressionConfig, ExpressionModel)
register_task()


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(workshop_part("generators"), name)
    raise AttributeError(f"module 'emo3d.generation' has no attribute {name!r}")
