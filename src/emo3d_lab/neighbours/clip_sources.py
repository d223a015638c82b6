"""Sources of clips: recordings with what is said of them, read one by one into rows of the config `clips`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emo3d.clips import Beat, Clip
from emo3d.dataset.plan import Shard
from emo3d.dataset.tally import Problem, Tally
from emo3d.names import Names
from emo3d.ranges import Fit
from emo3d_lab.clips.rows import row_of_clip
from emo3d_lab.neighbours.flame_map import FlameMap
from emo3d_lab.takes.reading import read_take

LONGEST_GAP = 0.25
"""Seconds without a frame that straight lines bridge; about a blink. A take with a longer gap is left out."""

_USUAL = 2.5  # times the usual step between frames: more is a gap


@dataclass(frozen=True)
class ClipSource:
    """A recording that becomes a clip for each of its descriptions.

    Attributes:
        name: what reports call it.
        path: of its file.
        descriptions: of what it shows.
        beats: where they are known.
        emotion: intensities of the whole, where no beats are known.
        entry: which part of the file it is, or what was read of it already.
        problem: why it cannot be used, where that is known before it is read.
        note: a sentence on what is odd about it in its dataset.
        first: `clip_id` of its first row.
    """

    name: str
    path: str
    descriptions: tuple[str, ...]
    beats: tuple[Beat, ...] = ()
    emotion: tuple[float, ...] | None = None
    entry: Any = None
    problem: str = ""
    note: str = ""
    first: int = 0


@dataclass(frozen=True)
class ClipRule:
    """How sources are read.

    Attributes:
        names, scale, clip: see `emo3d_lab.neighbours.rows.Rule`.
        fps: frames per second, where files do not say.
        flame: coefficients of FLAME as channels; without it they are only kept.
    """

    names: Names | None = None
    scale: float = 1
    clip: bool = False
    fps: float | None = None
    flame: FlameMap | None = None


@dataclass(frozen=True)
class Performance:
    """What was read of a source: its clip, its coefficients of FLAME (T, K), or both."""

    clip: Clip | None
    flame: np.ndarray | None = None
    rate: float = 0.0  # frames per second of the coefficients
    notes: tuple[str, ...] = ()  # sentences on what was mended
    cut: int = 0  # scores that a map put beyond 0..1


Reader = Callable[[ClipSource, ClipRule], Performance]


@dataclass(frozen=True)
class ClipShard(Shard):
    """Sources to import as one file, in the order of their rows' `clip_id`."""

    sources: tuple[ClipSource, ...]
    kind: str
    reader: Reader  # a function of a module, so that workers find it
    rule: ClipRule

    @property
    def schema(self) -> str:
        """See `Shard.schema`: those of FLAME have a column more."""
        return "flame-clips" if self.kind in ("mmhead", "emoava") else "clips"

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """See `Shard.rows`: one row per recording and description."""
        for source in self.sources:
            count = max(1, len(source.descriptions))
            tally.count("rows_in", count)
            if source.note:
                tally.report(Problem("note", source.name, None, "", source.note, 0))
            try:
                rows = self._rows(source, tally)
            except ValueError as error:
                message = str(error).removeprefix(f"{source.path.rpartition('/')[2]}: ")
                tally.report(Problem("clip", source.name, None, "", message, count))
            else:
                yield from rows

    def _rows(self, source: ClipSource, tally: Tally) -> list[dict[str, Any]]:
        if source.problem:
            raise ValueError(source.problem)
        if not source.descriptions:
            raise ValueError("expected a description of the take, found none")
        performance = self.reader(source, self.rule)
        clip = performance.clip
        if clip is not None:
            beats = source.beats
            if not beats and source.emotion is not None:
                beats = (Beat(source.descriptions[0], 0.0, clip.duration, source.emotion),)
            clip = replace(clip, beats=beats)
        if performance.cut:
            tally.count("cut_by_map", performance.cut)
        for note in performance.notes:
            tally.report(Problem("note", source.name, None, "", note, 0))
        rows = []
        for number, description in enumerate(source.descriptions):
            place = (source.first + number, f"{self.kind}: {source.name}")
            if clip is not None:
                row = row_of_clip(replace(clip, description=description), *place)
                row["frames"] = list(row["frames"])
            else:
                assert performance.flame is not None
                row = {"clip_id": place[0], "description": description, "beats": [], "frames": None}
                row |= {"length": len(performance.flame), "rate": performance.rate, "space": "weights"}
                row["source"] = place[1]
            if performance.flame is not None:
                row["flame"] = list(performance.flame)
            rows.append(row)
        return rows


def clipped(fit: Fit) -> tuple[str, ...]:
    """A note on scores that lay outside 0..1 and are clipped; none where none did."""
    count = int(fit.outliers.sum())
    return (f"clipped {count} scores to 0..1",) if count else ()


def number_sources(sources: Iterable[ClipSource]) -> list[ClipSource]:
    """Give each source the `clip_id` of its first row, running over all of them."""
    result, first = [], 0
    for source in sources:
        result.append(replace(source, first=first))
        first += max(1, len(source.descriptions))
    return result


def read_recording(source: ClipSource, rule: ClipRule) -> Performance:
    """Read a take of any program at its usual rate; gaps of up to `LONGEST_GAP` are bridged by straight lines.

    Raises:
        ValueError: what `read_take` and `Clip` refuse, or a longer gap.
    """
    take = read_take(source.path, names=rule.names, scale=rule.scale, clip=rule.clip, fps=rule.fps)
    steps = np.diff(take.times)
    if not len(steps):
        return Performance(take.to_clip())
    usual, worst = float(np.median(steps)), int(steps.argmax())
    gaps = int((steps > _USUAL * usual).sum())
    where = f"{steps[worst]:.3f} s after frame {worst}"
    if gaps and steps[worst] > LONGEST_GAP:
        raise ValueError(
            f"expected no gap of more than {LONGEST_GAP:g} s between frames, got {where}: cut the take there, or pass "
            "--fps if the frames are evenly spaced and only the times are wrong"
        )
    notes = (f"bridged {gaps} gaps by straight lines, the longest of {where}",) if gaps else ()
    return Performance(take.to_clip(), notes=notes)
