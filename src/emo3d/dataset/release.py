"""The published release of Emo3D as it lies on disk or on the Hub: CSV files of rows, ZIP archives of pictures."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emo3d.dataset.archives import Archives
from emo3d.dataset.tables import ReleaseRow, Table
from emo3d.dataset.tally import Problem, Tally
from emo3d.hints import unwritable_cache

logger = logging.getLogger(__name__)

PRIMITIVE = "primitive_emotions.csv"
SPLIT_FILES = {"train": "train_data.csv", "validation": "val_data.csv", "test": "test_data.csv"}


def read_release(
    folder: str | os.PathLike[str],
    files: Sequence[str] | None = None,
    *,
    on_problem: Callable[[Problem], None] | None = None,
) -> Iterator[ReleaseRow]:
    """Read the release row by row; pictures are read from their archives in place, when their row is.

    Args:
        folder: a copy of the release, or its `data` folder. Archives may be missing: their pictures are None.
        files: names of the CSV files, in their order; by default all but `primitive_emotions.csv`, by name.
        on_problem: called with the problem of each row or picture that cannot be read, which is then left out.

    Raises:
        FileNotFoundError: no such folder or file, or no CSV in it.
        ValueError: columns other than `COLUMNS`; and, without `on_problem`, the first problem.
    """
    data = data_folder(folder)
    if files is None:
        files = [path.name for path in list_files(data, ".csv") if path.name != PRIMITIVE]
        if not files:
            raise FileNotFoundError(f"expected CSV files of the Emo3D release in {data}, found none")
        logger.info("reading %s", ", ".join(files))
    report = on_problem or Tally(strict=True).report
    with Archives(archive_paths(data)) as archives:
        for name in files:
            table = Table(str(data / name))
            for problem in table.problems:
                report(problem)
            for row in table.rows():
                if fault := row.check():
                    report(fault)
                else:
                    yield row.read(archives, report, absent=True)


def is_release(folder: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder that holds, itself or in `data`, a CSV file with the release's columns."""
    path = Path(folder)
    for table in (*list_files(path, ".csv"), *list_files(path / "data", ".csv")):
        with table.open("rb") as file:
            start = file.read(1 << 16).replace(b"\0", b"")  # as in UTF-16, which is refused in words later
            if b"blenshape_score_1" in start.replace(b"\r", b"\n").partition(b"\n")[0]:
                return True
    return False


def as_pairs(rows: Iterable[ReleaseRow]) -> Iterator[dict[str, Any]]:
    """Pair every description of a row with every expression of it, as the paper counts its instances.

    The pairs are references as `emo3d.scoring.score` takes them; `blendshapes` are (51,) float32 readings, `image` the
    bytes of a file or None.
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


@dataclass(frozen=True)
class ReleaseFiles:
    """Where the files are that a config is made of: split -> CSV files, archive's name -> ZIP."""

    tables: dict[str, list[str]]
    archives: dict[str, str]

    @classmethod
    def of_folder(cls, data: Path, config: str) -> ReleaseFiles:
        """Those of a local copy."""
        return cls._of(list(map(str, list_files(data, ".csv"))), archive_paths(data), config, str(data))

    @classmethod
    def of_hub(cls, release: str, revision: str, config: str) -> ReleaseFiles:
        """Those of a repository on the Hub, as `hf://` addresses."""
        from huggingface_hub import HfFileSystem

        root = f"datasets/{release}@{revision}"
        hub = HfFileSystem()
        paths = sorted(f"hf://{path}" for ending in ("csv", "zip", "ZIP") for path in hub.glob(f"{root}/**/*.{ending}"))
        archives = {Path(path).stem: path for path in paths if path.lower().endswith(".zip")}
        return cls._of([path for path in paths if path.endswith(".csv")], archives, config, root)

    @classmethod
    def _of(cls, tables: Sequence[str], archives: dict[str, str], config: str, place: str) -> ReleaseFiles:
        by_name = {path.rsplit("/", 1)[-1]: path for path in tables}
        primitive = by_name.pop(PRIMITIVE, None)
        if config == "primitive":
            splits = {"train": [primitive] if primitive else []}
        else:
            splits = {split: [by_name.pop(name)] for split, name in SPLIT_FILES.items() if name in by_name}
            if not splits:
                splits = {"train": list(by_name.values())}
            elif by_name:
                logger.warning("not a split of the release, not read: %s", ", ".join(by_name.values()))
        if not any(splits.values()):
            expected = PRIMITIVE if config == "primitive" else ", ".join(SPLIT_FILES.values())
            raise FileNotFoundError(f"expected {expected} of the Emo3D release in {place}, found none")
        return cls(splits, archives if config != "pairs" else {})


def data_folder(folder: str | os.PathLike[str]) -> Path:
    """Where a copy of the release has its files: the folder itself or `data` in it."""
    path = Path(folder)
    data = path / "data" if (path / "data").is_dir() else path
    if not data.is_dir():
        raise FileNotFoundError(f"expected a folder with the Emo3D release, found nothing at {folder}")
    return data


def archive_paths(data: Path) -> dict[str, str]:
    """Archive's name without `.zip` -> path."""
    return {path.stem: str(path) for path in list_files(data, ".zip")}


def list_files(folder: Path, ending: str) -> list[Path]:
    """Files with an ending, in capitals or not, by name; none where there is no folder."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in files if path.suffix.lower() == ending and path.is_file())


def download_release(release: str, revision: str, configs: Sequence[str]) -> Path:
    """Download what the configs need into the Hub's cache, going on with what an earlier run has begun."""
    from huggingface_hub import snapshot_download

    patterns = ["*.csv"]
    patterns += ["*primitive*.zip", "*primitive*.ZIP"] if "primitive" in configs else []
    patterns += ["*images*.zip", "*images*.ZIP"] if "default" in configs else []
    try:
        return Path(snapshot_download(release, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        if message := unwritable_cache(error):
            raise OSError(message) from error
        raise
    except Exception as error:  # of the HTTP library, which is another one in another version of the Hub's client
        raise ConnectionError(f"the download of {release} broke off; run it again to go on: {error}") from error
