"""Express4D as its authors' code reads it: takes in `data`, texts in `texts`, the takes of a split in `SPLIT.txt`.

Source: `data_loaders/Express4D/dataset.py`, `data_loaders/humanml/data/dataset.py` (`Text2MotionDatasetV2`) and
`utils/arkit_utils.py` of https://github.com/jaron1990/Express4D.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from emo3d.containers import open_text
from emo3d_lab.neighbours.formats import files_of, once_each
from emo3d_lab.neighbours.livelink import Take

SPLITS = ("train", "test")


def find_express4d(root: Path) -> tuple[dict[str, list[Take]], dict[str, str]]:
    """Find the takes of each split.

    `data/NAME.csv` is a take of Live Link Face; `data/NAME.npy`, read where there is no CSV, is the same without header
    and timecodes. `texts/NAME.txt` has a description a line; what follows a `#` is its tokens.

    Args:
        root: the folder that their code calls `dataset/Express4D`.

    Returns:
        Split -> takes, with a note where a name is in both or twice in one; one without files or texts has none. And
        the takes that no split names.

    Raises:
        ValueError: the folder is laid out otherwise.
    """
    missing = [name for name in ("data", "texts", "train.txt", "test.txt") if not (root / name).exists()]
    if missing:
        raise ValueError(f"expected data, texts, train.txt and test.txt in {root.name}, found no {missing[0]}")
    # What a text file names is looked up among the files that are there; it never becomes a path.
    recordings = {path.stem: path for suffix in (".npy", ".csv") for path in files_of(root / "data", suffix)}
    texts = {path.stem: path for path in files_of(root / "texts", ".txt")}
    splits = once_each({split: _lines(root / f"{split}.txt") for split in SPLITS})
    names_of_splits = {name for names in splits.values() for name in names}
    reasons = {
        f"data/{path.name}": "in neither train.txt nor test.txt"
        for name, path in sorted(recordings.items())
        if name not in names_of_splits
    }
    takes = {
        split: [_take(name, recordings, texts, note) for name, note in names.items()] for split, names in splits.items()
    }
    return takes, reasons


def _take(name: str, recordings: Mapping[str, Path], texts: Mapping[str, Path], note: str) -> Take:
    lines = _lines(texts[name]) if name in texts else []
    descriptions = [line.partition("#")[0].strip() for line in lines]
    path = recordings.get(name)
    return Take(str(path or ""), f"data/{path.name}" if path else name, tuple(filter(None, descriptions)), note=note)


def _lines(path: Path) -> list[str]:
    with open_text(path) as lines:
        return [line.strip() for line in lines if line.strip()]
