"""Studies whose systems make clips: judges see two of them play together.

The clips lie beside `study.json` in one Parquet file of the config `clips`; `study.json` holds a hash of each.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import as_expressions
from emo3d.clips import Beat, Clip
from emo3d.emotions import EMOTIONS
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d.files import whole_file
from emo3d.parquet import open_parquet
from emo3d.scoring import read_references
from emo3d_lab.clips.rows import clip_of_row, row_of_clip
from emo3d_lab.clips.timeline import perform
from emo3d_lab.judging.answers import CONSENT
from emo3d_lab.judging.design import check_heads, make_checks, make_item, make_tasks
from emo3d_lab.judging.study import FILE, Study, Task, look_of
from emo3d_lab.sample import PROTOTYPES

CLIPS = "clips.parquet"
COLUMNS = ("kl_divergence", "order", "timing_error", "fdd", "lve")
"""Of a score's values of single clips, those that are numbers of how good a clip is."""
CHECK_SECONDS = 3.0  # of a clip of an attention check
_KEPT = 4  # open files of clips


@dataclass(frozen=True)
class ClipStudy(Study):
    """A study of clips; items have no faces, prototypes are still there for readers.

    Attributes:
        clips: of each row of `clips.parquet` the hash of its clip: each item's in the order of `systems`, then
            those of the prototypes, order `EMOTIONS`.
    """

    clips: tuple[str, ...] = ()

    def _check_faces(self) -> None:
        count = len(self.items) * len(self.systems) + len(EMOTIONS)
        if len(self.clips) != count or any(item.faces for item in self.by_item.values()):
            raise ValueError(f"expected {count} clips, and items without faces, got {len(self.clips)} clips")

    def places(self, task: Task) -> list[int]:
        """Rows of `clips.parquet` that a task shows, in the order of its systems."""
        if task.attention:
            first = len(self.items) * len(self.systems)
            return [first + EMOTIONS.index(emotion) for emotion in task.systems]
        item = [item.id for item in self.items].index(task.item)
        return [item * len(self.systems) + self.systems.index(system) for system in task.systems]


def make_clip_study(
    references: Sequence[Mapping[str, Any]],
    systems: Mapping[str, Sequence[Clip]],
    *,
    rows: Sequence[int] | None = None,
    identity: str = "adult",
    check_share: float = 0.1,
    questions: int | None = None,
    seed: int = 0,
    consent: str = CONSENT,
    signature: str = "",
) -> tuple[ClipStudy, list[Clip]]:
    """Make a study of clips, and the clips in the order of its `clips`; see `make_study`.

    Args:
        references: N rows with `description` and `beats`, each of which has intensities.
        systems: name -> N clips, in weights.

    Raises:
        ValueError: fewer than two systems, not N clips of each, two systems whose clips are all equal, or beats
            without intensities.
    """
    if len(systems) < 2:
        raise ValueError(f"expected at least 2 systems to judge, got {', '.join(systems) or 'none'}")
    table = read_references({name: [row(entry) for entry in references] for name, row in _REFERENCES.items()})
    names = tuple(sorted(systems))
    heads = check_heads(table, [identity] * len(table), {name: len(systems[name]) for name in names})
    rows = list(range(len(table)) if rows is None else rows)
    items = [make_item(table, row, heads[row], []) for row in rows]
    clips = [systems[name][row] for row in rows for name in names]
    prototypes = as_expressions([PROTOTYPES[emotion] for emotion in EMOTIONS])
    clips += [
        perform(face[None], [Beat(emotion, 0.0, CHECK_SECONDS)], seed=seed, description=emotion)
        for emotion, face in zip(EMOTIONS, prototypes, strict=True)
    ]
    marks = tuple(map(hash_clip, clips))
    look = look_of("weights", DEFAULT_METHOD)
    of_items = [marks[place : place + len(names)] for place in range(0, len(items) * len(names), len(names))]
    tasks = make_tasks(items, names, list(combinations(names, 2)), of_items, look)
    every = round(1 / check_share) if check_share else 0
    others, checks = make_checks(table, rows, heads, items, tasks, marks[-len(EMOTIONS) :], look, every, seed)
    study = ClipStudy(
        systems=names,
        items=tuple(items),
        others=others,
        tasks=(*tasks, *checks),
        prototypes=tuple(tuple(map(float, face)) for face in prototypes),
        space="weights",
        calibration=DEFAULT_METHOD,
        look=look,
        every=every,
        questions=questions,
        seed=seed,
        consent=consent,
        signature=signature,
        clips=marks,
    )
    return study, clips


def mean_intensities(row: Mapping[str, Any]) -> np.ndarray:
    """Emotions of a clip as a whole, (8,) in 0..1: its beats', each for as long as it lasts."""
    beats = row["beats"] or []
    if not beats or any(not beat["intensities"] for beat in beats):
        raise ValueError(f"expected beats with intensities, {row['description']!r:.60} has none or some without")
    lengths = [beat["end"] - beat["start"] for beat in beats]
    return np.average([beat["intensities"] for beat in beats], axis=0, weights=lengths)


_REFERENCES = {"description": lambda row: row["description"], "intensities": mean_intensities}


def hash_clip(clip: Clip) -> str:
    """Twelve hexadecimal digits of a SHA-256 over frames, rate and space."""
    head = f"{clip.rate!r} {clip.space} {clip.frames.shape}\n".encode()
    return hashlib.sha256(head + clip.frames.astype("<f4").tobytes()).hexdigest()[:12]


def save_clip_study(study: ClipStudy, clips: Sequence[Clip], folder: str | os.PathLike[str]) -> None:
    """Write `clips.parquet`, then `study.json`, into a folder that is there."""
    import pyarrow as pa
    from pyarrow import parquet

    from emo3d_lab.building.schema import parquet_schema

    rows = [row_of_clip(clip, place, "study") for place, clip in enumerate(clips)]
    rows = [{**row, "frames": list(row["frames"])} for row in rows]  # Arrow takes no 2-D array
    with whole_file(Path(folder, CLIPS)) as part:
        parquet.write_table(pa.Table.from_pylist(rows, parquet_schema("clips", {})), part)
    study.save(folder)


def open_study(folder: str | os.PathLike[str]) -> Study:
    """Read a study of either kind, and check the clips that it has.

    Raises:
        FileNotFoundError, ValueError: see `Study.load`; or `clips.parquet` is not the one of this study.
    """
    if not Path(folder, CLIPS).is_file():
        return Study.load(folder)
    study = ClipStudy.load(folder)
    assert isinstance(study, ClipStudy)
    if tuple(map(hash_clip, _clips(str(folder)))) != study.clips:
        raise ValueError(f"{Path(folder, CLIPS)} has other clips than {FILE}: make the study again with emo3d study")
    return study


def clips_of(study: ClipStudy, task: Task, folder: str | os.PathLike[str]) -> list[Clip]:
    """The clips of a task in the order of its systems; without words, which would tell a judge what to see."""
    clips = _clips(str(folder))
    return [Clip(clips[place].frames, clips[place].rate, clips[place].space) for place in study.places(task)]


@lru_cache(maxsize=_KEPT)
def _clips(folder: str) -> list[Clip]:
    with open_parquet(Path(folder, CLIPS)) as file:
        return [clip_of_row(row) for batch in file.iter_batches(64) for row in batch.to_pylist()]


def measure_clip_study(
    study: ClipStudy, clips: Sequence[Clip], references: Sequence[Mapping[str, Any]], settings: Any
) -> tuple[dict[str, dict[str, np.ndarray]], str]:
    """Score the clips of a study by their beats, which look up those of all references.

    Returns:
        System -> value of a clip -> (items,) float64, of values that every clip has; and the score's signature.
    """
    from emo3d_lab.clips.scoring import ClipScorer

    beats = [beat for row in references for beat in row["beats"]]
    bank = read_references({name: [beat[name] for beat in beats] for name in ("description", "intensities")})
    rows, end = [references[item.row] for item in study.items], len(study.items) * len(study.systems)
    values: dict[str, dict[str, np.ndarray]] = {}
    for place, system in enumerate(study.systems):
        scorer = ClipScorer(settings).fit(bank)
        scorer.update(clips[place : end : len(study.systems)], rows)
        result = scorer.compute()
        per_clip = {name: np.asarray(numbers, float) for name, numbers in result.per_sample.items()}
        values[system] = {name: per_clip[name] for name in COLUMNS if name in per_clip}
    # Order and timing are of clips of several beats; a gap would leave judgements out of all metrics.
    whole = [name for name in values[system] if not any(np.isnan(table[name]).any() for table in values.values())]
    return {system: {name: table[name] for name in whole} for system, table in values.items()}, str(result.signature)
