"""Which rows go into which file, and how rows of the release become rows of a config."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from emo3d.dataset.archives import MAX_PIXELS, Archives, open_binary
from emo3d.dataset.tables import Lines, ReleaseRow, Table, TableRow
from emo3d.dataset.tally import Problem, Tally


@dataclass(frozen=True)
class Shard:
    """One Parquet file to write; subclass it with what `rows` needs. Workers receive it pickled.

    Attributes:
        config: its name.
        split: `"train"`, `"validation"`, `"test"`.
        index: of this file among those of its split.
        count: files of the split.
        space: of the blendshapes in it.
    """

    config: str
    split: str
    index: int
    count: int
    space: str

    @property
    def path(self) -> str:
        """Relative to the output folder, in the Hub's naming."""
        return f"data/{self.config}/{self.split}-{self.index:05}-of-{self.count:05}.parquet"

    @property
    def schema(self) -> str:
        """Which columns the rows have: a key of `FEATURES`."""
        return self.config

    @property
    def about(self) -> dict[str, str]:
        """What the file says of itself."""
        return {"space": self.space}

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """Yield the rows, always the same ones in the same order; what is left out goes into `tally`."""
        raise NotImplementedError

    def complete(self, rows: list[dict[str, Any]]) -> None:
        """Add to some rows, in place, what is better computed for many at once; called before they are written."""


@dataclass(frozen=True)
class ReleaseShard(Shard):
    """Rows of one table, or of a part of it.

    Attributes:
        table: the CSV file.
        columns: see `emo3d.dataset.tables.Table`.
        archives: archive's name -> ZIP; empty where pictures are not wanted.
        max_pixels: pictures with more are left out.
        offset, first, rows_read: the byte where the rows begin, the number of the first, how many; None: all of them.
        duplicates: number of a row -> where its `sample_id` was met before.
        problems: of the table as a whole.
    """

    table: str
    columns: Mapping[str, str] | None
    archives: Mapping[str, str]
    max_pixels: int = MAX_PIXELS
    offset: int | None = None
    first: int = 0
    rows_read: int | None = None
    duplicates: Mapping[int, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """Yield rows of the config; in `tally`, rows_in is rows + problems' counts (+ without_face, in pairs)."""
        for problem in self.problems:
            tally.count("rows_in", problem.count)
            tally.report(problem)
        if self.rows_read == 0:
            return
        pairs = self.config == "pairs"
        with Archives(self.archives, self.max_pixels) as archives:
            for row in Table(self.table, self.columns).rows(self.offset, self.first, self.rows_read):
                yield from self._row(row, None if pairs else archives, tally)

    def _row(self, row: TableRow, archives: Archives | None, tally: Tally) -> Iterator[dict[str, Any]]:
        each = len(row.descriptions) if archives is None else 1
        wanted = len(row.names) * each
        tally.count("release_rows")
        tally.count("rows_in", wanted or 1)
        loss = max(wanted, 1)
        if row.number in self.duplicates:
            seen = f"expected each sample_id once, got one of {self.duplicates[row.number]}"
            tally.report(row.problem("duplicate sample_id", "sample_id", seen, loss))
        elif row.check(tally.report, loss):
            if not row.names:
                tally.report(row.problem("no picture", "", "expected at least one picture, got none"))
            elif not row.descriptions and self.config != "primitive":
                tally.report(row.problem("no description", "", "expected at least one description, got none", loss))
            else:
                read = row.read(archives, tally.report, count=each)
                tally.count("without_distribution", not read.intensities.any())
                yield from _as_pairs(read, tally) if archives is None else _as_pictures(read, tally)


def _as_pictures(row: ReleaseRow, tally: Tally) -> Iterator[dict[str, Any]]:
    for picture in row.pictures:
        tally.count("without_face", picture.expression is None)
        yield {
            **_shared(row, picture.variant),
            "descriptions": list(row.descriptions),
            "image": {"bytes": picture.image, "path": picture.name},
            "blendshapes": None if picture.expression is None else picture.expression.tolist(),
        }


def _as_pairs(row: ReleaseRow, tally: Tally) -> Iterator[dict[str, Any]]:
    for picture in row.pictures:
        if picture.expression is None:
            tally.count("without_face", len(row.descriptions))
            continue
        blendshapes = picture.expression.tolist()
        for description in row.descriptions:
            yield {
                **_shared(row, picture.variant),
                "description": description,
                "blendshapes": blendshapes,
            }


def _shared(row: ReleaseRow, variant: int) -> dict[str, Any]:
    intensities = row.intensities.astype(np.float32).tolist()
    return {
        "sample_id": row.sample_id,
        "variant": variant,
        "prompt_type": row.prompt_type,
        "intensities": intensities,
    }


def plan(blank: ReleaseShard, tables: Sequence[str], shard_size: int, seen: dict[int, str]) -> list[Shard]:
    """Decide, from the tables and the archives' directories, which rows of a split go into which file.

    Args:
        blank: what all files of the split share.
        tables: the split's CSV files.
        shard_size: bytes of a file, about.
        seen: `sample_id` -> where it was met; grows.
    """
    with Archives(blank.archives) as archives:
        sizes = archives if blank.archives else None
        parts = [part for path in tables for part in _cut(replace(blank, table=path), sizes, shard_size, seen)]
    return numbered(parts)


def numbered(parts: Sequence[ReleaseShard]) -> list[Shard]:
    """Number the files of a split."""
    return [replace(part, index=index, count=len(parts)) for index, part in enumerate(parts)]


def _cut(
    blank: ReleaseShard, archives: Archives | None, shard_size: int, seen: dict[int, str]
) -> Iterator[ReleaseShard]:
    try:
        table = Table(blank.table, blank.columns)
    except ValueError as error:
        yield replace(blank, rows_read=0, problems=(_unreadable(blank.table, error),))
        return
    start: TableRow | None = None
    problems, size = tuple(table.problems), 0
    duplicates: dict[int, str] = {}
    for row in table.rows():
        if start is None:
            start, size, duplicates = row, 0, {}
        if place := _duplicate(row, seen):
            duplicates[row.number] = place
        size += _bytes(row, archives)
        if size >= shard_size:
            yield _part(blank, start, row, duplicates, problems)
            start, problems = None, ()
    if start is not None:
        yield _part(blank, start, row, duplicates, problems)


def _part(
    blank: ReleaseShard, start: TableRow, last: TableRow, duplicates: dict[int, str], problems: tuple[Problem, ...]
) -> ReleaseShard:
    rows = last.number + 1 - start.number
    return replace(
        blank, offset=start.offset, first=start.number, rows_read=rows, duplicates=duplicates, problems=problems
    )


def _unreadable(path: str, error: ValueError) -> Problem:
    """A table without the release's columns: all of its rows are lost."""
    name = path.rsplit("/", 1)[-1]
    rows = -1  # the header
    with open_binary(path) as file:
        reader = csv.reader(Lines(file))
        while True:
            try:
                rows += bool(next(reader))
            except StopIteration:
                break
            except csv.Error:
                rows += 1
    return Problem("column", name, None, "", str(error).removeprefix(f"{name}: "), max(rows, 0))


def _bytes(row: TableRow, archives: Archives | None) -> int:
    """About what a row takes in Parquet: its pictures, or without them its texts and scores."""
    if archives is not None:
        return sum(archives.size(name) for name in row.names.values())
    return len(row.names) * sum(300 + len(text) for text in row.descriptions)


def _duplicate(row: TableRow, seen: dict[int, str]) -> str | None:
    """Where the `sample_id` of a row was met before."""
    try:
        sample_id = int(row.cells["sample_id"])  # type: ignore[index]
    except (TypeError, ValueError):
        return None  # told when the row is read
    place = f"{row.table} row {row.number}"
    before = seen.setdefault(sample_id, place)
    return None if before == place else before


@dataclass(frozen=True)
class SampleShard(Shard):
    """A file of the embedded sample, as it is."""

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """Yield the rows."""
        import pyarrow.parquet as pq

        from emo3d.dataset.embedded import sample_folder

        for batch in pq.ParquetFile(sample_folder() / f"{self.split}.parquet").iter_batches(100):
            yield from batch.to_pylist()
