"""The figures of an agreement between metrics and people."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A number and its 95% interval, whose ends are None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class MetricAgreement:
    """How far one metric agrees with people.

    Attributes:
        soft_accuracy: soft pairwise accuracy of systems (Thompson et al. 2024), 0..1.
        system_accuracy: share of pairs of systems that it orders as people do; ties of either count a half.
        spearman: of system scores; None of fewer than three systems, or where one side does not vary. So is `kendall`.
        accuracy: share of people's comparisons of two faces that it answers as they did, ties among them
            (Deutsch et al. 2023), with `epsilon` chosen on other items.
        epsilon: two faces whose values differ by no more are a tie; this one is chosen on all items.
        shared_accuracy: `accuracy` over the comparisons that the people's ceiling is measured on.
        item_spearman: of the faces of an item, mean over items; of ratings only. So is `item_kendall`.
        by_difficulty: `accuracy` by how far people hold the two systems apart, nearest first.
        scores: of systems, more is better, in the order of `Agreement.systems`, of mean 0.
        rank: of its cluster by `accuracy`, from 1: metrics of one rank are not told apart.
        not_above: sentinels that it does not beat beyond chance.
    """

    name: str
    soft_accuracy: Estimate
    system_accuracy: Estimate
    spearman: Estimate | None
    kendall: Estimate | None
    accuracy: Estimate
    epsilon: float
    shared_accuracy: Estimate | None
    item_spearman: Estimate | None
    item_kendall: Estimate | None
    by_difficulty: tuple[float, ...]
    scores: tuple[float, ...]
    rank: int | None = None
    not_above: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ceiling:
    """How far people agree with each other; figures are None where one judge alone, or nobody, answered a question.

    Attributes:
        accuracy: of the other judges' mean answer as a metric: what a metric may hope for.
        comparisons: that more than one judge answered.
        alpha: Krippendorff's alpha, interval level; pair judgements count in both orders.
        halves: mean Spearman's rho of the system scores of two random halves of judges; None of fewer than three
            systems or four judges. So is `halves_accuracy`, the share of pairs of systems that both halves order alike.
        halves_corrected: `halves` by Spearman and Brown, 2 r / (1 + r): of all judges against as many others.
    """

    accuracy: Estimate | None
    comparisons: int
    alpha: Estimate | None
    halves: float | None
    halves_corrected: float | None
    halves_accuracy: float | None


@dataclass(frozen=True)
class Contrast:
    """Metric `a` minus metric `b`, with two-sided p-values of permutation tests, corrected after Holm."""

    a: str
    b: str
    accuracy: float
    accuracy_p: float
    soft_accuracy: float
    soft_accuracy_p: float


@dataclass(frozen=True)
class Agreement:
    """How far metrics agree with people.

    Attributes:
        metrics: best first, by `accuracy`.
        sentinels: what cannot know anything about a face.
        human: system scores, of mean 0: of pairs in shares (win minus loss), of ratings in their unit.
        difficulties: upper ends of the groups of `MetricAgreement.by_difficulty`, as differences of `human`.
        pairs: whether judges compared systems; otherwise they rated.
        tied: share of comparisons in which people said that both are the same.
        human_p: of pairs of systems (0, 1), (0, 2), ...: one-sided p-values that people hold the first to be better,
            of a paired permutation test over items.
        notes: what was left out, in sentences.
        cautions: what cannot be said, in sentences.
    """

    metrics: tuple[MetricAgreement, ...]
    sentinels: tuple[MetricAgreement, ...]
    ceiling: Ceiling
    contrasts: tuple[Contrast, ...]
    systems: tuple[str, ...]
    human: tuple[float, ...]
    human_p: tuple[float, ...]
    difficulties: tuple[float, ...]
    pairs: bool
    judgements: int
    comparisons: int
    items: int
    judges: int
    tied: float
    checks: dict[str, tuple[int, int]]
    notes: tuple[str, ...]
    cautions: tuple[str, ...]
    n_resamples: int
    seed: int

    def __str__(self) -> str:
        form = "{}: accuracy {:.3f}, soft accuracy of systems {:.3f}"
        rows = ((metric.name, metric.accuracy.value, metric.soft_accuracy.value) for metric in self.metrics)
        return "\n".join(form.format(*row) for row in rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python that JSON can hold."""
        return asdict(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write every figure as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
