"""Whose face is a row of predictions? Checked, or looked up, by the columns that predictions and references share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

KEYS: tuple[str, ...] = ("sample_id", "description")
"""Columns that say which reference a row of predictions is for."""

Keys = Mapping[str, Sequence[Any]]


def check_lengths(predictions: int, references: int) -> None:
    """Raise a ValueError unless there are as many predictions as references."""
    if predictions != references:
        part = f" (of a part of a split: --split 'test[:{predictions}]')" if predictions < references else ""
        raise ValueError(
            f"expected one prediction per reference, got {predictions} predictions and {references} references{part}"
        )


def order_of(count: int, predictions: Keys, references: Keys, join: str | None = None) -> np.ndarray | None:
    """Find the row of the prediction for each reference, (N,) int64; None where they stay as they are.

    Args:
        count: of predictions.
        predictions: their columns of `KEYS`, if any; 12, 12.0 and "12" are one key.
        references: likewise; descriptions are there.
        join: column to join by, or several with commas between, which together are unique. None: the rows are in the
            order of the references, which is checked by all columns that both sides have.

    Raises:
        ValueError: not one prediction per reference, rows in another order (the message says how to join), a column to
            join by that one side lacks, or one whose values are missing or not unique.
    """
    sides = {"predictions": _texts(predictions), "references": _texts(references)}
    if join is None:
        check_lengths(count, len(sides["references"]["description"]))
        _check_order(*sides.values())
        return None
    names = [name.strip() for name in join.split(",")]
    for side, keys in sides.items():
        for name in (name for name in names if name not in keys):
            columns = ", ".join(keys) or "none"
            raise ValueError(f"expected {name!r} in the {side} to join by it, they have of such columns: {columns}")
    rows, places = (_rows(side, keys, names) for side, keys in sides.items())
    for side, partner, missing in (
        ("prediction", "reference", places.keys() - rows.keys()),
        ("reference", "prediction", rows.keys() - places.keys()),
    ):
        if missing:
            row, key = min(((rows | places)[key], key) for key in missing)
            raise ValueError(
                f"expected a {side} for each {partner} to join by {join}, {len(missing)} have none, "
                f"the first is row {row}: {_quote(*key)}"
            )
    return np.array([rows[key] for key in places])


def _texts(columns: Keys) -> dict[str, list[str]]:
    """The columns of `KEYS` that hold anything."""
    keys = {name: list(map(_as_text, columns[name])) for name in KEYS if name in columns}
    return {name: values for name, values in keys.items() if any(values)}


def _as_text(value: Any) -> str:
    if value is None or value != value:  # NaN, which pandas has for a missing value
        return ""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    return str(value)


def _check_order(predictions: Keys, references: Keys) -> None:
    names = [name for name in KEYS if name in predictions and name in references]
    for name in names:
        for row, (text, expected) in enumerate(zip(predictions[name], references[name], strict=True)):
            if text != expected:
                unique = (key for key in names if len(set(references[key])) == len(references[key]))
                join = next(unique, ",".join(names))
                raise ValueError(
                    f"expected the predictions in the order of the references, but row {row} has the {name} "
                    f"{_quote(text)} and reference {row} has {_quote(expected)}: join them by it "
                    f'(--join {join}, join="{join}"), or leave the column out if it does not say whose face a row is'
                )


def _rows(side: str, columns: Keys, names: Sequence[str]) -> dict[tuple[str, ...], int]:
    rows: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(zip(*(columns[name] for name in names), strict=True)):
        if not all(key):
            raise ValueError(f"expected {','.join(names)} in every row of the {side} to join by it, row {row} lacks it")
        if (first := rows.setdefault(key, row)) != row:
            pairs = list(zip(*columns.values(), strict=True))
            unique = len(set(pairs)) == len(pairs)  # not in Emo3D, whose descriptions come once for each picture
            more = f'two columns do: "{",".join(KEYS)}"' if unique else "without a join, rows go by position"
            raise ValueError(
                f"expected {','.join(names)} once each in the {side} to join by it, rows {first} and {row} have "
                f"{_quote(*key)}; {more}"
            )
    return rows


def _quote(*key: str) -> str:
    return ", ".join(repr(text if len(text) <= 60 else f"{text[:57]}...") for text in key)
