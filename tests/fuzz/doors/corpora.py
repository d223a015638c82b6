"""Parquet files of a corpus: predictions and references, in parts."""

from pathlib import Path

import numpy as np


def seeds(folder: Path) -> list[dict[str, bytes]]:
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    columns = {
        "description": ["a smile", "a frown", "fear", "awe"],
        "intensities": rng.random((4, 8)).tolist(),
        "blendshapes": rng.random((4, 51)).round(3).tolist(),
        "sample_id": [1, 2, 3, 4],
    }
    table = pa.table(columns).replace_schema_metadata({"space": "reading"})
    files = []
    for options in ({}, {"compression": "none", "use_dictionary": False, "row_group_size": 3}):
        parquet.write_table(table, folder / "x.parquet", **options)
        parquet.write_table(table.select(["blendshapes", "sample_id"]), folder / "y.parquet", **options)
        files.append(
            {f"{new}.parquet": (folder / old).read_bytes() for new, old in (("r", "x.parquet"), ("p", "y.parquet"))}
        )
    return files


def enter(folder: Path) -> None:
    from emo3d.scoring.joining import order_of
    from emo3d_lab.corpus.rows import ParquetRows

    rows, described = (ParquetRows.open(folder / name) for name in ("p.parquet", "r.parquet"))
    for start in range(0, len(rows), 3):
        rows.expressions(start, min(start + 3, len(rows)))
    references = described.references(0, len(described))
    order_of(len(rows), rows.keys(), references.keys, "sample_id")
