"""The forms in which expressions come: numbers in a layout, mappings from name to score, tables, printed arrays."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emo3d.blendshapes import Layout, layout_names, parse_scores
from emo3d.names import KNOWN, Names, blendshape_columns, blendshape_names, nearest

logger = logging.getLogger(__name__)


def read_form(values: Any, layout: Layout | None, names: Names | None) -> tuple[Sequence[str], np.ndarray]:
    """Read any form that `as_expressions` takes: names of K blendshapes, and their scores (N, K) float64 as they came.

    Raises:
        ValueError: what `as_expressions` says of forms; nothing is checked of the scores but that they are numbers.
    """
    columns = getattr(values, "column_names", getattr(values, "columns", None))
    if columns is not None and not isinstance(values, Mapping):
        if "blendshapes" not in list(columns):
            return _of_columns(values, list(columns), names)
        column = values["blendshapes"]
        values = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    if not hasattr(values, "__len__") or isinstance(values, (bytes, type)):
        raise ValueError(f"expected a list of expressions, got {type(values).__name__}")
    if not isinstance(values, (str, Mapping)) and hasattr(values, "__array__"):
        values = np.atleast_1d(np.asarray(values))
    if isinstance(values, (str, Mapping)) or (len(values) and _is_number(next(iter(values)))):
        values = [values]
    if len(values) == 0:
        raise ValueError("expected at least one expression, got an empty batch")
    if isinstance(next(iter(values)), Mapping):
        return _of_mappings(values, names)
    scores = _of_vectors(values)
    return layout_names(scores.shape[1], layout, " in row 0"), scores


def _of_columns(table: Any, columns: Sequence[str], names: Names | None) -> tuple[Sequence[str], np.ndarray]:
    by_name = blendshape_columns(columns, names)
    scores = []
    for column in by_name.values():
        try:
            scores.append(np.asarray(table[column], np.float64))
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"expected numbers in the column {column}: {error}") from None
    if not len(scores[0]):
        raise ValueError("expected at least one expression, got an empty table")
    return tuple(by_name), np.stack(scores, axis=1)


def _of_mappings(rows: Sequence[Any], names: Names | None) -> tuple[Sequence[str], np.ndarray]:
    scores = np.zeros((len(rows), len(KNOWN)))
    places: dict[tuple[Any, ...], list[tuple[Any, int]]] = {}  # by the keys of a row; most rows have the same
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ValueError(f"expected a mapping from name to score in row {index}, got {type(row).__name__}")
        if (keys := tuple(row)) not in places:
            places[keys] = _places(keys, names, index)
        for key, place in places[keys]:
            if not _is_number(row[key]):
                raise ValueError(f"expected a number for {key} in row {index}, got {row[key]!r:.200}")
            try:
                scores[index, place] = row[key]
            except OverflowError:
                raise ValueError(f"expected a number for {key} in row {index}, got a huge integer") from None
    extras = sorted({str(key) for keys in places for key in set(keys) - dict(places[keys]).keys()})
    if extras:
        rest = f" and {len(extras) - 20} more" if len(extras) > 20 else ""
        logger.warning("left out what is no blendshape: %.1000s", ", ".join(extras[:20]) + rest)
    return KNOWN, scores


def _places(keys: tuple[Any, ...], names: Names | None, index: int) -> list[tuple[Any, int]]:
    """A row's keys that hold blendshapes, and the places of these in `KNOWN`."""
    as_text = {str(key): key for key in keys}
    try:
        by_name = blendshape_names(as_text, names)
    except ValueError as error:
        raise ValueError(f"row {index} {error}") from None
    for text in as_text:
        if text not in by_name.values() and text not in (names or ()) and (near := nearest(text) or not by_name):
            hint = f"; did you mean {near}?" if isinstance(near, str) else ""
            raise ValueError(f"expected ARKit blendshape names, got {text!r:.100} in row {index}{hint}")
    return [(as_text[theirs], KNOWN.index(ours)) for ours, theirs in by_name.items()]


def _of_vectors(values: Any) -> np.ndarray:
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.dtype.kind in "fiu":
        return values.astype(np.float64)
    rows: list[np.ndarray] = []
    for index, row in enumerate(values):
        try:
            if np.iscomplexobj(row):
                raise ValueError("got complex ones")
            scores = parse_scores(row) if isinstance(row, str) else np.asarray(row, np.float64)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"expected numbers in row {index}: {error!s:.300}") from None
        if scores.ndim != 1:
            raise ValueError(f"expected one vector of scores in row {index}, got an array of shape {scores.shape}")
        if len(scores) not in (51, 52) or (rows and len(scores) != len(rows[0])):
            expected = len(rows[0]) if rows else "51 or 52"
            raise ValueError(f"expected {expected} scores in row {index}, got {len(scores)}")
        rows.append(scores)
    return np.stack(rows).astype(np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
