"""Whose face is a row of predictions? Checked, or found, by the columns that predictions and references both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

KEYS: tuple[str, ...] = ("sample_id", "description")
"""Columns that say which reference a row of predictions is for."""

Keys = Mapping[str, Sequence[Any]]


def known_keys(columns: Keys) -> dict[str, list[str]]:
    """The columns of `KEYS` that hold anything, as texts: 12, 12.0 and "12" are one `sample_id`."""
    keys = {name: list(map(_as_text, columns[name])) for name in KEYS if name in columns}
    return {name: values for name, values in keys.items() if any(values)}


def check_lengths(predictions: int, references: int) -> None:
    """Raise a ValueError unless there is one prediction per reference."""
    if predictions != references:
        raise ValueError(
            f"expected one prediction per reference, got {predictions} predictions and {references} references"
        )


def order_of(count: int, predictions: Keys, references: Keys, join: str | None = None) -> np.ndarray | None:
    """Find the row of the prediction for each reference.

    Args:
        count: of predictions.
        predictions: what they hold of `KEYS`; nothing where they are expressions alone.
        references: their descriptions, and their `sample_id` where they have one.
        join: column to join by, or several (`"sample_id,description"`), which together are of one row. None: the rows
            are in the order of the references, which is checked by all columns that both sides have.

    Returns:
        (N,) rows of the predictions in the order of the references; None where they stay as they are.

    Raises:
        ValueError: not one prediction per reference, rows in another order (the message names the first, and how to
            join), a column to join by that one side lacks, or one whose values are missing or not unique.
    """
    given, wanted = known_keys(predictions), known_keys(references)
    if join is None:
        check_lengths(count, len(wanted["description"]))
        for name in KEYS:
            if name in given and name in wanted:
                _check_order(name, given, wanted)
        return None
    names = [name.strip() for name in join.split(",")]
    for side, keys in (("predictions", given), ("references", wanted)):
        for name in names:
            if name not in keys:
                held = ", ".join(keys) or "none"
                raise ValueError(f"expected {name!r} in the {side} to join by it, they have of such columns: {held}")
    rows = _rows("predictions", given, names)
    others = _rows("references", wanted, names)
    for side, other, missing in (
        ("prediction", "reference", others.keys() - rows.keys()),
        ("reference", "prediction", rows.keys() - others.keys()),
    ):
        if missing:
            place, key = min(((rows | others)[key], key) for key in missing)
            raise ValueError(
                f"expected a {side} for each {other} to join by {join}, {len(missing)} have none, "
                f"the first is row {place}: {_shown(key)}"
            )
    return np.array([rows[key] for key in others])


def _check_order(name: str, given: Keys, wanted: Keys) -> None:
    for row, (one, other) in enumerate(zip(given[name], wanted[name], strict=True)):
        if one != other:
            candidates = [key for key in KEYS if key in given and key in wanted]
            unique = [key for key in candidates if len(set(wanted[key])) == len(wanted[key])]
            join = unique[0] if unique else ",".join(candidates)
            raise ValueError(
                f"expected the predictions in the order of the references, but row {row} has the {name} "
                f"{_shown((one,))} and reference {row} has {_shown((other,))}: join them by it "
                f'(--join {join}, join="{join}"), or leave the column out if it does not say whose face a row is'
            )


def _rows(side: str, keys: Keys, names: Sequence[str]) -> dict[tuple[str, ...], int]:
    rows: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(zip(*(keys[name] for name in names), strict=True)):
        if not all(key):
            raise ValueError(f"expected {','.join(names)} in every row of the {side} to join by it, row {row} lacks it")
        if (first := rows.setdefault(key, row)) != row:
            both = list(zip(*(keys[name] for name in KEYS if name in keys), strict=True))
            unique = len(set(both)) == len(both)  # not in Emo3D, whose descriptions come once for each picture
            more = f'two columns do: "{",".join(KEYS)}"' if unique else "without a join, rows go by position"
            raise ValueError(
                f"expected {','.join(names)} once each in the {side} to join by it, rows {first} and {row} have "
                f"{_shown(key)}; {more}"
            )
    return rows


def _as_text(value: Any) -> str:
    if value is None or value != value:  # NaN, which pandas has for a missing value
        return ""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    return str(value)


def _shown(key: tuple[str, ...]) -> str:
    return ", ".join(repr(text if len(text) <= 60 else f"{text[:57]}...") for text in key)
