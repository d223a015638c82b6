"""How far people agree with the emotion distributions and with each other, where they were asked whether these fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from emo3d.emotions import distribution
from emo3d.hints import extra_named
from emo3d.scoring.core import SMALLEST, wilson_interval
from emo3d_lab.judging.answers import Answer
from emo3d_lab.judging.study import Study

with extra_named():
    from nltk.metrics.agreement import AnnotationTask
    from scipy.stats import norm
    from scipy.stats import t as student

PUBLISHED_AGREEMENT = 0.81
"""Share of cases in which people agreed with the emotion distributions; Dehghani et al. 2025 (arXiv 2410.02049)."""

Interval = tuple[float, float]
Figure = tuple[float, Interval | None]
"""A number, NaN where it is undefined, and its interval."""


@dataclass(frozen=True)
class Agreement:
    """How far the answers to a study agree.

    Intervals are 95% ones. Answers to one task are not independent: those of shares are Wilson's with the number of
    answers that independent ones would be, the others bootstrap intervals over tasks; those of fewer than
    `emo3d.scoring.core.SMALLEST` tasks have none.

    Attributes:
        answers: to fits of this study; others count nowhere.
        annotators: who gave them.
        tasks: with such an answer.
        agreement: share of answers to fits that agree with the distribution, None without any.
        alpha: Krippendorff's alpha of those answers (nominal): 1 for people who always agree with each other, 0 for
            chance. None where no two answered one task, or all answers are equal.
        correction: mean total variation distance, 0..1, between the task's distribution and the one that people who
            disagree would have, None without any.
        intervals: of the numbers above.
    """

    answers: int
    annotators: int
    tasks: int
    agreement: float | None
    alpha: float | None
    correction: float | None
    intervals: dict[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """As a dict that JSON takes."""
        return asdict(self)


def measure_agreement(answers: Sequence[Answer], study: Study, *, n_bootstrap: int = 500, seed: int = 0) -> Agreement:
    """Measure how far people agree.

    Args:
        answers: one for each annotator and task, as `Answers.latest` returns them.
        study: the tasks.
        n_bootstrap: resamples for each interval.
        seed: of the resampling.
    """
    by_task: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.task in study.by_task and answer.agrees is not None:
            by_task[answer.task].append(answer)
    people = sorted({answer.annotator for group in by_task.values() for answer in group})
    fits = list(by_task)
    votes = np.full((len(people), len(fits)), np.nan)
    for column, task in enumerate(fits):
        for answer in by_task[task]:
            votes[people.index(answer.annotator), column] = bool(answer.agrees)
    votes_of = [column[~np.isnan(column)] for column in votes.T]
    intensities = [study.by_item[study.by_task[task].item].intensities for task in fits]
    distances = [_distances(by_task[task], described) for task, described in zip(fits, intensities, strict=True)]

    def bootstrap(statistic: Callable[[np.ndarray], float]) -> Figure:
        """A statistic of places in `fits`."""
        n = len(fits)
        value = statistic(np.arange(n))
        if n < SMALLEST or np.isnan(value):
            return value, None
        rng = np.random.default_rng(seed)
        resamples = [statistic(rng.integers(n, size=n)) for _ in range(n_bootstrap)]
        # Percentiles as far out as Student's t (Hesterberg 2015, American Statistician 69, 371-386).
        tail = norm.cdf(np.sqrt(n / (n - 1)) * student.ppf(0.025, n - 1))
        low, high = np.nanquantile(resamples, [tail, 1 - tail])  # NaN in a resample that does not vary
        return value, (float(low), float(high))

    figures = {
        "agreement": _share(votes_of),
        "alpha": bootstrap(lambda places: _alpha(votes[:, places])),
        "correction": bootstrap(lambda places: _mean([value for place in places for value in distances[place]])),
    }
    values = {name: value for name, (value, _) in figures.items() if not np.isnan(value)}
    total = sum(map(len, by_task.values()))
    return Agreement(
        answers=total,
        annotators=len(people),
        tasks=len(by_task),
        agreement=values.get("agreement"),
        alpha=values.get("alpha"),
        correction=values.get("correction"),
        intervals={name: interval for name, (_, interval) in figures.items() if interval},
    )


def _share(answers: Sequence[Sequence[float] | np.ndarray]) -> Figure:
    """The share of ones among answers to tasks, by task, and Wilson's interval.

    The interval's n lies between the number of answers, if those to one task agree no more than others do, and the
    number if they always agree (Kish); where there are enough tasks, it follows from how much tasks differ.
    """
    counts, ones = np.array([[len(task), sum(task)] for task in answers if len(task)]).reshape(-1, 2).T
    total, tasks = counts.sum(), len(counts)
    if not tasks:
        return float("nan"), None
    share = ones.sum() / total
    n = total**2 / (counts**2).sum()
    if tasks >= SMALLEST and 0 < share < 1:
        variance = ((ones - share * counts) ** 2).sum() / total**2 * tasks / (tasks - 1)
        n = np.clip(share * (1 - share) / max(variance, 1e-12), n, total)
    return float(share), wilson_interval(float(share), float(n))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _distances(answers: Sequence[Answer], intensities: Sequence[float]) -> list[float]:
    """Total variation distances of the corrections of a task."""
    expected = distribution(intensities)
    return [
        0.5 * np.abs(distribution(np.array(answer.intensities)) - expected).sum()
        for answer in answers
        if answer.intensities is not None and not answer.agrees and any(answer.intensities)
    ]


def _alpha(votes: np.ndarray) -> float:
    """Krippendorff's alpha of votes (people, tasks), NaN where there is no answer."""
    pairable = votes[:, (~np.isnan(votes)).sum(axis=0) > 1]
    if len(np.unique(pairable[~np.isnan(pairable)])) < 2:  # undefined where nothing varies
        return float("nan")
    places = np.argwhere(~np.isnan(pairable)).tolist()
    return float(AnnotationTask([(person, task, pairable[person, task]) for person, task in places]).alpha())
