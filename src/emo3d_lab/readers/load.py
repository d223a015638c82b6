"""Emotion readers by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from emo3d_lab.readers.base import EmotionReader
from emo3d_lab.readers.labels import Labels, read_labels
from emo3d_lab.readers.table import KNOWN_READERS

FOLDERS = "EMO3D_READERS"
"""Environment variable: folders with readers' files, separated as those of PATH; before the cache of `make readers`."""

_ADVICE = {
    "face-api": "`make readers` fetches its files (or `npm pack @vladmandic/face-api@1.7.15`, whose package/model has "
    "them); or pass their folder",
    "onnx": "docs/readers.md says where to get it; pass its path",
}


def load_reader(name: str | os.PathLike[str], labels: Labels | str | os.PathLike[str] | None = None) -> EmotionReader:
    """Load an emotion reader.

    Args:
        name: "face-api" or "hsemotion", whose files are looked for in the folders of the environment variable
            `EMO3D_READERS` and where `make readers` puts them; a folder or .onnx file of theirs; or an image
            classifier, an id on the Hub (`id@revision` for a branch, tag or commit) or a folder. `KNOWN_READERS` lists
            those that are known here.
        labels: of an image classifier whose labels are not the eight emotions or common words for them: label ->
            emotion, or None for what is none; or a JSON file of that.

    Raises:
        FileNotFoundError: its files are missing; the message says how to get them.
        ValueError: files that do not belong together, labels that are no emotions or not the reader's, a reader that
            cannot be loaded here.
        OSError: the Hub does not have it, or cannot be reached.
    """
    (reader,) = load_readers([name], labels)
    return reader


def _load(name: str, labels: Labels | None) -> EmotionReader:
    from emo3d_lab.readers.face_api import NAME, FaceApiReader
    from emo3d_lab.readers.hsemotion import FILE, HSEmotionReader

    path = Path(name)
    row = next((row for row in KNOWN_READERS if row.name == name.partition("@")[0]), None)
    if row and row.kind is None:
        raise ValueError(f"{name} cannot be loaded: {row.source}")
    if row and row.kind == "face-api":
        return FaceApiReader(_find(name, name, row.kind))
    if row and row.kind == "onnx":
        return HSEmotionReader(_find(name, FILE, row.kind))
    if path.suffix == ".onnx":
        return HSEmotionReader(path)
    if path.is_dir() and not (path / "config.json").is_file():
        if any(path.glob(f"{NAME}*")):
            return FaceApiReader(path)
        raise FileNotFoundError(f"expected config.json of an image classifier, or {NAME}.bin, in {name}; there is none")
    if not path.is_dir() and (path.is_absolute() or name.count("/") != 1 or name.startswith(".")):
        names = ", ".join(known.name for known in KNOWN_READERS if known.kind in _ADVICE)
        raise FileNotFoundError(f"expected a reader: {names}, an id NAMESPACE/NAME on the Hub or a folder, got {name}")
    from emo3d_lab.readers.classifier import ClassifierReader

    return ClassifierReader(name, labels)


def load_readers(
    names: str | Sequence[str | os.PathLike[str]], labels: Labels | str | os.PathLike[str] | None = None
) -> list[EmotionReader]:
    """Load several readers, by a sequence of names or one line with commas; arguments and errors as for `load_reader`.

    Two of one name are a ValueError, and so are labels that none of them has.
    """
    parts = (
        [part.strip() for part in names.split(",")] if isinstance(names, str) else [os.fspath(name) for name in names]
    )
    if not parts or not all(parts):
        raise ValueError(f"expected names of readers with commas between, got {names!r}")
    mapping = None if labels is None else read_labels(labels)
    readers = [_load(part, mapping) for part in parts]
    own = [label for reader in readers for label in reader.labels]
    if unknown := [label for label in mapping or () if label not in own]:
        raise ValueError(
            f"expected a mapping of labels of {', '.join(reader.name for reader in readers)}, which have "
            f"{', '.join(map(repr, own)) or 'none that a mapping is for'}, got {', '.join(map(repr, unknown))}"
        )
    for place, reader in enumerate(readers):
        if any(reader.name == other.name for other in readers[:place]):
            raise ValueError(f"expected each reader once, got {reader.name} twice")
    return readers


def readers_cache() -> Path:
    """Where `make readers` puts files: a folder of the Hub's assets cache."""
    from huggingface_hub import cached_assets_path

    return cached_assets_path("emo3d", namespace="readers")


def _find(name: str, file: str, kind: str) -> Path:
    folders = [Path(folder) for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]
    for folder in (*folders, readers_cache()):
        if (folder / file).exists():
            return folder / file
    raise FileNotFoundError(f"the reader {name} is not here: {_ADVICE[kind]}, or set {FOLDERS} to a folder of {file}")
