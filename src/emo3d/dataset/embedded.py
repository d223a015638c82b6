"""The synthetic sample that the package carries."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

EMBEDDED_ROWS = {"train": 200, "validation": 50, "test": 250}
"""Rows per split of the sample that is kept in the repository and in the package."""


def sample_folder() -> Path:
    """Where the embedded sample lies: `train.parquet`, `validation.parquet` and `test.parquet`.

    Raises:
        FileNotFoundError: the installation came without it.
    """
    folder = Path(str(resources.files("emo3d") / "assets" / "sample"))
    if not (folder / "train.parquet").is_file():
        raise FileNotFoundError(f"expected the embedded sample in {folder}; `emo3d sample` makes it")
    return folder
