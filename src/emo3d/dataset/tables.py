"""A CSV file of the release: its rows as they stand, where they begin, and what their cells say."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from emo3d.blendshapes import MEDIAPIPE_BLENDSHAPES, as_expressions, parse_scores
from emo3d.dataset.archives import Archives, PictureError, open_binary
from emo3d.dataset.tally import Problem
from emo3d.emotions import EMOTIONS

VARIANTS = (1, 2, 3, 4)
"""Numbers of a row's pictures."""

_TEXTS = tuple(f"text_{n}" for n in (1, 2, 3))
_IMAGES = tuple(f"img_{n}" for n in VARIANTS)
_SCORES = tuple(f"blenshape_score_{n}" for n in VARIANTS)  # the release's spelling
COLUMNS = ("sample_id", "prompt_type", *_TEXTS, *EMOTIONS, *_IMAGES, *_SCORES)
"""Columns of the release's CSV files."""

OPTIONAL = (*_IMAGES[1:], *_SCORES[1:])
"""Those that a release may lack, each picture's with its scores'."""

_NULL = ("", "nan", "None")
_EXPECTED = "an intensity in 0..1"
_HEADER_BYTES = 1 << 16


class ReleasePicture(NamedTuple):
    """A picture of a row: its path in the release, its file (None without the archive), its expression (None: no face).

    The expression is (51,) float32 in the order of `BLENDSHAPES`, in the space `"reading"`; `variant` is 1 to 4.
    """

    variant: int
    name: str
    image: bytes | None
    expression: np.ndarray | None


@dataclass(frozen=True)
class ReleaseRow:
    """One row of the release: one to three descriptions of what one to four pictures show.

    Attributes:
        sample_id: as published.
        prompt_type: `"prompt1"`, `"prompt2"`, ...
        descriptions: those that are not empty.
        intensities: (8,) float64 in 0..1, order `EMOTIONS`; they need not sum to one and may all be 0.
        pictures: those that the row names.
    """

    sample_id: int
    prompt_type: str
    descriptions: tuple[str, ...]
    intensities: np.ndarray
    pictures: tuple[ReleasePicture, ...]


class Table:
    """A CSV file of the release.

    Args:
        path: local, or an address that `fsspec` knows.
        columns: the file's name of a column -> the release's, for tables that call it otherwise; the release's columns
            that neither the file nor this mapping has are empty.

    Attributes:
        name: of the file.
        problems: columns that are not the release's, which are not read.

    Raises:
        ValueError: a column of the release is missing, and no mapping was given; or no CSV in UTF-8 with commas.
    """

    def __init__(self, path: str, columns: Mapping[str, str] | None = None) -> None:
        self.path, self.name = path, path.rsplit("/", 1)[-1]
        header = read_header(path)
        names = [(columns or {}).get(name, name) for name in header]
        unknown = [name for name in names if name not in COLUMNS]
        lacking = [name for name in COLUMNS if name not in names]
        pairs = dict([*zip(_IMAGES, _SCORES, strict=True), *zip(_SCORES, _IMAGES, strict=True)])
        missing = [name for name in lacking if name not in OPTIONAL or pairs[name] not in lacking]
        if (missing and columns is None) or "sample_id" in missing or len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(
                f"{self.name}: expected the columns of the release; missing {missing}, unknown {unknown}, twice {twice}"
            )
        self.problems = [
            Problem("column", self.name, None, name, "expected the columns of the release, this one is not read", 0)
            for name in unknown
        ]
        self._width = len(header)
        self._places = {name: names.index(name) for name in COLUMNS if name in names}

    def rows(self, offset: int | None = None, first: int = 0, count: int | None = None) -> Iterator[TableRow]:
        """Yield `count` rows as they stand, beginning with row `first`, which begins at byte `offset` of the file."""
        with open_binary(self.path) as file:
            lines = Lines(file, offset or 0)
            reader = csv.reader(lines)
            if offset is None:
                next(reader, None)
            number = first
            while count is None or number < first + count:
                start = lines.offset
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    cells = [f"\x00{error}"]
                if cells:  # not an empty line
                    yield TableRow(self.name, number, start, self._cells(cells))
                    number += 1

    def _cells(self, cells: Sequence[str]) -> dict[str, str] | str:
        if len(cells) != self._width:
            error = cells[0][1:] if len(cells) == 1 and cells[0][:1] == "\x00" else ""
            return f"expected {self._width} cells, got {error or len(cells)}"
        named = dict.fromkeys(COLUMNS, "")
        for name, place in self._places.items():
            named[name] = cells[place].strip()
        return named


def read_header(path: str) -> list[str]:
    """Read the names of a table's columns.

    Raises:
        ValueError: no CSV in UTF-8 with commas and line feeds; the message says what it is as far as it shows.
    """
    name = path.rsplit("/", 1)[-1]
    with open_binary(path) as file:
        start = file.read(_HEADER_BYTES)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ValueError(f"{name}: expected a CSV in UTF-8, got UTF-16; save it as UTF-8")
        line, ending, _ = start.partition(b"\n")
        if b"\r" in line.rstrip(b"\r"):
            raise ValueError(f"{name}: expected lines that end in a line feed, got carriage returns; save it anew")
        if not ending and len(start) == _HEADER_BYTES:
            raise ValueError(f"{name}: expected a CSV, got no line end in {_HEADER_BYTES >> 10} kB")
        try:
            header = next(csv.reader(Lines(file)), [])
        except csv.Error as error:
            raise ValueError(f"{name}: expected a CSV: {error}") from None
    if len(header) == 1 and (other := next((mark for mark in ";\t|" if mark in header[0]), "")):
        raise ValueError(f"{name}: expected commas between cells, got {other!r}")
    return header


class TableRow(NamedTuple):
    """A row before its cells are read: file, number (from 0), byte where it begins, cells (or what is wrong)."""

    table: str
    number: int
    offset: int
    cells: dict[str, str] | str

    @property
    def descriptions(self) -> list[str]:
        """Those that are not empty."""
        return [] if isinstance(self.cells, str) else [self.cells[name] for name in _TEXTS if self.cells[name]]

    @property
    def names(self) -> dict[int, str]:
        """Variant -> path of the picture in the release, `""` where only scores are there."""
        if isinstance(self.cells, str):
            return {}
        pairs = zip(VARIANTS, _IMAGES, _SCORES, strict=True)
        cells = self.cells
        return {n: _value(cells[image]) for n, image, scores in pairs if _value(cells[image]) or _value(cells[scores])}

    def problem(self, kind: str, column: str, message: str, count: int = 1) -> Problem:
        """A problem of this row."""
        return Problem(kind, self.table, self.number, column, message, count)

    def check(self, on_problem: Callable[[Problem], None], count: int = 1) -> bool:
        """Whether the row as a whole can be read; tell `on_problem` when not (as a loss of `count`)."""
        if isinstance(self.cells, str):
            on_problem(self.problem("row", "", self.cells, count))
            return False
        column, expected, kind = "sample_id", "a whole number", "sample_id"
        try:
            number = int(self.cells[column])
            expected = "a whole number of 64 bits"
            if not -(2**63) <= number < 2**63:
                raise ValueError
            expected, kind = _EXPECTED, "intensity"
            for column in EMOTIONS:
                _intensity(self.cells[column])
            for column in ("prompt_type", *_TEXTS):
                self.cells[column].encode("utf-8")
        except UnicodeEncodeError:
            on_problem(self.problem("text", column, "expected UTF-8, got other bytes", count))
            return False
        except ValueError:
            on_problem(self.problem(kind, column, f"expected {expected}, got {self.cells[column]!r:.80}", count))
            return False
        return True

    def read(
        self,
        archives: Archives | None,
        on_problem: Callable[[Problem], None],
        *,
        absent: bool = False,
        count: int = 1,
    ) -> ReleaseRow:
        """Read a row that passed `check`.

        Args:
            archives: where pictures are; None leaves them unread.
            on_problem: is told of each picture that is left out (as a loss of `count`).
            absent: pictures whose archive is not there are None rather than a problem.
            count: see `on_problem`.
        """
        assert not isinstance(self.cells, str)
        cells = self.cells
        pictures = []
        for variant, name in self.names.items():
            column = f"blenshape_score_{variant}"
            try:
                expression = _expression(_value(cells[column]))
                column = f"img_{variant}"
                image = None
                if archives and not (absent and name not in archives):
                    image = archives.read(name)
            except PictureError as error:
                on_problem(self.problem(error.kind, column, str(error), count))
            except ValueError as error:
                on_problem(self.problem("scores", column, f"expected 52 printed scores: {error}", count))
            else:
                pictures.append(ReleasePicture(variant, name, image, expression))
        return ReleaseRow(
            sample_id=int(cells["sample_id"]),
            prompt_type=cells["prompt_type"],
            descriptions=tuple(self.descriptions),
            intensities=np.array([float(cells[emotion]) for emotion in EMOTIONS]),
            pictures=tuple(pictures),
        )


class Lines:
    """Lines of a file as text, and the byte after the last one taken; bytes that are not UTF-8 come as surrogates."""

    def __init__(self, file: Any, offset: int = 0) -> None:
        self._file, self.offset = file, offset
        file.seek(offset)

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline()
        if not line:
            raise StopIteration
        encoding = "utf-8-sig" if self.offset == 0 else "utf-8"
        self.offset += len(line)
        return line.decode(encoding, "surrogateescape")


def _value(cell: str) -> str:
    return "" if cell in _NULL else cell


def _intensity(cell: str) -> None:
    if not 0.0 <= float(cell) <= 1.0:  # false for NaN too
        raise ValueError(_EXPECTED)


def _expression(printed: str) -> np.ndarray | None:
    if not printed:
        return None
    scores = parse_scores(printed)
    if scores.shape == (len(MEDIAPIPE_BLENDSHAPES),) and scores.min() >= 0.0 and scores.max() <= 1.0 and not scores[0]:
        return scores[1:]
    return as_expressions([printed], layout="mediapipe")[0]  # says what is wrong
