"""A table of texts for a folder of takes: `file`, `description` and perhaps `beats`, a row for each text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emo3d.clips import Beat
from emo3d.documents import parse_json
from emo3d.emotions import EMOTIONS
from emo3d.ranges import real_number
from emo3d_lab.neighbours.clip_sources import ClipSource
from emo3d_lab.neighbours.formats import check_columns, read_records
from emo3d_lab.neighbours.tags import intensities_of

_SUFFIXES = (".csv", ".jsonl")
_KEYS = {"description", "start", "end", "emotion", "intensities"}


def describe_takes(
    folder: Path, names: Sequence[str], reasons: Mapping[str, str], table: str | os.PathLike[str]
) -> list[ClipSource]:
    """Give the takes of a folder their texts; rows that name no take, and takes without a row, become problems.

    Args:
        folder: of the takes.
        names: of its takes, relative to it.
        reasons: other file -> why it is no take.
        table: a `.csv` or `.jsonl`; `file` as in `names`, with or without `.csv`; `beats` a list (in a CSV its JSON) of
            objects with description, start and end in seconds, and `emotion` (a tag) or `intensities` by emotion.

    Raises:
        ValueError: another kind of file, or one without the two columns.
    """
    path = Path(table)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"expected a table of texts, {' or '.join(_SUFFIXES)}, got {path.name}")
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {table}")
    check_columns(str(path), {"file": "the take", "description": "what it shows"})
    known = {name: name for name in names} | {name[: -len(".csv")]: name for name in names}
    texts: dict[str, list[str]] = {name: [] for name in names}
    beats: dict[str, tuple[Beat, ...]] = {}
    lost: list[ClipSource] = []
    for number, record in enumerate(read_records(str(path), ["file", "description"])):
        row = f"{path.name} row {number}"
        if isinstance(record, str):
            lost.append(ClipSource(row, "", (), problem=record))
            continue
        file = str(record["file"] or "").strip().replace("\\", "/").removeprefix("./")
        name = known.get(file)
        if name is None:
            why = reasons.get(file) or reasons.get(f"{file}.csv") or "found none"
            lost.append(ClipSource(row, "", (), problem=f"expected a take called {file!r:.200}, {why}"))
            continue
        try:
            text = record["description"]
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"expected a description of {name}, got {text!r:.60}")
            if record.get("beats"):
                if name in beats:
                    raise ValueError(f"expected the beats of {name} once, got them again")
                beats[name] = read_beat_list(record["beats"])
            texts[name].append(text.strip())
        except ValueError as error:  # of this row; the take's others are used
            lost.append(ClipSource(name, "", (), problem=f"{row}: {error}"))
    missing = f"expected its text in {path.name}, found none"
    failed = {source.name for source in lost}
    sources = [
        ClipSource(
            *(name, str(folder / name), tuple(texts[name]), beats.get(name, ())),
            problem="" if texts[name] else missing,
        )
        for name in names
        if texts[name] or name not in failed
    ]
    return sources + lost


def read_beat_list(value: Any) -> tuple[Beat, ...]:
    """Beats of a list of objects, or of its JSON.

    Raises:
        ValueError: another form, an unknown key or tag, both of emotion and intensities, or what `Beat` refuses.
    """
    entries = parse_json(value) if isinstance(value, str) else value
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ValueError(f"expected a list of beats, got {str(value)[:80]!r}")
    return tuple(_beat(entry) for entry in entries)


def _beat(entry: Mapping[str, Any]) -> Beat:
    if unknown := sorted(set(entry) - _KEYS):
        raise ValueError(f"expected a beat of {', '.join(sorted(_KEYS))}, got the key {unknown[0]!r:.60}")
    for key in ("description", "start", "end"):
        if key not in entry:
            raise ValueError(f"expected a beat with {key}, got {str(dict(entry))[:80]}")
    if not isinstance(entry["description"], str):
        raise ValueError(f"expected a text that describes a beat, got {entry['description']!r:.60}")
    emotion, shares = entry.get("emotion"), entry.get("intensities")
    if emotion is not None and shares is not None:
        raise ValueError("expected emotion or intensities of a beat, got both")
    intensities = None
    if emotion is not None:
        intensities = tuple(intensities_of(emotion))
    elif shares is not None:
        if not isinstance(shares, Mapping) or not set(shares) <= set(EMOTIONS):
            raise ValueError(f"expected intensities of {', '.join(EMOTIONS)}, got {str(shares)[:80]}")
        intensities = tuple(real_number(f"the intensity of {name}", shares.get(name, 0.0)) for name in EMOTIONS)
    return Beat(entry["description"], entry["start"], entry["end"], intensities)
