"""Files are checked before anything heavy is imported: a mistake in a name is answered at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emo3d.hints import did_you_mean

REFERENCES = (".csv", ".jsonl", ".parquet")


def check_predictions(name: str, suffixes: Sequence[str], is_corpus: bool) -> None:
    """Check that there is a file, or for a corpus a folder or something that only a file system can tell.

    Raises:
        FileNotFoundError: no such file; the message has the nearest name in its folder.
        ValueError: a folder where a file is expected, or a file of another kind.
    """
    from emo3d.dataset.release import is_release

    path = Path(name)
    if is_corpus and ("://" in name or "*" in name or path.is_dir()):
        return
    if path.is_dir() and not is_release(path):
        raise ValueError(f"expected a file of {', '.join(suffixes)}, got the folder {name}; --samples takes folders")
    if not path.is_dir():
        _check_file(path)
        if path.suffix.lower() not in suffixes:
            raise ValueError(f"expected a file of {', '.join(suffixes)}, got {path.name}")


def check_references(name: str) -> None:
    """Check a dataset's name as far as it is one of this machine.

    Raises:
        FileNotFoundError: no such file or folder, or a misspelt `sample`.
        ValueError: a file of another kind.
    """
    path, suffix = Path(name), Path(name).suffix.lower()
    if path.is_file() and suffix not in REFERENCES:
        raise ValueError(f"expected references as {', '.join(REFERENCES)}, a folder or an id on the Hub, got {name}")
    if path.exists() or "://" in name or "*" in name or name == "sample":
        return
    if suffix in (*REFERENCES, ".json", ".npy") or path.is_absolute() or name.startswith(("./", "../", "~")):
        _check_file(path)
    if "/" not in name and (hint := did_you_mean(name, ["sample"])):
        raise FileNotFoundError(f"no such dataset: {name}{hint}")


def check_bank(folder: Path) -> None:
    """Raise a FileNotFoundError unless a folder has the files of a bank."""
    for file in (folder / "bank.parquet", folder / "embeddings.safetensors"):
        if not file.is_file():
            raise FileNotFoundError(f"expected a bank of bank.parquet and embeddings.safetensors, there is no {file}")


def _check_file(path: Path) -> None:
    if not path.is_file():
        there = sorted(file.name for file in path.parent.iterdir()) if path.parent.is_dir() else []
        raise FileNotFoundError(f"no such file: {path}{did_you_mean(path.name, there)}")
