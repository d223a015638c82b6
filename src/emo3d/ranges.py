"""Numbers from outside: whole or finite ones for settings, scores that lie just out of 0..1 or on another scale."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

# How far below 0 or above 1 a score may lie to be clipped unasked; public phone takes have 1.00985 and -2e-08.
TOLERANCE = 0.02


class Fit(NamedTuple):
    """Scores within 0..1, float64, and of the same shape which of them are changed or not."""

    scores: np.ndarray
    outliers: np.ndarray  # True where a score is clipped
    invalid: np.ndarray  # True where one is out by more than is clipped, or no finite number; it is left as it was
    advice: str  # for a message: another scale, or clipping


def fit_scores(scores: np.ndarray, scale: float = 1, clip: bool = False) -> Fit:
    """Bring scores of any shape into 0..1; `clip` clips all finite ones, not only those out by up to `TOLERANCE`.

    Raises:
        ValueError: a `scale` (the score that means 1) that is no number above 0.
    """
    if not (np.isscalar(scale) and isinstance(scale, (int, float)) and 0 < scale < np.inf):
        raise ValueError(f"expected a scale above 0, for example 100 for percent, got {scale!r}")
    scores = np.asarray(scores, np.float64) / scale
    invalid = ~((scores >= -TOLERANCE) & (scores <= 1 + TOLERANCE))  # NaN compares false
    percent = (scores > 1 + TOLERANCE).sum() > 0.1 * np.count_nonzero(scores) and 2 < scores.max() <= 102
    if clip and not percent:
        invalid = ~np.isfinite(scores)
    advice = "clip=True (--clip) clips it" if np.isfinite(scores[invalid][:1]).all() else "it must be finite"
    if percent:
        advice = f"the scores go up to {scores.max():g}: if they are percent, pass scale=100 (--scale 100)"
    outliers = ((scores < 0) | (scores > 1)) & ~invalid
    return Fit(np.where(invalid, scores, scores.clip(0, 1)), outliers, invalid, advice)


def whole_number(name: str, value: Any) -> int:
    """Return a setting (10, 10.0, a scalar of NumPy or PyTorch) as an int; all else, True too, is a ValueError."""
    number = _scalar(value)
    if isinstance(number, Integral) or (isinstance(number, Real) and float(number).is_integer()):
        return int(number)  # type: ignore[call-overload]
    raise ValueError(f"expected {name} as a whole number, got {value!r}")


def real_number(name: str, value: Any) -> float:
    """Return a setting as a finite float, -0.0 as 0.0; all else, True and False too, is a ValueError."""
    number = _scalar(value)
    if isinstance(number, Real) and math.isfinite(number):
        return float(number) + 0.0
    raise ValueError(f"expected {name} as a finite number, got {value!r}")


def _scalar(value: Any) -> Any:
    if getattr(value, "ndim", None) == 0:  # an array or a tensor without axes
        value = value.item()
    return None if isinstance(value, bool) else value
