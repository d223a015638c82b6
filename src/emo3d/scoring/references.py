"""References: the descriptions, intensities and expressions that predictions are scored against."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, Space, as_expressions, check_space
from emo3d.descriptions import check_descriptions
from emo3d.emotions import EMOTIONS, as_intensities, canonical_intensities
from emo3d.parquet import parquet_space
from emo3d.scoring.columns import column, column_names, missing_column, read_table
from emo3d.scoring.joining import KEYS

REFERENCE_SUFFIXES: tuple[str, ...] = (".csv", ".parquet", ".jsonl")

_PARTS = {"intensities": EMOTIONS, "blendshapes": BLENDSHAPES}  # what may come as a column for each number
_COLUMNS = (*KEYS, *_PARTS)
NAMES = (*_COLUMNS, *EMOTIONS, *BLENDSHAPES)
"""Columns that are read."""


@dataclass(frozen=True, eq=False)
class References:
    """Rows that predictions are scored against."""

    descriptions: list[str]
    intensities: np.ndarray  # (N, 8) float64 in 0..1, order `EMOTIONS`; as `canonical_intensities` has them
    expressions: np.ndarray | None = None  # (N, 51) float32 in 0..1, order `BLENDSHAPES`
    space: Space | None = None  # of the expressions; where it is None, it is taken to be that of the predictions
    ids: list[Any] | None = None  # values of `sample_id`

    def __post_init__(self) -> None:
        object.__setattr__(self, "intensities", canonical_intensities(self.intensities))

    def __len__(self) -> int:
        return len(self.descriptions)

    @cached_property
    def ranks(self) -> np.ndarray:
        """Place of each row among the distinct (description, intensities), sorted: (N,) int64."""
        # What does not depend on the order of the rows goes by this: the bank made of them, their hash, the bootstrap.
        keys = list(zip(self.descriptions, map(tuple, self.intensities.tolist()), strict=True))
        places = {key: place for place, key in enumerate(sorted(set(keys)))}
        return np.array([places[key] for key in keys])

    def part(self, rows: slice) -> References:
        """Some of the rows."""
        expressions = None if self.expressions is None else self.expressions[rows]
        ids = self.ids and self.ids[rows]
        return References(self.descriptions[rows], self.intensities[rows], expressions, self.space, ids)

    @property
    def keys(self) -> dict[str, list[Any]]:
        """The columns of `KEYS`."""
        return {"description": self.descriptions} | ({} if self.ids is None else {"sample_id": self.ids})

    def canonical(self) -> References:
        """Descriptions and intensities sorted by both; duplicates are kept."""
        order = np.argsort(self.ranks, kind="stable")
        return References([self.descriptions[row] for row in order], self.intensities[order])


def content_hash(descriptions: Sequence[str], intensities: np.ndarray) -> str:
    """Twelve hexadecimal digits of a SHA-256 over descriptions and canonical intensities (N, 8), in their order."""
    texts = json.dumps(list(descriptions)).encode()
    values = np.ascontiguousarray(canonical_intensities(intensities), "<f8")
    return hashlib.sha256(texts + values.tobytes()).hexdigest()[:12]


def row_digests(references: References) -> np.ndarray:
    """A digest of each row's description, intensities and expression, (N,) of 16 bytes, for `hash_rows`."""
    numbers = (np.ascontiguousarray(array, "<f4") for array in (references.intensities, references.expressions))
    rows = zip(references.descriptions, *numbers, strict=True)
    contents = (b"\0".join((text.encode(), emotions.tobytes(), scores.tobytes())) for text, emotions, scores in rows)
    return np.array([hashlib.sha256(content).digest()[:16] for content in contents], "V16")


def hash_rows(digests: np.ndarray, space: str) -> str:
    """Twelve hexadecimal digits of a SHA-256 over rows in any order, and the space of their expressions."""
    content = b"".join(sorted(digest.tobytes() for digest in digests))
    return hashlib.sha256(space.encode() + content).hexdigest()[:12]


def read_references(references: Any, space: Space | None = None) -> References:
    """Read references from a sequence of mappings, a `datasets.Dataset`, a DataFrame or a mapping of columns.

    They have a `description` (text), `intensities` (eight numbers in the order of `EMOTIONS`, or a mapping from emotion
    to number) or a column for each emotion and, in all rows or in none, `blendshapes` (51 scores, in `space`) or a
    column for each of them; perhaps a `sample_id`. Other columns are not read.

    Raises:
        ValueError: no rows, or one without a description or intensities, or with bad ones; the message names the row.
    """
    if space is not None:
        return replace(read_references(references), space=check_space(space))
    if isinstance(references, References):
        return references
    if isinstance(references, (str, Path)):
        raise ValueError(
            f"expected references as rows, got the text {str(references)!r:.80}; emo3d.scoring.open_references reads "
            "a dataset by its name"
        )
    names = list(references) if isinstance(references, Mapping) else column_names(references)
    columns = _columns_of_rows(references) if names is None else _columns_of_table(references, names)
    if not columns["description"]:
        raise ValueError("expected at least one reference, got an empty batch")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"expected columns of one length, got {lengths}")
    descriptions = check_descriptions(columns["description"])
    expressions = _expressions(columns.get("blendshapes", []))
    return References(descriptions, as_intensities(columns["intensities"]), expressions, ids=columns.get("sample_id"))


def _columns_of_table(table: Any, names: list[Any]) -> dict[str, list[Any]]:
    columns = {name: column(table, name) for name in _COLUMNS if name in names}
    for whole, parts in _PARTS.items():
        if whole not in names and set(parts) <= set(names):
            columns[whole] = list(zip(*(column(table, name) for name in parts), strict=True))
    for name in ("description", "intensities"):
        if name not in columns:
            raise ValueError(f"expected references with {name!r}, got {missing_column(name, names)}")
    return columns


def _columns_of_rows(rows: Any) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ValueError(f"expected 'description' in reference {number}, got {type(row).__name__}")
        if "intensities" not in row and set(EMOTIONS) <= row.keys():
            row = {**row, "intensities": [row[name] for name in EMOTIONS]}
        for name in ("description", "intensities"):
            if name not in row:
                raise ValueError(f"expected {name!r} in reference {number}, got {missing_column(name, row)}")
        for name, values in columns.items():
            values.append(row.get(name))
    return columns


def _expressions(values: Sequence[Any]) -> np.ndarray | None:
    missing = [row for row, expression in enumerate(values) if expression is None]
    if len(missing) == len(values):
        return None
    if missing:
        raise ValueError(f"expected blendshapes in every reference or in none, reference {missing[0]} has none")
    return as_expressions(values)


def read_references_file(path: str | os.PathLike[str]) -> References:
    """Read references from a `.csv`, `.parquet` or `.jsonl` of this machine, with columns as for `read_references`.

    In a CSV, `intensities` and `blendshapes` are printed arrays.

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
        columns = read_table(path, NAMES)
        return read_references(columns, parquet_space(path) if path.suffix.lower() == ".parquet" else None)
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(path.name) else f"{path.name}: {message}") from error
