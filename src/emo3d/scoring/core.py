"""The Emo3D score as arithmetic: arrays in, numbers out; no model, no picture, no file.

Definition: Dehghani et al., "Emo3D" (Findings of NAACL 2025), section on the metric, and its released code. The two
differ, so there are two variants:

- `"paper"`: q = the k retrieved rows of intensities added up, divided by their total: one distribution.
- `"release"`: q = the k x 8 matrix of the retrieved rows divided by the sum of all its entries, and p is held against
  each of its rows. Its divergences are about k times those of `paper`, and k ln k on top of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist
from typing import Literal

import numpy as np

from emo3d.emotions import kl_divergence

Variant = Literal["paper", "release"]

ALPHA: dict[Variant, float] = {"paper": 1.0, "release": 20.0}
"""Default alpha by variant. None is published. The published scores (0.789 and 0.796) would come out of the `release`
variant with an alpha of about 20, which is an inference from the size of its divergences; `paper` needs no scale."""

SMALLEST = 10
"""No interval of a mean is made of fewer values: down to here it was measured to hold (docs/validity.md)."""
STRONG = 1.0
"""Least norm of a reference's expression to measure amplitudes by; a face nearly at rest has no direction."""
_LEAST_SPREAD = 0.1  # of the sample's own: a resample of nearly equal values says little of how far means go
CHUNK = 2**21  # numbers drawn at once; fixed, so that memory is flat and a seed always gives one answer


def retrieved_distribution(retrieved: np.ndarray) -> np.ndarray:
    """Emotion distribution (N, 8) float64 of retrieved intensities (N, k, 8): their sum, divided by its total."""
    total = np.asarray(retrieved, np.float64).sum(axis=1)
    return total / total.sum(axis=1, keepdims=True)


def divergence(p: np.ndarray, retrieved: np.ndarray, variant: Variant = "paper", epsilon: float = 0.01) -> np.ndarray:
    """How far the emotions retrieved for each face, (N, k, 8) intensities, are from p, its description's distribution.

    (N,) float64 in nats, lower is better; epsilon is added to every entry of q. A perfect retrieval gives slightly less
    than 0 in `paper`, and 10 ln(1 / 0.11) = 22.07 in `release` for a description of one emotion with k = 10.
    """
    if variant == "paper":
        return kl_divergence(p, retrieved_distribution(retrieved), epsilon)
    retrieved = np.asarray(retrieved, np.float64)
    q = retrieved / retrieved.sum(axis=(1, 2), keepdims=True)
    return kl_divergence(np.asarray(p)[:, None], q, epsilon).sum(axis=1)


def emo3d_score(kl: float, alpha: float) -> float:
    """Squash a mean divergence: 1 / (1 + exp(-kl / alpha)), in 0..1, lower is better, 0.5 for a divergence of 0.

    Example:
        >>> emo3d_score(0.0, alpha=1.0)
        0.5
    """
    return float(squash(kl, alpha))


def squash(kl: np.ndarray | float, alpha: float) -> np.ndarray:
    """`emo3d_score` of arrays."""
    return 0.5 + 0.5 * np.tanh(0.5 * np.asarray(kl) / alpha)  # the same function, without overflow


def amplitudes(predicted: np.ndarray, expressions: np.ndarray) -> np.ndarray:
    """How strong predicted expressions (N, 51) are in the direction of the references' own: <p, y> / <y, y>.

    (N,) float64: 1 is as strong, 0 nothing of it; NaN where the reference's norm is below `STRONG`.

    Example:
        >>> amplitudes(np.array([[0.5, 0.2], [0.5, 0.2]]), np.array([[1.0, 0.0], [0.9, 0.0]]))
        array([0.5, nan])
    """
    p, y = (np.ascontiguousarray(rows, np.float64) for rows in (predicted, expressions))  # for one order of additions
    squares = (y * y).sum(axis=1)
    return np.divide((p * y).sum(axis=1), squares, out=np.full(len(y), np.nan), where=squares >= STRONG**2)


def cluster_values(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Rows (N, M) as one independent value per cluster, (C, M) in the order of their numbers, of the same means.

    `clusters` (N,) has one number for rows that vary together, such as those of one reference. Where they are of one
    size, these are the means of clusters; else each is as far from the mean as its cluster moves it (the linearised
    ratio; Cochran, "Sampling Techniques", 1977, chapter 6). Where no row shares its cluster, the rows come back as they
    are.
    """
    _, places, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if len(sizes) == len(values):
        return values
    means = values.mean(axis=0)
    sums = np.zeros((len(sizes), values.shape[1]))
    np.add.at(sums, places, values - means)
    return means + sums * (len(sizes) / len(values))


def effective_size(values: np.ndarray, clusters: np.ndarray) -> float:
    """How many independent values tell as much of a mean as values (N,) in clusters (N,); N where none is shared."""
    by_cluster = cluster_values(values[:, None].astype(np.float64), clusters)
    spread = by_cluster.var()
    if len(by_cluster) == len(values) or spread == 0:
        return len(by_cluster)
    return min(float(len(values)), values.var() * len(by_cluster) / spread)


def bootstrap_means(values: np.ndarray, *, n_bootstrap: int = 1000, seed: int = 0) -> np.ndarray:
    """Column means (B, M) float64 of the rows of values (N, M), drawn with replacement n_bootstrap (B) times."""
    values = np.asarray(values, np.float64)
    return np.concatenate([times @ values / len(values) for times in _draw(len(values), n_bootstrap, seed)])


def _draw(n: int, n_bootstrap: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each of n is drawn in n_bootstrap resamples, (B, n) int64, some of them at a time."""
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK // n)
    for start in range(0, n_bootstrap, chunk):
        count = min(chunk, n_bootstrap - start)
        rows = rng.integers(n, size=(count, n)) + n * np.arange(count)[:, None]
        yield np.bincount(rows.ravel(), minlength=count * n).reshape(count, n)


def median_interval(
    values: np.ndarray, clusters: np.ndarray, n_bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Percentile bootstrap of the median of values (N,), by whole clusters (N,); None below `SMALLEST` of them."""
    order = np.argsort(values)
    numbers, places = np.unique(clusters[order], return_inverse=True)
    if len(numbers) < SMALLEST:
        return None
    medians = []
    for times in _draw(len(numbers), n_bootstrap, seed):
        for drawn in times:
            ends = drawn[places].cumsum()
            middle = [(ends[-1] - 1) // 2, ends[-1] // 2]  # one place twice where their number is odd
            medians.append(values[order[np.searchsorted(ends, middle, side="right")]].mean())
    low, high = np.quantile(medians, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap_intervals(
    values: np.ndarray, *, n_bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95
) -> np.ndarray | None:
    """Studentised bootstrap intervals (bootstrap-t) of the column means of values (N, M).

    Resampled means are measured in their own standard errors, so that intervals hold for small and skewed samples too,
    where percentiles are too narrow: docs/validity.md has the coverage, `benchmarks/intervals.py` measures it.
    Lower and upper ends (M, 2) float64; None where N is below `SMALLEST`.
    """
    values = np.asarray(values, np.float64)
    means = values.mean(axis=0)
    deviations = values - means  # so that squares keep their digits
    resamples = bootstrap_means(np.hstack([deviations, deviations**2]), n_bootstrap=n_bootstrap, seed=seed)
    shifts, squares = np.hsplit(resamples, 2)
    spread, spreads = np.sqrt((deviations**2).mean(axis=0)), np.sqrt(np.maximum(squares - shifts**2, 0))
    return studentized_intervals(len(values), means, spread, means + shifts, spreads, confidence)


def studentized_intervals(
    n: int, values: np.ndarray, spread: np.ndarray, resamples: np.ndarray, spreads: np.ndarray, confidence: float
) -> np.ndarray | None:
    """Intervals (M, 2) float64 of values (M,), by how far resampled ones (B, M) lie from them in their own spreads.

    `spread` (M,) is their standard error, or what is proportional to it, and `spreads` (B, M) that of each resample;
    n is the size of the sample, of the smaller one where there are two.
    """
    if n < SMALLEST:
        return None
    tail = (1 - confidence) / 2
    spreads = np.maximum(spreads, _LEAST_SPREAD * spread)
    t = np.divide(resamples - values, spreads, out=np.zeros_like(spreads), where=spreads > 0)
    low, high = np.quantile(t, [tail, 1 - tail], axis=0)
    return np.stack([values - high * spread, values - low * spread], axis=1)


def wilson_interval(share: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share of n independent cases, for any n (Wilson 1927, JASA 22, 209-212).

    Args:
        share: 0..1; that of cases which are themselves shares gets an interval that is rather too wide.
        n: cases, at least 1; no whole number where it is an effective one.

    Example:
        >>> [round(end, 3) for end in wilson_interval(1.0, 2)]
        [0.342, 1.0]
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))
