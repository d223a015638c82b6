"""The folder of a model outside Python: a manifest says all that a runtime must know, and the hashes of the files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from emo3d.documents import read_json
from emo3d.files import check_output_folder

FORMAT = "emo3d-face-1"
MANIFEST = "face.json"


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the manifest of a model's folder, and check every file by size and SHA-256.

    Raises:
        FileNotFoundError: no manifest, or a file that it names is missing.
        ValueError: another format, or a file that was changed or cut off; the message names it.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise FileNotFoundError(
            f"expected a folder with {MANIFEST}, which `emo3d export MODEL --onnx OUT` writes; {folder} has none"
        )
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"expected {MANIFEST} of the format {FORMAT}; {folder} has another, so export it again")
    if not isinstance(manifest.get("files"), dict):
        raise ValueError(f"expected the files with their bytes and sha256 in {MANIFEST}; {folder} names none")
    for name, entry in manifest["files"].items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise FileNotFoundError(f"{folder} lacks {name}, which its {MANIFEST} names: export it again")
        if _entry(file) != entry:
            raise ValueError(f"{file} is not the file that {MANIFEST} names by SHA-256: export it again")
    return manifest


def write_manifest(folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest of a folder's files, and return it."""
    manifest = {"format": FORMAT, **about, "files": {file.name: _entry(file) for file in sorted(folder.iterdir())}}
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def check_model_folder(path: str | os.PathLike[str]) -> Path:
    """Return the path of a folder that can be made, is empty, or is a model's that can be replaced.

    Raises:
        ValueError: a folder with other files.
        OSError: see `check_output_folder`.
    """
    path = check_output_folder(path)
    if path.is_dir() and any(path.iterdir()):
        file = path / MANIFEST
        manifest = read_json(file) if file.is_file() else None
        if not isinstance(manifest, dict) or not str(manifest.get("format")).startswith("emo3d-face-"):
            raise ValueError(f"expected a new or empty folder, or one that this command wrote; {path} has other files")
        names = manifest["files"] if isinstance(manifest.get("files"), dict) else {}
        if strangers := {entry.name for entry in path.iterdir()} - {MANIFEST, *names}:
            raise ValueError(f"{path} has files that are no part of the model: {', '.join(sorted(strangers)[:3])}")
    return path


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path`; once it is whole it takes the place of what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as around:
        part, before = Path(around, "part"), Path(around, "before")
        part.mkdir()
        yield part
        if path.exists():
            path.rename(before)
        try:
            part.rename(path)
        except OSError:
            if before.exists():
                before.rename(path)
            raise
        shutil.rmtree(before, ignore_errors=True)


def _entry(file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
