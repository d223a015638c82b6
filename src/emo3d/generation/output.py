"""What every generator answers: `ExpressionOutput` to a trainer, an array of expressions to a user."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn
from transformers.utils import ModelOutput

from emo3d.blendshapes import Space, limit_mouth_close
from emo3d.descriptions import warn_of
from emo3d.encoders import TextEmbeddings
from emo3d.numerics import fixed_numerics

_GENERATING: WeakKeyDictionary[nn.Module, tuple[int, bool]] = WeakKeyDictionary()
_MODES = threading.Lock()


@dataclass
class ExpressionOutput(ModelOutput):
    """What a generator's `forward` returns.

    Attributes:
        loss: mean squared error against the labels, a scalar; None without labels.
        expressions: (N, 51) in 0..1, order `BLENDSHAPES`.
    """

    loss: torch.Tensor | None = None
    expressions: torch.Tensor | None = None


def check_width(embeddings: torch.Tensor, expected: int) -> None:
    """Raise a ValueError unless embeddings (N, D) are as wide as the model expects."""
    if embeddings.shape[-1] != expected:
        raise ValueError(f"expected embeddings of {expected} numbers, got {embeddings.shape[-1]}")


@contextlib.contextmanager
def generating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards the model is in the mode it was in."""
    with _MODES:  # of calls that overlap, the first one takes the mode and the last one restores it
        calls, training = _GENERATING.get(model, (0, model.training))
        _GENERATING[model] = calls + 1, training
        model.eval()
    try:
        with torch.inference_mode(), fixed_numerics(next(model.parameters()).device):
            yield
    finally:
        with _MODES:
            calls, training = _GENERATING.pop(model)
            if calls > 1:
                _GENERATING[model] = calls - 1, training
            else:
                model.train(training)


def embeddings_of(encoded: TextEmbeddings) -> torch.Tensor:
    """Embeddings (N, D) of descriptions; a warning says how many lost their end or are hardly known."""
    warn_of(len(encoded.embeddings), encoded.truncated, encoded.foreign)
    return encoded.embeddings


def as_answer(expressions: torch.Tensor, space: Space, target: Space) -> np.ndarray:
    """Expressions (N, 51) in `space` as an array in the target space, fit for a rig.

    In the space of weights mouthClose is limited to jawOpen; see `limit_mouth_close`.
    """
    scores = expressions.float().cpu().numpy()
    if space == "weights":
        limit_mouth_close(scores)
    if target == space:
        return scores
    from emo3d.face.calibration import to_readings, to_weights

    return to_readings(scores) if target == "reading" else to_weights(scores)
