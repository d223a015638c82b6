"""Two systems on the same references: how far apart are their scores, and how often would chance say as much?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from emo3d.scoring.consistency import COLUMNS, alpha_of
from emo3d.scoring.core import (
    CHUNK,
    bootstrap_intervals,
    bootstrap_means,
    cluster_values,
    effective_size,
    squash,
    studentized_intervals,
)
from emo3d.scoring.settings import signature_difference

if TYPE_CHECKING:
    from emo3d.scoring.result import Emo3DResult

_ERRORS = {"mse", "mae", "fdd", "lve"}  # which compare with the references' own expressions


@dataclass(frozen=True)
class Difference:
    """One number of two systems."""

    a: float
    b: float
    difference: float  # b - a; negative speaks for B, but for `recall_at_k`, where more is better
    # Paired bootstrap-t interval (lower, upper) of it; of `recall_at_k` Agresti and Min's. None below
    # `emo3d.scoring.core.SMALLEST` references.
    interval: tuple[float, float] | None
    # Of a paired permutation test, two-sided: how often A and B, swapped at random for each reference, are at least as
    # far apart.
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """How two systems differ on the same n references under the same settings, those of `signature`."""

    differences: dict[str, Difference]  # by the names of the results' `numbers` that both systems have
    n: int
    n_resamples: int
    seed: int
    confidence: float
    signature: str
    left_out: str | None = None  # why errors and amplitudes are not compared although both systems have them
    amplitudes: tuple[float, float] | None = None  # of A and B, 1 is best; of medians nothing is tested
    # `kl_divergence` and `top1` by emotion reader, of the faces that it judged in both systems.
    readers: dict[str, dict[str, Difference]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # which readers, or faces of theirs, are not compared, and why

    def to_dict(self) -> dict[str, Any]:
        """Plain Python that JSON can hold."""
        return asdict(self)


def compare(
    a: Emo3DResult, b: Emo3DResult, *, n_resamples: int = 10_000, seed: int = 0, confidence: float = 0.95
) -> Comparison:
    """Compare two systems that were scored on the same references, in any order, pair by pair.

    References are resampled with replacement for the intervals, see `bootstrap_intervals`. For the p-values the signs
    of the references' differences are drawn at random; the faces of one reference go together in both.
    p = (1 + those at least as large) / (1 + n_resamples), so it is never 0. `emo3d` has the p-value of `kl_divergence`:
    it follows the divergence, and swapping pairs leaves the sum of both divergences alone, so both tests order all
    swaps alike.

    Raises:
        ValueError: the signatures differ (the message names the fields), or the references do, or one has no per-sample
            values or contradicts itself (`check_result`); bad arguments.
    """
    if n_resamples < 1:
        raise ValueError(f"expected at least one resample, got {n_resamples}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, got {confidence!r}")
    check_comparable(a, b)
    for name, result in (("first", a), ("second", b)):
        if "kl_divergence" not in result.per_sample:
            raise ValueError(f"expected per-sample values in both results, the {name} has none")
    if (alpha := alpha_of(a.signature)) is None:
        raise ValueError(f"expected a signature with alpha, got {a.signature!r:.100}")
    of_means = getattr(a, "columns", COLUMNS)  # a result of clips has its own
    columns = {name: column for name, column in of_means.items() if column in a.per_sample and column in b.per_sample}
    left_out = None
    errors = columns.keys() & _ERRORS
    if errors and (a.reference_expressions is None or a.reference_expressions != b.reference_expressions):
        names = "mse, mae and amplitude" if "mse" in errors else " and ".join(sorted(errors))
        hashes = " and ".join(str(result.reference_expressions or "unknown") for result in (a, b))
        left_out = f"no {names}: the references' expressions are not known to be the same ({hashes})"
        columns = {name: column for name, column in columns.items() if name not in errors}
    # (N, M) float64 by reference; those of equal references stay in the order they came in.
    orders = [np.argsort(result.per_sample["reference"], kind="stable") for result in (a, b)]
    values_a, values_b = (
        np.stack([np.asarray(result.per_sample[name], np.float64)[order] for name in columns.values()], axis=1)
        for result, order in zip((a, b), orders, strict=True)
    )
    places = np.sort(a.per_sample["reference"])
    intervals, p_values = _test(values_b - values_a, list(columns), places, n_resamples, seed, confidence)
    if "kl_divergence" in intervals:
        kl = np.stack([values_a[:, 0], values_b[:, 0]], axis=1)
        intervals["emo3d"] = _score_interval(cluster_values(kl, places), alpha, n_resamples, seed, confidence)
    p_values["emo3d"] = p_values["kl_divergence"]
    by_name = {}
    for name in ("emo3d", *columns):
        interval = tuple(intervals[name]) if name in intervals else None
        x, y = a.numbers[name], b.numbers[name]
        by_name[name] = Difference(x, y, y - x, interval, p_values[name])
    amplitudes = None
    if left_out is None and a.amplitude is not None and b.amplitude is not None:
        amplitudes = a.amplitude, b.amplitude
    readers, notes = _compare_readers(a, b, orders, n_resamples, seed, confidence)
    settings = (a.n, n_resamples, seed, confidence, a.signature)
    return Comparison(by_name, *settings, left_out, amplitudes, readers, tuple(notes))


def _compare_readers(
    a: Emo3DResult, b: Emo3DResult, orders: list[np.ndarray], n_resamples: int, seed: int, confidence: float
) -> tuple[dict[str, dict[str, Difference]], list[str]]:
    """Differences by reader, of the faces that it judged in both systems; and what is not compared, and why."""
    readers: dict[str, dict[str, Difference]] = {}
    notes = []
    for name in a.readers | b.readers:
        if name not in a.readers or name not in b.readers:
            notes.append(f"{name} is not compared: only {'A' if name in a.readers else 'B'} has it")
            continue
        pair = a.readers[name], b.readers[name]
        if differing := signature_difference(*(reader.signature for reader in pair)):
            notes.append(f"{name} is not compared: its signatures differ in {differing}")
            continue
        if not all(reader.per_sample for reader in pair):
            notes.append(f"{name} is not compared: there are no values of single faces")
            continue
        numbers = ["kl_divergence", "top1"]
        values = np.stack(
            [
                np.stack([reader.per_sample[number][order] for number in numbers], axis=1)
                for reader, order in zip(pair, orders, strict=True)
            ]
        )
        in_each = ~np.isnan(values).any(axis=2)
        judged = in_each.all(axis=0)
        if count := int((in_each.any(axis=0) & ~judged).sum()):
            notes.append(f"{name}: {count} faces are left out, which it judged in one of the systems only")
        if not judged.any():
            notes.append(f"{name} is not compared: it judged no face in both systems")
            continue
        values, places = values[:, judged], np.sort(a.per_sample["reference"])[judged]
        intervals, p_values = _test(values[1] - values[0], numbers, places, n_resamples, seed, confidence)
        readers[name] = {}
        for column, number in enumerate(numbers):
            x, y = values[:, :, column].mean(axis=1).tolist()
            interval = tuple(intervals[number]) if number in intervals else None
            readers[name][number] = Difference(x, y, y - x, interval, p_values[number])
    return readers, notes


def _test(
    differences: np.ndarray, names: list[str], places: np.ndarray, n_resamples: int, seed: int, confidence: float
) -> tuple[dict[str, Any], dict[str, float]]:
    """Intervals, if any, and p-values by name of the means of paired differences (N, M), whose references are places.

    Rows are sorted by `places`.
    """
    clusters = cluster_values(differences, places)
    ends = bootstrap_intervals(clusters, n_bootstrap=n_resamples, seed=seed, confidence=confidence)
    intervals: dict[str, Any] = {} if ends is None else dict(zip(names, ends.tolist(), strict=True))
    for name in intervals.keys() & {"recall_at_k", "top1", "order"}:
        matches = differences[:, names.index(name)]
        intervals[name] = _share_interval(matches, effective_size(matches, places), confidence)
    p_values = permutation_p_values(differences, places, n_resamples, seed)
    return intervals, dict(zip(names, p_values.tolist(), strict=True))


def check_comparable(a: Emo3DResult, b: Emo3DResult) -> None:
    """Raise a ValueError that names the first difference unless two scores have the same settings and references."""
    if differing := signature_difference(a.signature, b.signature):
        raise ValueError(f"signatures differ in {differing}")
    if a.n != b.n:
        raise ValueError(f"numbers of references differ: {a.n}, {b.n}")
    if a.references != b.references:
        raise ValueError(f"references differ: their content hashes are {a.references}, {b.references}")


def _score_interval(kl: np.ndarray, alpha: float, n_resamples: int, seed: int, confidence: float) -> list[float]:
    """Interval of score B minus score A, of divergences (N, 2) float64; its standard error by the delta method."""
    means = kl.mean(axis=0)
    deviations = kl - means
    products = np.stack([deviations[:, 0] ** 2, deviations[:, 1] ** 2, deviations.prod(axis=1)], axis=1)
    resamples = bootstrap_means(np.hstack([deviations, products]), n_bootstrap=n_resamples, seed=seed)

    def difference(shifts: np.ndarray, products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the scores, and its spread, in each resample: (B, 1) float64."""
        scores = squash(means + shifts, alpha)
        slope_a, slope_b = (scores * (1 - scores) / alpha).T
        var_a, var_b, cov = (products - np.stack([*(shifts**2).T, shifts.prod(axis=1)], axis=1)).T
        variance = slope_a**2 * var_a + slope_b**2 * var_b - 2 * slope_a * slope_b * cov
        return scores[:, 1:] - scores[:, :1], np.sqrt(np.maximum(variance, 0))[:, None]

    (value,), (spread,) = difference(np.zeros((1, 2)), products.mean(axis=0, keepdims=True))
    ends = studentized_intervals(len(kl), value, spread, *difference(*np.hsplit(resamples, [2])), confidence)
    assert ends is not None  # enough references: checked before
    return ends[0].tolist()


def _share_interval(differences: np.ndarray, size: float, confidence: float) -> list[float]:
    """Of the mean of paired differences of shares (N,) float64: Wald's, with half a pair more in each of four cells.

    `size` is how many pairs they would be if they were independent.

    Agresti and Min, "Simple improved confidence intervals for comparing matched proportions" (2005). Of few pairs that
    differ, a bootstrap knows too little.
    """
    n, part = size + 2, size / len(differences)
    middle = differences.sum() * part / n
    variance = ((differences**2).sum() * part + 1) / n - middle**2
    half = NormalDist().inv_cdf((1 + confidence) / 2) * np.sqrt(variance / n)
    return [max(-1.0, float(middle - half)), min(1.0, float(middle + half))]


def permutation_p_values(
    differences: np.ndarray, clusters: np.ndarray, n_resamples: int = 10_000, seed: int = 0
) -> np.ndarray:
    """P-values (M,) float64 of the means of paired differences (N, M) by random swaps, the same in every column.

    Rows of one number in `clusters` (N,) are swapped together.
    """
    _, places = np.unique(clusters, return_inverse=True)
    by_cluster = np.zeros((places.max() + 1, differences.shape[1]))
    np.add.at(by_cluster, places, differences)
    differences = by_cluster
    rng = np.random.default_rng(seed)
    n = len(differences)
    chunk = max(1, CHUNK // n)
    sums = differences.sum(axis=0)
    count = np.zeros(differences.shape[1], int)
    for start in range(0, n_resamples, chunk):
        swaps = rng.integers(2, size=(min(chunk, n_resamples - start), n), dtype=np.int8)
        by_chance = np.abs(sums - 2 * (swaps @ differences))  # a swapped pair counts -1 instead of 1
        count += (by_chance >= np.abs(sums) * (1 - 1e-9)).sum(axis=0)  # equals count, whatever the rounding
    return (1 + count) / (1 + n_resamples)
