"""The published release of Emo3D as it lies on disk: CSV files of rows, ZIP archives of pictures, printed arrays."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from emo3d.dataset.archives import Archives
from emo3d.dataset.tables import ReleaseRow, Table
from emo3d.dataset.tally import Problem

logger = logging.getLogger(__name__)

PRIMITIVE = "primitive_emotions.csv"
SPLIT_FILES = {"train": "train_data.csv", "validation": "val_data.csv", "test": "test_data.csv"}
"""Split -> CSV file of the release."""


def read_release(
    folder: str | os.PathLike[str],
    files: Sequence[str] | None = None,
    *,
    on_problem: Callable[[Problem], None] | None = None,
) -> Iterator[ReleaseRow]:
    """Read the release row by row; pictures are read from their archives in place, when their row is.

    Args:
        folder: a copy of the release, or its `data` folder. Archives may be missing: their pictures are None.
        files: names of the CSV files, in the order wanted; by default all but `primitive_emotions.csv`, by name.
        on_problem: is told of each row or picture that cannot be read, which is then left out.

    Yields:
        Rows in the order of the files.

    Raises:
        FileNotFoundError: no such folder or file, or no CSV in it.
        ValueError: columns other than `COLUMNS`; and, without `on_problem`, a number that is none or outside 0..1, an
            expression that has not 52 scores, a picture that its archive does not hold whole. The message names file,
            row and column.
    """
    data = data_folder(folder)
    tables = [data / name for name in files] if files is not None else _tables(data)
    with Archives(archive_paths(data)) as archives:
        for path in tables:
            table = Table(str(path))
            for problem in table.problems:
                (on_problem or _raise)(problem)
            for row in table.rows():
                if row.check(on_problem or _raise):
                    yield row.read(archives, on_problem or _raise, absent=True)


def is_release(folder: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder that holds, itself or in `data`, a CSV file with the release's columns."""
    path = Path(folder)
    for table in (*_with_ending(path, ".csv"), *_with_ending(path / "data", ".csv")):
        with table.open("rb") as file:
            start = file.read(1 << 16).replace(b"\0", b"")  # as in UTF-16, which is refused in words later
            if b"blenshape_score_1" in start.replace(b"\r", b"\n").partition(b"\n")[0]:
                return True
    return False


def as_pairs(rows: Iterable[ReleaseRow]) -> Iterator[dict[str, Any]]:
    """Pair every description of a row with every expression of it, as the paper counts its instances.

    A picture without an expression gives no pair.

    Yields:
        Dicts with `sample_id`, `description`, `intensities` (8 floats), `blendshapes` (51,) float32 readings, `image`
        (bytes or None) and `name`: references as `emo3d.scoring.score` takes them.
    """
    for row in rows:
        for picture in row.pictures:
            for description in row.descriptions if picture.expression is not None else ():
                yield {
                    "sample_id": row.sample_id,
                    "description": description,
                    "intensities": row.intensities.tolist(),
                    "blendshapes": picture.expression,
                    "image": picture.image,
                    "name": picture.name,
                }


def data_folder(folder: str | os.PathLike[str]) -> Path:
    """Where a copy of the release has its files: the folder itself or `data` in it."""
    path = Path(folder)
    data = path / "data" if (path / "data").is_dir() else path
    if not data.is_dir():
        raise FileNotFoundError(f"expected a folder with the Emo3D release, found nothing at {folder}")
    return data


def archive_paths(data: Path) -> dict[str, str]:
    """Archive's name without `.zip` -> path."""
    return {path.stem: str(path) for path in _with_ending(data, ".zip")}


def table_paths(data: Path) -> list[str]:
    """CSV files, by name."""
    return [str(path) for path in _with_ending(data, ".csv")]


def _with_ending(folder: Path, ending: str) -> list[Path]:
    """Files with an ending, in capitals or not, by name."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in files if path.suffix.lower() == ending and path.is_file())


def _tables(data: Path) -> list[Path]:
    tables = [Path(path) for path in table_paths(data) if Path(path).name != PRIMITIVE]
    if not tables:
        raise FileNotFoundError(f"expected CSV files of the Emo3D release in {data}, found none")
    logger.info("reading %s", ", ".join(path.name for path in tables))
    return tables


def _raise(problem: Problem) -> None:
    raise ValueError(str(problem))
