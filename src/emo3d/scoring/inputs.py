"""What comes in: references by name from any container, and pictures a batch at a time."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, Layout, Space, as_expressions, check_space
from emo3d.emotions import EMOTIONS, as_intensities, canonical_intensities
from emo3d.encoders import check_descriptions
from emo3d.names import blendshape_names
from emo3d.pictures import is_picture, read_picture
from emo3d.scoring.joining import KEYS, order_of
from emo3d.scoring.tables import column, column_names, listed, nearest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class References:
    """What was described.

    Attributes:
        descriptions: N texts.
        intensities: (N, 8) float64 in 0..1, order `EMOTIONS`; as `canonical_intensities` has them.
        expressions: (N, 51) float32 in 0..1, order `BLENDSHAPES`, or None where the references hold none.
        space: of the expressions; None where nobody says it, and then it is taken to be that of the predictions.
        ids: N values of `sample_id`, None where the references have none.
    """

    descriptions: list[str]
    intensities: np.ndarray
    expressions: np.ndarray | None = None
    space: Space | None = None
    ids: list[Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "intensities", canonical_intensities(self.intensities))

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
        ids = None if self.ids is None else self.ids[rows]
        return References(self.descriptions[rows], self.intensities[rows], expressions, self.space, ids)

    @property
    def keys(self) -> dict[str, list[Any]]:
        """What says which reference a row is, see `emo3d.scoring.joining`."""
        return {"description": self.descriptions} | ({} if self.ids is None else {"sample_id": self.ids})

    def without_expressions(self) -> References:
        """The same without expressions."""
        return replace(self, expressions=None, space=None)

    def canonical(self) -> References:
        """Descriptions and intensities sorted by both; duplicates are kept."""
        order = np.argsort(self.ranks, kind="stable")
        return References([self.descriptions[row] for row in order], self.intensities[order])


def content_hash(descriptions: Sequence[str], intensities: np.ndarray) -> str:
    """Twelve hexadecimal digits of a SHA-256 over descriptions and canonical intensities (N, 8), in their order."""
    texts = json.dumps(list(descriptions)).encode()
    values = np.ascontiguousarray(canonical_intensities(intensities), "<f8")
    return hashlib.sha256(texts + values.tobytes()).hexdigest()[:12]


def read_batch(
    predictions: Any, references: Any, *, join: str | None = None, layout: Layout | None = None
) -> tuple[np.ndarray | Pictures, References]:
    """Read predictions, as expressions (N, 51) or pictures, in the order of as many references.

    Args:
        predictions: what `read_predictions` reads.
        references: what `read_references` reads.
        join: column to join them by, see `emo3d.scoring.joining.order_of`.
        layout: of bare vectors, see `as_expressions`.

    Raises:
        ValueError: what `read_predictions`, `read_references` and `order_of` refuse.
    """
    described = read_references(references)
    given, keys = read_predictions(predictions, layout)
    order = order_of(len(given), keys, described.keys, join)
    if order is not None and not isinstance(given, Pictures):  # those have no keys
        given = given[order]
    return given, described


def read_predictions(
    predictions: Any, layout: Layout | None = None
) -> tuple[np.ndarray | Pictures, dict[str, list[Any]]]:
    """Read predictions, and what they say of whose faces they are.

    Args:
        predictions: pictures; what `as_expressions` reads; or rows (mappings) or a table (`datasets.Dataset`,
            DataFrame, PyArrow table, mapping of columns) with `blendshapes`, or a key for each of the 51 names, and
            perhaps `sample_id` and `description`.
        layout: of bare vectors.

    Returns:
        Pictures or expressions (N, 51), and columns of `KEYS`, where there are any.

    Raises:
        ValueError: a text, a table without blendshapes, or what `as_expressions` refuses.
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
                f"among {listed(names)}{nearest('blendshapes', names)}"
            )
        columns = {name: column(predictions, by_name[name]) for name in by_name}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return as_expressions(rows, layout, drop=["tongueOut"]), keys
    if is_pictures(predictions):
        return Pictures(predictions), {}
    first = predictions[0] if len(predictions) and not isinstance(predictions, Mapping) else None
    if isinstance(first, Mapping) and not {*KEYS, "blendshapes"}.isdisjoint(first):
        keys = {name: [row.get(name) for row in predictions] for name in KEYS if name in first}
        if "blendshapes" not in first:
            rows = [{name: score for name, score in row.items() if name not in KEYS} for row in predictions]
            return as_expressions(rows, layout), keys
        for number, row in enumerate(predictions):
            if row.get("blendshapes") is None:
                raise ValueError(f"expected 'blendshapes' in prediction {number}, got {listed(row)}")
        return as_expressions([row["blendshapes"] for row in predictions], layout), keys
    return as_expressions(predictions, layout), {}


def read_references(references: Any, space: Space | None = None) -> References:
    """Read references.

    Args:
        references: a sequence of mappings, a `datasets.Dataset`, a DataFrame or a mapping of columns, with
            `description` (text), `intensities` (eight numbers in the order of `EMOTIONS`, or a mapping from emotion to
            number) or a column for each emotion and, in all rows or in none, `blendshapes` (51 scores) or a column for
            each of them. `sample_id` says whose rows they are, where the predictions have it too. Whatever else a row
            holds is not looked at.
        space: of the blendshapes, where it is known.

    Raises:
        ValueError: no rows, a row without a description or intensities, or with bad ones; the message names the row.
            An unknown space.
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
    if names is None:
        columns = _columns_of_rows(references)
    else:
        parts = {"intensities": EMOTIONS, "blendshapes": BLENDSHAPES}
        columns = {name: column(references, name) for name in (*KEYS, *parts) if name in names}
        for whole, each in parts.items():
            if whole not in names and set(each) <= set(names):
                columns[whole] = list(zip(*(column(references, name) for name in each), strict=True))
        for name in ("description", "intensities"):
            if name not in columns:
                raise ValueError(f"expected references with {name!r}, got {listed(names)}{nearest(name, names)}")
    if not columns["description"]:
        raise ValueError("expected at least one reference, got an empty batch")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"expected columns of one length, got {lengths}")
    descriptions = check_descriptions(columns["description"])
    expressions = _expressions(columns.get("blendshapes", []))
    return References(descriptions, as_intensities(columns["intensities"]), expressions, ids=columns.get("sample_id"))


def _columns_of_rows(rows: Any) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"description": [], "intensities": [], "blendshapes": [], "sample_id": []}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ValueError(f"expected 'description' in reference {number}, got {type(row).__name__}")
        if "intensities" not in row and set(EMOTIONS) <= row.keys():
            row = {**row, "intensities": [row[name] for name in EMOTIONS]}
        for name in ("description", "intensities"):
            if name not in row:
                hint = nearest(name, row)
                raise ValueError(f"expected {name!r} in reference {number}, got {listed(row)}{hint}")
        for name, values in columns.items():
            values.append(row.get(name))
    return columns


def open_references(name: str, config: str | None = None, split: str = "test") -> References:
    """Read the references of a dataset by its name, with the space of their blendshapes where the dataset says it.

    Args:
        name: a folder of the published release, a `.csv` or `.jsonl` file as for `read_references_file`, or what
            `emo3d.dataset.open_rows` takes: `"sample"`, a folder, a `.parquet` file, an id on the Hub.
        config: of several that the dataset has; a release has none.
        split: of several, likewise.

    Raises:
        ValueError: no such config or split, or what `read_references` refuses.
        FileNotFoundError: no such dataset.
    """
    from emo3d.dataset import as_pairs, is_release, open_rows, read_release
    from emo3d.scoring.files import read_references_file

    if is_release(name):
        return read_references(list(as_pairs(read_release(name))), "reading")
    if Path(name).suffix.lower() in (".csv", ".jsonl"):
        return read_references_file(name)
    rows, space = open_rows(name, config, split)
    if "description" not in rows.column_names:
        return read_references({name: [] for name in rows.column_names})  # whose error names what is there
    wanted = (*KEYS, "intensities", "blendshapes", *EMOTIONS, *BLENDSHAPES)
    return read_references(rows.select_columns([name for name in rows.column_names if name in wanted]), space)


def _expressions(column: Sequence[Any]) -> np.ndarray | None:
    missing = [row for row, expression in enumerate(column) if expression is None]
    if len(missing) == len(column):
        return None
    if missing:
        raise ValueError(f"expected blendshapes in every reference or in none, reference {missing[0]} has none")
    return as_expressions(column)


def space_of(option: Space | None, predictions: Space | None, references: References) -> Space:
    """Decide the space of predictions: as they say, else as the user says, else as the references, else weights.

    Args:
        option: what the user says.
        predictions: what their file says.
        references: who may say the space of their own expressions.

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
