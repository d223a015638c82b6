"""The eight emotions, intensities, emotion distributions, and the divergence that the Emo3D metric is made of.

*Intensities* are eight numbers in 0..1 that need not sum to one (sadness 0.9, neutral 0.2, contempt 0.1); an *emotion
distribution* is intensities divided by their sum. Order everywhere: `EMOTIONS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

EMOTIONS: tuple[str, ...] = tuple("neutral happiness surprise sadness anger disgust fear contempt".split())


def as_intensities(values: Any) -> np.ndarray:
    """Read emotion intensities as (N, 8) float64.

    Args:
        values: (N, 8) numbers in 0..1, order `EMOTIONS`, or N mappings from emotion to intensity (an emotion left out
            is 0). One vector or one mapping is read as N = 1.

    Raises:
        ValueError: no rows, not eight numbers, an unknown emotion, a value outside 0..1 or not a number, or a row of
            zeros, which has no distribution. The message names the row.

    Example:
        >>> as_intensities({"sadness": 0.9, "neutral": 0.2}).sum()
        np.float64(1.1)
    """
    rows: list[Any] = [values] if isinstance(values, Mapping) else list(values)
    if not rows:
        raise ValueError("expected at least one row of intensities, got an empty batch")
    if np.ndim(rows[0]) == 0 and not isinstance(rows[0], Mapping):
        rows = [rows]
    return np.stack([_intensities(row, index) for index, row in enumerate(rows)])


def canonical_intensities(intensities: np.ndarray) -> np.ndarray:
    """Intensities (N, 8) as scores and hashes take them: to the precision of float32, and seven decimals.

    So 0.9 and the float32 next to it (0.89999998) are one number, and the same annotations from Parquet, CSV or JSON
    give the same score under the same hash. A row that would have none left is a ValueError.

    Example:
        >>> canonical_intensities(np.array([[0.9, 0, 0, 0, 0, 0, 0, 0]], np.float32))[0, 0]
        np.float64(0.9)
    """
    # Half a step of float32 below 1 is less than half of the last decimal.
    canonical = np.asarray(intensities, np.float32).astype(np.float64).round(7)
    for row in np.flatnonzero(~canonical.any(axis=1)):
        raise ValueError(f"expected an intensity of at least 0.0000001 in row {row}, they are all smaller")
    return canonical


def distribution(intensities: Any) -> np.ndarray:
    """Divide intensities by their sum: emotion distributions (N, 8) float64; see `as_intensities`."""
    intensities = as_intensities(intensities)
    return intensities / intensities.sum(axis=1, keepdims=True)


def kl_divergence(p: np.ndarray, q: np.ndarray, epsilon: float = 0.01) -> np.ndarray:
    """Divergence of emotion distributions as the Emo3D metric defines it: sum over p > 0 of p ln(p / (q + epsilon)).

    q is not renormalised after epsilon is added, so identical p and q give slightly less than 0.

    Args:
        p: (N, 8) distributions described.
        q: (N, 8) distributions read off the faces; broadcasts against p.
        epsilon: so that an emotion that was not retrieved costs a finite amount.

    Returns:
        (N,) float64, in nats.
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    ratio = np.where(p > 0, p, 1.0) / (q + epsilon)
    return np.where(p > 0, p * np.log(ratio), 0.0).sum(axis=-1)


def _intensities(row: Any, index: int) -> np.ndarray:
    if isinstance(row, Mapping):
        for name in row:
            if name not in EMOTIONS:
                raise ValueError(f"expected emotions of {', '.join(EMOTIONS)}, got {name!r} in row {index}")
        row = [row.get(name, 0.0) for name in EMOTIONS]
    try:
        values = np.asarray(row, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"expected eight numbers in row {index}, got {row!r}") from None
    if values.shape != (len(EMOTIONS),):
        raise ValueError(f"expected {len(EMOTIONS)} intensities in row {index}, got an array of shape {values.shape}")
    for name, value in zip(EMOTIONS, values, strict=True):
        if not 0.0 <= value <= 1.0:  # false for NaN too
            raise ValueError(f"expected intensities in 0..1, got {name} = {value:g} in row {index}")
    if not values.any():
        raise ValueError(f"row {index} has eight intensities of 0, which give no emotion distribution")
    return values
