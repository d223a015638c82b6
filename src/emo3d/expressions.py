"""Files of expressions: JSON, JSON lines, CSV, Parquet, NumPy arrays and what captures write, read as (N, 51)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emo3d.blendshapes import Layout, Space, as_expressions
from emo3d.captures import Capture, frame_rate, read_document, read_lines, read_row, timecode_seconds
from emo3d.containers import read_array, read_csv
from emo3d.documents import read_json, read_json_lines, read_text
from emo3d.names import Names, blendshape_columns, read_names
from emo3d.parquet import read_columns, space_in

logger = logging.getLogger(__name__)


class Expressions(NamedTuple):
    """What a file of expressions holds; `space` and `fps` where the file or its format says them."""

    scores: np.ndarray  # (N, 51) float32 in 0..1, order BLENDSHAPES
    space: Space | None
    fps: float | None  # frames per second


def read_expressions(
    path: str | os.PathLike[str], layout: Layout | None = None, **options: Any
) -> tuple[np.ndarray, Space | None]:
    """Read expressions (N, 51) and their space from a file; see `read_capture`, which also gives the frame rate."""
    capture = read_capture(path, layout, **options)
    return capture.scores, capture.space


def read_capture(
    path: str | os.PathLike[str],
    layout: Layout | None = None,
    *,
    names: str | os.PathLike[str] | Names | None = None,
    scale: float | None = None,
    clip: bool = False,
) -> Expressions:
    """Read expressions from a file, with what it says of them.

    Args:
        path: by its ending, one of
            `.json`: what `write_json` writes, a list of `{ARKit name: score}`, results of MediaPipe as Python and
            JavaScript dump them, exports of Audio2Face, BEAT;
            `.jsonl`: one `{ARKit name: score}`, or `{"blendshapes": ...}`, a line;
            `.csv`, `.parquet`: a column for each of the 51 names in any spelling (a take of Live Link Face, too), or
            one column `blendshapes` of vectors; other columns are not read;
            `.npy`: a numeric array (N, 51) or (N, 52);
            `.txt`: lines of iFacialMocap.
        layout: of bare vectors, see `as_expressions`, likewise `clip`. 51 in a file that is called after ARKit need it.
        names: a mapping of names, or where it is; see `emo3d.names.read_names`.
        scale: the score that means 1; that of the file's format when None.

    Returns:
        The expressions, in the space of weights where Live Link Face, Audio2Face, BEAT or iFacialMocap wrote them, and
        of readings where MediaPipe did.

    Raises:
        ValueError: another kind of file, a missing blendshape column, or bad scores; the message names file and row.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    if (suffix := path.suffix.lower()) not in SUFFIXES:
        raise ValueError(f"expected a file of {', '.join(SUFFIXES)}, got {path.name}")
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    names = read_names(names)
    try:
        capture = READERS[suffix](path, names)
        if layout is None and suffix in (".json", ".jsonl", ".npy"):
            ask_layout(path, capture.rows)
        scale = capture.scale if scale is None else scale
        # An expression has no tongue; a capture has one in every frame.
        scores = as_expressions(capture.rows, layout, drop=["tongueOut"], names=names, scale=scale, clip=clip)
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(path.name) else f"{path.name}: {message}") from error
    return Expressions(scores, capture.space, capture.fps)


def ask_layout(path: Path, rows: Any) -> None:
    """Bare 51 are read in this project's order, unless the file is called after ARKit; a message says so either way."""
    first: Any = rows[0] if isinstance(rows, (list, np.ndarray)) and len(rows) else ""
    row: Any = rows if isinstance(first, (int, float)) else first
    if not isinstance(row, (list, np.ndarray)) or len(row) != 51:
        return
    if "arkit" in path.stem.lower():
        raise ValueError(
            'expected layout="arkit" (--layout arkit) for the 51 bare numbers of a file named after ARKit, or '
            'layout="emo3d" if they are in MediaPipe\'s order after all'
        )
    logger.warning(
        "%s: 51 bare numbers are read in MediaPipe's order (layout emo3d); those of ARKit need layout arkit", path.name
    )


def _from_csv(path: Path, names: Names | None) -> Capture:
    lines = read_csv(path)
    header = [cell.strip() for cell in next(lines, [])]
    lower = [cell.lower() for cell in header]
    # A take of Live Link Face: ARKit's coefficients, which drive a rig.
    is_take = "timecode" in lower and "blendshapecount" in lower
    vectors = "blendshapes" in header
    columns = ["blendshapes"] if vectors else list(blendshape_columns(header, names).values())
    places = [header.index(column) for column in columns]
    rows, times = [], []
    for number, cells in enumerate(lines):
        if len(cells) != len(header):
            raise ValueError(f"expected {len(header)} cells in row {number}, got {len(cells)}")
        rows.append([cells[place] if vectors else _score(cells[place], header[place], number) for place in places])
        times.append(timecode_seconds(cells[lower.index("timecode")]) if is_take else None)
    if vectors:
        return Capture([row[0] for row in rows])
    table = _Columns(columns, np.array(rows, np.float64).reshape(-1, len(places)))
    return Capture(table, "weights" if is_take else None, frame_rate(times))


@dataclass
class _Columns:
    """A table as `as_expressions` takes it."""

    columns: list[str]
    scores: np.ndarray  # (N, 51 or more) float64

    def __getitem__(self, name: str) -> np.ndarray:
        return self.scores[:, self.columns.index(name)]


def _score(cell: str, column: str, number: int) -> float:
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"expected a number for {column} in row {number}, got {cell[:100]!r}") from None


def _from_parquet(path: Path, names: Names | None) -> Capture:
    def pick(columns: list[str]) -> list[str]:
        return ["blendshapes"] if "blendshapes" in columns else list(blendshape_columns(columns, names).values())

    table = read_columns(path, pick)
    return Capture(table_rows(table), space_in(table.schema.metadata))


def table_rows(table: Any) -> Any:
    """The vectors of a PyArrow table that has them, as an array if they are of one length; else the table itself."""
    if "blendshapes" not in table.column_names:
        return table
    from pyarrow import types

    column = table["blendshapes"].combine_chunks()
    if (types.is_list(column.type) or types.is_large_list(column.type)) and types.is_primitive(column.type.value_type):
        lengths = np.unique(column.value_lengths().to_numpy(zero_copy_only=False))
        values = column.flatten()
        if len(lengths) == 1 and lengths[0] > 0 and not values.null_count and not column.null_count:
            return values.to_numpy(zero_copy_only=False).reshape(len(column), -1)
    return list(map(read_row, column.to_pylist()))


READERS: dict[str, Callable[[Path, Names | None], Capture]] = {
    ".json": lambda path, names: read_document(read_json(path)),
    ".jsonl": lambda path, names: read_document(read_json_lines(path)),
    ".csv": _from_csv,
    ".parquet": _from_parquet,
    ".npy": lambda path, names: Capture(np.atleast_1d(read_array(path))),
    ".txt": lambda path, names: read_lines(read_text(path)),
}

SUFFIXES: tuple[str, ...] = tuple(READERS)
