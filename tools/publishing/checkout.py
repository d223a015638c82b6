"""What is committed, and a wheel of it: nothing else that lies in a working tree can be published."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

logger = logging.getLogger(__name__)

DATED = {"SOURCE_DATE_EPOCH": "315532800"}
"""For who builds a package: a fixed date, 1980, where ZIP begins, so that the same files give the same bytes."""
_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@contextmanager
def committed(root: Path) -> Iterator[Path]:
    """A folder, for as long as it is needed, with the files of a repository's last commit.

    Raises:
        FileNotFoundError: this is no repository of emo3d.
    """

    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=True).stdout

    try:
        archive = git("archive", "HEAD")
        if git("status", "--porcelain", "--untracked-files=no"):
            logger.warning("what is not committed is not published")
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        raise FileNotFoundError(f"expected a clone of emo3d's repository in {root.resolve()}") from error
    with tempfile.TemporaryDirectory(prefix="emo3d-") as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def build_wheel(tree: Path, out: Path) -> Path:
    """Build a wheel, the same bytes from the same files, with the setuptools at hand.

    Args:
        tree: a repository's files. Building leaves others in it.
        out: folder for the wheel.

    Raises:
        ValueError: setuptools is missing or could not build it.
    """
    environment = os.environ | DATED
    command = [sys.executable, "-c", _BUILD, str(out)]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise ValueError(f'the wheel could not be built ({last}): pip install "setuptools>=77"')
    return next(out.glob("*.whl"))
