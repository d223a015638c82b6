"""Rows of the embedded sample, or of a dataset's Parquet files on the Hub, read in place and a page at a time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from huggingface_hub import HfFileSystem
from pyarrow import parquet

from emo3d.blendshapes import Space, as_expressions
from emo3d.dataset import sample_folder
from emo3d.emotions import EMOTIONS, as_intensities
from emo3d.loading import workshop_part
from emo3d.parquet import batch_rows, check_size
from emo3d_lab.sample import SPLITS
from emo3d_lab.visitors import public_info

if TYPE_CHECKING:
    from emo3d.clips import Clip

SAMPLE = "sample"
PAGE = 12
MOST_READ = 2000
"""Rows of one search; the visitor may go on from there."""
LONGEST_LOOK = 20.0  # seconds of one search
LARGEST_GROUP = 256_000_000
"""Bytes of a Parquet row group that are read at once."""

_DESCRIPTIONS = ("description", "text_1", "text_2", "text_3")  # the latter three in the published release
_READINGS = tuple(f"blenshape_score_{number}" for number in range(1, 5))  # the release's spelling
_OF_CLIPS = ("clip_id", "beats", "length", "rate", "space")
_COLUMNS = (*_DESCRIPTIONS, "descriptions", "intensities", *EMOTIONS, "blendshapes", *_READINGS, "identity", *_OF_CLIPS)

Files = dict[str, dict[str, list[str]]]
"""Config -> split -> names of Parquet files."""


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a dataset.

    Attributes:
        place: in its split.
        descriptions: one or several.
        intensities: (8,), None where there are none that can be read.
        blendshapes: (51,) float32, None where there are none that can be read.
        problem: why the blendshapes or the clip cannot be read.
        identity: whose face it is; empty where the dataset does not say it.
        picture: a file's bytes.
        clip: of a config of clips.
    """

    place: int
    descriptions: list[str]
    intensities: np.ndarray | None
    blendshapes: np.ndarray | None
    problem: str
    identity: str
    picture: bytes | None = None
    clip: Clip | None = None

    def matches(self, text: str, emotion: str | None) -> bool:
        """Whether one of its descriptions holds the text, and no other emotion is stronger than this one."""
        if text and not any(text.casefold() in description.casefold() for description in self.descriptions):
            return False
        if emotion is None or self.intensities is None:
            return emotion is None
        return bool(self.intensities[EMOTIONS.index(emotion)] == self.intensities.max())


class Page(NamedTuple):
    """The result of a search.

    Attributes:
        rows: at most `PAGE`.
        stop: the place before which it stopped.
        is_last: there are no more rows.
        space: of the blendshapes, where the files say it.
    """

    rows: list[Row]
    stop: int
    is_last: bool
    space: Space | None


@dataclass(frozen=True)
class Dataset:
    """Parquet files, and how to open them."""

    files: Files
    open: Callable[[str], Any]

    def look(self, config: str, split: str, start: int = 0, text: str = "", emotion: str | None = None) -> Page:
        """Look for rows of a split, from a place on.

        Args:
            config: a key of `files`.
            split: a key of `files[config]`.
            start: the place.
            text: what one of the descriptions holds, in capitals or not.
            emotion: the strongest one, None for any.

        Raises:
            ValueError: files without descriptions and blendshapes, or that cannot be read.
            OSError: the Hub broke off, or a file is damaged.
        """
        matches: list[Row] = []
        stop, space, until = start, None, time.monotonic() + LONGEST_LOOK
        try:
            with closing(self._rows(self.files[config][split], start)) as rows:
                for row, space, more in rows:
                    if len(matches) == PAGE or row.place - start == MOST_READ or time.monotonic() > until:
                        return Page(matches, stop, False, space)
                    stop = row.place + 1
                    if row.matches(text, emotion):
                        matches.append(replace(row, **more()))
        except Exception as error:  # of the HTTP library, which is another one in another version, or of Arrow
            if isinstance(error, ValueError) and not isinstance(error, pa.ArrowException):
                raise
            raise OSError("The Hub broke off, or a file of this dataset is damaged. Please try again.") from error
        return Page(matches, stop, True, space)

    def _rows(
        self, names: list[str], start: int
    ) -> Generator[tuple[Row, Space | None, Callable[[], dict[str, Any]]], None, None]:
        """Rows, the space of their file, and a function that reads the row's picture or clip."""
        begin = 0
        for name in names:
            with self.open(name) as source, parquet.ParquetFile(source, pre_buffer=True) as file:
                space = _check_schema(file.schema_arrow)
                for group in range(file.num_row_groups):
                    first = max(start - begin, 0)
                    if first < (size := file.metadata.row_group(group).num_rows):
                        column = lru_cache(maxsize=1)(partial(_large_column, file, group))
                        # No search needs more, so the rest of a large group does not become Python objects.
                        cells = _read_columns(file, group, _COLUMNS, first, MOST_READ + 1).to_pylist()
                        for place, row in enumerate(cells, first):
                            yield _row(begin + place, row), space, partial(_more, column, place, row)
                    begin += size


def open_dataset(name: str) -> Dataset:
    """Find the Parquet files of a dataset. No code of it is run, and only files of its own are read.

    Args:
        name: `"sample"`, or an id on the Hub; of a public one, whatever token this process has.

    Raises:
        ValueError: another name, or a dataset without Parquet files.
        OSError: the Hub cannot be reached, or has no such dataset.
    """
    if name == SAMPLE:
        configs = (SAMPLE, "clips")
        files = {config: {split: [f"{config}/{split}.parquet"] for split in SPLITS} for config in configs}
        return Dataset(files, lambda file: (sample_folder(Path(file).parts[0]) / Path(file).name).open("rb"))
    info = public_info(name, "sample, or a dataset", "dataset", instead="the sample")
    names = sorted(file.rfilename for file in info.siblings or [] if file.rfilename.endswith(".parquet"))
    if not names:
        raise ValueError(f"Expected a dataset with Parquet files, {name} has none.")
    root, hub = f"datasets/{name}@{info.sha}", HfFileSystem(token=False)
    files = _by_card(names, info.card_data.to_dict() if info.card_data else {}) or _by_name(names)
    return Dataset(files, lambda file: hub.open(f"{root}/{file}", cache_type="none"))


def _by_card(names: list[str], card: Mapping[str, Any]) -> Files:
    """Files by config and split as the card says, the default config first. A pattern only picks from `names`."""
    files: Files = {}
    for config in sorted(_dicts(card.get("configs")), key=lambda config: config.get("default") is not True):
        data_files = config.get("data_files")
        parts = _dicts(data_files) or [{"split": "train", "path": data_files}]
        splits = {str(part.get("split")): _matching(names, part.get("path")) for part in parts}
        if any(splits.values()):
            files[str(config.get("config_name"))] = {split: matches for split, matches in splits.items() if matches}
    return files


def _by_name(names: list[str]) -> Files:
    """Files by the split in their name, all of one config; the train split where there is none in it."""
    splits: dict[str, list[str]] = {}
    for name in names:
        split = re.search(rf"(?<![a-z])({'|'.join(SPLITS)})(?![a-z])", name)
        splits.setdefault(split[0] if split else "train", []).append(name)
    return {"default": splits}


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _matching(names: list[str], patterns: Any) -> list[str]:
    """Names that match a card's pattern, or one of several; `*` stays within a folder, `**` does not."""
    return [
        name
        for name in names
        for pattern in (patterns if isinstance(patterns, list) else [patterns])
        if isinstance(pattern, str)
        and fnmatchcase(name, pattern)
        and ("**" in pattern or name.count("/") == pattern.count("/"))
    ]


def _check_schema(schema: pa.Schema) -> Space | None:
    """The space that a file names; the published release names none, and has readings."""
    names = schema.names
    if _is_of_clips(names):
        return None  # each row says it
    if not {*_DESCRIPTIONS, "descriptions"} & {*names} or not {"blendshapes", *_READINGS} & {*names}:
        raise ValueError(f"Expected the columns description and blendshapes, got {', '.join(names)[:300]}.")
    if "blendshapes" not in names:
        return "reading"
    space = (schema.metadata or {}).get(b"space")
    return {b"reading": "reading", b"weights": "weights"}.get(space)  # type: ignore[return-value,arg-type]


def _read_columns(
    file: parquet.ParquetFile, group: int, columns: tuple[str, ...], first: int = 0, count: int | None = None
) -> pa.Table:
    """Some rows of a row group in those of the columns that the file has, unless they are too large in memory."""
    names = [name for name in columns if file.schema_arrow.names.count(name) == 1]
    stop = file.metadata.row_group(group).num_rows if count is None else first + count
    try:
        check_size(file, names, [group], LARGEST_GROUP)
        total, start, parts = 0, 0, []
        for batch in file.iter_batches(batch_rows(file, names, LARGEST_GROUP), row_groups=[group], columns=names):
            part = batch.slice(max(first - start, 0), max(stop - max(first, start), 0))
            start += len(batch)
            total += part.nbytes
            if total > LARGEST_GROUP:
                raise ValueError(f"expected at most {LARGEST_GROUP >> 20:,} MB in the rows that are read, found more")
            parts.append(part)
            if start >= stop:
                break
    except ValueError as error:
        raise ValueError(f"Row groups of this dataset are too large to be shown here: {error}.") from None
    empty = pa.schema([file.schema_arrow.field(name) for name in names])
    return pa.Table.from_batches(parts, parts[0].schema if parts else empty)


def _large_column(file: parquet.ParquetFile, group: int) -> tuple[str, pa.ChunkedArray | None]:
    """Pictures or frames of clips, whichever there are, and their column's name."""
    name = "frames" if _is_of_clips(file.schema_arrow.names) else "image"
    return name, _read_columns(file, group, (name,))[name] if name in file.schema_arrow.names else None


def _more(
    large_column: Callable[[], tuple[str, pa.ChunkedArray | None]], place: int, cells: Mapping[str, Any]
) -> dict[str, Any]:
    """A picture's bytes, a path in whose place is not followed; or a clip, or what is wrong with it."""
    name, column = large_column()
    cell = None if column is None else column[place].as_py()
    if name == "frames":
        try:
            return {"clip": workshop_part("clips").clip_of_row({**cells, "frames": cell})}
        except (ValueError, TypeError) as error:
            return {"problem": str(error)}
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    return {"picture": data if isinstance(data, bytes) else None}


def _is_of_clips(names: list[str]) -> bool:
    return {"description", "frames", *_OF_CLIPS} <= {*names}


def _row(place: int, cells: Mapping[str, Any]) -> Row:
    several = cells.get("descriptions")
    texts = [*(cells.get(name) for name in _DESCRIPTIONS), *(several if isinstance(several, list) else [several])]
    blendshapes, problem = None, ""
    vector = next((cells[name] for name in ("blendshapes", *_READINGS) if cells.get(name) is not None), None)
    if vector is not None:
        try:
            blendshapes = as_expressions([vector], None if "blendshapes" in cells else "mediapipe")[0]
        except (ValueError, TypeError) as error:
            problem = str(error).partition(" in row 0")[0]
    try:
        beats = [beat["intensities"] for beat in cells.get("beats") or [] if beat["intensities"]]
        mean = np.mean(beats, axis=0).tolist() if beats else [cells.get(emotion) for emotion in EMOTIONS]
        intensities = as_intensities([cells.get("intensities") or mean])[0]
    except (ValueError, TypeError):  # none, or all of them zero
        intensities = None
    identity = str(cells.get("identity") or "")
    return Row(place, [str(text) for text in texts if text], intensities, blendshapes, problem, identity)
