"""Generators beside the packaged ones: the published baselines, which start from CLIP, a chat model's answer, clips.

`emo3d.generation` finds them by their entry point. Importing this registers all but the second with transformers.
"""

from typing import Any

from transformers import AutoConfig, AutoModel

from emo3d_lab.generators.clip import ClipExpressionConfig, ClipExpressionModel
from emo3d_lab.generators.language_model import LanguageModelGenerator
from emo3d_lab.generators.motion import ClipModel, ClipModelConfig, ClipOutput
from emo3d_lab.generators.vae import VaeClipConfig, VaeClipModel, VaeClipOutput

__all__ = [
    "MODELS",
    "ClipExpressionConfig",
    "ClipExpressionModel",
    "ClipModel",
    "ClipModelConfig",
    "ClipOutput",
    "LanguageModelGenerator",
    "VaeClipConfig",
    "VaeClipModel",
    "VaeClipOutput",
]

MODELS: dict[str, Any] = {model.config_class.model_type: model for model in (ClipExpressionModel, VaeClipModel)}
"""`model_type` of a configuration -> the class of its model, of those that give expressions."""

for _name, _model in {**MODELS, ClipModelConfig.model_type: ClipModel}.items():
    AutoConfig.register(_name, _model.config_class)
    AutoModel.register(_model.config_class, _model)
