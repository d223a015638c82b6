"""Rows of Parquet files wherever fsspec reaches, a part of them at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
from fsspec.core import url_to_fs
from pyarrow import parquet

from emo3d.blendshapes import Layout, Space, as_expressions, check_space
from emo3d.expressions import table_rows
from emo3d.names import blendshape_columns
from emo3d.parquet import check_size
from emo3d.scoring.joining import KEYS
from emo3d.scoring.references import References, read_references


@dataclass(frozen=True)
class ParquetRows:
    """The rows of Parquet files, one file after the other.

    Attributes:
        name: of the files, as in the call.
        files: URLs, sorted.
        counts: rows of each file.
        columns: of every file.
        space: of their blendshapes, if known.
        version: of each file, a string that changes when the file does.
    """

    name: str
    files: tuple[str, ...]
    counts: tuple[int, ...]
    columns: tuple[str, ...]
    space: Space | None
    version: tuple[str, ...]

    @classmethod
    def open(cls, name: str | os.PathLike[str]) -> ParquetRows:
        """Find files and read their metadata.

        Args:
            name: a file, a folder (the files in it, but not in folders below) or a pattern with `*`, on this machine or
                as a URL that fsspec knows, for example `hf://datasets/me/mine/data/test-*.parquet`.

        Raises:
            FileNotFoundError: no such file.
            OSError: an unknown file system, or one that cannot be reached.
            ValueError: a file that is no Parquet, files that differ in columns or space.
        """
        name = str(name)
        try:
            system, path = url_to_fs(name)
            paths = sorted(system.glob(f"{path}/*.parquet") if system.isdir(path) else system.glob(path))
        except Exception as error:  # whatever the clients of a hundred file systems raise
            raise OSError(f"expected files that can be opened, got {name}: {error}") from error
        if not paths:
            raise FileNotFoundError(f"expected Parquet files at {name}, found none")
        counts, schemas = [], set()
        files = tuple(map(system.unstrip_protocol, paths))
        for file in files:
            with _parquet(file) as table:
                space = (table.schema_arrow.metadata or {}).get(b"space")
                schemas.add((tuple(table.schema_arrow.names), space and check_space(space.decode())))
                counts.append(table.metadata.num_rows)
        if len(schemas) > 1:
            raise ValueError(f"expected Parquet files of the same columns and space at {name}, they differ")
        ((columns, space),) = schemas
        return cls(name, files, tuple(counts), columns, space, tuple(f"{system.checksum(path):x}" for path in paths))

    def __len__(self) -> int:
        return sum(self.counts)

    def __str__(self) -> str:
        return self.name

    def expressions(self, start: int, stop: int, layout: Layout | None = None) -> np.ndarray:
        """Expressions (N, 51) float32 of a range of rows; see `read_expressions`."""
        names = [name for name in self.columns if name == "blendshapes"]
        names = names or list(blendshape_columns(self.columns).values())
        return as_expressions(table_rows(self.read(start, stop, names)), layout, drop=["tongueOut"])

    def references(self, start: int, stop: int, *, expressions: bool = True) -> References:
        """References of a range of rows, see `read_references`; with expressions or without."""
        names = ("sample_id", "description", "intensities", *(["blendshapes"] if expressions else []))
        table = self.read(start, stop, [name for name in self.columns if name in names])
        return read_references({name: table[name].to_pylist() for name in table.column_names}, self.space)

    def keys(self) -> dict[str, list[Any]]:
        """The columns that identify rows, see `emo3d.scoring.joining`."""
        names = [name for name in self.columns if name in KEYS]
        table = self.read(0, len(self), names) if names and len(self) else None
        return {} if table is None else {name: table[name].to_pylist() for name in names}

    def without_expressions(self) -> ParquetRows:
        """The same files without `blendshapes`."""
        return replace(self, columns=tuple(name for name in self.columns if name != "blendshapes"))

    def read(self, start: int, stop: int, columns: list[str]) -> pa.Table:
        """Read a range of rows, from no more row groups than hold them."""
        parts, first = [], 0
        for file, count in zip(self.files, self.counts, strict=True):
            begin, end = max(start - first, 0), min(stop - first, count)
            if begin < end:
                parts.append(_read(file, begin, end, columns))
            first += count
        return pa.concat_tables(parts)


def _read(file: str, begin: int, end: int, columns: list[str]) -> pa.Table:
    with _parquet(file) as table:
        edges = np.cumsum([0, *(table.metadata.row_group(i).num_rows for i in range(table.num_row_groups))])
        groups = [i for i in range(table.num_row_groups) if edges[i] < end and edges[i + 1] > begin]
        check_size(table, columns, groups)
        rows = table.read_row_groups(groups, columns)
        rows.validate(full=True)  # texts that are no UTF-8
        return rows.slice(begin - int(edges[groups[0]]), end - begin)


@contextmanager
def _parquet(file: str) -> Iterator[parquet.ParquetFile]:
    with fsspec.open(file, "rb") as data:
        try:
            yield parquet.ParquetFile(data)
        except (pa.ArrowException, OverflowError, UnicodeDecodeError) as error:  # in opening, or in reading
            reason = str(error).strip().partition("\n")[0][:200]
            raise ValueError(f"expected a Parquet file, got {file}: {reason}") from error
