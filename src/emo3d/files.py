"""Where results go: checked before the work, so that no hour of it ends at a missing folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


def check_output(path: str | os.PathLike[str], endings: Sequence[str] = (), *, folder_is_made: bool = False) -> Path:
    """Return the path of a file that can be written or replaced; nothing is written yet.

    Args:
        endings: those that are possible, as in `(".json", ".csv")`; any when empty.
        folder_is_made: its folder is made where it is missing.

    Raises:
        ValueError: another ending.
        OSError: a folder of that name, or a folder that is missing or may not be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"expected a file to write, {path} is a folder")
    if endings and path.suffix.lower() not in endings:
        raise ValueError(f"expected a file of {', '.join(endings)}, got {path.name or path}")
    if folder_is_made:
        check_output_folder(path.parent)
    folder = path.parent
    if folder_is_made and not path.exists():
        return path
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise FileNotFoundError(f"cannot write {path.name}: the folder {folder} {problem}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise PermissionError(f"cannot write {path}: this user may not write there")
    return path


def check_output_folder(path: str | os.PathLike[str], *, empty: bool = False) -> Path:
    """Return the path of a folder that can be made, with those above it, or written to; nothing is made yet.

    Raises:
        ValueError: a folder with files, where it must be new or `empty`.
        OSError: a file of that name or above it, or a folder that may not be written to.
    """
    path = Path(path)
    folder = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    if not folder.is_dir():
        raise NotADirectoryError(f"expected a folder to write to, {folder} is a file")
    if empty and path.is_dir() and any(path.iterdir()):
        raise ValueError(f"expected a new or empty folder, {path} has files")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"cannot write to {path}: this user may not write to {folder}")
    return path


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path to write to, in the same folder; what is there takes the place of `path` once it is whole."""
    path = Path(path)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        part = Path(folder, path.name)
        yield part
        os.replace(part, path)
