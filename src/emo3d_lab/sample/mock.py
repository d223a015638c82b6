"""A made-up release in exactly the published layout, for tests and benchmarks. Nothing in it is published data.

File names, columns, quoting, printed arrays and archives are those of `llm-lab/Emo3D`, so that everything that reads
the release reads this too; the file SYNTHETIC.md in the folder explains it. Three things are assumed, because
no public description states them: that `primitive_emotions.csv` has the columns of the other tables, that rows of the
emotion archives (`anger_images.zip`, ...) are of `prompt2`, and how pictures are numbered in those archives.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import MEDIAPIPE_BLENDSHAPES
from emo3d.dataset.tables import COLUMNS
from emo3d.emotions import EMOTIONS
from emo3d_lab.sample.rows import SampleRow, make_rows

ROWS = 20_000
"""Rows of a full mock release: 10,000 of `prompt1`, 6,000 of `prompt2`, 4,000 in the emotion archives."""

_PROMPT_1 = (0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 9000, 10_000)  # bounds of the archives
_PROMPT_2 = (0, 1000, 2000, 3000, 4000, 5000, 6000)
_EMOTION_ARCHIVES = ("anger", "contempt", "disgust", "fear", "sadness")
_DESCRIPTIONS = (3, 3, 3, 3, 3, 3, 3, 3, 2, 1)  # of a row, in these shares
_NO_FACE, _NO_FOURTH = 0.03, 0.1  # shares of the pictures, of the rows with four
_SIDES = (1024, 512, 256, 128, 32)  # of a picture, in pixels
_COMMENT = 65_533  # bytes that a JPEG comment holds
_DATE = (2024, 1, 1, 0, 0, 0)
_NOTE = """# Synthetic

Everything in this folder was made up by `emo3d_lab.sample.mock.write_release` ({}) to test and measure what reads the
Emo3D release, whose layout it imitates. No sentence, picture or number of the release is in it, and its pictures are
noise. A result on it says nothing about Emo3D.
"""


def write_release(
    folder: str | os.PathLike[str],
    *,
    rows: int = ROWS,
    primitive: int | None = None,
    picture_bytes: int | None = None,
    seed: int = 0,
) -> Path:
    """Write a synthetic release in the published layout: tables, archives, and SYNTHETIC.md.

    A row has 1 to 3 descriptions from the grammar with the intensities of the first, 1 to 4 pictures, and scores
    printed to three decimals, some of them null (no face found). A tenth of the rows is for validation and a tenth for
    test, in no order. Fewer rows than `ROWS` are spread over the published archives; more are in the emotion archives.
    Every other archive is deflated; members lie in no folder, in one called like the archive, or in another.

    Args:
        folder: made where absent; its `data` must be absent or empty.
        rows: of the three split files together, at least 10; 20,000 rows have about 50,000 pictures.
        primitive: rows of `primitive_emotions.csv`; a tenth of `rows` by default.
        picture_bytes: size of every picture, at least 1,000 (the published ones are JPEGs of 1024 x 1024 pixels and
            about 160,000 bytes); by default as small as they get.
        seed: with the other arguments, decides every byte, on the same versions of the libraries.

    Returns:
        The folder. Memory does not grow with the pictures.

    Raises:
        ValueError: too few rows or bytes, or more rows than the grammar has descriptions for.
        FileExistsError: there is something in `data` already.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(path.name for path in write_release(folder, rows=10).glob("data/*.csv"))
        ['primitive_emotions.csv', 'test_data.csv', 'train_data.csv', 'val_data.csv']
    """
    if rows < 10:
        raise ValueError(f"expected at least 10 rows for three splits, got {rows}")
    primitive = rows // 10 if primitive is None else primitive
    pictures = _Pictures(picture_bytes, seed)
    data = Path(folder) / "data"
    data.mkdir(parents=True, exist_ok=True)
    if any(data.iterdir()):
        raise FileExistsError(f"expected nothing in {data}: a synthetic release must not be mixed with another")
    arguments = f"rows={rows}, primitive={primitive}, picture_bytes={picture_bytes}, seed={seed}"
    (data.parent / "SYNTHETIC.md").write_text(_NOTE.format(arguments), "utf-8")

    rng = np.random.default_rng([seed, 3])
    texts = _texts(rows + primitive, seed, rng)
    table = [_row(*_place(n * max(ROWS, rows) // rows), next(texts), rng) for n in range(rows)]
    extra = [_row(n, "primitive", "primitive_emotions", n, next(texts), rng) for n in range(primitive)]
    for number, (stem, names) in enumerate(_members([*table, *extra])):
        _write_archive(data / f"{stem}.zip", names, pictures, number)
    _write_parquet(data / "emo3d_data.parquet", table)
    order = rng.permutation(rows)
    tenth = rows // 10
    for name, places in {
        "train_data.csv": order[2 * tenth :],
        "val_data.csv": order[:tenth],
        "test_data.csv": order[tenth : 2 * tenth],
    }.items():
        _write_csv(data / name, (table[place] for place in places))
    _write_csv(data / "primitive_emotions.csv", extra)
    return data.parent


def _place(sample_id: int) -> tuple[int, str, str, int]:
    """Sample id -> itself, prompt type, archive, and the picture's number in it."""
    if sample_id < _PROMPT_1[-1]:
        return sample_id, "prompt1", _archive("prompt1_images", _PROMPT_1, sample_id), sample_id
    number = sample_id - _PROMPT_1[-1]
    if number < _PROMPT_2[-1]:
        return sample_id, "prompt2", _archive("prompt2_images", _PROMPT_2, number), number
    number -= _PROMPT_2[-1]
    return sample_id, "prompt2", f"{_EMOTION_ARCHIVES[number // 800 % len(_EMOTION_ARCHIVES)]}_images", number


def _archive(name: str, bounds: Sequence[int], number: int) -> str:
    upper = next(limit for limit in bounds if number < limit)
    return f"{name}_{bounds[bounds.index(upper) - 1]}_{upper}"


def _texts(count: int, seed: int, rng: np.random.Generator) -> Iterator[list[SampleRow]]:
    """Up to three descriptions at a time, of similar intensities."""
    rows = sorted(make_rows("train", 3 * count, seed), key=lambda row: row.intensities.tolist())
    for place in rng.permutation(count):
        yield rows[3 * place :][: rng.choice(_DESCRIPTIONS)]


def _row(
    sample_id: int, prompt: str, archive: str, number: int, texts: Sequence[SampleRow], rng: np.random.Generator
) -> dict[str, Any]:
    row: dict[str, Any] = {"sample_id": sample_id, "prompt_type": prompt}
    row |= {f"text_{n}": text.description for n, text in enumerate(texts, 1)}
    row |= {name: round(float(value), 3) for name, value in zip(EMOTIONS, texts[0].intensities, strict=True)}
    count = 1 if prompt == "prompt1" else 3 + (rng.random() >= _NO_FOURTH)
    scores = np.zeros((count, len(MEDIAPIPE_BLENDSHAPES)))  # _neutral stays 0
    scores[:, 1:] = np.clip(texts[0].blendshapes + rng.normal(0, 0.05, (count, 51)), 0, 1)
    for variant in range(count):
        row[f"img_{variant + 1}"] = f"{archive}/{number}_{variant}.jpeg"
        if rng.random() >= _NO_FACE:
            row[f"blenshape_score_{variant + 1}"] = print_scores(scores[variant])
    return {name: row.get(name) for name in COLUMNS}


def print_scores(scores: np.ndarray) -> str:
    """Print scores rounded to three decimals as NumPy would, a hundred times faster.

    Example:
        >>> print(print_scores(np.linspace(0, 0.5, 14)))
        [0.    0.038 0.077 0.115 0.154 0.192 0.231 0.269 0.308 0.346 0.385 0.423
         0.462 0.5  ]
    """
    parts = [f"{score:.3f}".rstrip("0") for score in scores.tolist()]
    width = max(map(len, parts))
    parts = [part.ljust(width) for part in parts]
    per_line = (75 - 1) // (width + 1)  # NumPy's line width, the bracket's place left free
    lines = [" ".join(parts[start : start + per_line]) for start in range(0, len(parts), per_line)]
    return "[" + "\n ".join([*(line.rstrip() for line in lines[:-1]), lines[-1]]) + "]"


def _members(table: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Archives with the names of their pictures."""
    names = [row[f"img_{n}"].split("/") for row in table for n in (1, 2, 3, 4) if row[f"img_{n}"]]
    for stem, group in groupby(sorted(names, key=itemgetter(0)), itemgetter(0)):
        yield stem, [member for _, member in group]


def _write_archive(path: Path, names: Iterable[str], pictures: _Pictures, number: int) -> None:
    folder = ("", f"{path.stem}/", "content/images/")[number % 3]
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo(folder + name, _DATE)
            info.compress_type = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[number % 2]
            archive.writestr(info, pictures.make(f"{path.stem}/{name}"), compresslevel=1)


class _Pictures:
    """JPEGs of noise, encoded once; a comment makes each different, and as large as it should be."""

    def __init__(self, size: int | None, seed: int) -> None:
        if size is not None and size < 1000:
            raise ValueError(f"expected pictures of at least 1000 bytes, got {size}")
        self._rng = np.random.default_rng([seed, 4])
        for side in _SIDES if size else _SIDES[-1:]:
            self._plain = [_jpeg(self._rng, side) for _ in range(4)]
            if size and max(map(len, self._plain)) + 100 <= size:
                break
        self._size = size or max(map(len, self._plain)) + 100
        self._noise = self._rng.bytes(1 << 20)  # what deflate cannot shrink, as little as it can a photograph

    def make(self, name: str) -> bytes:
        plain = self._plain[self._rng.integers(len(self._plain))]
        comment = f"synthetic {name} ".encode()
        parts, missing = [plain[:2]], self._size - len(plain)
        while missing > 0:
            length = min(missing, 4 + _COMMENT)
            length -= 4 * (0 < missing - length < 4)  # a comment has four bytes at least
            start = int(self._rng.integers(len(self._noise) - _COMMENT))
            text = (comment + self._noise[start : start + _COMMENT])[: length - 4]
            parts += [b"\xff\xfe", (len(text) + 2).to_bytes(2, "big"), text]
            missing -= length
        return b"".join([*parts, plain[2:]])


def _jpeg(rng: np.random.Generator, side: int) -> bytes:
    from PIL import Image

    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    buffer = io.BytesIO()
    coarse.resize((side, side), Image.Resampling.BICUBIC).save(buffer, "JPEG", optimize=True)
    return buffer.getvalue()


def _write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow([f"{cell:g}" if isinstance(cell, float) else cell for cell in row.values()])


def _write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"sample_id": pa.int64(), **dict.fromkeys(EMOTIONS, pa.float64())}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
