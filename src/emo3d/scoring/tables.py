"""Columns of whatever is a table, and what a message says of those that are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from emo3d.hints import did_you_mean

_OTHER_WORDS = {
    "description": ("text", "caption", "prompt", "sentence", "descriptions"),
    "intensities": ("emotions", "intensity", "emotion_intensities", "labels"),
    "blendshapes": ("predictions", "prediction", "expression", "expressions", "coefficients", "scores"),
}


def column_names(table: Any) -> list[Any] | None:
    """Names of the columns of a `datasets.Dataset`, a DataFrame, a PyArrow table or a mapping of columns; else None."""
    if isinstance(table, Mapping):  # of columns, or one expression: a score for each name
        is_expression = any(isinstance(value, (int, float, np.number)) for value in table.values())
        return None if is_expression else list(table)
    names = getattr(table, "column_names", getattr(table, "columns", None))
    return list(names) if names is not None and hasattr(table, "__getitem__") else None


def column(table: Any, name: Any) -> list[Any]:
    """One column of a table, as a list."""
    values = table[name]
    return values.to_pylist() if hasattr(values, "to_pylist") else list(values)


def listed(names: Iterable[Any]) -> str:
    """Names for a message, the first ten of them."""
    every = list(map(str, names))
    return (", ".join(every[:10]) + (f" and {len(every) - 10} more" if len(every) > 10 else "")) or "no columns"


def nearest(name: str, names: Iterable[Any]) -> str:
    """The end of a message about a missing column: which of those that are there is it?"""
    there = list(map(str, names))
    if name == "description" and "descriptions" in there:
        return '; the config "pairs" has a row for each description (--config pairs)'
    other = next((word for word in _OTHER_WORDS[name] if word in there), None)
    return did_you_mean(name, there, {name: other} if other else None)
