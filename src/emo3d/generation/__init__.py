"""Description -> expression: transformers models that write 51 blendshape scores for a sentence."""

from emo3d.generation.clip import ClipExpressionConfig, ClipExpressionModel
from emo3d.generation.load import load_generator
from emo3d.generation.model import ExpressionConfig, ExpressionModel
from emo3d.generation.output import ExpressionOutput
from emo3d.generation.vae import VaeClipConfig, VaeClipModel, VaeClipOutput

__all__ = [
    "ClipExpressionConfig",
    "ClipExpressionModel",
    "ExpressionConfig",
    "ExpressionModel",
    "ExpressionOutput",
    "VaeClipConfig",
    "VaeClipModel",
    "VaeClipOutput",
    "load_generator",
]
