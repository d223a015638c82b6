"""Which rows go into which file, and how rows of the release become rows of a config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from emo3d.dataset.archives import MAX_PIXELS, Archives
from emo3d.dataset.tables import ReleaseRow, Table, TableRow, count_rows
from emo3d.dataset.tally import Problem, Tally


@dataclass(frozen=True)
class Shard:
    """One Parquet file to write; subclass it with what `rows` needs. Workers receive it pickled."""

    config: str
    split: str
    index: int  # of this file among those of its split
    count: int  # files of the split
    space: str  # of the blendshapes

    @property
    def path(self) -> str:
        """Relative to the output folder, in the Hub's naming."""
        return f"data/{self.config}/{self.split}-{self.index:05}-of-{self.count:05}.parquet"

    @property
    def schema(self) -> str:
        """A key of `emo3d_lab.building.schema.FEATURES`."""
        return self.config

    @property
    def about(self) -> dict[str, str]:
        """What the file says of itself."""
        return {"space": self.space}

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """Yield the rows, always the same ones in the same order; what is left out goes into `tally`."""
        raise NotImplementedError


@dataclass(frozen=True)
class ReleaseShard(Shard):
    """Rows of one table, or of a part of it."""

    table: str  # path of the CSV file
    columns: Mapping[str, str] | None  # see Table
    archives: Mapping[str, str]  # archive's name -> ZIP; empty in `pairs`
    max_pixels: int = MAX_PIXELS
    offset: int | None = None  # the byte where the rows begin
    first: int = 0  # number of the first row
    rows_read: int | None = None  # how many; None: all
    duplicates: Mapping[int, str] = field(default_factory=dict)  # number of a row -> where its sample_id was met before
    problems: tuple[Problem, ...] = ()  # of the table as a whole

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """Yield rows of the config; in `tally`, rows_in is rows + problems' counts (+ without_face, in pairs)."""
        for problem in self.problems:
            tally.count("rows_in", problem.count)
            tally.report(problem)
        if self.rows_read == 0:
            return
        with Archives(self.archives, self.max_pixels) as archives:
            for row in Table(self.table, self.columns).rows(self.offset, self.first, self.rows_read):
                yield from self._rows_of(row, archives, tally)

    def _rows_of(self, row: TableRow, archives: Archives, tally: Tally) -> Iterator[dict[str, Any]]:
        pairs = self.config == "pairs"
        per_picture = len(row.descriptions) if pairs else 1
        loss = max(len(row.names) * per_picture, 1)
        tally.count("release_rows")
        tally.count("rows_in", loss)
        if row.number in self.duplicates:
            message = f"expected each sample_id once, got one of {self.duplicates[row.number]}"
            tally.report(row.problem("duplicate sample_id", "sample_id", message, loss))
        elif problem := row.check(loss):
            tally.report(problem)
        elif not row.names:
            tally.report(row.problem("no picture", "", "expected at least one picture, got none"))
        elif not row.descriptions and self.config != "primitive":
            tally.report(row.problem("no description", "", "expected at least one description, got none", loss))
        else:
            release_row = row.read(None if pairs else archives, tally.report, count=per_picture)
            tally.count("without_distribution", not release_row.intensities.any())
            yield from _rows(release_row, pairs, tally)


def _rows(row: ReleaseRow, pairs: bool, tally: Tally) -> Iterator[dict[str, Any]]:
    intensities = row.intensities.astype(np.float32).tolist()
    columns = {"sample_id": row.sample_id, "prompt_type": row.prompt_type, "intensities": intensities}
    for picture in row.pictures:
        blendshapes = None if picture.expression is None else picture.expression.tolist()
        cells = {**columns, "variant": picture.variant, "blendshapes": blendshapes}
        if not pairs:
            tally.count("without_face", blendshapes is None)
            image = {"bytes": picture.image, "path": picture.name}
            yield {**cells, "descriptions": list(row.descriptions), "image": image}
        elif blendshapes is None:
            tally.count("without_face", len(row.descriptions))
        else:
            yield from ({**cells, "description": description} for description in row.descriptions)


def plan(blank: ReleaseShard, tables: Sequence[str], shard_size: int | None, places: dict[int, str]) -> list[Shard]:
    """Decide, from the tables and the archives' directories, which rows of a split go into which file.

    Without `shard_size` each table makes a file, unread. `places` says in which row a `sample_id` was met first.
    """
    if shard_size is None:
        parts = [replace(blank, table=path) for path in tables]
    else:
        with Archives(blank.archives) as archives:
            parts = [part for path in tables for part in _cut(blank, path, archives, shard_size, places)]
    return [replace(part, index=index, count=len(parts)) for index, part in enumerate(parts)]


def _cut(
    blank: ReleaseShard, path: str, archives: Archives, shard_size: int, places: dict[int, str]
) -> Iterator[ReleaseShard]:
    try:
        table = Table(path, blank.columns)
    except ValueError as error:  # a table without the release's columns: all of its rows are lost
        name = path.rsplit("/", 1)[-1]
        problem = Problem("column", name, None, "", str(error).removeprefix(f"{name}: "), count_rows(path))
        yield replace(blank, table=path, rows_read=0, problems=(problem,))
        return
    part = replace(blank, table=path, problems=table.problems)
    size, rows = 0, 0
    duplicates: dict[int, str] = {}
    for row in table.rows():
        if not rows:
            part = replace(part, offset=row.offset, first=row.number)
        place = f"{row.table} row {row.number}"
        with suppress(ValueError):  # a sample_id that is no number, which is a problem when the row is read
            if (first := places.setdefault(int(row.cells["sample_id"]), place)) != place:
                duplicates[row.number] = first
        if blank.archives:
            size += sum(map(archives.size, row.names.values()))
        else:  # about what texts and scores take in Parquet
            size += len(row.names) * sum(300 + len(text) for text in row.descriptions)
        rows += 1
        if size >= shard_size:
            yield replace(part, rows_read=rows, duplicates=duplicates)
            part, size, rows, duplicates = replace(part, problems=()), 0, 0, {}
    if rows:
        yield replace(part, rows_read=rows, duplicates=duplicates)


@dataclass(frozen=True)
class SampleShard(Shard):
    """A file of the embedded sample or clips, as it is."""

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """Yield the rows."""
        import pyarrow.parquet as pq

        from emo3d.dataset.opening import sample_folder

        for batch in pq.ParquetFile(sample_folder(self.config) / f"{self.split}.parquet").iter_batches(100):
            yield from batch.to_pylist()
