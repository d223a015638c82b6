"""Tables of strangers as columns of text."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emo3d.containers import read_csv
from emo3d.documents import read_json_lines
from emo3d.parquet import read_columns


def read_table(
    path: str | os.PathLike[str], what: str, needed: Sequence[str], optional: Sequence[str] | None = None
) -> dict[str, list[str]]:
    """Read columns of a CSV, JSON lines or Parquet file as text without spaces around it; without `optional` all.

    Args:
        path: of the table.
        what: is in it, for messages.
        needed: columns without an empty cell.
        optional: more columns.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a table that cannot be read, lacks rows or a needed column, or has nothing in one of its cells.
    """
    path = Path(path)
    check_file(path, f"the table of {what}")
    if not path.stat().st_size:
        raise ValueError(f"{path.name}: expected a table of {what}, got an empty file")
    wanted = None if optional is None else {*needed, *optional}
    ending = path.suffix.lower()
    if ending == ".parquet":
        table = read_columns(path, lambda names: [name for name in names if wanted is None or name in wanted])
        columns = {name: [_text(value) for value in table.column(name).to_pylist()] for name in table.column_names}
    elif ending in (".jsonl", ".ndjson"):
        columns = _json_columns(read_json_lines(path), path.name, wanted)
    elif ending in (".csv", ".tsv"):
        columns = _csv_columns(read_csv(path), path.name, wanted)
    else:
        raise ValueError(f"{path.name}: expected a table as .csv, .jsonl or .parquet")
    for name in needed:
        if name not in columns:
            found = ", ".join(columns)[:300] or "none: is this a table, with a line of column names?"
            raise ValueError(f"{path.name}: expected a table of {what} with a column {name!r}, got {found}")
        if "" in columns[name]:
            raise ValueError(f"{path.name}, row {columns[name].index('') + 1}: expected {name}, got nothing")
    if not columns[needed[0]]:
        raise ValueError(f"{path.name}: expected rows, got none")
    return columns


def check_file(path: str | os.PathLike[str], what: str) -> None:
    """Raise a FileNotFoundError that says what was expected there."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"expected {what} in {path}, got no such file")


def _csv_columns(lines: Iterator[list[str]], name: str, wanted: set[str] | None) -> dict[str, list[str]]:
    header = [cell.strip() for cell in next(lines, [])]
    if len({*header}) < len(header):
        raise ValueError(f"{name}: expected each column once, got {', '.join(header)[:300]}")
    rows = []
    for number, cells in enumerate(lines, 1):
        if not cells or len(cells) > len(header):
            raise ValueError(f"{name}, row {number}: expected {len(header)} cells, got {len(cells)}")
        rows.append(cells + [""] * (len(header) - len(cells)))
    columns = {column: [row[place].strip() for row in rows] for place, column in enumerate(header)}
    return {column: cells for column, cells in columns.items() if wanted is None or column in wanted}


def _json_columns(rows: list[Any], name: str, wanted: set[str] | None) -> dict[str, list[str]]:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ValueError(f"{name}, row {number}: expected an object, got a {type(row).__name__}")
    names = {column: None for row in rows for column in row if wanted is None or column in wanted}
    return {column: [_text(row.get(column)) for row in rows] for column in names}


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value).strip()
