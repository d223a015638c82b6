"""Generators beside the packaged ones: the published baselines, which start from CLIP, and the answer of a chat model.

`emo3d.generation` finds them by their entry point. Importing this registers the baselines with transformers.
"""

from typing import Any

from transformers import AutoConfig, AutoModel

from emo3d_lab.generators.clip import ClipExpressionConfig, ClipExpressionModel
from emo3d_lab.generators.language_model import LanguageModelGenerator
from emo3d_lab.generators.vae import VaeClipConfig, VaeClipModel, VaeClipOutput

__all__ = [
    "MODELS",
    "ClipExpressionConfig",
    "ClipExpressionModel",
    "LanguageModelGenerator",
    "VaeClipConfig",
    "VaeClipModel",
    "VaeClipOutput",
]

MODELS: dict[str, Any] = {model.config_class.model_type: model for model in (ClipExpressionModel, VaeClipModel)}
"""`model_type` of a configuration -> the class of its model."""

for _name, _model in MODELS.items():
    AutoConfig.register(_name, _model.config_class)
    AutoModel.register(_model.config_class, _model)
