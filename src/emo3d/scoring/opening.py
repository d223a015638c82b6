"""References of a dataset by its name."""

from __future__ import annotations

from pathlib import Path

from emo3d.dataset import open_rows
from emo3d.dataset.release import as_pairs, is_release, read_release
from emo3d.scoring.references import NAMES, References, read_references, read_references_file


def open_references(name: str, config: str | None = None, split: str = "test") -> References:
    """Read the references of a dataset by its name, with the space of their blendshapes where the dataset says it.

    That is a folder of the published release, a `.csv` or `.jsonl` file as for `read_references_file`, or what
    `emo3d.dataset.open_rows` takes: `"sample"`, a folder, a `.parquet` file, an id on the Hub.

    Raises:
        ValueError: no such config or split, or what `read_references` refuses.
        FileNotFoundError: no such dataset.
    """
    if is_release(name):
        return read_references(list(as_pairs(read_release(name))), "reading")
    if Path(name).suffix.lower() in (".csv", ".jsonl"):
        return read_references_file(name)
    rows, space = open_rows(name, config, split)
    if "description" not in rows.column_names:
        return read_references({name: [] for name in rows.column_names})  # whose error names what is there
    return read_references(rows.select_columns([name for name in rows.column_names if name in NAMES]), space)
