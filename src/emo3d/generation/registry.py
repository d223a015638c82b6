"""The generators' task, as `transformers.pipeline` knows it, whatever version of transformers that is."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from transformers import AutoConfig, AutoModel
from transformers.pipelines import PIPELINE_REGISTRY

from emo3d.generation.load import QUICKSTART, QUICKSTART_FOLDER
from emo3d.generation.pipeline import TASK, ExpressionPipeline


class NamedGenerator(AutoModel):
    """`AutoModel`, which also knows the packaged generator by its name, `"quickstart"`."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Load a model; see `AutoModel.from_pretrained`."""
        return AutoModel.from_pretrained(_source(pretrained_model_name_or_path), *args, **kwargs)


def register_task() -> None:
    """Register the task `text-to-expression`, with the packaged generator as its default model."""
    default: Any = (str(QUICKSTART_FOLDER), None)
    if "tf_model" in inspect.signature(PIPELINE_REGISTRY.register_pipeline).parameters:  # transformers 4
        default = {"pt": default}
    PIPELINE_REGISTRY.register_pipeline(TASK, ExpressionPipeline, pt_model=NamedGenerator, default={"model": default})
    # `pipeline(TASK, model="quickstart")` asks for the configuration before it looks at the task: no other place is
    # left to tell it where that model lies. No model on the Hub is called so.
    load_config = AutoConfig.from_pretrained

    @functools.wraps(load_config)
    def from_pretrained(pretrained_model_name_or_path: Any, **kwargs: Any) -> Any:
        return load_config(_source(pretrained_model_name_or_path), **kwargs)

    AutoConfig.from_pretrained = staticmethod(from_pretrained)  # type: ignore[method-assign]


def _source(name: Any) -> Any:
    return str(QUICKSTART_FOLDER) if name == QUICKSTART else name
