"""A folder of pictures: their names, their order, and what a table beside them says of each."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from emo3d.dataset.tally import Problem
from emo3d_lab.extract.annotations import TABLES, Annotation, read_annotations

logger = logging.getLogger(__name__)

SUFFIXES = (".jpeg", ".jpg", ".png", ".webp")


@dataclass(frozen=True)
class Picture:
    """A picture of the folder: its path in it (with `/`), its `st_size` and `st_mtime_ns`, and what is said of it."""

    name: str
    size: int
    modified: int
    sample_id: int
    annotation: Annotation


@dataclass(frozen=True)
class ImageFolder:
    """What a folder holds.

    Attributes:
        pictures: sorted by name.
        problems: pictures that are left out, and faults of the table.
        table: its name, None without one.
    """

    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...]
    table: str | None


def read_image_folder(folder: str | os.PathLike[str]) -> ImageFolder:
    """List the pictures under a folder, at any depth, with what `metadata.csv` or `metadata.jsonl` says of them.

    Without `sample_id` in the table, or without a table, pictures are numbered in the order of their names, from 0.
    Names that start with a dot are hidden and left out, as `datasets` does. No picture is opened.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no pictures, two tables, one that is not at the top, or what `read_annotations` refuses.
        OSError: a folder that cannot be listed.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"no such folder: {root}")
    files = sorted(_walk(root))
    numbers = {name: number for number, name in enumerate(file for file in files if file.lower().endswith(SUFFIXES))}
    if not numbers:
        raise ValueError(f"expected pictures ({', '.join(SUFFIXES)}) under {root}, found none")
    table = _find_table(files)
    rest = Counter(PurePosixPath(file).suffix or file for file in files if file not in numbers and file != table)
    if rest:
        logger.warning("%s: files that are no %s, left out: %s", root, ", ".join(SUFFIXES), dict(rest))
    faults = {name: fault for name in numbers if (fault := _fault(root, name))}
    problems = [Problem("missing picture", _printable(name), None, "", fault) for name, fault in faults.items()]
    names = [name for name in numbers if name not in faults]
    annotations = dict.fromkeys(names, Annotation())
    if table:
        annotations, of_table = read_annotations(root / table, names)
        problems += of_table
    pictures: dict[tuple[int, int], Picture] = {}
    for name in names:
        if name in annotations:
            annotation = annotations[name]
            sample_id = numbers[name] if annotation.sample_id is None else annotation.sample_id
            status = (root / name).stat()
            picture = Picture(name, status.st_size, status.st_mtime_ns, sample_id, annotation)
            earlier = pictures.setdefault((sample_id, annotation.variant), picture)
            if earlier is not picture:
                fault = f"sample_id {sample_id}, variant {annotation.variant} is {earlier.name}, got it once more"
                problems.append(Problem("duplicate sample_id", name, None, "", fault))
    return ImageFolder(tuple(pictures.values()), tuple(problems), table)


def _walk(root: Path) -> Iterator[str]:
    """Names of the files under a folder, linked folders included."""

    def fail(error: OSError) -> None:  # os.walk would pass over what it cannot list
        raise error

    seen = set()
    for folder, folders, files in os.walk(root, onerror=fail, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            raise ValueError(f"{folder} is a link to a folder that is read already")
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name).relative_to(root).as_posix() for name in files if not name.startswith("."))


def _find_table(files: Sequence[str]) -> str | None:
    suffixes = (".csv", ".jsonl", ".parquet")  # what `datasets` reads
    tables = [file for file in files if PurePosixPath(file).name in [f"metadata{suffix}" for suffix in suffixes]]
    if len(tables) > 1 or (tables and tables[0] not in TABLES):
        raise ValueError(
            f"expected one table, {' or '.join(TABLES)}, at the top of the folder, got {', '.join(tables)}"
        )
    return tables[0] if tables else None


def _fault(root: Path, name: str) -> str:
    """Why there is no picture to read under a name."""
    if name != _printable(name):
        return "expected a name in UTF-8, got other bytes"
    return "" if (root / name).is_file() else "expected a file, got a link to nothing or a device"


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
