"""A CSV file of the release: its rows as they stand, where they begin, and what their cells say."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import IO, NamedTuple

import numpy as np

from emo3d.blendshapes import MEDIAPIPE_BLENDSHAPES, as_expressions, parse_scores
from emo3d.containers import check_commas, parse_csv
from emo3d.dataset.archives import Archives, PictureError, open_binary
from emo3d.dataset.tally import Problem
from emo3d.emotions import EMOTIONS

VARIANTS = (1, 2, 3, 4)  # numbers of a row's pictures
_TEXTS = tuple(f"text_{n}" for n in (1, 2, 3))
_IMAGES = tuple(f"img_{n}" for n in VARIANTS)
_SCORES = tuple(f"blenshape_score_{n}" for n in VARIANTS)  # the release's spelling
COLUMNS = ("sample_id", "prompt_type", *_TEXTS, *EMOTIONS, *_IMAGES, *_SCORES)  # of the release's CSV files
_HEADER_BYTES = 1 << 16


class ReleasePicture(NamedTuple):
    """A picture of a row."""

    variant: int  # 1 to 4
    name: str  # path in the release
    image: bytes | None  # the file; None without its archive
    expression: np.ndarray | None  # (51,) float32 readings, order BLENDSHAPES; None: no face


@dataclass(frozen=True)
class ReleaseRow:
    """One row of the release: one to three descriptions of what one to four pictures show."""

    sample_id: int
    prompt_type: str  # "prompt1", "prompt2", ...
    descriptions: tuple[str, ...]  # none is empty
    intensities: np.ndarray  # (8,) float64 in 0..1, order EMOTIONS; they need not sum to one and may all be 0
    pictures: tuple[ReleasePicture, ...]


class Table:
    """A CSV file of the release, local or at an address that `fsspec` knows.

    Args:
        columns: the file's name of a column -> the release's, for tables that call it otherwise; those that are missing
            then are empty.

    Raises:
        ValueError: a column of the release is missing, without such a mapping; or no CSV in UTF-8 with commas.
    """

    def __init__(self, path: str, columns: Mapping[str, str] | None = None) -> None:
        self.path, self.name = path, path.rsplit("/", 1)[-1]
        header = read_header(path)
        names = [(columns or {}).get(name, name) for name in header]
        unknown = [name for name in names if name not in COLUMNS]
        optional = [pair for pair in zip(_IMAGES[1:], _SCORES[1:], strict=True) if not set(pair) & set(names)]
        missing = [name for name in COLUMNS if name not in names and not any(name in pair for pair in optional)]
        if (missing and columns is None) or "sample_id" in missing or len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(
                f"{self.name}: expected the columns of the release; missing {missing}, unknown {unknown}, twice {twice}"
            )
        self.problems = tuple(  # columns that are not read
            Problem("column", self.name, None, name, "expected the columns of the release, this one is not read", 0)
            for name in unknown
        )
        self._width = len(header)
        self._places = {name: names.index(name) for name in COLUMNS if name in names}

    def rows(self, offset: int | None = None, first: int = 0, count: int | None = None) -> Iterator[TableRow]:
        """Yield `count` rows as they stand, beginning with row `first`, which begins at byte `offset` of the file."""
        with open_binary(self.path) as file:
            file.seek(offset or 0)
            rows = parse_csv(_lines(file))
            if offset is None:
                next(rows, None)
            start = file.tell()
            for number, cells in enumerate(islice(rows, count), first):
                row = TableRow(self.name, number, start, dict.fromkeys(COLUMNS, ""))
                if isinstance(cells, csv.Error) or len(cells) != self._width:
                    error = cells if isinstance(cells, csv.Error) else len(cells)
                    yield row._replace(error=f"expected {self._width} cells, got {error}")
                else:
                    row.cells.update((name, cells[place].strip()) for name, place in self._places.items())
                    yield row
                start = file.tell()


def read_header(path: str) -> list[str]:
    """Read the names of a table's columns; anything but a CSV in UTF-8 with commas and line feeds is a ValueError."""
    name = path.rsplit("/", 1)[-1]
    with open_binary(path) as file:
        start = file.read(_HEADER_BYTES)
        if not (encoding := json.detect_encoding(start)).startswith("utf-8"):
            raise ValueError(f"{name}: expected a CSV in UTF-8, got {encoding[:6].upper()}; save it as UTF-8")
        line, ending, _ = start.partition(b"\n")
        if b"\r" in line.rstrip(b"\r"):
            raise ValueError(f"{name}: expected lines that end in a line feed, got carriage returns; save it anew")
        if not ending and len(start) == _HEADER_BYTES:
            raise ValueError(f"{name}: expected a CSV, got no line end in {_HEADER_BYTES >> 10} kB")
        file.seek(0)
        header = next(parse_csv(_lines(file)), [])
    if isinstance(header, csv.Error):
        raise ValueError(f"{name}: expected a CSV: {header}")
    check_commas(header, name)
    return header


def count_rows(path: str) -> int:
    """Lines below the first, whatever is in them."""
    with open_binary(path) as file:
        return sum(1 for _ in islice(parse_csv(_lines(file)), 1, None))


class TableRow(NamedTuple):
    """A row before its cells are read."""

    table: str  # name of the file
    number: int  # from 0
    offset: int  # the byte where it begins
    cells: dict[str, str]  # all of COLUMNS; empty ones where the row is broken
    error: str = ""  # why it is broken

    @property
    def descriptions(self) -> list[str]:
        """Those that are not empty."""
        return [self.cells[name] for name in _TEXTS if self.cells[name]]

    @property
    def names(self) -> dict[int, str]:
        """Variant -> path of the picture in the release, `""` where only scores are there."""
        pairs = ((n, self.value(f"img_{n}"), self.value(f"blenshape_score_{n}")) for n in VARIANTS)
        return {n: image for n, image, scores in pairs if image or scores}

    def value(self, column: str) -> str:
        """A cell, `""` for what stands for nothing."""
        return "" if self.cells[column] in ("nan", "None") else self.cells[column]

    def problem(self, kind: str, column: str, message: str, count: int = 1) -> Problem:
        """A problem of this row."""
        return Problem(kind, self.table, self.number, column, message, count)

    def check(self, count: int = 1) -> Problem | None:
        """Why the row as a whole cannot be read, as a loss of `count` rows."""
        if self.error:
            return self.problem("row", "", self.error, count)
        column, expected, kind = "sample_id", "a whole number", "sample_id"
        try:
            number = int(self.cells[column])
            expected = "a whole number of 64 bits"
            if not -(2**63) <= number < 2**63:
                raise ValueError
            expected, kind = "an intensity in 0..1", "intensity"
            for column in EMOTIONS:
                if not 0.0 <= float(self.cells[column]) <= 1.0:  # false for NaN too
                    raise ValueError
            for column in ("prompt_type", *_TEXTS):
                self.cells[column].encode("utf-8")
        except UnicodeEncodeError:
            return self.problem("text", column, "expected UTF-8, got other bytes", count)
        except ValueError:
            return self.problem(kind, column, f"expected {expected}, got {self.cells[column]!r:.80}", count)
        return None

    def read(
        self, archives: Archives | None, report: Callable[[Problem], None], *, absent: bool = False, count: int = 1
    ) -> ReleaseRow:
        """Read a row that passed `check`; without archives, no picture is read.

        Each picture that is left out is reported as a loss of `count` rows, but for those whose archive is `absent`.
        """
        pictures = []
        for variant, name in self.names.items():
            column, image = f"blenshape_score_{variant}", None
            try:
                expression = _expression(self.value(column))
                column = f"img_{variant}"
                if archives and (name in archives or not absent):
                    image = archives.read(name)
            except PictureError as error:
                report(self.problem(error.kind, column, str(error), count))
            except ValueError as error:
                report(self.problem("scores", column, f"expected 52 printed scores: {error}", count))
            else:
                pictures.append(ReleasePicture(variant, name, image, expression))
        return ReleaseRow(
            sample_id=int(self.cells["sample_id"]),
            prompt_type=self.cells["prompt_type"],
            descriptions=tuple(self.descriptions),
            intensities=np.array([float(self.cells[emotion]) for emotion in EMOTIONS]),
            pictures=tuple(pictures),
        )


def _lines(file: IO[bytes]) -> Iterator[str]:
    """Lines of a file as text; bytes that are not UTF-8 come as surrogates."""
    encoding = "utf-8" if file.tell() else "utf-8-sig"
    for line in iter(file.readline, b""):
        yield line.decode(encoding, "surrogateescape")
        encoding = "utf-8"


def _expression(text: str) -> np.ndarray | None:
    if not text:
        return None
    scores = parse_scores(text)
    if scores.shape == (len(MEDIAPIPE_BLENDSHAPES),) and scores.min() >= 0.0 and scores.max() <= 1.0 and not scores[0]:
        return scores[1:]
    return as_expressions([text], layout="mediapipe")[0]  # says what is wrong
