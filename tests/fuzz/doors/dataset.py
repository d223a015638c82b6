"""A folder of Parquet files: opened and inspected."""

import io
import os
import shutil
from pathlib import Path


def seeds(folder: Path) -> list[dict[str, bytes]]:
    import pyarrow as pa
    from pyarrow import parquet

    from emo3d_lab.building.schema import parquet_schema

    row = {
        "sample_id": 1, "variant": 1, "prompt_type": "p", "description": "A sad man.", "intensities": [0.5] * 8,
        "blendshapes": [0.1] * 51,
    }  # fmt: skip
    table = pa.Table.from_pylist([row, row | {"sample_id": 2}], schema=parquet_schema("pairs", {"space": "reading"}))
    files = []
    for compression in ("none", "zstd"):
        buffer = io.BytesIO()
        parquet.write_table(table, buffer, compression=compression)
        files.append(buffer.getvalue())
    names = [f"data/pairs/{split}-00000-of-00001.parquet" for split in ("train", "test")]
    return [dict(zip(names, files, strict=True)), {names[1]: files[0], "data/pairs/validation.parquet": files[1]}]


def enter(folder: Path) -> None:
    import datasets
    from datasets import config

    from emo3d.dataset import open_rows
    from emo3d_lab.inspect import inspect_dataset

    datasets.disable_progress_bars()
    config.HF_DATASETS_CACHE = str(folder.parent / "cache")  # emptied, so that each example is read anew
    shutil.rmtree(config.HF_DATASETS_CACHE, ignore_errors=True)
    os.environ["HF_HUB_OFFLINE"] = "1"
    refused = []
    for use in (_open(open_rows), inspect_dataset):
        try:
            use(str(folder))
        except (ValueError, OSError) as error:
            refused.append(error)
    for error in refused:
        if len(str(error)) < 10 or isinstance(error, UnicodeError):
            raise error
    if refused:
        raise refused[0]


def _open(open_rows):
    def opened(folder):
        rows, _ = open_rows(folder, None, "test")
        for name in ("description", "intensities", "blendshapes"):
            if name in rows.column_names:
                list(rows[name])

    return opened
