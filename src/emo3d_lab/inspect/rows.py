"""Where the rows of an inspection come from: anything that `load_dataset` takes, or the published release as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emo3d.dataset.opening import load
from emo3d.dataset.release import ReleaseFiles, data_folder, is_release, read_release
from emo3d.dataset.tally import Problem
from emo3d.hints import did_you_mean

GROUPS = ("prompt_type", "identity")
"""Columns whose values are counted."""

BY_PATH = b"path"
"""Stands for a picture that the dataset names by a path without holding its bytes."""

_MEASURED = ("description", "descriptions", "intensities", "blendshapes", "image")
_COLUMNS = ("sample_id", "variant", *GROUPS, *_MEASURED)
_RELEASE_COLUMNS = frozenset(("sample_id", "prompt_type", "descriptions", "intensities", "blendshapes", "image"))


@dataclass(frozen=True)
class Row:
    """One row of whatever layout; what the dataset has no column for is empty.

    Attributes:
        label: what it is called in a sentence.
        sample: its `sample_id`, or something of its own where there is none.
        key: two rows with the same key are the same row twice; None where there is no `sample_id`.
        descriptions: as they stand, blank ones included.
        intensities: normally 8 numbers.
        faces: an expression (normally 51 numbers; None: no face) for each picture of the row.
        pictures: SHA-256 of each picture's bytes, `BY_PATH`, or None for a missing one.
        groups: values of `GROUPS`.
    """

    label: str
    sample: Any
    key: tuple[Any, ...] | None
    descriptions: Sequence[str]
    intensities: Any
    faces: Sequence[Any]
    pictures: Sequence[bytes | None]
    groups: Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """A split and its rows, which are read as one iterates.

    Attributes:
        name: of the split.
        columns: those that are looked at.
        rows: one pass over the split.
        ignored: columns that are not looked at.
        total: number of rows, None where it is not known beforehand.
        problems: what the reader of the published release leaves out, complete after the pass.
    """

    name: str
    columns: frozenset[str]
    rows: Iterable[Row]
    ignored: tuple[str, ...] = ()
    total: int | None = None
    problems: list[Problem] = field(default_factory=list)


def open_dataset(dataset: str, config: str | None, splits: Sequence[str]) -> list[Source]:
    """Open splits of a dataset, all when `splits` is empty; see `inspect_dataset`.

    Raises:
        ValueError: an unknown config or split, or a split without any column to inspect.
        OSError: no such dataset.
    """
    sources = _open_release(dataset, config) if is_release(dataset) else _open_hub(dataset, config)
    names = [source.name for source in sources]
    for split in splits:
        if split not in names:
            hint = did_you_mean(split, names)
            raise ValueError(f"expected a split of {', '.join(names)}, got {split!r}{hint}")
    return [source for source in sources if not splits or source.name in splits]


def _open_hub(dataset: str, config: str | None) -> list[Source]:
    splits = load(dataset, config, streaming=True)
    return [_open_split(str(name), rows) for name, rows in splits.items()]


def _open_split(name: str, rows: Any) -> Source:
    from datasets import Image

    present = rows.column_names or list(next(iter(rows), {}))  # of JSON and CSV nothing is known beforehand
    columns = [column for column in _COLUMNS if column in present]
    if not set(columns) & set(_MEASURED):
        raise ValueError(f"{name}: expected some of the columns {', '.join(_MEASURED)}, got {', '.join(present)}")
    rows = rows.select_columns(columns)
    if isinstance((rows.features or {}).get("image"), Image):
        rows = rows.cast_column("image", Image(decode=False))
    info = (rows.info.splits or {}).get(name)
    if hasattr(rows, "reshard"):  # one row group at a time: within a file, Arrow's memory grows with what was read
        rows = rows.reshard()
    return Source(
        name=name,
        columns=frozenset(columns),
        rows=_HubRows(name, rows, columns),
        ignored=tuple(column for column in present if column not in columns),
        total=info.num_examples if info else None,
    )


@dataclass(frozen=True)
class _HubRows:
    split: str
    rows: Iterable[Mapping[str, Any]]
    columns: Sequence[str]

    def __iter__(self) -> Iterator[Row]:
        # A sample has one row; or one per variant; or, in pairs, one per variant and description.
        parts = ("sample_id", "variant", "description") if "variant" in self.columns else ("sample_id",)
        keys = [part for part in parts if part in self.columns]
        for number, cells in enumerate(self.rows):
            sample = cells.get("sample_id")
            descriptions = [*(cells.get("descriptions") or ()), cells.get("description")]
            yield Row(
                label=f"{self.split} row {number}" + (f" (sample_id {sample})" if sample is not None else ""),
                sample=("row", number) if sample is None else sample,
                key=None if sample is None else tuple(cells[key] for key in keys),
                descriptions=[description for description in descriptions if description],
                intensities=cells.get("intensities"),
                faces=[cells["blendshapes"]] if "blendshapes" in self.columns else (),
                pictures=[_digest(cells["image"])] if "image" in self.columns else (),
                groups={name: str(cells[name]) for name in GROUPS if name in self.columns},
            )


def _digest(image: Any) -> bytes | None:
    data = image.get("bytes") if isinstance(image, Mapping) else image
    if isinstance(data, bytes):
        return hashlib.sha256(data).digest()
    return BY_PATH if image and (data or image.get("path")) else None


def _open_release(folder: str, config: str | None) -> list[Source]:
    if config not in (None, "default", "primitive"):
        raise ValueError(f"expected a config of default, primitive in a release as it is, got {config!r}")
    tables = ReleaseFiles.of_folder(data_folder(folder), config or "default").tables
    sources = []
    for split, paths in tables.items():
        problems: list[Problem] = []
        rows = _ReleaseRows(split, folder, [Path(path).name for path in paths], problems)
        sources.append(Source(split, _RELEASE_COLUMNS, rows, problems=problems))
    return sources


@dataclass(frozen=True)
class _ReleaseRows:
    split: str
    folder: str
    files: Sequence[str]
    problems: list[Problem]

    def __iter__(self) -> Iterator[Row]:
        for row in read_release(self.folder, self.files, on_problem=self.problems.append):
            yield Row(
                label=f"{self.split} sample_id {row.sample_id}",
                sample=row.sample_id,
                key=(row.sample_id,),
                descriptions=row.descriptions,
                intensities=row.intensities,
                faces=[picture.expression for picture in row.pictures],
                pictures=[_digest(picture.image) for picture in row.pictures],
                groups={"prompt_type": row.prompt_type},
            )
