"""Files of predictions and of references, with what they say of themselves."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, Layout, Space, parse_scores
from emo3d.documents import parse_json, read_csv, read_json
from emo3d.emotions import EMOTIONS
from emo3d.expressions import parquet_space, read_expressions
from emo3d.parquet import read_columns
from emo3d.scoring.inputs import References, read_references
from emo3d.scoring.joining import KEYS

REFERENCE_SUFFIXES: tuple[str, ...] = (".csv", ".parquet", ".jsonl")


def open_predictions(
    name: str | os.PathLike[str], layout: Layout | None = None, **options: Any
) -> tuple[np.ndarray, Space | None, dict[str, list[Any]]]:
    """Read expressions from a file, or from a folder of the published release; `options` are of `read_expressions`.

    Returns:
        Expressions (N, 51), their space where the file says it, and its columns `sample_id` and `description` where it
        has them, which say whose face a row is.

    Raises:
        ValueError: what `read_expressions` refuses.
        FileNotFoundError: no such file.
    """
    from emo3d.dataset import as_pairs, is_release, read_release

    path = Path(name)
    if is_release(path):
        pairs = list(as_pairs(read_release(path)))
        keys = {name: [pair[name] for pair in pairs] for name in KEYS}
        return np.stack([pair["blendshapes"] for pair in pairs]), "reading", keys
    expressions, space = read_expressions(path, layout, **options)
    keys = {} if path.suffix.lower() in (".npy", ".txt") else read_table(path, KEYS)
    for name, values in keys.items():
        if len(values) != len(expressions):
            raise ValueError(f"{path.name}: expected {len(expressions)} values of {name}, got {len(values)}")
    return expressions, space, keys


def read_references_file(path: str | os.PathLike[str]) -> References:
    """Read references from a file of this machine.

    Args:
        path: `.csv`, `.parquet` or `.jsonl`, with a column `description`, the emotions as `intensities` (eight numbers,
            in a CSV printed in brackets) or as a column for each, and perhaps `sample_id` and the blendshapes, in one
            column or in 51.

    Raises:
        ValueError: another kind of file, or what `read_references` refuses; the message begins with the file's name.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    if path.suffix.lower() not in REFERENCE_SUFFIXES:
        raise ValueError(f"expected references as {', '.join(REFERENCE_SUFFIXES)}, got {path.name}")
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        columns = read_table(path, (*KEYS, "intensities", "blendshapes", *EMOTIONS, *BLENDSHAPES), is_whole=True)
        return read_references(columns, parquet_space(path) if path.suffix.lower() == ".parquet" else None)
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(path.name) else f"{path.name}: {message}") from error


def read_table(path: Path, wanted: Collection[str], is_whole: bool = False) -> dict[str, list[Any]]:
    """Read some columns of a table; of JSON, the keys of its rows.

    Args:
        path: one of `.csv`, `.parquet`, `.json`, `.jsonl`.
        wanted: names; those that are not there are left out. Numbers in a CSV stay text in `KEYS` alone.
        is_whole: whether names beyond those that are wanted come along, with no values, for a message to name them.

    Raises:
        ValueError: no such table.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        names: list[str] = []

        def choose(there: list[str]) -> list[str]:
            names.extend(there)
            return [name for name in there if name in wanted]

        table = read_columns(path, choose)
        columns = {name: table[name].to_pylist() for name in table.column_names}
    elif suffix == ".csv":
        rows = _csv_rows(path)
        names = next(rows, [])
        if len(set(names)) < len(names):
            twice = next(name for place, name in enumerate(names) if name in names[:place])
            if twice in wanted:
                raise ValueError(f"expected each column once, got {twice!r} twice")
        places = [place for place, name in enumerate(names) if name in wanted]
        cells = [[row[place] if place < len(row) else "" for place in places] for row in rows]
        columns = {
            names[place]: [_cell(names[place], row, line) for line, row in enumerate(values)]
            for place, values in zip(places, zip_longest(*cells) if cells else [()] * len(places), strict=True)
        }
    else:
        records = _records(path)
        names = list(dict.fromkeys(name for record in records for name in record))
        columns = {name: [record.get(name) for record in records] for name in names if name in wanted}
    return {name: columns.get(name, []) for name in names} if is_whole else columns


def _records(path: Path) -> list[dict[str, Any]]:
    if path.suffix.lower() == ".json":
        document = read_json(path)
        rows = document.get("expressions", []) if isinstance(document, dict) else document
    else:
        rows = []
        for number, line in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()):
            if line.strip():
                try:
                    rows.append(parse_json(line))
                except ValueError as error:
                    raise ValueError(f"line {number + 1}: {error}") from None
    if path.suffix.lower() == ".jsonl":
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise ValueError(f"expected an object in row {number}, got {type(row).__name__}")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _csv_rows(path: Path) -> Iterator[list[str]]:
    for number, cells in enumerate(read_csv(path)):
        if not cells:
            raise ValueError(f"expected a CSV file, got something else in line {number + 1}")
        if any("\ud800" <= letter <= "\udfff" for cell in cells for letter in cell):
            raise ValueError(f"expected a CSV file in UTF-8 or UTF-16, got other bytes in line {number + 1}")
        yield cells


def _cell(name: str, text: str, row: int) -> Any:
    if name in KEYS:
        return text
    if name in ("intensities", "blendshapes"):
        if not text.strip():
            return None
        parse_scores(text)  # checks it, and keeps fewer digits than there are
        return [float(number) for number in text.strip("[] \r\n\t").replace(",", " ").split()]
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected a number for {name} in row {row}, got {text[:40]!r}") from None
