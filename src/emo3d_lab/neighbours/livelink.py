"""Takes of Epic's Live Link Face app, alone or in the folders of Express4D: one row per frame.

A take is a CSV with `Timecode`, `BlendshapeCount` (61), Apple's 52 blendshapes and nine rotations of head and eyes. The
columns are found by name, in any spelling and order: versions of the app differ in both. The tongue and the rotations
may be missing. The coefficients are what the app sends to drive a rig, so they are weights.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from emo3d.containers import read_array, read_csv
from emo3d.dataset.plan import Shard
from emo3d.dataset.tally import Problem, Tally
from emo3d.names import Names, blendshape_columns
from emo3d_lab.building.reports import RowError
from emo3d_lab.neighbours.formats import files_of
from emo3d_lab.neighbours.rows import Rule, ScoreReader, numbers

_SHARD = 64 << 20  # bytes of takes that become one Parquet file


@dataclass(frozen=True)
class Take:
    """A recording.

    Attributes:
        path: of the `.csv`, or of the `.npy` (T, 61) that Express4D makes of it.
        name: what reports call it.
        descriptions: of what it shows; each makes a row of every frame.
        first: `sample_id` of its first frame.
        frames: how many it has.
        note: a sentence on what is odd about it in its dataset.
    """

    path: str
    name: str
    descriptions: tuple[str, ...]
    first: int = 0
    frames: int = 0
    note: str = ""


@dataclass(frozen=True)
class TakeShard(Shard):
    """Takes to import as one file.

    Attributes:
        takes: in the order of their frames' `sample_id`.
        kind: becomes `prompt_type`.
        intensities: of every frame.
        rule: how their scores are read.
    """

    takes: tuple[Take, ...]
    kind: str
    intensities: tuple[float, ...]
    rule: Rule

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """See `Shard.rows`: one row per frame and description."""
        for take in self.takes:
            tally.count("rows_in", take.frames * max(1, len(take.descriptions)))
            if take.note:
                tally.report(Problem("note", take.name, None, "", take.note, 0))
            if not take.path:
                tally.report(
                    Problem("missing take", take.name, None, "", "expected its CSV or NPY file, found none", 0)
                )
            elif not take.descriptions:
                message = "expected a description of the take, found none"
                tally.report(Problem("description", take.name, None, "", message, take.frames))
            else:
                yield from self._frames(take, tally)

    def _frames(self, take: Take, tally: Tally) -> Iterator[dict[str, Any]]:
        faults: dict[tuple[str, str], tuple[str, list[int]]] = {}
        try:
            header = read_header(take.path, self.rule.names)
        except ValueError as error:
            tally.report(Problem("take", take.name, None, "", str(error), take.frames))
            return
        reader = ScoreReader(take.name, self.rule)
        for number, cells in enumerate(read_cells(take.path)):
            try:
                scores = reader.expression(
                    _scores(cells, header), header.names, header.columns, tally, number, len(take.descriptions)
                )
            except RowError as error:
                if tally.strict:
                    tally.report(Problem(error.kind, take.name, number, error.column, str(error)))
                faults.setdefault((error.kind, error.column), (str(error), []))[1].append(number)
                continue
            if not any(self.intensities):
                tally.count("without_emotion", len(take.descriptions))
            for description in take.descriptions:
                yield {
                    "sample_id": take.first + number,
                    "variant": 1,
                    "prompt_type": self.kind,
                    "description": description,
                    "intensities": self.intensities,
                    "blendshapes": scores,
                }
        reader.close()
        for (kind, column), (message, rows) in faults.items():  # once for all the rows of a fault: takes are long
            message += f" (rows {_ranges(rows)})" if len(rows) > 1 else ""
            tally.report(Problem(kind, take.name, rows[0], column, message, len(rows) * len(take.descriptions)))


class Header(NamedTuple):
    """Where a take has what.

    Attributes:
        width: cells of a row.
        timecode: place of the timecode; None in arrays, which have none.
        places: of the blendshapes, 51 or 52 with the tongue.
        names: of these, Apple's.
        columns: of these, the take's.
    """

    width: int
    timecode: int | None
    places: tuple[int, ...]
    names: tuple[str, ...]
    columns: tuple[str, ...]


def read_header(path: str, names: Names | None = None) -> Header:
    """Find the columns of a take.

    Raises:
        ValueError: the file is no take; the message says what it lacks, without its name.
    """
    if path.lower().endswith(".npy"):
        from emo3d_lab.takes.unreal import LIVELINK_NAMES  # the one place where the order is written

        shape = read_array(path).shape
        if len(shape) != 2 or shape[1] != 61:
            raise ValueError(f"expected an array of 61 numbers a frame, got one of shape {shape}")
        return Header(61, None, tuple(range(52)), LIVELINK_NAMES, LIVELINK_NAMES)
    cells = [cell.strip() for cell in next(read_csv(path), [])]
    timecode = [place for place, cell in enumerate(cells) if cell.lower() == "timecode"]
    if len(timecode) != 1:
        raise ValueError(f"expected one column Timecode, found {len(timecode) or 'none'}")
    by_name = blendshape_columns(cells, names)
    by_name.pop("_neutral", None)
    columns = tuple(by_name.values())
    return Header(len(cells), timecode[0], tuple(map(cells.index, columns)), tuple(by_name), columns)


def is_take(path: str, names: Names | None = None) -> bool:
    """Whether a file has the columns of a take."""
    try:
        read_header(path, names)
    except ValueError:
        return False
    return True


def read_cells(path: str) -> Iterator[Sequence[Any]]:
    """Yield the cells of every frame of a take that has a header, as they stand."""
    return iter(read_array(path)) if path.lower().endswith(".npy") else islice(read_csv(path), 1, None)


def _scores(cells: Sequence[Any], header: Header) -> np.ndarray:
    if len(cells) != header.width:
        raise RowError("row", "", f"expected {header.width} cells, got {len(cells)}")
    return numbers([cells[place] for place in header.places], header.columns)


def number_takes(takes: Iterable[Take], names: Names | None = None) -> list[Take]:
    """Count the frames of takes and give each the `sample_id` of its first one, running over all of them."""
    result, first = [], 0
    for take in takes:
        frames = sum(1 for _ in read_cells(take.path)) if take.path and is_take(take.path, names) else 0
        result.append(replace(take, first=first, frames=frames))
        first += frames
    return result


class OnDisk(Protocol):
    """What has the path of a file, or an empty one."""

    @property
    def path(self) -> str:
        """Of the file."""


Recorded = TypeVar("Recorded", bound=OnDisk)


def share_out(takes: Sequence[Recorded]) -> list[tuple[Recorded, ...]]:
    """Put takes together into what becomes one Parquet file each; those that share a file count as parts of it."""
    groups: list[list[Recorded]] = []
    sharers = Counter(take.path for take in takes)
    size = float(_SHARD)
    for take in takes:
        if size >= _SHARD:
            groups.append([])
            size = 0.0
        groups[-1].append(take)
        size += Path(take.path).stat().st_size / sharers[take.path] if take.path else 0.0
    return [tuple(group) for group in groups]


def frames_csv(takes: Iterable[Take], names: Names | None = None) -> str:
    """The timecode of every frame, for which the dataset has no column: `sample_id,take,row,timecode`."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["sample_id", "take", "row", "timecode"])
    for take in takes:
        if take.path and is_take(take.path, names):
            header = read_header(take.path, names)
            for number, cells in enumerate(read_cells(take.path)):
                place = header.timecode
                timecode = cells[place] if place is not None and place < len(cells) else ""
                rows.writerow([take.first + number, take.name, number, timecode])
    return text.getvalue()


def find_takes(folder: Path, version: str | None, names: Names | None = None) -> tuple[list[str], dict[str, str]]:
    """Find the takes in a folder and the folders in it.

    The app writes a calibrated take twice, `..._raw.csv` and `..._cal.csv`, with the neutral pose
    (`..._neutral.csv`) and a log of the frames (`frame_log.csv`) beside it.

    Args:
        folder: to look in.
        version: `"raw"` or `"cal"`: which of the two to take.
        names: a mapping of names, see `emo3d.names.read_names`.

    Returns:
        Paths relative to the folder, sorted; and those of the other CSV files, with the reason why they are no takes.

    Raises:
        ValueError: no take at all; or both versions of one, and no `version`.
    """
    files = [path.relative_to(folder).as_posix() for path in files_of(folder, ".csv", deep=True)]
    stems = {name[: -len(".csv")] for name in files}
    takes: list[str] = []
    reasons: dict[str, str] = {}
    for name in files:
        stem, _, ending = name[: -len(".csv")].rpartition("_")
        if ending == "neutral" and {f"{stem}_raw", f"{stem}_cal"} & stems:
            reasons[name] = "the neutral pose of a calibrated take"
        elif ending in ("raw", "cal") and {f"{stem}_raw", f"{stem}_cal"} <= stems and version is None:
            raise ValueError(
                f"{stem} is there raw (as the phone measured it) and calibrated (the neutral pose taken off): "
                "pass --takes raw or --takes cal"
            )
        elif ending in ("raw", "cal") and {f"{stem}_raw", f"{stem}_cal"} <= stems and ending != version:
            reasons[name] = f"the other version of {stem}_{version}.csv"
        else:
            try:
                read_header(str(folder / name), names)
            except ValueError as error:
                reasons[name] = f"not a take: {error}"
            else:
                takes.append(name)
    if not takes:
        raise ValueError(f"expected takes of Live Link Face in {folder.name}, found none among {len(files)} CSV files")
    return takes, reasons


def _ranges(rows: Sequence[int]) -> str:
    """Rows in words: "0-3, 7"."""
    parts: list[list[int]] = []
    for row in rows:
        if parts and row == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], row]
        else:
            parts.append([row])
    return ", ".join("-".join(map(str, part)) for part in parts)
