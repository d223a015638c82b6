"""What the generators have in common as models of transformers."""

from __future__ import annotations

import os
from typing import Any

from transformers import MODEL_MAPPING, PretrainedConfig, PreTrainedModel

from emo3d.generation.pipeline import TASK, ExpressionPipeline


class GeneratorConfig(PretrainedConfig):
    """A configuration that is saved together with the code of its model.

    Where this package is imported, that code is not looked at. Where it is not installed, `trust_remote_code=True` runs
    it, for `AutoModel.from_pretrained` and for `pipeline`.
    """

    def __init__(self, **kwargs: Any) -> None:
        if self._is_packaged():  # the names of code beside it are the file's, and would have a pipeline run that code
            kwargs = {name: value for name, value in kwargs.items() if name not in ("auto_map", "custom_pipelines")}
        super().__init__(**kwargs)

    def save_pretrained(self, save_directory: str | os.PathLike, push_to_hub: bool = False, **kwargs: Any) -> None:
        """Write `config.json`, and the code that loads the model without this package; see `PretrainedConfig`."""
        if self._is_packaged():  # transformers itself copies the code of a model that came with it
            from emo3d.generation.portable import write_code

            model_class: Any = MODEL_MAPPING[type(self)]
            config, model, pipeline = write_code(save_directory, type(self), model_class, ExpressionPipeline)
            self.auto_map = {"AutoConfig": config, "AutoModel": model}
            self.custom_pipelines = {TASK: {"impl": pipeline, "pt": ["AutoModel"]}}
        super().save_pretrained(save_directory, push_to_hub, **kwargs)

    def _is_packaged(self) -> bool:
        return type(self).__module__.startswith("emo3d.")


class GeneratorModel(PreTrainedModel):
    """A model with `generate` of its own.

    Attributes:
        revision: branch, tag or commit that it was loaded at, for what else lies in its repository.
    """

    base_model_prefix = "emo3d"
    _no_split_modules: Any = ()  # small: one device holds all of it
    revision: str | None = None

    @classmethod
    def from_pretrained(cls, *args: Any, revision: str | None = None, **kwargs: Any) -> Any:
        """Load a model; see `PreTrainedModel.from_pretrained`."""
        if revision is not None:
            kwargs["revision"] = revision
        loaded = super().from_pretrained(*args, **kwargs)
        (loaded[0] if isinstance(loaded, tuple) else loaded).revision = revision  # transformers 5 keeps it nowhere
        return loaded

    @classmethod
    def can_generate(cls) -> bool:
        """Whether it writes tokens, as transformers means it: no."""
        return False
