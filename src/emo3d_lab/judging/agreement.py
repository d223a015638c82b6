"""How far people agree: with the distributions, with each other, and with the numbers of a score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from emo3d.emotions import distribution
from emo3d.hints import extra_named
from emo3d.scoring.core import SMALLEST, wilson_interval
from emo3d_lab.judging.answers import Answer
from emo3d_lab.judging.study import NUMBERS, Study, Task

with extra_named():
    from nltk.metrics.agreement import AnnotationTask
    from scipy.stats import norm, spearmanr
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
        answers: to tasks of this study.
        annotators: who gave them.
        tasks: with an answer.
        unknown: answers to tasks that the study does not have; they count nowhere.
        agreement: share of answers to fits that agree with the distribution, None without any.
        alpha: Krippendorff's alpha of those answers (nominal): 1 for people who always agree with each other, 0 for
            chance. None where no two answered one task, or all answers are equal.
        correction: mean total variation distance, 0..1, between the task's distribution and the one that people who
            disagree would have, None without any.
        correlations: Spearman's rho between the share that agrees and a number of the face, by its name; negative where
            people agree less with worse faces. Only over fits, and where three tasks or more differ in both.
        preferences: by `"kl_divergence"` and `"mse"`: share of the pairs' answers, ties left out, that prefer the face
            with the lower number.
        intervals: of the numbers above; those of correlations and preferences by `"correlation of NAME"` and
            `"preference by NAME"`.
    """

    answers: int
    annotators: int
    tasks: int
    unknown: int
    agreement: float | None
    alpha: float | None
    correction: float | None
    correlations: dict[str, float]
    preferences: dict[str, float]
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
        if answer.task in study.tasks:
            by_task[answer.task].append(answer)
    people = sorted({answer.annotator for group in by_task.values() for answer in group})
    fits = [study.tasks[task] for task in by_task if study.tasks[task].kind == "fit"]
    pairs = [study.tasks[task] for task in by_task if study.tasks[task].kind == "pair"]
    numbers = [name for name in NUMBERS if any(name in task.numbers for task in study.tasks.values())]
    votes = np.full((len(people), len(fits)), np.nan)
    for column, task in enumerate(fits):
        for answer in by_task[task.id]:
            votes[people.index(answer.annotator), column] = bool(answer.agrees)
    votes_of = [column[~np.isnan(column)] for column in votes.T]
    shares = np.array([column.mean() for column in votes_of])
    distances = [_distances(by_task[task.id], task) for task in fits]

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
    for name in numbers:
        errors = np.array([task.numbers[name][0] for task in fits])
        figures[f"correlation of {name}"] = bootstrap(partial(_correlation, shares, errors))
    for name in numbers:
        outcomes = [_outcomes(by_task[task.id], task.numbers[name]) for task in pairs]
        figures[f"preference by {name}"] = _share(outcomes)
    values = {name: value for name, (value, _) in figures.items() if not np.isnan(value)}
    total = sum(map(len, by_task.values()))
    return Agreement(
        answers=total,
        annotators=len(people),
        tasks=len(by_task),
        unknown=len(answers) - total,
        agreement=values.get("agreement"),
        alpha=values.get("alpha"),
        correction=values.get("correction"),
        correlations={name: values[key] for name in numbers if (key := f"correlation of {name}") in values},
        preferences={name: values[key] for name in numbers if (key := f"preference by {name}") in values},
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


def _distances(answers: Sequence[Answer], task: Task) -> list[float]:
    """Total variation distances of the corrections of a task."""
    expected = distribution(task.intensities)
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


def _correlation(shares: np.ndarray, errors: np.ndarray, places: np.ndarray) -> float:
    x, y = shares[places], errors[places]
    if len(places) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(spearmanr(x, y).statistic)


def _outcomes(answers: Sequence[Answer], numbers: tuple[float, ...]) -> list[float]:
    """1 for each answer that prefers the face with the lower number, 0 for the other; without ties of either."""
    if numbers[0] == numbers[1]:
        return []
    lower = "first" if numbers[0] < numbers[1] else "second"
    return [float(answer.better == lower) for answer in answers if answer.better in ("first", "second")]
