"""How far people agree with each other: what a metric may hope for."""

from __future__ import annotations

import numpy as np

from emo3d.hints import extra_named
from emo3d_lab.meta.faces import calibrated_answers, share_interval
from emo3d_lab.meta.figures import Ceiling, Estimate
from emo3d_lab.meta.people import Comparisons, fit_scores
from emo3d_lab.meta.systems import pairwise_accuracy, spearman
from emo3d_lab.meta.tables import Judgements

with extra_named():
    from scipy.sparse import csr_array

HALVES = 100
"""Random halves of judges."""


def measure_ceiling(
    judgements: Judgements, comparisons: Comparisons, fold: np.ndarray, n_resamples: int, seed: int
) -> tuple[Ceiling, np.ndarray]:
    """Measure how far people agree with each other.

    Returns:
        The figures, and which comparisons (N,) bool another judge answered too.
    """
    others, is_shared = _other_judges(comparisons)
    accuracy = None
    if is_shared.any():
        rows = is_shared
        right, _ = calibrated_answers(others[rows], comparisons.outcome[rows], fold[comparisons.item[rows]])
        accuracy = share_interval(right, comparisons.item[rows], comparisons.judge[rows])
    rho, halves_accuracy = _halves(judgements, seed)
    return (
        Ceiling(
            accuracy=accuracy,
            comparisons=int(is_shared.sum()),
            alpha=_alpha_with_interval(judgements, n_resamples, seed),
            halves=rho,
            halves_corrected=None if rho is None or rho <= -1 else 2 * rho / (1 + rho),
            halves_accuracy=halves_accuracy,
        ),
        is_shared,
    )


def _other_judges(comparisons: Comparisons) -> tuple[np.ndarray, np.ndarray]:
    """The mean outcome (N,) of the other judges of the same two faces, and where there are any."""
    if comparisons.are_pooled:
        return np.zeros(len(comparisons.item)), np.zeros(len(comparisons.item), bool)
    systems = int(comparisons.second.max()) + 1
    question = (comparisons.item * systems + comparisons.first) * systems + comparisons.second
    question = np.unique(question, return_inverse=True)[1]
    count = np.bincount(question)[question] - 1
    total = np.bincount(question, comparisons.outcome)[question] - comparisons.outcome
    return total / np.maximum(count, 1), count > 0


def same_answers(judgements: Judgements, least: int = 10) -> list[tuple[str, str, int]]:
    """Pairs of judges who answered the same `least` questions or more, all of them alike, and how many these are."""
    low, high = np.minimum(judgements.first, judgements.second), np.maximum(judgements.first, judgements.second)
    is_turned = judgements.are_pairs & (judgements.first != low)
    value = np.where(is_turned, -judgements.value, judgements.value) + 0.0  # no -0
    question = [judgements.item, low, high]
    shared, alike = (_in_common(judgements.judge, columns) for columns in (question, [*question, value]))
    pairs = [(a, b) for a, b in zip(*shared.nonzero(), strict=True) if a < b and alike[a, b] == shared[a, b] >= least]
    return [(judgements.judges[a], judgements.judges[b], int(shared[a, b])) for a, b in pairs]


def _in_common(judge: np.ndarray, columns: list[np.ndarray]) -> csr_array:
    """How many rows of `columns` two judges have in common."""
    place = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1].ravel()
    table = csr_array((np.ones(len(judge)), (judge, place)))
    return table @ table.T


def _halves(judgements: Judgements, seed: int) -> tuple[float | None, float | None]:
    """Mean Spearman's rho and pairwise accuracy of the system scores of two random halves of judges."""
    judges = len(judgements.judges)
    if judges < 4:
        return None, None
    rng = np.random.default_rng([seed, 3])
    rhos, accuracies = [], []
    for _ in range(HALVES):
        half = rng.permutation(judges) < judges // 2
        scores = [fit_scores(judgements, half[judgements.judge] == side) for side in (True, False)]
        if scores[0] is not None and scores[1] is not None:
            rhos.append(float(spearman(scores[0], scores[1])))
            accuracies.append(float(pairwise_accuracy(scores[0], scores[1])))
    defined = [rho for rho in rhos if not np.isnan(rho)]
    rho = float(np.mean(defined)) if defined and len(judgements.systems) > 2 else None
    return rho, float(np.mean(accuracies)) if accuracies else None


def _alpha_with_interval(judgements: Judgements, n_resamples: int, seed: int) -> Estimate | None:
    """Krippendorff's alpha, and percentiles of it over resamples of items."""
    parts = alpha_parts(judgements)
    value = _alpha(parts.sum(axis=0))
    if np.isnan(value):
        return None
    items = len(parts)
    rng = np.random.default_rng([seed, 4])
    weights = rng.multinomial(items, np.full(items, 1 / items), size=min(n_resamples, 1000))
    drawn = np.array([_alpha(sums) for sums in weights @ parts])
    drawn = drawn[~np.isnan(drawn)]
    if items < 10 or len(drawn) < 20:
        return Estimate(value)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def alpha_parts(judgements: Judgements) -> np.ndarray:
    """What each item adds to Krippendorff's alpha at interval level: (I, 4) float64.

    Columns: number of values in units with two or more, their sum, the sum of their squares, and the squared deviations
    from their unit's mean times n / (n - 1), of which the observed disagreement is made.
    """
    item, first, second, value = judgements.item, judgements.first, judgements.second, judgements.value
    if judgements.are_pairs:  # both orders, so that who is asked about first says nothing
        item = np.r_[item, item]
        first, second, value = np.r_[first, second], np.r_[second, first], np.r_[value, -value]
    size = len(judgements.systems) + 1
    unit, place = np.unique((item * size + first) * size + second + 1, return_inverse=True)
    count = np.bincount(place)
    total, squares = np.bincount(place, value), np.bincount(place, value**2)
    count, total, squares = (np.where(np.bincount(place) > 1, column, 0) for column in (count, total, squares))
    deviations = squares - total**2 / np.maximum(count, 1)
    parts = np.stack([count, total, squares, deviations * count / np.maximum(count - 1, 1)], axis=1)
    owner = unit // size // size
    return np.stack([np.bincount(owner, column, len(judgements.items)) for column in parts.T], axis=1)


def _alpha(sums: np.ndarray) -> float:
    n, total, squares, within = sums
    spread = squares - total**2 / n if n > 1 else 0.0
    if spread <= 1e-12 * max(squares, 1e-300):  # undefined where nothing varies
        return float("nan")
    # Observed: squared differences of ordered pairs of a unit / (n_u - 1), summed, over n, that is 2 within / n.
    # Expected: of all ordered pairs of values, over n (n - 1), that is 2 spread / (n - 1).
    return float(1 - (within / n) / (spread / (n - 1)))
