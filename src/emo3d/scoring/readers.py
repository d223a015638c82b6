"""What an emotion reader, which shares nothing with the score, says of the same faces; never a part of the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emo3d.emotions import EMOTIONS, distribution


@dataclass(frozen=True, eq=False)
class ReaderResult:
    """An emotion reader's answers of the faces that it can judge; numbers are None where it can judge none."""

    signature: str  # of the reader, crop included
    emotions: tuple[str, ...]  # of `EMOTIONS`, those that it knows
    n: int  # faces judged: one was found, and the description is not first of all an emotion that the reader lacks
    not_found: int  # faces that it would have judged, but whose pictures have no face that it finds
    kl_divergence: float | None  # mean over the emotions that it knows, in nats, lower is better
    top1: float | None  # share of faces whose likeliest emotion is the described one, higher is better
    intervals: dict[str, tuple[float, float]]  # as those of `Emo3DResult`; of `top1` Wilson's
    per_emotion: dict[str, dict[str, Any]]  # by the strongest emotion described: n, both numbers, and intervals
    # `kl_divergence` and `top1` (N,) float64, N the faces of the score; NaN of those not judged. With several
    # identities means over them.
    per_sample: dict[str, np.ndarray]


def known_shares(intensities: Any, emotions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """What descriptions say of the emotions that a reader knows.

    Descriptions that are first of all another emotion are left out; of the others the shares of other emotions are
    taken out, and the rest made to sum to one.

    Args:
        intensities: (N, 8) in 0..1, order `EMOTIONS`.
        emotions: E names of `EMOTIONS`.

    Returns:
        Rows (M,) that are left, and their distributions (M, E) float64.
    """
    described = distribution(intensities)
    places = [EMOTIONS.index(emotion) for emotion in emotions]
    rows = np.flatnonzero(np.isin(described.argmax(axis=1), places))
    known = described[rows][:, places]
    return rows, known / known.sum(axis=1, keepdims=True)
