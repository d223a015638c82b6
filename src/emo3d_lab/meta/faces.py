"""Face level: does a metric answer a comparison of two faces as people do?"""

from __future__ import annotations

import numpy as np

from emo3d.hints import extra_named
from emo3d.scoring.core import wilson_interval
from emo3d_lab.meta.figures import Estimate
from emo3d_lab.meta.people import Comparisons
from emo3d_lab.meta.systems import cosine

with extra_named():
    from scipy.stats import t as student

FOLDS = 5
_CHUNK = 2**22  # numbers at once


def calibrated_answers(
    difference: np.ndarray, outcome: np.ndarray, fold: np.ndarray, folds: int = FOLDS
) -> tuple[np.ndarray, float]:
    """Whether a metric answers comparisons as people do, with ties calibrated on other items.

    Faces that differ by no more than epsilon are a tie. Epsilon is the one with the most equal answers, ties among them
    (Deutsch et al. 2023); unlike there, it is chosen on all folds but that of the comparison.

    Args:
        difference: (N,) float64 of the metric, first face minus second, more is better; NaN counts in nothing.
        outcome: (N,) 1, 0 or -1, of people.
        fold: (N,) in 0..`folds` - 1, of the items.

    Returns:
        (N,) bool, and the epsilon chosen on all comparisons.
    """
    distance = np.abs(difference)
    agrees, tied = np.sign(difference) == outcome, outcome == 0
    order = np.argsort(distance, kind="stable")
    ordered = distance[order]
    # What making a tie of a comparison gains, summed from the nearest faces on; epsilon lies at the end of a run of
    # equal distances. Faces that are equal to the metric are a tie whatever epsilon is.
    gain = tied[order].astype(np.int64) - agrees[order]
    ends = np.flatnonzero(np.r_[ordered[1:] > ordered[:-1], True]) if len(ordered) else np.empty(0, np.int64)

    def best(rows: np.ndarray) -> float:
        totals = np.r_[0, np.cumsum(gain * rows[order])[ends]]
        return float(np.r_[0.0, ordered[ends]][totals.argmax()])  # the smallest of equally good ones

    right = np.zeros(len(difference), bool)
    for number in range(folds):
        held_out = fold == number
        epsilon = best(~held_out) if not held_out.all() else 0.0
        right[held_out] = np.where(distance[held_out] <= epsilon, tied[held_out], agrees[held_out])
    return right, best(np.ones(len(difference), bool))


def share_interval(right: np.ndarray, item: np.ndarray, judge: np.ndarray) -> Estimate:
    """The share of right answers and Wilson's interval for so many answers as independent ones would be.

    Their number follows from the variance of two-way clusters: items + judges - answers of a judge to an item.
    """
    n, share = len(right), float(right.mean())
    if n < 2 or not 0 < share < 1:
        return Estimate(share, *wilson_interval(share, float(len(np.unique(item)))))
    variance = two_way_variance(right - share, item, judge)
    size = float(np.clip(share * (1 - share) / max(variance, 1e-300), 1, n))
    return Estimate(share, *wilson_interval(share, size))


def two_way_variance(deviation: np.ndarray, item: np.ndarray, judge: np.ndarray) -> float:
    """Variance of the mean of deviations (N,) from it (Cameron, Gelbach and Miller 2011).

    Not less than that of items alone, nor that of judges alone, which a difference of estimates can be by chance.
    """
    both = np.unique(judge * (item.max() + 1) + item, return_inverse=True)[1]
    by_item, by_judge, by_both = (_clustered(deviation, cluster) for cluster in (item, judge, both))
    return max(by_item + by_judge - by_both, by_item, by_judge) / len(deviation) ** 2


def _clustered(deviation: np.ndarray, cluster: np.ndarray) -> float:
    sums = np.bincount(cluster, deviation)
    sums = sums[np.unique(cluster)]
    return float((sums**2).sum() * len(sums) / (len(sums) - 1)) if len(sums) > 1 else 0.0


def item_folds(items: int, seed: int, folds: int = FOLDS) -> np.ndarray:
    """A fold (I,) for each item, of about equal size, drawn at random."""
    return np.random.default_rng([seed, 2]).permutation(items) % folds


def metric_differences(values: np.ndarray, comparisons: Comparisons) -> np.ndarray:
    """Values (I, S) of the first face minus those of the second, (N,)."""
    return _differences(*(values[comparisons.item, side] for side in (comparisons.first, comparisons.second)))


def _differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a - b, 0 where rounding alone tells the two apart."""
    return np.where(np.abs(a - b) <= 1e-12 * np.maximum(np.abs(a), np.abs(b)), 0.0, a - b)


def item_correlations(ratings: np.ndarray, values: np.ndarray) -> tuple[Estimate | None, Estimate | None]:
    """Spearman's rho and Kendall's tau-b of an item's faces, mean over items, of ratings and values (I, S).

    Items count of which three faces or more are rated, and neither side is one tie. Intervals are Student's over items.
    """
    is_known = np.isfinite(ratings) & np.isfinite(values)
    rows = np.flatnonzero(is_known.sum(axis=1) > 2)
    if not len(rows):
        return None, None
    correlations: list[tuple[np.ndarray, np.ndarray]] = []
    for part in np.array_split(rows, max(1, len(rows) * ratings.shape[1] ** 2 // _CHUNK)):
        signs = []
        for side in (ratings, values):
            known = np.where(is_known, side, np.nan)[part]
            signs.append(np.nan_to_num(np.sign(_differences(known[:, :, None], known[:, None, :]))))
        # How many faces a face is above, less those that it is below, is twice its rank, counted from the middle.
        ranks = [side.sum(axis=2) for side in signs]
        correlations.append((cosine(*ranks), cosine(*(side.reshape(len(part), -1) for side in signs))))
    rho, tau = (np.concatenate(each) for each in zip(*correlations, strict=True))
    return _mean(rho[np.isfinite(rho)]), _mean(tau[np.isfinite(tau)])


def _mean(values: np.ndarray) -> Estimate | None:
    if not len(values):
        return None
    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(mean)
    half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, max(-1.0, mean - half), min(1.0, mean + half))
