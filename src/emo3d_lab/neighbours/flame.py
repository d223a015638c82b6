"""MMHead and EmoAva: faces as coefficients of FLAME, with texts.

Sources: README.md of https://github.com/wsj-sjtu/MMHead (folders, 56 numbers a frame: 50 of expression, three of the
neck's pose, three of the jaw's) and of https://github.com/WalkerMitty/EmoAva (`dataset/SPLIT_stage1_text.pkl` and
`SPLIT_stage1_exps.pkl`; 50 of expression and three of the jaw, as `src/train.py` says). Both come in pickles, which can
run code when they are opened. They are refused; read are the same arrays as NumPy's own files:

    numpy.save("facial_motion/NAME.npy", motion)               # MMHead, (T, 56)
    numpy.savez("test_stage1_exps.npz", *exps)                 # EmoAva, (T, 53) each
    json.dump(texts, open("test_stage1_text.json", "w"))
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.clips import check_rate
from emo3d.containers import open_text, read_array
from emo3d.documents import read_json
from emo3d_lab.neighbours.clip_sources import ClipRule, ClipSource, Performance
from emo3d_lab.neighbours.flame_map import EXPRESSIONS
from emo3d_lab.neighbours.formats import files_of, once_each

_SUBSETS = ("t2m_subset.json", "talking_subset.json")
_TEXTS = ("action", "emotion", "detail_expression", "detail_head_pose")
_SPLITS = {"train": "train", "val": "validation", "validation": "validation", "dev": "validation", "test": "test"}
_BROKEN = (  # what NumPy and zipfile raise of broken files
    *(ValueError, OSError, EOFError, TypeError, LookupError, AttributeError, SyntaxError, OverflowError, MemoryError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)
_LARGEST = 4 << 30  # bytes of an unpacked .npz
_PICKLES = "pickles can run code when they are opened, so none is: where you trust them, save the same arrays as"


def find_mmhead(root: Path) -> tuple[dict[str, list[ClipSource]], dict[str, str]]:
    """Find the clips of MMHead: `t2m_subset.json` and `talking_subset.json`, or one of them, name those of each split.

    Returns:
        Split -> sources, and what is not read with the reasons. A description is the texts on action, emotion,
        expression and head's pose, one after the other.

    Raises:
        ValueError: the folder is laid out otherwise, or its motions are still pickles.
    """
    subsets = [name for name in _SUBSETS if (root / name).is_file()]
    if not subsets or not (root / "text_annotations").is_dir():
        raise ValueError(
            f"expected {_SUBSETS[0]} or {_SUBSETS[1]}, and text_annotations, in {root.name}: see MMHead's README"
        )
    motions = {path.stem: path for path in files_of(root / "facial_motion", ".npy")}
    if not motions:
        raise ValueError(f"expected facial_motion/NAME.npy in {root.name}, found none: {_PICKLES} numpy.save has them")
    listed: dict[str, list[str]] = {}
    for subset in subsets:
        for split, names in _subset(root / subset).items():
            listed.setdefault(split, []).extend(names)
    splits = {
        split: [_mmhead(root, name, motions, note) for name, note in names.items()]
        for split, names in once_each(listed).items()
    }
    named = {name for names in listed.values() for name in names}
    where = f"not in {' or '.join(subsets)}"
    reasons = {f"facial_motion/{motions[name].name}": where for name in sorted(set(motions) - named)}
    if (root / "text_annotations/emotion_scenario").is_dir():
        reasons["text_annotations/emotion_scenario"] = "says what may cause an emotion, not what the face does"
    return splits, reasons


def _subset(path: Path) -> dict[str, list[str]]:
    """Split -> names, of a list of MMHead."""
    document = read_json(path)
    if not isinstance(document, Mapping) or not set(document) <= set(_SPLITS):
        keys = ", ".join(map(str, document)) if isinstance(document, Mapping) else type(document).__name__
        raise ValueError(f"{path.name}: expected lists of names under train, val and test, got {keys:.200}")
    splits: dict[str, list[str]] = {}
    for key, names in document.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{path.name}: expected a list of names under {key}, got {str(names)[:80]}")
        stems = [Path(name).stem if name.endswith((".pkl", ".npy")) else name for name in names]
        splits.setdefault(_SPLITS[key], []).extend(stems)
    return splits


def _mmhead(root: Path, name: str, motions: Mapping[str, Path], note: str) -> ClipSource:
    texts = []
    for kind in _TEXTS:
        # What a list names is looked up among the files that are there; it never becomes a path.
        path = root / "text_annotations" / kind / f"{name}.txt" if name in motions else None
        if path is not None and path.is_file():
            with open_text(path) as lines:
                texts += [line.strip() for line in lines if line.strip()]
    problem = "" if name in motions else "expected facial_motion/NAME.npy of this name, found none"
    description = (" ".join(texts),) if texts else ()
    return ClipSource(name, str(motions.get(name, "")), description, problem=problem, note=note)


def find_emoava(root: Path) -> tuple[dict[str, list[ClipSource]], dict[str, str]]:
    """Find the clips of EmoAva: `SPLIT_stage1_text.json` and `SPLIT_stage1_exps.npz`, SPLIT train, dev or test.

    Raises:
        ValueError: none of them, pickles only, or other numbers of texts and sequences.
    """
    splits: dict[str, list[ClipSource]] = {}
    for name, split in _SPLITS.items():
        texts, arrays = root / f"{name}_stage1_text.json", root / f"{name}_stage1_exps.npz"
        if not texts.is_file() and not arrays.is_file():
            continue
        if not (texts.is_file() and arrays.is_file()):
            missing = arrays if texts.is_file() else texts
            raise ValueError(
                f"expected {missing.name} beside {(texts if texts.is_file() else arrays).name}, found none"
            )
        lines = read_json(texts)
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise ValueError(f"{texts.name}: expected a list of texts, got {str(lines)[:80]}")
        count = _count(arrays)
        if len(lines) != count:
            raise ValueError(
                f"expected a text for each sequence, got {len(lines)} in {texts.name} and {count} in {arrays.name}"
            )
        splits.setdefault(split, []).extend(  # val and dev may be there both
            ClipSource(f"{name} {place}", str(arrays), (line.strip(),) if line.strip() else (), entry=place)
            for place, line in enumerate(lines)
        )
    if not splits:
        pickles = sorted(path.name for path in root.glob("*.pkl"))
        found = f"found {pickles[0]}: {_PICKLES} .npz and .json" if pickles else "found neither"
        raise ValueError(f"expected SPLIT_stage1_exps.npz and SPLIT_stage1_text.json in {root.name}, {found}")
    reasons = {path.name: "a pickle, which can run code when it is opened" for path in sorted(root.glob("*.pkl"))}
    return splits, reasons


def _count(path: Path) -> int:
    """How many arrays an .npz of `numpy.savez(path, *arrays)` has: arr_0.npy and on."""
    try:
        with zipfile.ZipFile(path) as archive:
            names, size = set(archive.namelist()), sum(entry.file_size for entry in archive.infolist())
    except _BROKEN as error:
        raise ValueError(f"{path.name}: expected an .npz of arrays, got something else: {error!s:.100}") from error
    if size > _LARGEST or names != {f"arr_{place}.npy" for place in range(len(names))}:
        raise ValueError(
            f"{path.name}: expected arrays arr_0, arr_1, ... as numpy.savez(path, *exps) writes them, up to 4 GiB"
        )
    return len(names)


def read_flame(source: ClipSource, rule: ClipRule) -> Performance:
    """Read the coefficients of a clip, and map them where a map is given.

    Raises:
        ValueError: another number of columns, numbers that are not finite, or no frames per second.
    """
    if rule.fps is None:
        raise ValueError("expected frames per second, of which the files say nothing: pass --fps")
    rate = check_rate(rule.fps)
    columns = EXPRESSIONS + (6 if source.entry is None else 3)
    table = np.asarray(_array(source), np.float64)
    if table.ndim != 2 or table.shape[1] != columns or not len(table):
        raise ValueError(f"expected coefficients (T, {columns}), got an array of shape {table.shape}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        kept = table.astype(np.float32)
    for row, column in np.argwhere(~np.isfinite(kept))[:1]:
        got = f"{table[row, column]:g} in frame {row}, column {column}"
        raise ValueError(f"expected finite coefficients in the range of float32, got {got}")
    clip, cut = None, 0
    if rule.flame is not None:
        neck = table[:, EXPRESSIONS : EXPRESSIONS + 3] if columns == EXPRESSIONS + 6 else None
        clip, cut = rule.flame.to_clip(table[:, :EXPRESSIONS], table[:, -3:], neck, rate)
    return Performance(clip, kept, rate, cut=cut)


def _array(source: ClipSource) -> Any:
    if source.entry is None:
        return read_array(source.path)
    try:
        with np.load(source.path, allow_pickle=False) as arrays:
            array = arrays[f"arr_{source.entry}"]
    except _BROKEN as error:
        raise ValueError(f"expected an array of numbers, got something else: {error!s:.100}") from error
    if array.dtype.kind not in "fiu":
        raise ValueError(f"expected an array of numbers, got one of {array.dtype}")
    return array
