"""How far do metrics agree with people?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from emo3d_lab.meta.ceiling import measure_ceiling, same_answers
from emo3d_lab.meta.contrasts import above_sentinels, contrast_metrics, rank_clusters
from emo3d_lab.meta.faces import (
    calibrated_answers,
    item_correlations,
    item_folds,
    metric_differences,
    share_interval,
)
from emo3d_lab.meta.figures import Agreement, MetricAgreement
from emo3d_lab.meta.people import SystemScores, cell_means, make_comparisons, score_cells, system_scores
from emo3d_lab.meta.systems import permutation_p, system_figures
from emo3d_lab.meta.tables import Judgements, MetricValues

SENTINEL = "sentinel: "
DIFFICULTIES = 4
"""Groups of comparisons, by how far people hold the two systems apart."""


def measure_metrics(
    judgements: Judgements,
    metrics: MetricValues,
    *,
    drop_missing: bool = False,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Measure how far metrics agree with people; docs/meta.md says what each figure is.

    Args:
        judgements: of people.
        metrics: values of the faces that they judged; others are not used.
        drop_missing: leave out judgements of faces without a value of every metric.
        n_resamples: behind every interval and p-value, at least 100.
        seed: of the resampling, of folds, and of the random sentinel.

    Raises:
        ValueError: judgements of systems or faces that the metrics do not know, nothing in common, or groups of systems
            that nobody compared.
    """
    if n_resamples < 100:
        raise ValueError(f"expected at least 100 resamples, got {n_resamples}")
    if not metrics.values:
        raise ValueError("expected values of at least one metric, got none")
    if seed < 0:
        raise ValueError(f"expected a seed of at least 0, got {seed}")
    if taken := [name for name in metrics.values if name.startswith(SENTINEL)]:
        raise ValueError(
            f"expected metrics that are not called {SENTINEL}..., as what cannot know is, got {taken[0]!r}"
        )
    notes = [*judgements.notes, *metrics.notes]
    judgements, values = _aligned(judgements, metrics, drop_missing, notes)
    comparisons = make_comparisons(judgements)
    if not len(comparisons.item):
        raise ValueError("expected two faces of an item to compare, got only one system for each item")
    human = system_scores(judgements)
    p_human = permutation_p(human, n_resamples, seed)
    fold = item_folds(len(judgements.items), seed)
    ceiling, is_shared = measure_ceiling(judgements, comparisons, fold, n_resamples, seed)
    sentinels = _sentinels(values[next(iter(values))].shape, seed)
    ratings = None if judgements.are_pairs else cell_means(judgements)
    gaps = np.abs(human.scores[comparisons.first] - human.scores[comparisons.second])
    ends = np.unique(np.quantile(gaps, np.arange(1, DIFFICULTIES + 1) / DIFFICULTIES))
    used, group = np.unique(np.searchsorted(ends, gaps * (1 - 1e-9)), return_inverse=True)
    ends = ends[used]  # a few comparisons leave groups empty
    asked = comparisons.item, comparisons.judge
    measured: dict[str, MetricAgreement] = {}
    right: dict[str, np.ndarray] = {}
    sides: dict[str, SystemScores] = {}
    for name, table in (values | sentinels).items():
        difference = metric_differences(table, comparisons)
        right[name], epsilon = calibrated_answers(difference, comparisons.outcome, fold[comparisons.item])
        sides[name] = score_cells(table)
        by_item = (None, None) if ratings is None else item_correlations(ratings, table)
        figures: dict[str, Any] = system_figures(human, sides[name], p_human, n_resamples, seed)
        measured[name] = MetricAgreement(
            name=name,
            **figures,
            accuracy=share_interval(right[name], *asked),
            epsilon=epsilon,
            shared_accuracy=share_interval(*(column[is_shared] for column in (right[name], *asked)))
            if is_shared.any()
            else None,
            item_spearman=by_item[0],
            item_kendall=by_item[1],
            by_difficulty=tuple(float(right[name][group == place].mean()) for place in range(len(ends))),
            scores=tuple(sides[name].scores.tolist()),
        )
    contrasts = contrast_metrics(
        {name: right[name] for name in values},
        comparisons.item,
        {name: sides[name] for name in values},
        p_human,
        n_resamples,
        seed,
    )
    ranks = rank_clusters({name: measured[name].accuracy.value for name in values}, contrasts)
    not_above = above_sentinels(
        {name: right[name] for name in values},
        {name: right[name] for name in sentinels},
        comparisons.item,
        n_resamples,
        seed,
    )
    if len(judgements.systems) == 2:
        notes.append("Two systems make no ranking: how well metrics order systems is not shown.")
    best_first = sorted(values, key=lambda name: -measured[name].accuracy.value)
    return Agreement(
        metrics=tuple(replace(measured[name], rank=ranks[name], not_above=not_above[name]) for name in best_first),
        sentinels=tuple(measured[name] for name in sentinels),
        ceiling=ceiling,
        contrasts=contrasts,
        systems=judgements.systems,
        human=tuple(human.scores.tolist()),
        human_p=tuple(p_human.tolist()),
        difficulties=tuple(ends.tolist()),
        pairs=judgements.are_pairs,
        judgements=len(judgements),
        comparisons=len(comparisons.item),
        items=len(judgements.items),
        judges=len(judgements.judges),
        tied=float((comparisons.outcome == 0).mean()),
        checks=judgements.checks,
        notes=tuple(notes),
        cautions=tuple(_cautions(judgements, values, comparisons.outcome, comparisons.are_pooled)),
        n_resamples=n_resamples,
        seed=seed,
    )


def _aligned(
    judgements: Judgements, metrics: MetricValues, drop_missing: bool, notes: list[str]
) -> tuple[Judgements, dict[str, np.ndarray]]:
    """Judgements of faces that all metrics have a value of, and those values (I, S), more is better."""
    if unknown := [system for system in judgements.systems if system not in metrics.systems]:
        known = ", ".join(metrics.systems)[:300]
        raise ValueError(
            f"expected judgements of systems that the metrics know ({known}), got {', '.join(unknown)[:300]}"
        )
    if not {*judgements.items} & {*metrics.items}:
        theirs, ours = judgements.items[0], metrics.items[0]
        raise ValueError(
            f"expected items in common, got none: judgements have {theirs!r}, metrics {ours!r}, for example"
        )
    rows = {item: place for place, item in enumerate(metrics.items)}
    item = np.array([rows.get(item, -1) for item in judgements.items])
    system = np.array([metrics.systems.index(system) for system in judgements.systems])
    values = {}
    for name, table in metrics.values.items():
        part = np.where(item[:, None] >= 0, table[item[:, None], system], np.nan)
        values[name] = part if metrics.higher[name] else -part
    has_all = np.all([np.isfinite(table) for table in values.values()], axis=0)
    known = has_all[judgements.item, judgements.first]
    if judgements.are_pairs:
        known = known & has_all[judgements.item, judgements.second]
    if not known.all():
        count = f"{(~known).sum():,} of {len(known):,} judgements"
        if not drop_missing:
            raise ValueError(
                f"expected a value of every metric for each judged face, {count} are of others, for example "
                f"{_example(judgements, values, int(np.flatnonzero(~known)[0]))}; drop_missing (--drop-missing) leaves "
                "them out"
            )
        if not known.any():
            raise ValueError("expected judgements of faces that all metrics have a value of, got none")
        notes.append(f"{count} are of faces without a value of every metric and are left out.")
    kept = _select(judgements, known)
    items = np.unique(judgements.item[known])
    places = [judgements.systems.index(system) for system in kept.systems]
    return kept, {name: table[items][:, places] for name, table in values.items()}


def _select(judgements: Judgements, rows: np.ndarray) -> Judgements:
    """Some of the judgements; what they do not name is no longer there."""
    items, item = np.unique(judgements.item[rows], return_inverse=True)
    judges, judge = np.unique(judgements.judge[rows], return_inverse=True)
    sides = judgements.first[rows], judgements.second[rows]
    systems = np.unique([side for side in np.concatenate(sides) if side >= 0])
    first, second = (np.searchsorted(systems, side) for side in sides)
    return replace(
        judgements,
        items=tuple(judgements.items[place] for place in items),
        judges=tuple(judgements.judges[place] for place in judges),
        systems=tuple(judgements.systems[place] for place in systems),
        item=item,
        judge=judge,
        first=first,
        second=second if judgements.are_pairs else sides[1],
        value=judgements.value[rows],
    )


def _example(judgements: Judgements, values: dict[str, np.ndarray], row: int) -> str:
    """Which value is missing of a judgement."""
    item = judgements.item[row]
    for name, table in values.items():
        for system in (judgements.first[row], judgements.second[row]):
            if system >= 0 and not np.isfinite(table[item, system]):
                return f"{name} of item {judgements.items[item]!r}, system {judgements.systems[system]!r}"
    raise AssertionError


def _sentinels(shape: tuple[int, int], seed: int) -> dict[str, np.ndarray]:
    """Values (I, S) of metrics that cannot know: what depends on the item alone, chance, and the order of names."""
    return {
        SENTINEL + "blind": np.zeros(shape),
        SENTINEL + "random": np.random.default_rng([seed, 5]).random(shape),
        SENTINEL + "name order": np.tile(-np.arange(shape[1], dtype=float), (shape[0], 1)),
    }


def _cautions(
    judgements: Judgements, values: dict[str, np.ndarray], outcome: np.ndarray, are_pooled: bool
) -> list[str]:
    """What the figures cannot say."""
    notes = []
    if len(judgements.judges) == 1:
        notes.append("One judge only: there is no ceiling, and nothing says how far other people would agree.")
    if (outcome == 0).all():
        notes.append("People called all faces the same: no metric can be told from a blind one.")
    if are_pooled and len(judgements.judges) > 1:
        notes.append(
            "No judge rated two faces of one item: mean ratings are compared, and there is no ceiling for faces."
        )
    if len(judgements.items) < 30:
        notes.append(f"{len(judgements.items)} items are few: intervals are rough.")
    if alike := same_answers(judgements):
        named = ", ".join(f"{a} and {b} ({count:,} questions)" for a, b, count in alike[:5])
        rest = f" and {len(alike) - 5:,} pairs more" if len(alike) > 5 else ""
        notes.append(f"Judges answered all that both were asked alike, copies perhaps: {named}{rest}.")
    for name, table in values.items():
        if _is_constant(table, axis=1):
            notes.append(f"{name} gives all faces of an item the same value.")
        elif len(table) > 1 and _is_constant(table, axis=0):
            notes.append(f"{name} gives all faces of a system the same value: it knows systems, not faces.")
        distance = np.abs(table - np.nanmedian(table))
        if np.nanmax(distance) > 1e9 * np.nanmedian(distance) > 0:
            notes.append(f"{name} has a value 1e9 times as far off as others: its scores of systems say little else.")
    return notes


def _is_constant(table: np.ndarray, axis: int) -> bool:
    """Whether values (I, S) do not vary along an axis; each line has one at least."""
    return bool((np.nanmax(table, axis=axis) == np.nanmin(table, axis=axis)).all())
