"""Means, gaps and their corrected p-values, with the score's own bootstrap, SciPy's tests and statsmodels' correction.

Tests are t-tests: with the 30 rows and more that claims are made of, means are close to normal. Other rows are
compared by Welch's, since a slice and the rest differ in size and in spread, which a permutation test would take for a
difference of means; the same rows by the paired one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from emo3d.scoring import bootstrap_intervals, bootstrap_means
from emo3d.scoring.core import studentized_intervals
from emo3d_lab.audit.figures import LEAST, Estimate, Gap, Shares

T = TypeVar("T", bound=Any)

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Bootstrap:
    """Intervals by resampling: resamples, share inside, and seed of NumPy's default generator."""

    n_bootstrap: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def means(self, columns: np.ndarray) -> list[Estimate]:
        """Means of the columns of (N, M), all resampled with the same rows."""
        intervals = bootstrap_intervals(
            columns, n_bootstrap=self.n_bootstrap, seed=self.seed, confidence=self.confidence
        )
        ends = [(None, None)] * columns.shape[1] if intervals is None else intervals.tolist()
        return [Estimate(float(mean), *pair) for mean, pair in zip(columns.mean(axis=0), ends, strict=True)]

    def mean(self, values: np.ndarray) -> Estimate:
        """Mean of values (N,)."""
        return self.means(values[:, None])[0]

    def paired(self, differences: np.ndarray) -> list[Gap]:
        """Means of the columns of differences (N, M) against 0; p-values are not corrected yet."""
        from scipy.stats import ttest_1samp

        gaps = []
        for mean, column in zip(self.means(differences), differences.T, strict=True):
            spread = _spread(column)
            p_value = float(ttest_1samp(column, 0).pvalue) if spread else _certain(mean.value)
            gaps.append(Gap(mean, _effect(mean.value, spread), p_value if len(column) >= LEAST else None))
        return gaps

    def between(self, first: np.ndarray, second: np.ndarray) -> Gap | None:
        """Mean of values (N,) minus mean of other rows' (M,), not corrected yet; None where either has few rows."""
        from scipy.stats import ttest_ind

        if min(len(first), len(second)) < LEAST:
            return None
        low, high = self._ends(first, second)
        difference = float(first.mean() - second.mean())
        n, m = len(first), len(second)
        spread = float(np.sqrt(((n - 1) * _spread(first) ** 2 + (m - 1) * _spread(second) ** 2) / (n + m - 2)))
        p_value = float(ttest_ind(first, second, equal_var=False).pvalue) if spread else _certain(difference)
        return Gap(Estimate(difference, low, high), _effect(difference, spread), p_value)

    def _ends(self, first: np.ndarray, second: np.ndarray) -> list[float]:
        """Interval of the difference of two means, Welch's standard error with each resample."""
        shifts, errors = np.zeros((self.n_bootstrap + 1, 1)), np.zeros((self.n_bootstrap + 1, 1))  # last: the sample
        for place, values in enumerate((first, second)):
            centred = (values - values.mean())[:, None]
            moments = np.hstack([centred, centred**2])
            means = bootstrap_means(moments, n_bootstrap=self.n_bootstrap, seed=self.seed + place)
            means = np.vstack([means, [0.0, (centred**2).mean()]])
            shifts += (-1) ** place * means[:, :1]
            errors += np.maximum(means[:, 1:] - means[:, :1] ** 2, 0) / len(values)
        difference, errors = np.atleast_1d(first.mean() - second.mean()), np.sqrt(errors)
        n = min(len(first), len(second))
        ends = studentized_intervals(n, difference, errors[-1], difference + shifts[:-1], errors[:-1], self.confidence)
        assert ends is not None  # since n is not below LEAST
        return ends[0].tolist()


def holm(items: Sequence[T], name: str = "gap") -> tuple[T, ...]:
    """Correct the p-values of the gaps that items have under a name after Holm, as one family."""
    from statsmodels.stats.multitest import multipletests

    gaps = [getattr(item, name) for item in items]
    raw = [gap.p_value for gap in gaps if gap and gap.p_value is not None]
    p_values = iter(multipletests(raw, method="holm")[1].tolist() if raw else ())
    return tuple(
        replace(item, **{name: replace(gap, p_value=next(p_values))}) if gap and gap.p_value is not None else item
        for item, gap in zip(items, gaps, strict=True)
    )


def variance_shares(values: np.ndarray) -> Shares:
    """Sums of squares of the two-way layout (N expressions, K identities) over their total."""
    mean = values.mean()
    by_expression, by_identity = values.mean(axis=1, keepdims=True) - mean, values.mean(axis=0, keepdims=True) - mean
    rest = values - mean - by_expression - by_identity
    expression = values.shape[1] * float((by_expression**2).sum())
    identity = values.shape[0] * float((by_identity**2).sum())
    residual = float((rest**2).sum())
    total = expression + identity + residual or 1.0
    return {"expression": expression / total, "identity": identity / total, "rest": residual / total}


def _spread(values: np.ndarray) -> float:
    """Standard deviation of a sample; 0 where values differ by rounding only."""
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return spread if spread > _ROUNDING else 0.0


def _effect(difference: float, spread: float) -> float | None:
    return difference / spread if spread else None


def _certain(difference: float) -> float:
    """The p-value where nothing varies: 0 of a difference, 1 of none."""
    return float(abs(difference) <= _ROUNDING)
