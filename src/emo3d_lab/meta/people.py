"""What people's judgements amount to: comparisons of two faces, scores of systems and how sure these are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from emo3d_lab.meta.tables import Judgements


@dataclass(frozen=True, eq=False)
class Comparisons:
    """N comparisons of two faces of one item by one judge; `first` is the lower place of the two systems.

    Attributes:
        outcome: (N,) float64: 1 where the first face fits better, -1 the second, 0 neither.
        are_pooled: whether they are of mean ratings, since no judge rated two faces of an item; then `judge` is 0.
    """

    item: np.ndarray
    judge: np.ndarray
    first: np.ndarray
    second: np.ndarray
    outcome: np.ndarray
    are_pooled: bool = False


@dataclass(frozen=True, eq=False)
class SystemScores:
    """Scores of S systems from judgements of I items.

    Attributes:
        scores: (S,) float64 of mean 0.
        by_item: (I, S) float64: each item's part of the deviation of `scores`; their sum is 0.
        shares: (I, S) float64: of ratings each item's part of `scores`, their sum; of pairs `by_item`. Signs of its
            rows are flipped for a permutation test.
        spread: (S, S) float64 root of the covariance that judges add to that of items: what a judge has against a
            system whatever the item.
    """

    scores: np.ndarray
    by_item: np.ndarray
    shares: np.ndarray
    spread: np.ndarray


def make_comparisons(judgements: Judgements) -> Comparisons:
    """Turn judgements into comparisons; ratings of one judge and item are compared with each other.

    Where no judge rated two faces of an item, mean ratings of an item's faces are compared instead.
    """
    if judgements.are_pairs:
        return _in_order(judgements.item, judgements.judge, judgements.first, judgements.second, judgements.value)
    compared = _pair_up(judgements.item, judgements.judge, judgements.first, judgements.value)
    if len(compared.item):
        return compared
    totals, counts = _cells(judgements, np.ones(len(judgements)))
    item, system = np.nonzero(counts)
    means = totals[item, system] / counts[item, system]
    return replace(_pair_up(item, np.zeros(len(item), np.int64), system, means), are_pooled=True)


def _pair_up(item: np.ndarray, judge: np.ndarray, system: np.ndarray, value: np.ndarray) -> Comparisons:
    """All pairs of rows of one item and judge."""
    order = np.lexsort([system, item, judge])
    item, judge, system, value = (column[order] for column in (item, judge, system, value))
    firsts, step = [np.empty(0, np.int64)], 1
    while True:
        first = np.flatnonzero((item[step:] == item[:-step]) & (judge[step:] == judge[:-step]))
        if not len(first):
            break
        firsts.append(first)
        step += 1
    first = np.concatenate(firsts)
    second = first + np.repeat(np.arange(len(firsts)), list(map(len, firsts)))
    outcome = np.sign(value[first] - value[second])
    return _in_order(item[first], judge[first], system[first], system[second], outcome)


def _in_order(
    item: np.ndarray, judge: np.ndarray, first: np.ndarray, second: np.ndarray, outcome: np.ndarray
) -> Comparisons:
    outcome = np.where(first > second, -outcome, outcome)
    return Comparisons(item, judge, np.minimum(first, second), np.maximum(first, second), outcome)


def system_scores(judgements: Judgements) -> SystemScores:
    """Score systems by least squares, and say how each item and judge moves the scores.

    Of pairs, outcomes are score(first) - score(second) + error: for a balanced design these are win shares minus loss
    shares, and for any other the opponents are taken into account. Of ratings, they are item + score + error. The
    covariance is the one of two-way clusters (Cameron, Gelbach and Miller 2011): items + judges - items of a judge.

    Raises:
        ValueError: systems that no chain of judgements connects.
    """
    n, systems = len(judgements), len(judgements.systems)
    scores, inverse, design = _fit(judgements, np.ones(n))
    if np.linalg.matrix_rank(inverse) < systems - 1:
        raise ValueError(f"expected judgements that connect all systems, got {_groups(design)}")
    residuals, counts = _residuals(judgements, scores)
    both = judgements.judge * len(judgements.items) + judgements.item
    _, both = np.unique(both, return_inverse=True)
    clusters = []
    for cluster in (judgements.item, judgements.judge, both):
        size = cluster.max() + 1
        moved = _sums(cluster, judgements.first, residuals, (size, systems))
        if judgements.are_pairs:
            moved -= _sums(cluster, judgements.second, residuals, (size, systems))
        elif cluster is not judgements.item:  # of whole items, residuals sum to 0
            parts = counts / counts.sum(axis=1, keepdims=True)
            order = np.argsort(cluster, kind="stable")
            starts = np.flatnonzero(np.r_[True, np.diff(cluster[order]) > 0])
            weighted = residuals[order, None] * parts[judgements.item[order]]
            moved -= np.add.reduceat(weighted, starts, axis=0)
        clusters.append(moved @ inverse * np.sqrt(size / max(size - 1, 1)))
    by_item, by_judge, by_both = clusters
    excess = by_judge.T @ by_judge - by_both.T @ by_both if len(by_judge) > 1 else np.zeros((systems, systems))
    values, vectors = np.linalg.eigh(excess)
    spread = vectors * np.sqrt(np.maximum(values, 0))
    shares = by_item if judgements.are_pairs else _within_items(*_cells(judgements, np.ones(n))) @ inverse
    return SystemScores(scores, by_item, shares, spread)


def fit_scores(judgements: Judgements, keep: np.ndarray) -> np.ndarray | None:
    """System scores (S,) of the judgements where `keep` (N,) holds; None where they do not connect all systems."""
    scores, inverse, _ = _fit(judgements, keep.astype(float))
    return scores if np.linalg.matrix_rank(inverse) == len(scores) - 1 else None


def _fit(judgements: Judgements, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (S,), the inverse (S, S) of the design's Laplacian, and that."""
    size = len(judgements.systems)
    if judgements.are_pairs:
        counts = _sums(judgements.first, judgements.second, weights, (size, size))
        counts = counts + counts.T
        laplacian = np.diag(counts.sum(axis=1)) - counts
        net = weights * judgements.value
        wins = np.bincount(judgements.first, net, size) - np.bincount(judgements.second, net, size)
    else:
        laplacian, wins = _of_cells(*_cells(judgements, weights))
    inverse = np.linalg.pinv(laplacian, rcond=1e-9, hermitian=True)
    return inverse @ wins, inverse, laplacian


def score_cells(values: np.ndarray) -> SystemScores:
    """Score systems by values (I, S) of their faces, NaN where there is none: as ratings, without judges."""
    counts = np.isfinite(values).astype(float)
    totals = np.where(counts > 0, values, 0.0)
    laplacian, wins = _of_cells(totals, counts)
    inverse = np.linalg.pinv(laplacian, rcond=1e-9, hermitian=True)
    scores = inverse @ wins
    shares = _within_items(totals, counts) @ inverse
    by_item = _within_items(totals - counts * scores, counts) @ inverse
    size = len(values)
    return SystemScores(scores, by_item * np.sqrt(size / max(size - 1, 1)), shares, np.zeros(laplacian.shape))


def _of_cells(totals: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Laplacian (S, S) of ratings of items, and what each system is above its items' means."""
    rows = np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
    laplacian = np.diag(counts.sum(axis=0)) - counts.T @ (counts / rows)
    return laplacian, _within_items(totals, counts).sum(axis=0)


def _within_items(totals: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sums of cells (I, S) less what the item's mean makes of them."""
    return totals - counts * (totals.sum(axis=1, keepdims=True) / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300))


def _residuals(judgements: Judgements, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (N,), and how many judgements each item and system has, (I, S)."""
    totals, counts = _cells(judgements, np.ones(len(judgements)))
    if judgements.are_pairs:
        return judgements.value - (scores[judgements.first] - scores[judgements.second]), counts
    rest = (totals - counts * scores).sum(axis=1) / counts.sum(axis=1)
    return judgements.value - scores[judgements.first] - rest[judgements.item], counts


def _cells(judgements: Judgements, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of ratings and of weights, (I, S) each."""
    shape = len(judgements.items), len(judgements.systems)
    places = judgements.item, judgements.first
    return _sums(*places, weights * judgements.value, shape), _sums(*places, weights, shape)


def cell_means(judgements: Judgements) -> np.ndarray:
    """Mean rating (I, S) of each face, NaN where nobody rated it."""
    totals, counts = _cells(judgements, np.ones(len(judgements)))
    return np.divide(totals, counts, out=np.full(totals.shape, np.nan), where=counts > 0)


def _sums(rows: np.ndarray, columns: np.ndarray, weights: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.bincount(rows * shape[1] + columns, weights, shape[0] * shape[1]).reshape(shape)


def _groups(laplacian: np.ndarray) -> str:
    """How many groups a design falls into."""
    count = len(laplacian) - np.linalg.matrix_rank(laplacian)
    return f"{count} groups, of {len(laplacian)} systems, that nobody compared"
