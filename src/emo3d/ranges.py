"""One rule for scores just out of 0..1, which captures have, and for scores on another scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TOLERANCE = 0.02
"""How far below 0 or above 1 a score may lie to be clipped unasked; public phone takes have 1.00985 and -2e-08."""

_PERCENT = 100


class Fitted(NamedTuple):
    """Scores within 0..1, and what it took.

    Attributes:
        scores: of the shape that came in, float64; what is refused is left as it was.
        clipped: True where a score was clipped.
        refused: True where one is out by more than is clipped, or no finite number.
        advice: what a message may add: ask for another scale, or for clipping.
    """

    scores: np.ndarray
    clipped: np.ndarray
    refused: np.ndarray
    advice: str


def fit_scores(scores: np.ndarray, scale: float = 1, clip: bool = False) -> Fitted:
    """Bring scores into 0..1.

    Args:
        scores: of any shape.
        scale: of the scores; 100 for percent.
        clip: clip whatever is finite, not only what is out by up to `TOLERANCE`.

    Raises:
        ValueError: a scale that is no number above 0.
    """
    if not (np.isscalar(scale) and isinstance(scale, (int, float)) and 0 < scale < np.inf):
        raise ValueError(f"expected a scale above 0, for example 100 for percent, got {scale!r}")
    scores = np.asarray(scores, np.float64) / scale
    refused = ~((scores >= -TOLERANCE) & (scores <= 1 + TOLERANCE))  # NaN compares false
    percent = (scores > 1 + TOLERANCE).sum() > 0.1 * np.count_nonzero(scores) and 2 < scores.max() <= 1.02 * _PERCENT
    if clip and not percent:
        refused = ~np.isfinite(scores)
    advice = "clip=True (--clip) clips it"
    if percent:
        advice = f"the scores go up to {scores.max():g}: if they are percent, pass scale=100 (--scale 100)"
    clipped = ((scores < 0) | (scores > 1)) & ~refused
    return Fitted(np.where(refused, scores, scores.clip(0, 1)), clipped, refused, advice)
