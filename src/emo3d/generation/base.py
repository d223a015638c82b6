"""What the generators have in common: as models of transformers, and in what they answer."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn
from transformers import MODEL_MAPPING, PretrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from emo3d.blendshapes import Space, check_space, limit_mouth_close
from emo3d.descriptions import warn_of
from emo3d.encoders import TextEmbeddings
from emo3d.generation.pipeline import TASK, ExpressionPipeline
from emo3d.numerics import fixed_numerics

_GENERATING: WeakKeyDictionary[nn.Module, tuple[int, bool]] = WeakKeyDictionary()
_MODES = threading.Lock()


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
        return type(self).__module__.startswith(("emo3d.", "emo3d_lab."))


class GeneratorModel(PreTrainedModel):
    """A model with `generate` of its own."""

    base_model_prefix = "emo3d"
    _no_split_modules: Any = ()  # small: one device holds all of it
    revision: str | None = None  # that it was loaded at, for what else lies in its repository

    @classmethod
    def from_pretrained(cls, *args: Any, revision: str | None = None, **kwargs: Any) -> Any:
        """Load a model; see `PreTrainedModel.from_pretrained`."""
        if revision is not None:
            kwargs["revision"] = revision
        model = super().from_pretrained(*args, **kwargs)
        (model[0] if isinstance(model, tuple) else model).revision = revision  # transformers 5 keeps it nowhere
        return model

    @classmethod
    def can_generate(cls) -> bool:
        """Whether it writes tokens, as transformers means it: no."""
        return False

    def _check_width(self, embeddings: torch.Tensor) -> None:
        if embeddings.shape[-1] != (width := self.config.embedding_size):
            raise ValueError(f"expected embeddings of {width} numbers, got {embeddings.shape[-1]}")

    @contextlib.contextmanager
    def _generating(self, space: Space | None) -> Iterator[Callable[[torch.Tensor], np.ndarray]]:
        """Evaluation mode without gradients, and in float32; afterwards the model is in the mode it was in.

        What it gives makes the model's expressions (N, 51) an array (N, 51) float32 in `space`, its own by default.
        """
        target = check_space(space or self.config.space)
        with _MODES:  # of calls that overlap, the first one takes the mode and the last one restores it
            calls, training = _GENERATING.get(self, (0, self.training))
            _GENERATING[self] = calls + 1, training
            self.eval()
        try:
            with torch.inference_mode(), fixed_numerics(next(self.parameters()).device):
                yield functools.partial(to_space, space=self.config.space, target=target)
        finally:
            with _MODES:
                calls, training = _GENERATING.pop(self)
                if calls > 1:
                    _GENERATING[self] = calls - 1, training
                else:
                    self.train(training)


@dataclass
class ExpressionOutput(ModelOutput):
    """What a generator's `forward` returns."""

    loss: torch.Tensor | None = None  # a scalar: the squared error, or the likelihood of proposals; None without labels
    expressions: torch.Tensor | None = None  # (N, 51) in 0..1, order BLENDSHAPES
    proposals: torch.Tensor | None = None  # (N, K, 51) likewise, where the head makes several
    shares: torch.Tensor | None = None  # (N, K) of the proposals, each row adds up to 1


def check_sequences(count: int) -> None:
    """Refuse a number of expressions to generate of each description below 1."""
    if count < 1:
        raise ValueError(f"expected num_return_sequences of 1 or more, got {count}")


def embeddings_of(texts: TextEmbeddings) -> torch.Tensor:
    """Embeddings (N, D) of descriptions; a warning says how many lost their end or are hardly known."""
    warn_of(len(texts.embeddings), texts.truncated, texts.foreign, advice=texts.advice)
    return texts.embeddings


def to_space(expressions: torch.Tensor, space: Space, target: Space) -> np.ndarray:
    """Make what a model of one space answers, (N, 51), an answer in another, (N, 51) float32."""
    scores = expressions.float().cpu().numpy()
    if space == "weights":
        limit_mouth_close(scores)
    if target == space:
        return scores
    from emo3d.face.calibration import to_readings, to_weights

    return to_readings(scores) if target == "reading" else to_weights(scores)
