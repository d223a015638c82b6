"""The published release of Emo3D as it lies on disk: CSV files of rows, ZIP archives of pictures, printed arrays."""

from __future__ import annotations

import csv
import logging
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from emo3d.blendshapes import as_expressions
from emo3d.emotions import EMOTIONS

logger = logging.getLogger(__name__)

_TEXTS = tuple(f"text_{n}" for n in (1, 2, 3))
_IMAGES = tuple(f"img_{n}" for n in (1, 2, 3, 4))
_SCORES = tuple(f"blenshape_score_{n}" for n in (1, 2, 3, 4))  # the release's spelling
COLUMNS = ("sample_id", "prompt_type", *_TEXTS, *EMOTIONS, *_IMAGES, *_SCORES)
"""Columns of the release's CSV files."""

_LARGEST = 64 << 20  # bytes of one picture: the published ones have about 0.1 MB


class ReleasePicture(NamedTuple):
    """A picture of a row: its path in the release, its file (None without the archive), its expression (None: no face).

    The expression is (51,) float32 in the order of `BLENDSHAPES`, in the space `"reading"`.
    """

    name: str
    image: bytes | None
    expression: np.ndarray | None


@dataclass(frozen=True)
class ReleaseRow:
    """One row of the release: one to three descriptions of what one to four pictures show.

    Attributes:
        sample_id: as published.
        prompt_type: `"prompt1"`, `"prompt2"`, ...
        descriptions: those that are not empty.
        intensities: (8,) float64 in 0..1, order `EMOTIONS`; they need not sum to one and may all be 0.
        pictures: those that the row names.
    """

    sample_id: int
    prompt_type: str
    descriptions: tuple[str, ...]
    intensities: np.ndarray
    pictures: tuple[ReleasePicture, ...]


def read_release(folder: str | os.PathLike[str], files: Sequence[str] | None = None) -> Iterator[ReleaseRow]:
    """Read the release row by row; pictures are read from their archives in place, when their row is.

    Args:
        folder: a copy of the release, or its `data` folder. Archives may be missing: their pictures are None.
        files: names of the CSV files, in the order wanted; by default all but `primitive_emotions.csv`, by name.

    Yields:
        Rows in the order of the files.

    Raises:
        FileNotFoundError: no such folder or file, or no CSV in it.
        ValueError: columns other than `COLUMNS`, a number that is none or outside 0..1, an expression that has not 52
            scores, a picture that its archive does not hold. The message names file, row and column.
    """
    data = _data_folder(Path(folder))
    tables = [data / name for name in files] if files is not None else _tables(data)
    with _Archives(data) as archives:
        for table in tables:
            with table.open(encoding="utf-8", newline="") as lines:
                reader = csv.DictReader(lines)
                _check_columns(reader.fieldnames or (), table.name)
                for number, cells in enumerate(reader):
                    yield _row(cells, archives, f"{table.name} row {number}")


def is_release(folder: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder that holds, itself or in `data`, a CSV file with the release's columns."""
    path = Path(folder)
    for table in (*path.glob("*.csv"), *path.glob("data/*.csv")) if path.is_dir() else ():
        with table.open(encoding="utf-8", newline="") as lines:
            if "blenshape_score_1" in next(csv.reader(lines), ()):
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


def _data_folder(folder: Path) -> Path:
    data = folder / "data" if (folder / "data").is_dir() else folder
    if not data.is_dir():
        raise FileNotFoundError(f"expected a folder with the Emo3D release, found nothing at {folder}")
    return data


def _tables(data: Path) -> list[Path]:
    tables = sorted(path for path in data.glob("*.csv") if path.name != "primitive_emotions.csv")
    if not tables:
        raise FileNotFoundError(f"expected CSV files of the Emo3D release in {data}, found none")
    logger.info("reading %s", ", ".join(path.name for path in tables))
    return tables


def _check_columns(columns: Sequence[str], name: str) -> None:
    unknown = [column for column in columns if column not in COLUMNS]
    missing = [column for column in COLUMNS if column not in columns]
    if unknown or missing:
        raise ValueError(f"{name}: expected the columns of the release; missing {missing}, unknown {unknown}")


def _row(cells: Mapping[str, Any], archives: _Archives, where: str) -> ReleaseRow:
    if None in cells or None in cells.values():
        raise ValueError(f"{where}: expected {len(COLUMNS)} cells, got another number")
    try:
        sample_id = int(cells["sample_id"])
    except ValueError:
        raise ValueError(f"{where}, sample_id: expected a whole number, got {cells['sample_id']!r}") from None
    pictures = []
    for image, scores in zip(_IMAGES, _SCORES, strict=True):
        name, printed = cells[image].strip(), cells[scores].strip()
        if name or printed:
            expression = _expression(printed, f"{where}, {scores}")
            pictures.append(ReleasePicture(name, archives.read(name, f"{where}, {image}"), expression))
    return ReleaseRow(
        sample_id=sample_id,
        prompt_type=cells["prompt_type"],
        descriptions=tuple(cells[column].strip() for column in _TEXTS if cells[column].strip()),
        intensities=np.array([_intensity(cells[emotion], f"{where}, {emotion}") for emotion in EMOTIONS]),
        pictures=tuple(pictures),
    )


def _intensity(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{where}: expected an intensity in 0..1, got {cell!r}")
    return value


def _expression(printed: str, where: str) -> np.ndarray | None:
    if printed in ("", "nan", "None"):
        return None
    try:
        return as_expressions([printed], layout="mediapipe")[0]
    except ValueError as error:
        raise ValueError(f"{where}: expected 52 printed scores: {error}") from None


class _Archives:
    """The release's ZIP files, opened when first needed. What a table calls a picture never becomes a path."""

    def __init__(self, data: Path) -> None:
        self._paths = {path.stem: path for path in data.glob("*.zip")}
        self._open: dict[str, tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]] = {}

    def __enter__(self) -> _Archives:
        return self

    def __exit__(self, *_: object) -> None:
        for archive, _members in self._open.values():
            archive.close()

    def read(self, name: str, where: str) -> bytes | None:
        """Read `ARCHIVE/MEMBER`; None where there is no such archive (or no name)."""
        stem, _, member = name.partition("/")
        if stem not in self._paths:
            return None
        try:
            archive, members = self._opened(stem)
            # Members are called `MEMBER`, or `FOLDER/MEMBER` with whatever folder was zipped.
            info = members.get(member) or members.get(PurePosixPath(member).name)
            if info is None:
                raise ValueError(f"{where}: expected {member!r} in {stem}.zip, which does not hold it")
            if info.file_size > _LARGEST:
                raise ValueError(f"{where}: expected a picture under {_LARGEST} bytes, {name!r} has {info.file_size}")
            return archive.read(info)
        except (zipfile.BadZipFile, EOFError) as error:
            raise ValueError(f"{where}: cannot read {member!r} from {stem}.zip: {error}") from None

    def _opened(self, stem: str) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
        if stem not in self._open:
            archive = zipfile.ZipFile(self._paths[stem])
            infos = [info for info in archive.infolist() if not info.is_dir()]
            members = {PurePosixPath(info.filename).name: info for info in infos}
            self._open[stem] = archive, members | {info.filename: info for info in infos}
        return self._open[stem]
