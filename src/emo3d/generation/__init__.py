"""Description -> expression: transformers models that write 51 blendshape scores for a sentence."""

from emo3d.generation.load import load_generator
from emo3d.generation.model import ExpressionConfig, ExpressionModel, ExpressionOutput

__all__ = ["ExpressionConfig", "ExpressionModel", "ExpressionOutput", "load_generator"]
