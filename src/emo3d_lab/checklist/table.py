"""The pairs as the config `checklist` of the dataset."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from emo3d.dataset.plan import Shard
from emo3d.dataset.tally import Tally
from emo3d.files import whole_file
from emo3d_lab.checklist.pairs import Pair, read_checklist


def write_checklist(path: str | os.PathLike[str], pairs: Iterable[Pair]) -> None:
    """Write pairs as a Parquet file of strings, `second` empty where a check looks at the first alone.

    The same pairs give the same bytes on the same version of PyArrow.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from emo3d_lab.building.schema import parquet_schema

    table = pa.Table.from_pylist(list(_rows(pairs)), parquet_schema("checklist", {}))
    with whole_file(path) as part:
        parquet.write_table(table, part, compression="zstd")


@dataclass(frozen=True)
class ChecklistShard(Shard):
    """All pairs, as a file of a built dataset."""

    @property
    def about(self) -> dict[str, str]:
        """Nothing: there are no blendshapes in it."""
        return {}

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """Yield the rows."""
        return _rows(read_checklist())


def _rows(pairs: Iterable[Pair]) -> Iterator[dict[str, str]]:
    for pair in pairs:
        yield {**vars(pair), "check": str(pair.check)}
