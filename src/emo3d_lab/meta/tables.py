"""Judgements and metric values from files; whatever is wrong with them is one sentence."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import numpy as np

from emo3d_lab.meta.columns import read_table

Use = Literal["pairs", "ratings"]

LOWER = ("emo3d", "kl_divergence", "kl", "mse", "mae", "timing_error", "fdd", "lve")
HIGHER = ("recall", "recall_at_k", "match", "top1", "amplitude", "order")
"""Last words of metrics' names whose direction is known."""

_OUTCOMES = {"a": 1.0, "b": -1.0, "same": 0.0}
_TRUE = {"true": True, "1": True, "1.0": True, "yes": True, "false": False, "0": False, "0.0": False, "no": False}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_PAIR = ("system_a", "system_b", "preferred")
_OPTIONAL = (*_PAIR, "system", "rating", "kind", "description", "time", "attention", "passed")


@dataclass(frozen=True, eq=False)
class Judgements:
    """What judges said, one row a judgement: N pair judgements, or N ratings.

    Attributes:
        items: ids of descriptions; `item` (N,) int64 are places in it. So are `systems`, `judges` and their columns.
        first: (N,) int64: the first system of a pair, or the system that is rated.
        second: (N,) int64: the other system of a pair; of ratings, -1.
        value: (N,) float64: 1 where the first is preferred, -1 the second, 0 neither; of ratings the number.
        descriptions: item -> text, of those that have one.
        checks: judge -> attention checks passed, and answered; passed is -1 where the table does not say it.
        notes: what was read and does not count, in sentences.
    """

    items: tuple[str, ...]
    systems: tuple[str, ...]
    judges: tuple[str, ...]
    item: np.ndarray
    judge: np.ndarray
    first: np.ndarray
    second: np.ndarray
    value: np.ndarray
    descriptions: dict[str, str] = field(default_factory=dict)
    checks: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.value)

    @property
    def are_pairs(self) -> bool:
        """Whether systems were compared; otherwise they were rated."""
        return bool(len(self)) and bool(self.second[0] >= 0)


@dataclass(frozen=True, eq=False)
class MetricValues:
    """What metrics say of faces.

    Attributes:
        values: metric -> (items, systems) float64, NaN where there is none.
        higher: metric -> whether more is better.
        notes: what was left out, in sentences.
    """

    items: tuple[str, ...]
    systems: tuple[str, ...]
    values: dict[str, np.ndarray]
    higher: dict[str, bool]
    notes: tuple[str, ...] = ()


def read_judgements(
    path: str | os.PathLike[str],
    *,
    use: Use | None = None,
    kind: Literal["person", "machine", "all"] = "person",
    least_passed: float = 0.0,
) -> Judgements:
    """Read a table of judgements.

    Columns are `item`, `judge`, and either `system_a`, `system_b`, `preferred` (a, b or same) or `system`, `rating`;
    optional are `kind` (person or machine), `description`, `time`, `attention` and `passed` (true or false). Attention
    checks are not counted. Of several answers of a judge to one question the last counts, by `time` where all have one:
    numbers, or dates and times as of ISO 8601.

    Args:
        path: CSV, JSON lines or Parquet.
        use: which rows, of a table that has both pairs and ratings; pairs if not said.
        kind: whose judgements count.
        least_passed: share of their attention checks that judges must have passed, 0..1; who had none is kept.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a table that lacks columns or rows, or a row that cannot be read; the message names it.
    """
    if not 0 <= least_passed <= 1:
        raise ValueError(f"expected a share of attention checks (least_passed) from 0 to 1, got {least_passed}")
    name = Path(path).name
    table = read_table(path, "judgements", ("item", "judge"), _OPTIONAL)
    n = len(table["item"])
    where = [f"{name}, row {number}" for number in range(1, n + 1)]
    attention = np.array(
        [_flag(text, "attention", at) for text, at in zip(_of(table, "attention", n), where, strict=True)], bool
    )
    passed = [text and _flag(text, "passed", at) for text, at in zip(_of(table, "passed", n), where, strict=True)]
    kinds = np.array([text or "person" for text in _of(table, "kind", n)])
    if unknown := sorted({*kinds} - {"person", "machine"}):
        raise ValueError(f"{name}: expected kind person or machine, got {str(unknown[0])!r}")
    checks: dict[str, tuple[int, int]] = {}
    for row in np.flatnonzero(attention):
        if least_passed and passed[row] == "":
            raise ValueError(f"{where[row]}: expected passed true or false of an attention check, got nothing")
        right, count = checks.get(judge := table["judge"][row], (0, 0))
        checks[judge] = (-1 if passed[row] == "" or right < 0 else right + bool(passed[row])), count + 1
    failed = {judge for judge, (right, count) in checks.items() if 0 <= right < least_passed * count}
    is_pair = np.array([bool(text) for text in _of(table, "preferred", n)])
    is_rating = np.array([bool(text) for text in _of(table, "rating", n)])
    keep = ~attention & (kinds == kind if kind != "all" else True)
    keep &= np.array([judge not in failed for judge in table["judge"]], bool)
    notes = _left_out(attention, kinds, kind, failed)
    for row in np.flatnonzero(keep & (is_pair == is_rating)):
        raise ValueError(
            f"{where[row]}: expected either preferred or rating, got {'both' if is_pair[row] else 'neither'}"
        )
    both = (keep & is_pair).any() and (keep & is_rating).any()
    chosen = is_rating if use == "ratings" or (use is None and not (keep & is_pair).any()) else is_pair
    if both:
        other = "ratings" if chosen is is_pair else "pairs"
        notes.append(f"{(keep & ~chosen).sum():,} {other} are left out: --use {other} measures those.")
    rows = np.flatnonzero(keep & chosen)
    if not len(rows):
        raise ValueError(
            f"{name}: expected judgements, got none among {n:,} rows{': ' + ' '.join(notes) if notes else ''}"
        )
    columns = _PAIR if chosen is is_pair else ("system", "rating")
    if missing := [column for column in columns if column not in table]:
        raise ValueError(f"{name}: expected columns {', '.join(columns)}, {missing[0]} is missing")
    return _as_judgements(table, rows, columns, where, checks, notes)


def _as_judgements(
    table: Mapping[str, list[str]],
    rows: np.ndarray,
    columns: Sequence[str],
    where: Sequence[str],
    checks: dict[str, tuple[int, int]],
    notes: list[str],
) -> Judgements:
    picked = {column: [table[column][row] for row in rows] for column in ("item", "judge", *columns)}
    for column in columns[:-1]:
        if "" in picked[column]:
            raise ValueError(f"{where[rows[picked[column].index('')]]}: expected a {column}, got nothing")
    if columns == _PAIR:
        for row, a, b in zip(rows, picked["system_a"], picked["system_b"], strict=True):
            if a == b:
                raise ValueError(f"{where[row]}: expected two systems, got {a!r} against itself")
        value = np.array([_outcome(text, where[row]) for row, text in zip(rows, picked["preferred"], strict=True)])
        names = [picked["system_a"], picked["system_b"]]
    else:
        value = np.array(
            [_number(text, "rating", where[row]) for row, text in zip(rows, picked["rating"], strict=True)]
        )
        names = [picked["system"]]
    systems = sorted({system for column in names for system in column})
    items, item = np.unique(picked["item"], return_inverse=True)
    judges, judge = np.unique(picked["judge"], return_inverse=True)
    places = {system: place for place, system in enumerate(systems)}
    first = np.array([places[system] for system in names[0]])
    second = np.array([places[system] for system in names[1]]) if len(names) > 1 else np.full(len(rows), -1)
    low, high = np.minimum(first, second), np.maximum(first, second)
    keys = ((judge.astype(np.int64) * len(items) + item) * (len(systems) + 1) + low + 1) * len(systems) + high
    order = np.arange(len(rows))
    times = [table["time"][row] for row in rows] if "time" in table else []
    if times and all(times) and len(np.unique(keys)) < len(rows):
        order = np.argsort(_seconds(times, [where[row] for row in rows]), kind="stable")
    # Of the reversed order `unique` keeps the first, which is the last answer.
    kept = np.sort(order[::-1][np.unique(keys[order][::-1], return_index=True)[1]])
    if again := len(rows) - len(kept):
        notes.append(f"{again:,} answers were given again by the same judge to the same question; the last counts.")
    texts = _of(table, "description", len(where))
    return Judgements(
        tuple(map(str, items)),
        tuple(systems),
        tuple(map(str, judges)),
        item[kept].astype(np.int64),
        judge[kept].astype(np.int64),
        first[kept].astype(np.int64),
        second[kept].astype(np.int64),
        value[kept],
        {table["item"][row]: texts[row] for row in rows if texts[row]},
        checks,
        tuple(notes),
    )


def read_metrics(
    paths: Sequence[str | os.PathLike[str]], *, higher: Collection[str] = (), lower: Collection[str] = ()
) -> MetricValues:
    """Read tables of metric values: `item`, `system`, and a column of numbers for each metric; empty cells are NaN.

    Args:
        paths: CSV, JSON lines or Parquet; a metric is in one of them.
        higher: metrics of which more is better.
        lower: metrics of which less is better; names that end in a word of `HIGHER` or `LOWER` need not be in either.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a table that lacks columns, a row twice, no number, a metric twice, or one of unknown direction.
    """
    cells: dict[str, dict[tuple[str, str], float]] = {}
    for path in paths:
        name = Path(path).name
        table = read_table(path, "metric values", ("item", "system"))
        keys = list(zip(table.pop("item"), table.pop("system"), strict=True))
        table.pop("description", None)
        if len({*keys}) < len(keys):
            seen: set[tuple[str, str]] = set()
            row = next(row for row, key in enumerate(keys) if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise ValueError(f"{name}, row {row + 1}: expected each item and system once, got {keys[row]} again")
        if not table:
            raise ValueError(f"{name}: expected a column of numbers beside item and system, got none")
        for metric, column in table.items():
            if metric in cells:
                raise ValueError(f"{name}: expected each metric in one table, got {metric!r} again")
            cells[metric] = {
                key: _number(text, metric, f"{name}, row {row}") if text else np.nan
                for row, (key, text) in enumerate(zip(keys, column, strict=True), 1)
            }
    return make_metrics(cells, higher=higher, lower=lower)


def read_items(path: str | os.PathLike[str]) -> list[str]:
    """Read the column `item` of a table, one id for each row."""
    items = read_table(path, "items", ("item",), ())["item"]
    if len({*items}) < len(items):
        raise ValueError(
            f"{Path(path).name}: expected each item once, got {next(i for i in items if items.count(i) > 1)!r} again"
        )
    return items


def make_metrics(
    cells: Mapping[str, Mapping[tuple[str, str], float]], *, higher: Collection[str] = (), lower: Collection[str] = ()
) -> MetricValues:
    """Make metric values of numbers by metric and (item, system); see `read_metrics`."""
    for name in (*higher, *lower):
        if name not in cells:
            raise ValueError(f"expected one of the metrics {', '.join(cells)}, got {name!r}")
    keys = {key for column in cells.values() for key in column}
    items, systems = sorted({item for item, _ in keys}), sorted({system for _, system in keys})
    places = [{name: place for place, name in enumerate(names)} for names in (items, systems)]
    values = {}
    for metric, column in cells.items():
        values[metric] = np.full((len(items), len(systems)), np.nan)
        for (item, system), number in column.items():
            values[metric][places[0][item], places[1][system]] = number
    return MetricValues(tuple(items), tuple(systems), values, {name: _is_higher(name, higher, lower) for name in cells})


def _is_higher(metric: str, higher: Collection[str], lower: Collection[str]) -> bool:
    if metric in higher and metric in lower:
        raise ValueError(f"expected {metric!r} as higher or as lower, got both")
    last = metric.split()[-1] if metric.split() else metric
    if metric in higher or metric in lower:
        return metric in higher
    if last not in HIGHER and last not in LOWER:
        raise ValueError(
            f"expected to be told whether more {metric!r} is better: --higher {metric!r} or --lower {metric!r}"
        )
    return last in HIGHER


def _of(table: Mapping[str, list[str]], column: str, n: int) -> list[str]:
    return table.get(column) or [""] * n


def _flag(text: str, column: str, where: str) -> bool:
    if text and text.lower() not in _TRUE:
        raise ValueError(f"{where}: expected {column} true or false, got {text!r:.60}")
    return bool(text) and _TRUE[text.lower()]


def _outcome(text: str, where: str) -> float:
    if text.lower() not in _OUTCOMES:
        raise ValueError(f"{where}: expected preferred a, b or same, got {text!r:.60}")
    return _OUTCOMES[text.lower()]


def _seconds(texts: Sequence[str], where: Sequence[str]) -> list[float]:
    """Times as numbers that are in their order."""
    times: list[float] = []
    kinds = []
    for text, at in zip(texts, where, strict=True):
        try:
            times.append(_number(text, "time", at))
            kinds.append("a number")
        except ValueError:
            try:  # Python 3.10 does not know Z
                moment = datetime.fromisoformat(re.sub("[Zz]$", "+00:00", text))
            except ValueError:
                raise ValueError(f"{at}: expected a number or an ISO 8601 time as time, got {text!r:.60}") from None
            kinds.append("a time without an offset" if moment.tzinfo is None else "a time with an offset")
            times.append((moment.replace(tzinfo=moment.tzinfo or timezone.utc) - _EPOCH).total_seconds())
        if kinds[-1] != kinds[0]:
            raise ValueError(f"{at}: expected {kinds[0]}, as in {where[0]}, got {kinds[-1]}: {text!r:.60}")
    return times


def _number(text: str, column: str, where: str) -> float:
    try:
        number = float(text if "_" not in text else "")  # 1_000 is a number to Python alone
    except ValueError:
        raise ValueError(f"{where}: expected a number as {column}, got {text!r:.60}") from None
    if not abs(number) <= 1e100:  # squares of larger ones overflow
        if np.isnan(number) and column not in ("rating", "time"):
            return number  # of a metric: it does not apply to this face
        raise ValueError(f"{where}: expected a finite number as {column}, up to 1e100, got {text!r:.60}")
    return number


def _left_out(attention: np.ndarray, kinds: np.ndarray, kind: str, failed: Collection[str]) -> list[str]:
    notes = []
    if attention.any():
        notes.append(f"{attention.sum():,} attention checks are not counted.")
    if kind != "all" and (others := int((kinds != kind).sum())):
        notes.append(f"{others:,} rows are a {'machine' if kind == 'person' else 'person'}'s and are not counted.")
    if failed:
        notes.append(f"{len(failed)} judges failed attention checks and are left out: {', '.join(sorted(failed))}.")
    return notes
