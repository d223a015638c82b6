"""Faces for the quickstart backbone to learn from: expressions of the sample, changed, and what people would see."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emo3d.blendshapes import limit_mouth_close, mirror
from emo3d.emotions import EMOTIONS, distribution
from emo3d_lab.sample import SampleRow

FADING = ((0.4, 0.7), (0.28, 0.45))
"""Parameters of `fade`, for the first passes of the training and for the last."""

_STEEP = 12.0
_CHANGES = (0.5, 0.4, 0.1)  # shares: faded, on the way to the face of another row, noisy
_NEAR, _NEAR_WEIGHT = (0.5, 0.97), 5.0  # strengths that are hard to tell from the full one, and what they count
_NOISE = 0.2  # standard deviation of the strongest noise on weights
_SIDE = re.compile(r"\b(left|right)\b")


@dataclass(frozen=True)
class Views:
    """M faces.

    Attributes:
        weights: (M, 51) float32.
        seen: (M, 8) float32, emotion distributions that people would see.
        row: (M,) int, the row that each was made from.
        own: (M,) bool, whether that row's description still fits.
        weight: (M,) float32, of each in the losses.
    """

    weights: np.ndarray
    seen: np.ndarray
    row: np.ndarray
    own: np.ndarray
    weight: np.ndarray


def fade(strength: np.ndarray, fading: tuple[float, float] = FADING[0]) -> np.ndarray:
    """What is seen of an emotion, 0..1, when its weights are scaled by `strength`, 0..1; the rest is seen as neutral.

    Linear fading, which validity takes for true, would be the strength itself. A face at three quarters of its
    strength is also that of a weaker description, which the rows teach to be read as such: only what falls at once
    and slowly then comes out near linear. See docs/validity.md for what it comes to.
    """
    share, exponent = fading
    return share * strength**exponent + (1 - share) * strength**_STEEP


def draw_views(rows: Sequence[SampleRow], seed: int, fading: tuple[float, float] = FADING[0]) -> Views:
    """Two faces of each row, one as described and one changed, either of them a mirror image as often as not."""
    rng = np.random.default_rng(seed)
    weights, seen = np.stack([row.blendshapes for row in rows]), distribution([row.intensities for row in rows])
    count = 2 * len(rows)
    row, changed = np.arange(count) // 2, np.arange(count) % 2 == 1
    faded, blended, noisy = changed & (rng.choice(3, count, p=_CHANGES) == np.arange(3)[:, None])  # (3, count)
    other, step = rng.integers(len(rows), size=count), rng.uniform(size=count) ** 1.5  # most near the start
    here, there = np.where(faded | blended, 1 - step, 1.0), np.where(blended, step, 0.0)
    result = here[:, None] * weights[row] + there[:, None] * weights[other]
    result += (_NOISE * step * noisy)[:, None] * rng.standard_normal(result.shape)
    result = np.clip(result, 0, 1).astype(np.float32)
    limit_mouth_close(result)
    mirrored = rng.random(count) < 0.5
    result[mirrored] = mirror(result[mirrored])
    sided = np.array([bool(_SIDE.search(each.description)) for each in rows])[row]
    fits = ~(faded | blended | (sided & mirrored))
    at_rest = np.eye(len(EMOTIONS))[EMOTIONS.index("neutral")]
    partner = np.where(blended[:, None], seen[other], at_rest)
    shown = _seen_between(seen[row], fade(here, fading), partner, fade(there, fading)).astype(np.float32)
    near = (here > _NEAR[0]) & (here < _NEAR[1])
    return Views(result, shown, row, fits, np.where(near, _NEAR_WEIGHT, 1.0).astype(np.float32))


def _seen_between(first: np.ndarray, here: np.ndarray, second: np.ndarray, there: np.ndarray) -> np.ndarray:
    """What is seen (N, 8) of faces that show `here` (N,) of one and `there` (N,) of another distribution (N, 8).

    What both show stays; what neither shows any more is neutral.
    """
    one, other = here[:, None], there[:, None]
    shares = one * first + other * second + (1 - one - other) * np.minimum(first, second)
    shares[:, EMOTIONS.index("neutral")] += 1 - shares.sum(axis=1)
    return shares
