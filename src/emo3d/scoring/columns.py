"""Columns by name, of tables and of files; and what a message says of those that are missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import parse_scores
from emo3d.containers import read_csv
from emo3d.documents import read_json, read_json_lines
from emo3d.hints import did_you_mean
from emo3d.parquet import read_columns
from emo3d.scoring.joining import KEYS

_SYNONYMS = {
    "description": ("text", "caption", "prompt", "sentence", "descriptions"),
    "intensities": ("emotions", "intensity", "emotion_intensities", "labels"),
    "blendshapes": ("predictions", "prediction", "expression", "expressions", "coefficients", "scores"),
}


def column_names(table: Any) -> list[Any] | None:
    """Names of the columns of a `datasets.Dataset`, a DataFrame, a PyArrow table or a mapping of columns; else None."""
    if isinstance(table, Mapping):
        is_expression = any(isinstance(value, (int, float, np.number)) for value in table.values())
        return None if is_expression else list(table)
    names = getattr(table, "column_names", getattr(table, "columns", None))
    return list(names) if names is not None and hasattr(table, "__getitem__") else None


def column(table: Any, name: Any) -> list[Any]:
    """One column of a table, as a list."""
    values = table[name]
    return values.to_pylist() if hasattr(values, "to_pylist") else list(values)


def first_names(names: Iterable[Any]) -> str:
    """Names for a message, the first ten of them."""
    texts = list(map(str, names))
    return (", ".join(texts[:10]) + (f" and {len(texts) - 10} more" if len(texts) > 10 else "")) or "no columns"


def missing_column(name: str, names: Iterable[Any]) -> str:
    """Name the columns of a table that lacks one, and the one that may be meant: the end of a message."""
    texts = list(map(str, names))
    if name == "description" and "descriptions" in texts:
        return f'{first_names(texts)}; the config "pairs" has a row for each description (--config pairs)'
    synonym = next((word for word in _SYNONYMS[name] if word in texts), None)
    return first_names(texts) + did_you_mean(name, texts, {name: synonym} if synonym else None)


def read_table(path: Path, names: Collection[str]) -> dict[str, list[Any]]:
    """Read the columns of `names` that a `.csv` or `.parquet` has, or the rows of a `.json` or `.jsonl`.

    Its other columns come without values, for a message to name them. `KEYS` in a CSV stay text.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        columns: dict[str, list[Any]] = {}

        def choose(file_names: list[str]) -> list[str]:
            columns.update({name: [] for name in file_names})
            return [name for name in file_names if name in names]

        return columns | read_columns(path, choose).to_pydict()
    if suffix == ".csv":
        return _csv_columns(path, names)
    if suffix == ".jsonl":
        rows = read_json_lines(path)
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise ValueError(f"expected an object in row {number}, got {type(row).__name__}")
    else:
        document = read_json(path)
        entries = document.get("expressions") if isinstance(document, dict) else document
        rows = [row for row in entries if isinstance(row, dict)] if isinstance(entries, list) else []
    keys = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] if name in names else [] for name in keys}


def _csv_columns(path: Path, names: Collection[str]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    places: dict[str, int] = {}
    for number, cells in enumerate(read_csv(path)):
        if not cells:
            raise ValueError(f"expected a CSV file, got something else in line {number + 1}")
        if any("\ud800" <= letter <= "\udfff" for cell in cells for letter in cell):
            raise ValueError(f"expected a CSV file in UTF-8 or UTF-16, got other bytes in line {number + 1}")
        if not number:
            columns = {name: [] for name in cells}
            places = {name: cells.index(name) for name in columns if name in names}
            if twice := next((name for name in places if cells.count(name) > 1), None):
                raise ValueError(f"expected each column once, got {twice!r} twice")
            continue
        for name, place in places.items():
            columns[name].append(_value(name, cells[place] if place < len(cells) else "", number - 1))
    return columns


def _value(name: str, cell: str, row: int) -> Any:
    if name in KEYS:
        return cell
    if name in ("intensities", "blendshapes"):
        if not cell.strip():
            return None
        parse_scores(cell)  # checks it, and keeps fewer digits than there are
        return [float(number) for number in cell.strip("[] \r\n\t").replace(",", " ").split()]
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"expected a number for {name} in row {row}, got {cell[:40]!r}") from None
