"""The kinds of data that can be imported as clips: whole sequences with their texts, the config `clips`."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import emo3d
from emo3d.clips import ROTATIONS, Clip, check_rate
from emo3d.containers import read_array
from emo3d.names import Names, read_names
from emo3d.ranges import fit_scores
from emo3d_lab.building.card import folder_card
from emo3d_lab.building.reports import describe_file
from emo3d_lab.building.shards import Run, ShardFile, write_dataset
from emo3d_lab.neighbours.beat import find_beat
from emo3d_lab.neighbours.clip_sources import (
    ClipRule,
    ClipShard,
    ClipSource,
    Performance,
    Reader,
    clipped,
    number_sources,
    read_recording,
)
from emo3d_lab.neighbours.express4d import find_express4d
from emo3d_lab.neighbours.flame import find_emoava, find_mmhead, read_flame
from emo3d_lab.neighbours.flame_map import read_flame_map
from emo3d_lab.neighbours.keyframes import find_keyframes, read_keyframes
from emo3d_lab.neighbours.livelink import Take, find_takes, share_out
from emo3d_lab.neighbours.texts import describe_takes
from emo3d_lab.takes.unreal import LIVELINK_NAMES

CLIP_KINDS = ("livelink", "express4d", "keyframeface", "beat", "mmhead", "emoava")
"""What `import_clips` knows."""

_EXPRESS4D_RATE = 60.0  # frames per second of its arrays, which have no times
_ONLY = {  # argument -> kinds for which it has a meaning
    "texts": ("livelink",),
    "description": ("livelink", "beat"),
    "takes": ("livelink",),
    "map": ("mmhead", "emoava"),
    "names": ("livelink", "express4d", "beat"),
    "scale": ("livelink", "express4d", "beat", "keyframeface"),
    "clip": ("livelink", "express4d", "beat", "keyframeface"),
}
_DEFAULTS = {"scale": 1, "clip": False}
Found = tuple[dict[str, list[ClipSource]], dict[str, str]]


def import_clips(
    kind: str,
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    texts: str | os.PathLike[str] | None = None,
    description: str | None = None,
    takes: str | None = None,
    map: str | os.PathLike[str] | None = None,
    fps: float | None = None,
    names: str | os.PathLike[str] | Names | None = None,
    scale: float = 1,
    clip: bool = False,
    run: Run | None = None,
) -> dict[str, Any]:
    """Import sequences with texts as `data/clips` of a dataset folder: one row per recording and text.

    Args:
        kind: one of `CLIP_KINDS`.
        path: a take or a folder of takes, a file of KeyframeFace, or the folder of a dataset.
        out: see `emo3d_lab.building.shards.write_dataset`.
        texts: a table with the texts of a folder of takes, see `emo3d_lab.neighbours.texts.describe_takes`.
        description: of every take that has no text of its own.
        takes: `"raw"` or `"cal"`: which version of takes that are there in both.
        map: a basis map of FLAME, see `read_flame_map`; without it its coefficients are kept and `frames` are null.
        fps: frames per second, 1 to 240, where files do not say; `mmhead` and `emoava` need it.
        names, scale, clip: see `emo3d_lab.neighbours.import_dataset`.
        run: processes and engine, and whether to stop at problems; one process when None.

    Returns:
        The report, as `write_dataset` does.

    Raises:
        ValueError: an unknown kind, an argument that is missing or has no meaning for it, another layout, or, when
            strict, a recording that cannot be used.
        FileNotFoundError: no such path.
    """
    arguments: dict[str, Any] = {"texts": texts, "description": description, "takes": takes, "map": map}
    arguments |= {"names": names, "scale": scale, "clip": clip}
    _check_arguments(kind, arguments)
    source = Path(path)
    if not source.exists():
        raise FileNotFoundError(f"no such file or folder: {path}")
    rate = None if fps is None else check_rate(fps)
    if kind in ("mmhead", "emoava") and rate is None:
        raise ValueError(f"the files of {kind} do not say how many frames a second they have: pass --fps")
    rule = ClipRule(read_names(names), scale, clip, rate, None if map is None else read_flame_map(map))
    splits, reasons = _find(kind, source, rule, arguments)
    sources = number_sources(source for found in splits.values() for source in found)
    rest = iter(sources)
    shards: list[ClipShard] = []
    for split, found in splits.items():
        groups = share_out([next(rest) for _ in found])
        places = [("clips", split, index, len(groups), "weights") for index in range(len(groups))]
        shards += [
            ClipShard(*place, group, kind, _READERS[kind], rule) for place, group in zip(places, groups, strict=True)
        ]
    if not shards:
        raise ValueError(f"expected recordings in {source.name}, found none")
    files = {entry.path: entry.name for entry in sources if entry.path}
    extras = {str(Path(extra)): Path(extra).name for extra in (texts, map) if extra is not None}
    return write_dataset(
        out,
        shards,
        source={
            "command": "import --clips",
            "kind": kind,
            "files": [{**describe_file(file), "name": name} for file, name in {**files, **extras}.items()],
            "not_read": reasons,
            "texts": hashlib.sha256(repr([_said(entry) for entry in sources]).encode("utf-8", "replace")).hexdigest(),
            "fps": rate,
            "names": rule.names,
            "scale": scale,
            "clip": clip,
            "emo3d": emo3d.__version__,
        },
        finish=lambda written: {"README.md": _card(kind, source.name, shards[0].schema, written)},
        run=run or Run(label="Importing"),
    )


def _said(source: ClipSource) -> tuple[Any, ...]:
    return source.name, source.descriptions, source.beats, source.emotion, source.problem


def _check_arguments(kind: str, arguments: Mapping[str, Any]) -> None:
    if kind not in CLIP_KINDS:
        raise ValueError(f"expected a kind of {', '.join(CLIP_KINDS)} for clips, got {kind!r}")
    for name, value in arguments.items():
        if value != _DEFAULTS.get(name) and kind not in _ONLY[name]:
            raise ValueError(f"--{name} has no meaning for clips of {kind}, got {str(value)!r:.200}")
    if arguments["takes"] not in (None, "raw", "cal"):
        raise ValueError(f"expected takes of raw, cal, got {arguments['takes']!r}")


def _find(kind: str, source: Path, rule: ClipRule, arguments: Mapping[str, Any]) -> Found:
    if kind == "livelink":
        return _livelink(source, rule.names, arguments)
    if kind == "express4d":
        splits, reasons = find_express4d(source)
        return {split: [_express4d(take) for take in takes] for split, takes in splits.items()}, reasons
    if kind == "beat":
        return find_beat(source, arguments["description"])
    return {"keyframeface": find_keyframes, "mmhead": find_mmhead, "emoava": find_emoava}[kind](source)


def _livelink(source: Path, names: Names | None, arguments: Mapping[str, Any]) -> Found:
    texts, description = arguments["texts"], arguments["description"]
    if (texts is None) == (not (description or "").strip()):
        got = "both" if texts else "neither: a take does not say what it shows"
        raise ValueError(f"expected --texts or --description, got {got}")
    if source.is_file():
        if texts is not None:
            raise ValueError("expected a folder of takes beside --texts, got a file: pass --description")
        return {"train": [ClipSource(source.name, str(source), (description,))]}, {}
    takes, reasons = find_takes(source, arguments["takes"], names)
    if texts is None:
        return {"train": [ClipSource(name, str(source / name), (description,)) for name in takes]}, reasons
    reasons = {name: why for name, why in reasons.items() if (source / name).resolve() != Path(texts).resolve()}
    return {"train": describe_takes(source, takes, reasons, texts)}, reasons


def _express4d(take: Take) -> ClipSource:
    problem = "" if take.path else "expected its CSV or NPY file, found none"
    return ClipSource(take.name, take.path, take.descriptions, problem=problem, note=take.note)


def _read_express4d(source: ClipSource, rule: ClipRule) -> Performance:
    """A CSV as any take; an array (T, 61) of its columns, 60 a second unless the rule says otherwise."""
    if not source.path.lower().endswith(".npy"):
        return read_recording(source, rule)
    table = np.asarray(read_array(source.path), np.float64)
    columns = (*LIVELINK_NAMES, *ROTATIONS)
    if table.ndim != 2 or table.shape[1] != len(columns) or not len(table):
        raise ValueError(f"expected an array of {len(columns)} numbers a frame, got one of shape {table.shape}")
    fit = fit_scores(table[:, : len(LIVELINK_NAMES)], rule.scale, rule.clip)
    for row, column in np.argwhere(fit.invalid)[:1]:
        raise ValueError(
            f"expected {columns[column]} in 0..{rule.scale:g}, got {table[row, column]:g} in frame {row}; {fit.advice}"
        )
    frames = np.hstack([fit.scores, table[:, len(LIVELINK_NAMES) :]])
    return Performance(Clip.from_frames(frames, rule.fps or _EXPRESS4D_RATE, names=columns), notes=clipped(fit))


_READERS: dict[str, Reader] = {
    "livelink": read_recording,
    "express4d": _read_express4d,
    "keyframeface": read_keyframes,
    "beat": read_recording,
    "mmhead": read_flame,
    "emoava": read_flame,
}


def _card(kind: str, name: str, schema: str, files: Sequence[ShardFile]) -> str:
    counts = sum((file.tally.counts for file in files), Counter())
    text = (
        f"Clips imported from `{name}` (kind `{kind}`) by emo3d {emo3d.__version__}: `frames` are weights of 51 "
        "blendshapes, the tongue, and nine rotations in radians, order `emo3d.clips.CHANNELS`. The licence is "
        "that of the source, which the importer does not know.\n"
    )
    if schema == "flame-clips":
        text += "\n- `flame` has the coefficients of the source; `frames` are null unless a map was given\n"
    if counts["cut_by_map"]:
        text += f"- the map went beyond 0..1 in {counts['cut_by_map']:,} scores, which were cut off there\n"
    return folder_card(files, title=f"Clips of {name} in the form of Emo3D", text=text, schemas={"clips": schema})
