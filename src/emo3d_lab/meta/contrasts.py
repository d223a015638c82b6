"""Are two metrics told apart, and is a metric above one that cannot know?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from emo3d.hints import extra_named
from emo3d_lab.meta.figures import Contrast
from emo3d_lab.meta.people import SystemScores
from emo3d_lab.meta.systems import pairs_of, random_signs, sign_flips, soft_accuracy

with extra_named():
    from scipy.special import ndtr
    from statsmodels.stats.multitest import multipletests

LEVEL = 0.05
"""A corrected p-value below this tells two metrics apart."""


def contrast_metrics(
    right: Mapping[str, np.ndarray],
    item: np.ndarray,
    sides: Mapping[str, SystemScores],
    p_human: np.ndarray,
    n_resamples: int,
    seed: int,
) -> tuple[Contrast, ...]:
    """Compare all pairs of metrics by paired permutation tests.

    The answers (accuracy) or standardised values (soft accuracy of systems; PERM-BOTH of Deutsch, Dror and Roth 2021
    over items) of two metrics are exchanged at random for each item, all systems together.

    Args:
        right: metric -> (N,) bool: comparisons that it answers as people did, of items `item` (N,).
        sides: metric -> scores of systems.
        p_human: (P,) of people, see `permutation_p`.
        n_resamples: exchanges, at least; see `enough`.
        seed: of the exchanges.
    """
    pairs = list(combinations(right, 2))
    if not pairs:
        return ()
    n_resamples = enough(n_resamples, len(pairs))
    answers = np.stack([np.bincount(item, right[a].astype(float) - right[b]) for a, b in pairs], axis=1)
    accuracies = answers.sum(axis=0) / len(item)
    accuracy_ps = _two_sided(answers.sum(axis=0), sign_flips(answers, n_resamples, seed))
    softs, soft_ps = _swap_values(pairs, sides, p_human, n_resamples, seed)
    return tuple(
        Contrast(a, b, *map(float, numbers))
        for (a, b), *numbers in zip(pairs, accuracies, holm(accuracy_ps), softs, holm(soft_ps), strict=True)
    )


def enough(n_resamples: int, tests: int) -> int:
    """As many exchanges, or as it takes for the smallest p-value to stay below `LEVEL` after its correction."""
    return max(n_resamples, round(2 * tests / LEVEL))


def _swap_values(
    pairs: Sequence[tuple[str, str]],
    sides: Mapping[str, SystemScores],
    p_human: np.ndarray,
    n_resamples: int,
    seed: int,
) -> tuple[list[float], list[float]]:
    """Differences of soft accuracy, and their p-values; p-values of systems follow the normal approximation."""
    first, second = pairs_of(len(next(iter(sides.values())).scores))
    swapped, whole = {}, {}
    for name, side in sides.items():
        scale = np.sqrt(np.mean(side.shares**2)) or 1.0
        differences = (side.shares[:, first] - side.shares[:, second]) / scale
        both = np.hstack([differences, differences**2]).astype(np.float32)
        whole[name] = both.sum(axis=0, dtype=np.float64)
        draws = random_signs(len(differences), n_resamples, seed + 2)
        swapped[name] = np.concatenate([(signs + 1) / 2 @ both for signs in draws])

    def accuracy(sums: np.ndarray) -> np.ndarray:
        difference, squares = np.split(sums, 2, axis=-1)
        z = np.divide(difference, np.sqrt(squares), out=np.zeros(difference.shape), where=squares > 1e-12)
        return soft_accuracy(p_human, ndtr(-z))

    gaps, p_values = [], []
    for a, b in pairs:
        gap = accuracy(whole[a]) - accuracy(whole[b])
        of_a = swapped[a] + (whole[b] - swapped[b])
        of_b = swapped[b] + (whole[a] - swapped[a])
        gaps.append(float(gap))
        p_values.append(float(_two_sided(gap, accuracy(of_a) - accuracy(of_b))))
    return gaps, p_values


def _two_sided(difference: np.ndarray | float, by_chance: np.ndarray) -> np.ndarray:
    """P-values of differences (M,) among those by chance (R, M); equals count, so none is 0."""
    reached = np.abs(by_chance) >= np.abs(difference) * (1 - 1e-6) - 1e-9
    return (1 + reached.sum(axis=0)) / (1 + len(by_chance))


def above_sentinels(
    right: Mapping[str, np.ndarray],
    sentinels: Mapping[str, np.ndarray],
    item: np.ndarray,
    n_resamples: int,
    seed: int,
) -> dict[str, tuple[str, ...]]:
    """Which sentinels each metric does not beat: one-sided paired permutation tests, Holm over all of them."""
    pairs = [(metric, sentinel) for metric in right for sentinel in sentinels]
    n_resamples = enough(n_resamples, len(pairs))
    answers = np.stack([np.bincount(item, right[a].astype(float) - sentinels[b]) for a, b in pairs], axis=1)
    by_chance = sign_flips(answers, n_resamples, seed + 3)
    p_values = (1 + (by_chance >= answers.sum(axis=0) - 1e-9).sum(axis=0)) / (1 + n_resamples)
    beaten = holm(p_values) < LEVEL
    return {
        metric: tuple(b for (a, b), is_beaten in zip(pairs, beaten, strict=True) if a == metric and not is_beaten)
        for metric in right
    }


def rank_clusters(accuracies: Mapping[str, float], contrasts: Sequence[Contrast]) -> dict[str, int]:
    """Ranks from 1: a metric opens a new one where it is told apart from one of the rank before, as in WMT's tables."""
    p_values = {frozenset((contrast.a, contrast.b)): contrast.accuracy_p for contrast in contrasts}
    ranks: dict[str, int] = {}
    cluster: list[str] = []
    rank = 0
    for name in sorted(accuracies, key=lambda name: -accuracies[name]):
        if not cluster or any(p_values[frozenset((name, other))] < LEVEL for other in cluster):
            cluster, rank = [], rank + 1
        cluster.append(name)
        ranks[name] = rank
    return ranks


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """P-values corrected after Holm."""
    return multipletests(p_values, method="holm")[1]
