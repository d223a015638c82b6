"""Any dataset by its name: the sample, a Parquet file, a folder, or one of the Hub; with the space of what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emo3d.blendshapes import Space
from emo3d.dataset.write import sample_folder
from emo3d.expressions import parquet_space


def open_rows(name: str, config: str | None, split: str) -> tuple[Any, Space | None]:
    """Open one split of a dataset.

    Args:
        name: `"sample"` (the embedded synthetic one), a `.parquet` file, a folder, or an id on the Hub.
        config: of several that it has.
        split: of several that it has, or a part of one, as in `train[:90%]`.

    Returns:
        A `datasets.Dataset`, and the space of its blendshapes where local files say it.

    Raises:
        ValueError: no such config or split. A `FileNotFoundError` (datasets' own): no such dataset.
    """
    from datasets import load_dataset

    if name == "sample":
        name = str(sample_folder())
    if name.endswith(".parquet"):
        rows = load_dataset("parquet", data_files={split: name}, split=split)
    else:
        rows = load_dataset(name, config, split=split)
    return rows, _space_of(Path(name), config, split)


def _space_of(path: Path, config: str | None, split: str) -> Space | None:
    """What the Parquet files of a split say of their blendshapes, which `datasets` drops; None for those of the Hub."""
    split = split.partition("[")[0]
    files = [path] if path.is_file() else [*path.glob(f"{split}*.parquet"), *path.glob(f"data/{split}*.parquet")]
    files += path.glob(f"data/{config or 'default'}/{split}*.parquet")
    said = {parquet_space(file) for file in files}
    return said.pop() if len(said) == 1 else None
