"""Predictions: expressions from any container, or pictures a batch at a time, with whose faces they are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, Layout, Space, as_expressions, check_space
from emo3d.names import blendshape_names
from emo3d.pictures import is_picture, read_picture
from emo3d.scoring.columns import column, column_names, first_names, missing_column
from emo3d.scoring.joining import KEYS, order_of
from emo3d.scoring.references import References, read_references

logger = logging.getLogger(__name__)


def read_batch(
    predictions: Any, references: Any, *, join: str | None = None, layout: Layout | None = None
) -> tuple[np.ndarray | Pictures, References]:
    """Read predictions and as many references, and put them in the order of these.

    Raises:
        ValueError: what `read_predictions`, `read_references` and `order_of` refuse.
    """
    references = read_references(references)
    faces, keys = read_predictions(predictions, layout)
    order = order_of(len(faces), keys, references.keys, join)
    if order is not None and not isinstance(faces, Pictures):  # those have no keys
        faces = faces[order]
    return faces, references


def read_predictions(
    predictions: Any, layout: Layout | None = None
) -> tuple[np.ndarray | Pictures, dict[str, list[Any]]]:
    """Read pictures or expressions (N, 51) float32, and their columns of `KEYS`, where there are any.

    Expressions are what `as_expressions` reads; or rows (mappings) or a table (`datasets.Dataset`, DataFrame, PyArrow
    table, mapping of columns) with `blendshapes`, or with a column for each of the 51.
    """
    if isinstance(predictions, (str, Path)):
        raise ValueError(
            f"expected expressions or pictures, got the text {str(predictions)!r:.80}; "
            "emo3d.expressions.read_expressions reads a file"
        )
    names = column_names(predictions)
    if names is not None:
        keys = {name: column(predictions, name) for name in KEYS if name in names}
        if "blendshapes" in names:
            return as_expressions(column(predictions, "blendshapes"), layout), keys
        by_name = blendshape_names(map(str, names))
        if missing := [name for name in BLENDSHAPES if name not in by_name]:
            lacking = missing[0] if len(missing) < len(BLENDSHAPES) else "any"
            raise ValueError(
                f"expected predictions with 'blendshapes' or with a column for each of the 51, got none for {lacking} "
                f"among {missing_column('blendshapes', names)}"
            )
        columns = (column(predictions, name) for name in by_name.values())
        rows: Any = [dict(zip(by_name, scores, strict=True)) for scores in zip(*columns, strict=True)]
        return as_expressions(rows, layout, drop=["tongueOut"]), keys
    if is_pictures(predictions):
        return Pictures(predictions), {}
    first = predictions[0] if len(predictions) and not isinstance(predictions, Mapping) else None
    if not isinstance(first, Mapping) or {*KEYS, "blendshapes"}.isdisjoint(first):
        return as_expressions(predictions, layout), {}
    keys = {name: [row.get(name) for row in predictions] for name in KEYS if name in first}
    if "blendshapes" in first:
        rows = [row.get("blendshapes") for row in predictions]
        for number in (number for number, row in enumerate(rows) if row is None):
            raise ValueError(f"expected 'blendshapes' in prediction {number}, got {first_names(predictions[number])}")
    else:
        rows = [{name: score for name, score in row.items() if name not in KEYS} for row in predictions]
    return as_expressions(rows, layout), keys


def space_of(option: Space | None, predictions: Space | None, references: References) -> Space:
    """Decide the space of predictions: by the user's option or by their own file, else by the references, else weights.

    Raises:
        ValueError: the user contradicts the file.
    """
    if option and predictions and check_space(option) != predictions:
        raise ValueError(f"the predictions say that their space is {predictions}, got {option}")
    if space := option or predictions:
        return check_space(space)
    if references.space:
        logger.warning(
            "the predictions do not say their space: they are taken as %s, as the references are", references.space
        )
    return references.space or "weights"


def is_pictures(predictions: Any) -> bool:
    """Whether predictions are pictures (arrays of three axes, PIL images, paths) rather than expressions."""
    if isinstance(predictions, Pictures):
        return True
    if isinstance(predictions, np.ndarray):
        return predictions.ndim == 4
    if len(predictions) == 0 or isinstance(predictions, Mapping) or hasattr(predictions, "columns"):
        return False
    first = predictions[0]
    if isinstance(first, str) and first.lstrip().startswith("["):
        return False  # a printed array, as the release has them
    return is_picture(first)


class Pictures:
    """N pictures of one size, read a slice at a time, so that a long list of files never lies in memory at once.

    Args:
        source: (N, H, W, 3) uint8, or a sequence of (H, W, 3) uint8, of PIL images in mode RGB, or of paths.
        before: (M, H, W, 3) uint8, pictures that come first; they do not count as rows in messages.
        shape: (H, W, 3) that all must have; that of the first picture when None.
    """

    def __init__(
        self, source: Any, before: Sequence[np.ndarray] | np.ndarray = (), shape: tuple[int, ...] | None = None
    ) -> None:
        self.source: Any = source.source if isinstance(source, Pictures) else source
        self.before = before
        self.shape = shape
        self._first = "earlier" if shape else "in row 0"

    def __len__(self) -> int:
        return len(self.before) + len(self.source)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Pictures of a slice of rows, (n, H, W, 3) uint8; a ValueError names the row that is none of this size."""
        return np.stack([self._read(index - len(self.before)) for index in range(*rows.indices(len(self)))])

    def _read(self, row: int) -> np.ndarray:
        if row < 0:
            return self.before[row]
        picture = read_picture(self.source[row], row)
        self.shape = self.shape or picture.shape
        if picture.shape != self.shape:
            expected, got = (f"{width} x {height}" for height, width, _ in (self.shape, picture.shape))
            raise ValueError(f"expected pictures of one size, {expected} as {self._first}, got {got} in row {row}")
        return picture
