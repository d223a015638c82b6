"""What comes in: references by name from any container, and pictures a batch at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from emo3d.blendshapes import Space, as_expressions, check_space
from emo3d.emotions import as_intensities
from emo3d.encoders import check_descriptions
from emo3d.pictures import is_picture, read_picture


@dataclass(frozen=True, eq=False)
class References:
    """What was described.

    Attributes:
        descriptions: N texts.
        intensities: (N, 8) float64 in 0..1, order `EMOTIONS`.
        expressions: (N, 51) float32 in 0..1, order `BLENDSHAPES`, or None where the references hold none.
        space: of the expressions; None where nobody says it, and then it is taken to be that of the predictions.
    """

    descriptions: list[str]
    intensities: np.ndarray
    expressions: np.ndarray | None = None
    space: Space | None = None

    def __len__(self) -> int:
        return len(self.descriptions)

    @cached_property
    def ranks(self) -> np.ndarray:
        """Place of each row among the distinct (description, intensities), sorted: (N,) int64.

        What does not depend on the order of the rows goes by this: the bank made of them, their hash, the bootstrap.
        """
        keys = list(zip(self.descriptions, map(tuple, self.intensities.tolist()), strict=True))
        places = {key: place for place, key in enumerate(sorted(set(keys)))}
        return np.array([places[key] for key in keys])

    def part(self, rows: slice) -> References:
        """Some of the rows."""
        expressions = None if self.expressions is None else self.expressions[rows]
        return References(self.descriptions[rows], self.intensities[rows], expressions, self.space)

    def without_expressions(self) -> References:
        """Descriptions and intensities alone."""
        return References(self.descriptions, self.intensities)

    def canonical(self) -> References:
        """Descriptions and intensities sorted by both; duplicates are kept."""
        order = np.argsort(self.ranks, kind="stable")
        return References([self.descriptions[row] for row in order], self.intensities[order])


def content_hash(descriptions: Sequence[str], intensities: np.ndarray) -> str:
    """Twelve hexadecimal digits of a SHA-256 over descriptions and intensities (N, 8), in their order."""
    texts = json.dumps(list(descriptions)).encode()
    return hashlib.sha256(texts + np.ascontiguousarray(intensities, "<f8").tobytes()).hexdigest()[:12]


def read_batch(predictions: Any, references: Any) -> tuple[np.ndarray | Pictures, References]:
    """Read predictions, as expressions (N, 51) or pictures, and as many references.

    Raises:
        ValueError: what `as_expressions` and `read_references` refuse, or not as many of one as of the other.
    """
    described = read_references(references)
    given = Pictures(predictions) if is_pictures(predictions) else as_expressions(predictions)
    check_lengths(len(given), len(described))
    return given, described


def check_lengths(predictions: int, references: int) -> None:
    """Raise a ValueError unless there is one prediction per reference."""
    if predictions != references:
        raise ValueError(
            f"expected one prediction per reference, got {predictions} predictions and {references} references"
        )


def read_references(references: Any, space: Space | None = None) -> References:
    """Read references.

    Args:
        references: a sequence of mappings, a `datasets.Dataset` or a mapping of columns, with `description` (text),
            `intensities` (eight numbers in the order of `EMOTIONS`, or a mapping from emotion to number) and, in all
            rows or in none, `blendshapes` (51 scores). Whatever else a row holds is not looked at.
        space: of the blendshapes, where it is known.

    Raises:
        ValueError: no rows, a row without a description or intensities, or with bad ones; the message names the row.
            An unknown space.
    """
    if space is not None:
        return replace(read_references(references), space=check_space(space))
    if isinstance(references, References):
        return references
    if isinstance(references, Mapping) or hasattr(references, "column_names"):
        names = references.keys() if isinstance(references, Mapping) else references.column_names
        columns = {
            name: list(references[name]) for name in ("description", "intensities", "blendshapes") if name in names
        }
        for name in ("description", "intensities"):
            if name not in columns:
                raise ValueError(f"expected references with {name!r}, got {', '.join(map(str, names)) or 'no columns'}")
        expressions = columns.get("blendshapes", [])
    else:
        columns = {"description": [], "intensities": []}
        expressions = []
        for row, reference in enumerate(references):
            for name, column in columns.items():
                if not isinstance(reference, Mapping) or name not in reference:
                    got = ", ".join(map(str, reference)) if isinstance(reference, Mapping) else type(reference).__name__
                    raise ValueError(f"expected {name!r} in reference {row}, got {got}")
                column.append(reference[name])
            expressions.append(reference.get("blendshapes"))
    if not columns["description"]:
        raise ValueError("expected at least one reference, got an empty batch")
    descriptions = check_descriptions(columns["description"])
    return References(descriptions, as_intensities(columns["intensities"]), _expressions(expressions))


def open_references(name: str, config: str | None = None, split: str = "test") -> References:
    """Read the references of a dataset by its name, with the space of their blendshapes where the dataset says it.

    Args:
        name: a folder of the published release, or what `emo3d.dataset.open_rows` takes: `"sample"`, a folder, a
            `.parquet` file, an id on the Hub.
        config: of several that the dataset has; a release has none.
        split: of several, likewise.

    Raises:
        ValueError: no such config or split, or what `read_references` refuses.
        FileNotFoundError: no such dataset.
    """
    from emo3d.dataset import as_pairs, is_release, open_rows, read_release

    if is_release(name):
        return read_references(list(as_pairs(read_release(name))), "reading")
    rows, space = open_rows(name, config, split)
    columns = [column for column in rows.column_names if column in ("description", "intensities", "blendshapes")]
    return read_references(rows.select_columns(columns), space)


def _expressions(column: Sequence[Any]) -> np.ndarray | None:
    missing = [row for row, expression in enumerate(column) if expression is None]
    if len(missing) == len(column):
        return None
    if missing:
        raise ValueError(f"expected blendshapes in every reference or in none, reference {missing[0]} has none")
    return as_expressions(column)


def is_pictures(predictions: Any) -> bool:
    """Whether predictions are pictures (arrays of three axes, PIL images, paths) rather than expressions."""
    if isinstance(predictions, Pictures):
        return True
    if isinstance(predictions, np.ndarray):
        return predictions.ndim == 4
    if len(predictions) == 0 or isinstance(predictions, Mapping):
        return False
    return is_picture(predictions[0])


class Pictures:
    """N pictures of one size, read a slice at a time, so that a long list of files never lies in memory at once.

    Args:
        source: (N, H, W, 3) uint8, or a sequence of such arrays (H, W, 3), of PIL images in mode RGB, or of paths.
        before: (M, H, W, 3) uint8, pictures that come first; they do not count as rows in messages.
        shape: (H, W, 3) that all must have; that of the first picture when None.
    """

    def __init__(
        self, source: Any, before: Sequence[np.ndarray] | np.ndarray = (), shape: tuple[int, ...] | None = None
    ) -> None:
        self.source: Any = source.source if isinstance(source, Pictures) else source
        self.before = before
        self.shape = shape
        self._expected = "earlier" if shape else "in row 0"

    def __len__(self) -> int:
        return len(self.before) + len(self.source)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Pictures of a slice of rows, (n, H, W, 3) uint8.

        Raises:
            ValueError: a picture that cannot be read, is not RGB in 8 bits or not of the first one's size;
                the message names the row.
        """
        batch = []
        for index in range(*rows.indices(len(self))):
            row = index - len(self.before)
            if row < 0:
                batch.append(self.before[index])
                continue
            picture = read_picture(self.source[row], row)
            self.shape = self.shape or picture.shape
            if picture.shape != self.shape:
                expected, got = (f"{width} x {height}" for height, width, _ in (self.shape, picture.shape))
                raise ValueError(
                    f"expected pictures of one size, {expected} as {self._expected}, got {got} in row {row}"
                )
            batch.append(picture)
        return np.stack(batch)
