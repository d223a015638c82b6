"""What every reader checks of a row: its numbers, its scores, and why it cannot be used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.dataset.tally import Tally


class RowError(ValueError):
    """A row that cannot be used; `kind` is a word to count by, `column` the file's own name of it."""

    def __init__(self, kind: str, column: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.column = kind, column


def numbers(cells: Sequence[Any], columns: Sequence[str]) -> np.ndarray:
    """Read cells, one for each of `columns`, as (N,) float64.

    Raises:
        RowError: a cell that is no number.
    """
    try:
        values = np.asarray(cells, np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (len(columns),):
        for cell, column in zip(cells, columns, strict=True):
            try:
                float(cell)
            except (TypeError, ValueError):
                raise RowError("no number", column, f"expected a number, got {cell!r}") from None
    return values


def within(values: np.ndarray, columns: Sequence[str]) -> None:
    """Check that values lie in 0..1.

    Raises:
        RowError: one does not.
    """
    outside = np.flatnonzero(~((values >= 0) & (values <= 1)))  # NaN compares false
    if len(outside):
        first = outside[0]
        raise RowError("out of range", columns[first], f"expected a value in 0..1, got {values[first]:g}")


def expression(
    scores: np.ndarray,
    names: Sequence[str],
    columns: Sequence[str],
    drop: Collection[str],
    tally: Tally,
    rows: int = 1,
) -> list[float]:
    """Put scores in the order of `BLENDSHAPES`; a blendshape that is not among `names` is 0.

    Args:
        scores: (N,) numbers.
        names: of the blendshapes, N.
        columns: what the file calls them, N.
        drop: names beyond the 51 that may be left out although they are not 0.
        tally: where that is counted.
        rows: that are made of the scores.

    Raises:
        RowError: a score outside 0..1, or one that an expression has no place for.
    """
    within(scores, columns)
    by_name = dict(zip(names, scores.tolist(), strict=True))
    for index, name in enumerate(names):
        if name not in _PLACES and scores[index]:
            if name not in drop:
                message = (
                    f"expected 0, since an expression has no {name}, got {scores[index]:g}; --drop {name} ignores it"
                )
                raise RowError(name, columns[index], message)
            tally.count(f"dropped_{name}", rows)
    return [by_name.get(name, 0.0) for name in BLENDSHAPES]


_PLACES = frozenset(BLENDSHAPES)
