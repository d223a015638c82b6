"""Two systems on the same references: how far apart are their scores, and how often would chance say as much?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from emo3d.scoring.consistency import COLUMNS, alpha_of
from emo3d.scoring.core import bootstrap_intervals, bootstrap_means, squash, studentized_intervals
from emo3d.scoring.settings import signature_difference

if TYPE_CHECKING:
    from emo3d.scoring.result import Emo3DResult

_DRAWN_AT_ONCE = 2**21  # numbers; fixed, so that memory is flat and a seed always gives one answer


@dataclass(frozen=True)
class Difference:
    """One number of two systems.

    Attributes:
        a: of the first system.
        b: of the second.
        difference: b - a. Negative speaks for B, but for `recall_at_k`, where more is better.
        interval: paired bootstrap-t interval (lower, upper) of it; of `recall_at_k` Agresti and Min's. None below
            `emo3d.scoring.core.SMALLEST` references.
        p_value: of a paired permutation test, two-sided: how often A and B, swapped at random for each reference, are
            at least as far apart.
    """

    a: float
    b: float
    difference: float
    interval: tuple[float, float] | None
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """How two systems differ on the same references under the same settings.

    Attributes:
        differences: by `emo3d`, `kl_divergence`, `recall_at_k`, `mse` and `mae`, as far as both systems have them.
        n: N, the number of references.
        n_resamples: behind every interval and p-value.
        seed: of the resampling.
        confidence: of the intervals.
        signature: of both scores.
        left_out: why `mse` and `mae` are not among the differences although both systems have them, or None.
    """

    differences: dict[str, Difference]
    n: int
    n_resamples: int
    seed: int
    confidence: float
    signature: str
    left_out: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain Python that JSON can hold."""
        return asdict(self)


def compare(
    a: Emo3DResult, b: Emo3DResult, *, n_resamples: int = 10_000, seed: int = 0, confidence: float = 0.95
) -> Comparison:
    """Compare two systems that were scored on the same references, pair by pair.

    References are resampled with replacement for the intervals, see `bootstrap_intervals`. For the p-values the signs
    of the pairs' differences are drawn at random; p = (1 + those at least as large) / (1 + n_resamples), so it is never
    0. `emo3d` has the p-value of `kl_divergence`: it follows the divergence, and swapping pairs leaves the sum of both
    divergences alone, so both tests order all swaps alike.

    Args:
        a: the first system's score.
        b: the second's, its rows in any order.
        n_resamples: at least 1.
        seed: of NumPy's default generator.
        confidence: between 0 and 1.

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
    columns = {name: column for name, column in COLUMNS.items() if column in a.per_sample and column in b.per_sample}
    left_out = None
    if "mse" in columns and (a.reference_expressions is None or a.reference_expressions != b.reference_expressions):
        hashes = " and ".join(str(result.reference_expressions or "unknown") for result in (a, b))
        left_out = f"no mse and mae: the expressions of the references are not known to be the same ({hashes})"
        del columns["mse"], columns["mae"]
    of_a, of_b = (np.stack([_in_order(result, column) for column in columns.values()], axis=1) for result in (a, b))
    ends = bootstrap_intervals(of_b - of_a, n_bootstrap=n_resamples, seed=seed, confidence=confidence)
    intervals = {} if ends is None else dict(zip(columns, ends.tolist(), strict=True))
    if ends is not None:
        kl = np.stack([of_a[:, 0], of_b[:, 0]], axis=1)
        intervals["emo3d"] = _score_interval(kl, alpha, n_resamples, seed, confidence)
        if "recall_at_k" in columns:
            place = list(columns).index("recall_at_k")
            intervals["recall_at_k"] = _share_interval((of_b - of_a)[:, place], confidence)

    p_values = dict(zip(columns, _swap(of_b - of_a, n_resamples, seed), strict=True))
    p_values["emo3d"] = p_values["kl_divergence"]
    differences = {}
    for name in ("emo3d", *columns):
        interval = tuple(intervals[name]) if name in intervals else None
        in_a, in_b = getattr(a, name), getattr(b, name)
        differences[name] = Difference(in_a, in_b, in_b - in_a, interval, float(p_values[name]))
    return Comparison(differences, a.n, n_resamples, seed, confidence, a.signature, left_out)


def check_comparable(a: Emo3DResult, b: Emo3DResult) -> None:
    """Raise a ValueError that names the first difference unless two scores have the same settings and references."""
    if differing := signature_difference(a.signature, b.signature):
        raise ValueError(f"signatures differ in {differing}")
    if a.n != b.n:
        raise ValueError(f"numbers of references differ: {a.n}, {b.n}")
    if a.references != b.references:
        raise ValueError(f"references differ: their content hashes are {a.references}, {b.references}")


def _in_order(result: Emo3DResult, column: str) -> np.ndarray:
    """Per-sample values (N,) by reference; those of equal references stay in the order they came in."""
    order = np.argsort(result.per_sample["reference"], kind="stable")
    return np.asarray(result.per_sample[column], np.float64)[order]


def _score_interval(kl: np.ndarray, alpha: float, n_resamples: int, seed: int, confidence: float) -> list[float]:
    """Interval of score B minus score A, of divergences (N, 2); its standard error by the delta method."""
    means = kl.mean(axis=0)
    apart = kl - means
    products = np.stack([apart[:, 0] ** 2, apart[:, 1] ** 2, apart.prod(axis=1)], axis=1)
    drawn = bootstrap_means(np.hstack([apart, products]), n_bootstrap=n_resamples, seed=seed)

    def measure(moved: np.ndarray, products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = squash(means + moved, alpha)
        a, b = (scores * (1 - scores) / alpha).T
        of_a, of_b, both = (products - np.stack([*(moved**2).T, moved.prod(axis=1)], axis=1)).T
        variance = a**2 * of_a + b**2 * of_b - 2 * a * b * both
        return scores[:, 1:] - scores[:, :1], np.sqrt(np.maximum(variance, 0))[:, None]

    (found,), (spread,) = measure(np.zeros((1, 2)), products.mean(axis=0, keepdims=True))
    ends = studentized_intervals(len(kl), found, spread, *measure(*np.hsplit(drawn, [2])), confidence)
    assert ends is not None  # enough references: checked before
    return ends[0].tolist()


def _share_interval(apart: np.ndarray, confidence: float) -> list[float]:
    """Of the mean of paired differences of shares (N,): Wald's, with half a pair more in each of the four cells.

    Agresti and Min, "Simple improved confidence intervals for comparing matched proportions" (2005). Of few pairs that
    differ, a bootstrap knows too little.
    """
    n = len(apart) + 2
    middle = apart.sum() / n
    half = NormalDist().inv_cdf((1 + confidence) / 2) * np.sqrt((((apart**2).sum() + 1) / n - middle**2) / n)
    return [max(-1.0, float(middle - half)), min(1.0, float(middle + half))]


def _swap(apart: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """P-values (M,) of the sums of differences (N, M) by random swaps, the same pairs in every column."""
    rng = np.random.default_rng(seed)
    n = len(apart)
    at_once = max(1, _DRAWN_AT_ONCE // n)
    observed = apart.sum(axis=0)
    as_far = np.zeros(apart.shape[1], int)
    for start in range(0, n_resamples, at_once):
        swapped = rng.integers(2, size=(min(at_once, n_resamples - start), n), dtype=np.int8)
        by_chance = np.abs(observed - 2 * (swapped @ apart))  # a swapped pair counts -1 instead of 1
        as_far += (by_chance >= np.abs(observed) * (1 - 1e-9)).sum(axis=0)  # equals count, whatever the rounding
    return (1 + as_far) / (1 + n_resamples)
