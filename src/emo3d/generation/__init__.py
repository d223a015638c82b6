"""Description -> expression: transformers models that write 51 blendshape scores for a sentence.

Importing this registers them with transformers: with the Auto classes, and the task `text-to-expression` of `pipeline`.
"""

from transformers import AutoConfig, AutoModel

from emo3d.generation.base import ExpressionOutput
from emo3d.generation.clip import ClipExpressionConfig, ClipExpressionModel
from emo3d.generation.load import load_generator, register_task
from emo3d.generation.model import ExpressionConfig, ExpressionModel
from emo3d.generation.pipeline import TASK, ExpressionPipeline
from emo3d.generation.vae import VaeClipConfig, VaeClipModel, VaeClipOutput

__all__ = [
    "TASK",
    "ClipExpressionConfig",
    "ClipExpressionModel",
    "ExpressionConfig",
    "ExpressionModel",
    "ExpressionOutput",
    "ExpressionPipeline",
    "VaeClipConfig",
    "VaeClipModel",
    "VaeClipOutput",
    "load_generator",
]

for _model in (ExpressionModel, ClipExpressionModel, VaeClipModel):
    AutoConfig.register(_model.config_class.model_type, _model.config_class)
    AutoModel.register(_model.config_class, _model)
register_task()
