"""The table beside a folder of pictures: `metadata.csv` or `metadata.jsonl`, in the ImageFolder convention."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from emo3d.containers import check_commas
from emo3d.dataset.tables import VARIANTS
from emo3d.dataset.tally import Problem
from emo3d.documents import read_text
from emo3d.emotions import EMOTIONS
from emo3d_lab.building.reports import RowError

logger = logging.getLogger(__name__)

TABLES = ("metadata.csv", "metadata.jsonl")

_TEXTS = ("text_1", "text_2", "text_3")
_COLUMNS = ("file_name", "sample_id", "variant", "prompt_type", "description", *_TEXTS, "descriptions", *EMOTIONS)
_BLANK = (None, "")


@dataclass(frozen=True)
class Annotation:
    """What is said of a picture; the defaults are what holds where nothing is.

    Attributes:
        sample_id: None for the picture's running number.
        variant: 1 to 4, which of the sample's pictures it is.
        prompt_type: where it comes from.
        descriptions: none to three.
        intensities: eight in 0..1, order `EMOTIONS`, or None.
    """

    sample_id: int | None = None
    variant: int = 1
    prompt_type: str = "extract"
    descriptions: tuple[str, ...] = ()
    intensities: tuple[float, ...] | None = None


def read_annotations(path: Path, names: Collection[str]) -> tuple[dict[str, Annotation], list[Problem]]:
    """Read the table of a folder of pictures.

    It has a row per picture: `file_name` (its path in the folder, with `/`), and any of `description`, or `text_1` to
    `text_3`, or `descriptions` (a list; in a CSV as JSON); the eight emotions, all or none; `sample_id`, `variant`,
    `prompt_type`.

    Args:
        path: of the table.
        names: of the pictures in the folder.

    Returns:
        Name -> annotation, and what is wrong: rows that cannot be read, name no picture or one that had a row before,
        pictures without a row, columns that are not used.

    Raises:
        ValueError: no UTF-8, no `file_name`, a column twice, some of the emotions only, or descriptions in two ways.
    """
    try:
        columns, rows = _read_csv(path) if path.suffix == ".csv" else _read_json_lines(path)
    except csv.Error as error:
        raise ValueError(f"{path.name}: expected a table in UTF-8: {error}") from None
    except ValueError as error:
        raise ValueError(str(error).replace("expected text in", "expected a table in")) from None
    problems = _check_columns(columns, path.name)
    pictures = set(names)
    annotations: dict[str, Annotation] = {}
    seen: set[str] = set()
    for number, cells in enumerate(rows):
        try:
            name = _file_name(cells, pictures, seen)
            seen.add(name)
            annotations[name] = _annotation({column: cells.get(column) for column in columns})
        except RowError as error:
            problems.append(Problem(error.kind, path.name, number, error.column, str(error)))
    for name in names:
        if name not in seen:
            message = f"expected a row for it in {path.name}, found none"
            problems.append(Problem("unnamed picture", name, None, "", message))
    return annotations, problems


def _read_csv(path: Path) -> tuple[list[str], list[Any]]:
    """Columns, and rows as dicts; as a sentence where the number of cells is wrong."""
    lines = io.StringIO(read_text(path), newline="")  # carriage returns end lines, too
    header, *rows = [cells for cells in csv.reader(lines) if cells] or [[]]
    check_commas(header, path.name)
    return header, [
        dict(zip(header, cells, strict=True))
        if len(cells) == len(header)
        else f"expected {len(header)} cells, got {len(cells)}"
        for cells in rows
    ]


def _read_json_lines(path: Path) -> tuple[list[str], list[Any]]:
    """Columns (those of any row), and rows as dicts; as a sentence where the line is no JSON object."""
    rows: list[Any] = []
    for line in read_text(path).split("\n"):
        if line.strip():
            try:
                row = json.loads(line)  # what no cell may hold (NaN, half a character) costs its row only
            except (ValueError, RecursionError):
                row = None
            rows.append(row if isinstance(row, dict) else f"expected a JSON object, got {line.strip()[:40]!r}")
    return list(dict.fromkeys(column for row in rows if isinstance(row, dict) for column in row)), rows


def _check_columns(columns: Sequence[str], table: str) -> list[Problem]:
    """Refuse a table that cannot be understood; return a problem, without loss, for each column that is not used."""
    if "file_name" not in columns or len(set(columns)) < len(columns):
        twice = [name for name, count in Counter(columns).items() if count > 1]
        raise ValueError(
            f"{table}: expected a column file_name and none twice, got {', '.join(columns)}; twice {twice}"
        )
    missing = [name for name in EMOTIONS if name not in columns]
    if 0 < len(missing) < len(EMOTIONS):
        raise ValueError(f"{table}: expected all of the eight emotions or none, got no {', '.join(missing)}")
    ways = [way for way in (("description",), _TEXTS, ("descriptions",)) if set(way) & set(columns)]
    if len(ways) > 1:
        pair = " and ".join(way[0] for way in ways)
        raise ValueError(f"{table}: expected one of description, text_1 to text_3 and descriptions, got {pair}")
    extras = [name for name in columns if name not in _COLUMNS]
    if extras:
        logger.warning("%s: columns that are not used: %s", table, ", ".join(extras))
    return [Problem("column", table, None, name, f"expected {', '.join(_COLUMNS)}; not used", 0) for name in extras]


def _file_name(cells: Any, pictures: Collection[str], seen: Collection[str]) -> str:
    if isinstance(cells, str):
        raise RowError("row", "", cells)
    name = str(PurePosixPath(_text(cells, "file_name")))
    if name not in pictures:  # a name is looked up among those found; it never becomes a path
        raise RowError("missing picture", "file_name", f"expected a picture in the folder, found no {name!r}")
    if name in seen:
        raise RowError("repeated picture", "file_name", f"expected one row per picture, {name!r} had one before")
    return name


def _annotation(cells: Mapping[str, Any]) -> Annotation:
    variant = Annotation.variant if cells.get("variant") in _BLANK else _whole(cells, "variant")
    if variant not in VARIANTS:
        raise _mismatch("variant", "1 to 4", variant)
    return Annotation(
        sample_id=_whole(cells, "sample_id") if "sample_id" in cells else None,
        variant=variant,
        prompt_type=_text(cells, "prompt_type") or Annotation.prompt_type,
        descriptions=_descriptions(cells),
        intensities=_intensities(cells),
    )


def _mismatch(column: str, expected: str, value: Any) -> RowError:
    kind = "intensity" if column in EMOTIONS else "sample_id" if column in ("sample_id", "variant") else "text"
    return RowError(kind, column, f"expected {expected}, got {value!r}")


def _whole(cells: Mapping[str, Any], column: str) -> int:
    value = cells[column]
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if not isinstance(number, int) or isinstance(number, bool) or abs(number) >= 2**63:
        raise _mismatch(column, "a whole number", value)
    return number


def _text(cells: Mapping[str, Any], column: str) -> str:
    value = cells.get(column)
    if value is None:
        return ""
    try:
        value.encode("utf-8")
    except (AttributeError, UnicodeEncodeError):
        raise _mismatch(column, "a text", value) from None
    return str(value).strip()


def _descriptions(cells: Mapping[str, Any]) -> tuple[str, ...]:
    texts = [_text(cells, column) for column in ("description", *_TEXTS)]
    value = cells.get("descriptions")
    if value not in _BLANK:
        try:
            items = json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            items = None
        if not isinstance(items, list) or len(items) > 3:
            raise _mismatch("descriptions", "a list of at most three texts", value)
        texts += [_text({"descriptions": item}, "descriptions") for item in items]
    return tuple(text for text in texts if text)


def _intensities(cells: Mapping[str, Any]) -> tuple[float, ...] | None:
    if all(cells.get(emotion) in _BLANK for emotion in EMOTIONS):
        return None
    values = []
    for emotion in EMOTIONS:
        try:
            value = float("nan" if isinstance(cells[emotion], bool) else cells[emotion])
        except (TypeError, ValueError, OverflowError):
            value = float("nan")
        if not 0.0 <= value <= 1.0:  # false for NaN too
            raise _mismatch(emotion, "an intensity in 0..1", cells[emotion])
        values.append(value)
    return tuple(values)
