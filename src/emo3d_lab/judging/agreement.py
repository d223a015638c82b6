"""How far people agree: with the distributions, with each other, and with the numbers of a score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from nltk.metrics.agreement import AnnotationTask
from scipy.stats import norm, spearmanr
from scipy.stats import t as student

from emo3d.emotions import distribution
from emo3d.scoring.core import SMALLEST, wilson_interval
from emo3d_lab.judging.answers import Answer
from emo3d_lab.judging.study import NUMBERS, Study

PUBLISHED_AGREEMENT = 0.81
"""Share of cases in which people agreed with the emotion distributions; Dehghani et al. 2025 (arXiv 2410.02049)."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Agreement:
    """What the answers to a study say.

    Intervals are 95% ones. Answers to one task are not independent: those of shares are Wilson's with the number of
    answers that independent ones would be, the others bootstrap intervals over tasks; those of fewer than
    `emo3d.scoring.core.SMALLEST` tasks have none.

    Attributes:
        answers: how many, to tasks of this study.
        annotators: how many people gave them.
        tasks: how many were answered.
        unknown: answers to tasks that the study does not have; they count nowhere.
        agreement: share of answers to fits that agree with the distribution, None without any.
        alpha: Krippendorff's alpha of those answers (nominal): 1 for people who always agree with each other, 0 for
            chance. None where no two answered one task, or all said the same.
        correction: mean total variation distance, 0..1, between the distribution shown and the one that people who
            disagreed would have, None without any.
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
        answers: one for each annotator and task, as `Answers.all` gives them.
        study: what was judged.
        n_bootstrap: resamples for each interval.
        seed: of the resampling.
    """
    known = [answer for answer in answers if answer.task in study.tasks]
    by_task: dict[str, list[Answer]] = defaultdict(list)
    for answer in known:
        by_task[answer.task].append(answer)
    people = sorted({answer.annotator for answer in known})
    fits = [task for task in by_task if study.tasks[task].kind == "fit"]
    pairs = [task for task in by_task if study.tasks[task].kind == "pair"]

    said = np.full((len(people), len(fits)), np.nan)
    for column, task in enumerate(fits):
        for answer in by_task[task]:
            said[people.index(answer.annotator), column] = bool(answer.agrees)
    corrected = [
        [
            0.5 * np.abs(distribution(np.array(answer.intensities)) - distribution(study.tasks[task].intensities)).sum()
            for answer in by_task[task]
            if answer.intensities is not None and not answer.agrees and any(answer.intensities)
        ]
        for task in fits
    ]
    shares = np.array([np.nanmean(column) for column in said.T])

    def correlation(number: str) -> Callable[[np.ndarray], float]:
        values = np.array([study.tasks[task].numbers[number][0] for task in fits])
        return lambda drawn: _spearman(shares[drawn], values[drawn])

    def preference(number: str) -> Callable[[np.ndarray], float]:
        outcomes = [_outcomes(by_task[task], study.tasks[task].numbers[number]) for task in pairs]
        return lambda drawn: _mean([outcome for place in drawn for outcome in outcomes[place]])

    numbers = [name for name in NUMBERS if any(name in task.numbers for task in study.tasks.values())]
    statistics: dict[str, tuple[int, Callable[[np.ndarray], float]]] = {
        "agreement": (len(fits), lambda drawn: _mean(said[:, drawn][~np.isnan(said[:, drawn])])),
        "alpha": (len(fits), lambda drawn: _alpha(said[:, drawn])),
        "correction": (len(fits), lambda drawn: _mean([one for place in drawn for one in corrected[place]])),
        **{f"correlation of {name}": (len(fits), correlation(name)) for name in numbers},
        **{f"preference by {name}": (len(pairs), preference(name)) for name in numbers},
    }
    shares_of = {"agreement": [column[~np.isnan(column)] for column in said.T]}
    for name in numbers:
        shares_of[f"preference by {name}"] = [
            _outcomes(by_task[task], study.tasks[task].numbers[name]) for task in pairs
        ]
    found: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    for name, (n, statistic) in statistics.items():
        value = statistic(np.arange(n))
        if np.isnan(value):
            continue
        found[name] = value
        if name in shares_of:
            intervals[name] = _share_interval(shares_of[name])
        elif n >= SMALLEST:
            rng = np.random.default_rng(seed)
            rows = [statistic(rng.integers(n, size=n)) for _ in range(n_bootstrap)]
            # Percentiles as far out as Student's t (Hesterberg 2015, American Statistician 69, 371-386).
            tail = norm.cdf(np.sqrt(n / (n - 1)) * student.ppf(0.025, n - 1))
            low, high = np.nanquantile(rows, [tail, 1 - tail])  # a resample may be constant, and say nothing
            intervals[name] = (float(low), float(high))
    return Agreement(
        answers=len(known),
        annotators=len(people),
        tasks=len(by_task),
        unknown=len(answers) - len(known),
        agreement=found.get("agreement"),
        alpha=found.get("alpha"),
        correction=found.get("correction"),
        correlations={name: found[f"correlation of {name}"] for name in numbers if f"correlation of {name}" in found},
        preferences={name: found[f"preference by {name}"] for name in numbers if f"preference by {name}" in found},
        intervals=intervals,
    )


def _share_interval(answers: Sequence[Sequence[float] | np.ndarray]) -> Interval:
    """Wilson's interval of the share of ones among answers to tasks, by task.

    Its n lies between the number of answers, where those to one task agree no more than others do, and that where they
    always agree (Kish); where there are enough tasks to see it, it follows from how much tasks differ.
    """
    counts, ones = np.array([[len(task), sum(task)] for task in answers if len(task)]).T
    total, tasks = counts.sum(), len(counts)
    share = ones.sum() / total
    n = total**2 / (counts**2).sum()
    if tasks >= SMALLEST and 0 < share < 1:
        variance = ((ones - share * counts) ** 2).sum() / total**2 * tasks / (tasks - 1)
        n = np.clip(share * (1 - share) / max(variance, 1e-12), n, total)
    return wilson_interval(float(share), float(n))


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _alpha(said: np.ndarray) -> float:
    """Of (people, tasks), NaN where somebody was not asked."""
    pairable = said[:, (~np.isnan(said)).sum(axis=0) > 1]
    if len(np.unique(pairable[~np.isnan(pairable)])) < 2:  # undefined: nothing that could vary did
        return float("nan")
    given = np.argwhere(~np.isnan(pairable)).tolist()
    return float(AnnotationTask([(person, task, pairable[person, task]) for person, task in given]).alpha())


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other).statistic)


def _outcomes(answers: Sequence[Answer], numbers: tuple[float, ...]) -> list[float]:
    """1 for each answer that prefers the face with the lower number, 0 for the other; ties of both are left out."""
    if numbers[0] == numbers[1]:
        return []
    lower = "first" if numbers[0] < numbers[1] else "second"
    return [float(answer.better == lower) for answer in answers if answer.better in ("first", "second")]
