"""Faces for the quickstart backbone to learn from: expressions of the sample, changed, and what people would see."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emo3d.blendshapes import limit_mouth_close, mirror
from emo3d.emotions import EMOTIONS, distribution
from emo3d_lab.sample import SampleRow

FADING = 2.2
"""What people see of an emotion when its weights are scaled by f is f ** FADING of it; the rest they see as neutral.

Linear fading, which validity takes for true, is an exponent of 1; the sample's own recipe comes to 1.2 near the full
strength and 1.5 half-way. See docs/validity.md for what each of them costs.
"""

_CHANGES = (0.5, 0.4, 0.1)  # shares: faded, on the way to the face of another row, noisy
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
    """

    weights: np.ndarray
    seen: np.ndarray
    row: np.ndarray
    own: np.ndarray


def draw_views(rows: Sequence[SampleRow], seed: int, fading: float = FADING) -> Views:
    """Two faces of each row, one as described and one changed, either of them a mirror image as often as not."""
    rng = np.random.default_rng(seed)
    weights, seen = np.stack([row.blendshapes for row in rows]), distribution([row.intensities for row in rows])
    count = 2 * len(rows)
    row, changed = np.arange(count) // 2, np.arange(count) % 2 == 1
    faded, blended, noisy = changed & (rng.choice(3, count, p=_CHANGES) == np.arange(3)[:, None])  # (3, count)
    other, step = rng.integers(len(rows), size=count), rng.uniform(size=count)
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
    return Views(result, _seen_between(seen[row], here, partner, there, fading).astype(np.float32), row, fits)


def _seen_between(
    first: np.ndarray, here: np.ndarray, second: np.ndarray, there: np.ndarray, fading: float
) -> np.ndarray:
    """What people see (N, 8) of faces that are `here` (N,) of one and `there` (N,) of another distribution (N, 8).

    What both show stays; what neither shows any more is neutral.
    """
    one, other = here[:, None] ** fading, there[:, None] ** fading
    shares = one * first + other * second + (1 - one - other) * np.minimum(first, second)
    shares[:, EMOTIONS.index("neutral")] += 1 - shares.sum(axis=1)
    return shares
