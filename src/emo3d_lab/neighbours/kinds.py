"""The kinds of data that can be imported, and what each of them needs."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import emo3d
from emo3d.blendshapes import BLENDSHAPES, LAYOUTS
from emo3d.dataset.plan import Shard
from emo3d.emotions import EMOTIONS
from emo3d.names import KNOWN, Names, read_names
from emo3d_lab.building.card import folder_card
from emo3d_lab.building.reports import describe_file
from emo3d_lab.building.shards import Run, ShardFile, write_dataset
from emo3d_lab.neighbours.clip_kinds import CLIP_KINDS
from emo3d_lab.neighbours.express4d import find_express4d
from emo3d_lab.neighbours.formats import check_columns
from emo3d_lab.neighbours.livelink import (
    Take,
    TakeShard,
    find_takes,
    frames_csv,
    number_takes,
    read_header,
    share_out,
)
from emo3d_lab.neighbours.mapping import ColumnMapping, read_mapping
from emo3d_lab.neighbours.rows import Rule
from emo3d_lab.neighbours.tables import TableShard
from emo3d_lab.neighbours.tags import intensities_of

SPLITS = ("train", "validation", "test")

_PUBLISHED = {  # what the papers say that a sample has; the blendshapes of TEAD, or else its action units
    "tead": ("description", "emotion"),
    "ta-mead": ("description", "emotion", "level", "action_units"),
    "table": (),
}
_REFUSED = {
    "emoava": "EmoAva's expressions are coefficients of FLAME, which no table turns into blendshapes, and its files "
    "are pickles, which can run code when they are opened: --clips keeps coefficients that are saved as NumPy's files",
}
_COUNTS = {
    "from_blendshapes": "blendshapes of the source",
    "from_action_units": "blendshapes made of action units",
    "without_emotion": "no emotion stated, all intensities 0",
    "clipped": "scores outside 0..1 clipped",
}
_UNUSED = {  # by kind: arguments without meaning
    "livelink": ("columns", "layout"),
    "express4d": ("columns", "layout", "description", "takes", "split"),
}
KINDS = ("tead", "ta-mead", "livelink", "express4d", "table", *_REFUSED)
"""What `import_dataset` knows; `emoava` it refuses, with the reason."""


@dataclass(frozen=True)
class _Plan:
    """What to write, and from what.

    Attributes:
        shards: the files to write.
        files: name -> path of what is read.
        others: name -> why it is not read.
        mapping: of a table.
        takes: of which a list of frames is written.
        names: of their columns.
    """

    shards: Sequence[Shard]
    files: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)
    mapping: ColumnMapping | None = None
    takes: Sequence[Take] = ()
    names: Names | None = None


def import_dataset(
    kind: str,
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    columns: str | os.PathLike[str] | None = None,
    layout: str | None = None,
    description: str | None = None,
    emotion: str | None = None,
    drop: Sequence[str] = (),
    names: str | os.PathLike[str] | Names | None = None,
    scale: float = 1,
    clip: bool = False,
    takes: str | None = None,
    split: str | None = None,
    num_proc: int = 1,
    strict: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """Import a neighbouring dataset, takes of Live Link Face, or any table, as `data/pairs` of a dataset folder.

    Args:
        kind: one of `KINDS`.
        path: a table, a take or a folder of takes, or the folder of Express4D.
        out: see `emo3d_lab.building.shards.write_dataset`, as for `num_proc`, `strict` and `force`.
        columns: mapping file of a table (`tead`, `ta-mead`, `table`).
        layout: of a table's bare vectors: `"emo3d"`, `"mediapipe"` or `"arkit"`.
        description: of every row, where the data has none; takes need it.
        emotion: tag of every row, where the data has none.
        drop: what may be left out although it is not 0: `"tongueOut"`, or a unit that no blendshape shows (`"AU38"`).
        names: a mapping of the blendshapes' names, or where it is; see `emo3d.names.read_names`.
        scale: the score that means 1; 100 for percent.
        clip: clip to 0..1 whatever lies outside, not only what does by up to 0.02.
        takes: `"raw"` or `"cal"`: which version of takes that are there in both.
        split: that the rows become; `"train"` when None. Express4D has its own.

    Returns:
        The report, as `write_dataset` does.

    Raises:
        ValueError: an unknown or refused kind, an argument that is missing or has no meaning for the kind, a mapping
            that does not fit the table, or, when strict, a row that cannot be used.
        FileNotFoundError: no such path.
    """
    _check_arguments(kind, columns=columns, layout=layout, description=description, takes=takes, split=split, drop=drop)
    source = Path(path)
    if not source.exists():
        raise FileNotFoundError(f"no such file or folder: {path}")
    rule = Rule(tuple(drop), read_names(names), scale, clip)
    intensities = tuple(intensities_of(emotion)) if emotion is not None else (0.0,) * len(EMOTIONS)
    if kind == "livelink":
        recordings, reasons = _livelink(source, description, takes, rule.names)
        plan = _plan_takes(kind, {split or "train": recordings}, reasons, intensities, rule)
    elif kind == "express4d":
        plan = _plan_takes(kind, *find_express4d(source), intensities, rule)
    else:
        mapping = _mapping(kind, columns, layout, description, emotion)
        check_columns(str(source), mapping.columns)
        place = ("pairs", split or "train", 0, 1, mapping.space or "weights")
        shard = TableShard(*place, str(source), kind, mapping, description, emotion, rule)
        plan = _Plan([shard], {source.name: str(source)}, mapping=mapping)
    return write_dataset(
        out,
        plan.shards,
        source={
            "command": "import",
            "kind": kind,
            "files": [{**describe_file(file), "name": name} for name, file in plan.files.items()],
            "not_read": plan.reasons,
            "columns": asdict(plan.mapping) if plan.mapping else None,
            "description": description,
            "emotion": emotion,
            "drop": sorted(drop),
            "names": rule.names,
            "scale": scale,
            "clip": clip,
            "split": split,
            "emo3d": emo3d.__version__,
        },
        finish=lambda files: _texts(kind, source.name, plan, files),
        run=Run(num_proc, strict=strict, force=force, label="Importing"),
    )


def _check_arguments(kind: str, *, drop: Sequence[str], **options: Any) -> None:
    if kind in _REFUSED:
        raise ValueError(_REFUSED[kind])
    if kind in CLIP_KINDS and kind not in KINDS:
        raise ValueError(f"{kind} has a text for a sequence, not for a frame: --clips imports it")
    if kind not in KINDS:
        raise ValueError(f"expected a kind of {', '.join(KINDS)}, got {kind!r}")
    for name in _UNUSED.get(kind, ("takes",)):
        if options[name] is not None:
            raise ValueError(f"--{name} has no meaning for {kind}, got {str(options[name])!r}")
    for name, values in (("layout", LAYOUTS), ("split", SPLITS), ("takes", ("raw", "cal"))):
        if options[name] not in (None, *values):
            raise ValueError(f"expected a {name} of {', '.join(values)}, got {options[name]!r}")
    for name in drop:
        if name not in set(KNOWN) - set(BLENDSHAPES) and not re.fullmatch(r"AU\d{1,2}[LR]?", name):
            raise ValueError(f"expected to drop tongueOut, _neutral or a unit such as AU38, got {name!r}")


def _livelink(
    source: Path, description: str | None, version: str | None, columns: Names | None
) -> tuple[list[Take], dict[str, str]]:
    if description is None or not description.strip():
        raise ValueError("a take says nothing of what it shows: pass --description (and --emotion)")
    if source.is_file():
        try:
            read_header(str(source), columns)
        except ValueError as error:
            raise ValueError(
                f"expected Timecode and Apple's 52 blendshapes as columns of a take, {source.name} lacks some: {error}"
            ) from None
        return [Take(str(source), source.name, (description,))], {}
    names, reasons = find_takes(source, version, columns)
    return [Take(str(source / name), name, (description,)) for name in names], reasons


def _plan_takes(
    kind: str,
    splits: Mapping[str, Sequence[Take]],
    reasons: Mapping[str, str],
    intensities: tuple[float, ...],
    rule: Rule,
) -> _Plan:
    recordings = number_takes((take for takes in splits.values() for take in takes), rule.names)
    rest = iter(recordings)
    shards: list[Shard] = []
    for split, takes in splits.items():
        groups = share_out([next(rest) for _ in takes])
        shards += [
            TakeShard("pairs", split, index, len(groups), "weights", group, kind, intensities, rule)
            for index, group in enumerate(groups)
        ]
    return _Plan(
        shards, {take.name: take.path for take in recordings if take.path}, reasons, takes=recordings, names=rule.names
    )


def _mapping(
    kind: str, columns: str | os.PathLike[str] | None, layout: str | None, description: str | None, emotion: str | None
) -> ColumnMapping:
    if columns is None:
        problem = (
            "a table's columns can be called anything" if kind == "table" else f"no file layout of {kind} is public"
        )
        raise ValueError(
            f"{problem}: pass --columns with a JSON file that says which column holds what (docs/neighbours.md)"
        )
    mapping = read_mapping(columns, layout)
    name = Path(columns).name
    for key in _PUBLISHED[kind]:
        if not getattr(mapping, key):
            raise ValueError(f"{name}: expected the key {key!r}, which {kind} has, found none")
    if bool(mapping.description) == bool(description):
        raise ValueError(
            f"{name}: expected a description column or --description, got {'both' if description else 'neither'}"
        )
    if (mapping.emotion or mapping.intensities) and (emotion or (mapping.emotion and mapping.intensities)):
        raise ValueError(f"{name}: expected one of emotion, intensities and --emotion, got two")
    if not mapping.blendshapes and not mapping.action_units:
        raise ValueError(f"{name}: expected the key 'blendshapes' or 'action_units', found neither")
    if kind == "table" and mapping.blendshapes and not mapping.space:
        raise ValueError(f"{name}: expected the key 'space': 'reading' (of MediaPipe) or 'weights' (for a rig)")
    if mapping.space == "reading" and mapping.action_units:
        raise ValueError(f"{name}: action units become weights, which cannot stand beside readings in one file")
    return mapping


def _texts(kind: str, name: str, plan: _Plan, files: Sequence[ShardFile]) -> dict[str, str]:
    space = plan.shards[0].space
    meaning = "what MediaPipe reads off a face" if space == "reading" else "what a rig is told"
    text = (
        f"Rows imported from `{name}` (kind `{kind}`) by emo3d {emo3d.__version__}. The blendshapes are in the space "
        f"`{space}`: {meaning}. The licence is that of the source, which the importer does not know.\n"
    )
    counts = sum((file.tally.counts for file in files), Counter())
    lines = [f"- {label}: {counts[count]:,} rows" for count, label in _COUNTS.items() if counts[count]]
    lines += [
        f"- {key.removeprefix('dropped_')} left out of {n:,} rows" for key, n in counts.items() if "dropped" in key
    ]
    if plan.takes:
        lines.append("- `frames.csv` has the take, row and timecode of every `sample_id`")
    card = folder_card(files, title=f"{name} in the form of Emo3D", text=text + "\n" + "\n".join(lines))
    return {"README.md": card, **({"frames.csv": frames_csv(plan.takes, plan.names)} if plan.takes else {})}
