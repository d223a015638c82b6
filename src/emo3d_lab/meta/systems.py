"""System level: do a metric's scores order systems as people do?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emo3d.hints import extra_named
from emo3d_lab.meta.figures import Estimate
from emo3d_lab.meta.people import SystemScores
from emo3d_lab.meta.posterior import true_scores

with extra_named():
    from scipy.special import ndtr
    from scipy.stats import rankdata

_CHUNK = 2**24  # numbers of a block of resamples


def sign_flips(contributions: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Sums (R, C) of contributions (I, C) whose rows have random signs; the same signs for every call with one seed."""
    return np.concatenate([signs @ contributions for signs in random_signs(len(contributions), n_resamples, seed)])


def random_signs(items: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of random signs (r, I) float32."""
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK // items)
    for start in range(0, n_resamples, rows):
        size = min(rows, n_resamples - start), items
        yield rng.integers(2, size=size, dtype=np.int8).astype(np.float32) * 2 - 1


def pairs_of(systems: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the first and second system of all pairs."""
    return np.triu_indices(systems, 1)


def permutation_p(side: SystemScores, n_resamples: int, seed: int) -> np.ndarray:
    """One-sided p-values (P,) that the first system of each pair is better, by paired permutation over items.

    The scores of a pair's faces are exchanged at random for each item; an equal sum counts a half, so that the two
    sides of a pair have p-values of sum 1.
    """
    first, second = pairs_of(len(side.scores))
    by_chance = sign_flips(side.shares, n_resamples, seed)
    by_chance = by_chance[:, first] - by_chance[:, second]
    difference = side.scores[first] - side.scores[second]
    same = 1e-9 * (np.abs(difference) + np.abs(by_chance).max(axis=0, initial=0)) + 1e-300
    return ((by_chance > difference + same) + 0.5 * (np.abs(by_chance - difference) <= same)).mean(axis=0)


def soft_accuracy(p_human: np.ndarray, p_metric: np.ndarray) -> np.ndarray:
    """Soft pairwise accuracy 1 - mean |p_human - p_metric| over the last axis (Thompson et al. 2024, WMT24)."""
    return 1 - np.abs(p_human - p_metric).mean(axis=-1)


def normal_p(scores: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """As `permutation_p` with the normal distribution that permutations tend to, of scores (..., S)."""
    first, second = pairs_of(scores.shape[-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (scores[..., first] - scores[..., second]) / deviation
    return ndtr(-np.where(np.isnan(z), 0.0, z))  # NaN: 0 / 0, a metric that does not vary


def pair_deviation(side: SystemScores) -> np.ndarray:
    """Standard deviation (P,) of a pair's difference under permutation."""
    first, second = pairs_of(len(side.scores))
    gram = side.shares.T @ side.shares
    return np.sqrt(np.maximum(gram[first, first] + gram[second, second] - 2 * gram[first, second], 0))


def pairwise_accuracy(human: np.ndarray, metric: np.ndarray) -> np.ndarray:
    """Share of pairs of systems in one order, of scores (..., S); a tie of either side alone counts a half."""
    first, second = pairs_of(human.shape[-1])
    signs = [np.sign(_steady(side[..., first] - side[..., second], side)) for side in (human, metric)]
    return 1 - np.abs(signs[0] - signs[1]).mean(axis=-1) / 2


def spearman(human: np.ndarray, metric: np.ndarray) -> np.ndarray:
    """Spearman's rho over the last axis, NaN where one side does not vary."""
    ranks = [rankdata(_rounded(side), axis=-1) for side in (human, metric)]
    ranks = [side - side.mean(axis=-1, keepdims=True) for side in ranks]
    return cosine(*ranks)


def kendall(human: np.ndarray, metric: np.ndarray) -> np.ndarray:
    """Kendall's tau-b over the last axis, NaN where one side does not vary."""
    first, second = pairs_of(human.shape[-1])
    return cosine(*(np.sign(_steady(side[..., first] - side[..., second], side)) for side in (human, metric)))


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of the angle between vectors (..., n), NaN where one is 0."""
    norms = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(axis=-1) / norms


def _steady(differences: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Differences with those of rounding alone made 0; scores (..., S) round together, being centred sums."""
    return np.where(np.abs(differences) <= 1e-12 * np.abs(side).max(axis=-1, keepdims=True), 0.0, differences)


def _rounded(side: np.ndarray) -> np.ndarray:
    return np.round(side / np.abs(side).max(axis=-1, keepdims=True, initial=1e-300), 11)


def resample(human: SystemScores, metric: SystemScores, n_resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of people and metric as other items and judges might have made them, (R, S) each.

    A multiplier bootstrap: each item's part of both scores gets one random sign, and what judges add to the covariance
    is drawn from a normal distribution.
    """
    flips = sign_flips(np.hstack([human.by_item, metric.by_item]), n_resamples, seed)
    by_judge = np.random.default_rng([seed, 1]).standard_normal((n_resamples, len(human.scores))) @ human.spread.T
    size = len(human.scores)
    return human.scores + flips[:, :size] + by_judge, metric.scores + flips[:, size:]


def with_interval(value: float, resamples: np.ndarray, lowest: float, highest: float = 1.0) -> Estimate | None:
    """A figure with the 95% interval of its resamples; None where it is undefined."""
    if np.isnan(value):
        return None
    resamples = resamples[~np.isnan(resamples)]
    if len(resamples) < 20:
        return Estimate(float(value))
    low, high = np.quantile(resamples, [0.025, 0.975])
    return Estimate(float(value), max(lowest, float(low)), min(highest, float(high)))


def system_figures(
    human: SystemScores, metric: SystemScores, p_human: np.ndarray, n_resamples: int, seed: int
) -> dict[str, Estimate | None]:
    """Soft and plain pairwise accuracy, Spearman's rho and Kendall's tau-b of system scores, with intervals."""
    humans, metrics = resample(human, metric, n_resamples, seed)
    soft = soft_accuracy(normal_p(humans, pair_deviation(human)), normal_p(metrics, pair_deviation(metric)))
    value = soft_accuracy(p_human, permutation_p(metric, n_resamples, seed + 1))
    true = true_scores(human, metric, n_resamples, seed)
    figures: dict[str, Estimate | None] = {"soft_accuracy": with_interval(float(value), soft, 0)}
    for name, statistic, lowest in (
        ("system_accuracy", pairwise_accuracy, 0),
        ("spearman", spearman, -1),
        ("kendall", kendall, -1),
    ):
        defined = name == "system_accuracy" or len(human.scores) > 2
        number = float(statistic(human.scores, metric.scores)) if defined else np.nan
        figures[name] = with_interval(number, statistic(*true), lowest)
    return figures
