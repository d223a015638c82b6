"""Clips to be scored, and what they are held against: beats in order, with their emotions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from emo3d.blendshapes import Space
from emo3d.clips import CHANNELS, Clip
from emo3d.descriptions import check_descriptions
from emo3d.emotions import as_intensities, canonical_intensities, distribution
from emo3d.ranges import real_number
from emo3d.scoring.columns import column, column_names

SHORTEST = 0.25
"""Seconds of a beat: what is shorter is not seen, and no jerk or flicker can be told of it."""


@dataclass(frozen=True, eq=False)
class ClipReference:
    """What a clip should show: B beats in order."""

    descriptions: tuple[str, ...]
    intensities: np.ndarray  # (B, 8) float64 in 0..1, order `EMOTIONS`
    times: np.ndarray | None = None  # (B, 2) float64, starts and ends in seconds; None where nobody says
    duration: float | None = None  # seconds of the clip that the times are of
    clip: Clip | None = None  # the reference's own frames, where there are any
    description: str = ""  # of the whole clip; that of its beats where nobody says

    @property
    def boundaries(self) -> np.ndarray | None:
        """When one beat becomes the next, as shares of the clip: (B - 1,) float64 in 0..1; None without times."""
        if self.times is None or self.duration is None:
            return None
        return (self.times[:-1, 1] + self.times[1:, 0]) / 2 / self.duration

    @cached_property
    def distributions(self) -> np.ndarray:
        """Emotion distributions of the beats, (B, 8) float64."""
        return distribution(self.intensities)

    @cached_property
    def key(self) -> str:
        """All that scores depend on but the frames, as text."""
        times = None if self.times is None else np.round([*self.times.ravel(), self.duration], 6).tolist()
        return json.dumps([self.descriptions, self.intensities.tolist(), times, self.description])


def hash_frames(references: Sequence[ClipReference]) -> str | None:
    """Twelve hexadecimal digits of a SHA-256 over references with clips, in any order; None where one has none."""
    pairs = [(reference.key, reference.clip) for reference in references if reference.clip is not None]
    contents = [f"{key}\n{clip.rate} {clip.space} ".encode() + clip.frames.tobytes() for key, clip in pairs]
    digests = sorted(hashlib.sha256(content).hexdigest() for content in contents)
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:12] if len(digests) == len(references) else None


def hash_references(references: Iterable[ClipReference]) -> str:
    """Twelve hexadecimal digits of a SHA-256 over references in any order."""
    return hashlib.sha256("\n".join(sorted(reference.key for reference in references)).encode()).hexdigest()[:12]


def read_pairs(
    predictions: Iterable[Any], references: Iterable[Any], *, rate: float | None = None, space: Space | None = None
) -> tuple[list[Clip], list[ClipReference]]:
    """Read clips and as many references; what each may be is said at `score_clips`.

    Raises:
        ValueError: what `score_clips` refuses, the message names the prediction or reference.
    """
    sides = [_rows("predictions", predictions), _rows("references", references)]
    clips = [_named("prediction", row, read_prediction, value, rate, space) for row, value in enumerate(sides[0])]
    rows = [_named("reference", row, read_reference, value) for row, value in enumerate(sides[1])]
    if len(clips) != len(rows):
        raise ValueError(f"expected one clip per reference, got {len(clips)} clips and {len(rows)} references")
    if not clips:
        raise ValueError("expected clips to score, got none")
    for place, (clip, reference) in enumerate(zip(clips, rows, strict=True)):
        count = len(reference.descriptions)
        least = SHORTEST * count if reference.clip is None else min(SHORTEST * count, reference.clip.duration)
        if clip.duration < least - 1e-6:
            beats = "the beat" if count == 1 else f"the {count} beats"
            got = f"{least:g} s or more for {beats} of its reference, got {clip.duration:.3g} s"
            raise ValueError(f"prediction {place}: expected {got}")
    for key in ("clip_id", "description"):
        for place, pair in enumerate(zip(*sides, strict=True)):
            value, expected = (side.get(key) if isinstance(side, Mapping) else None for side in pair)
            if None not in (value, expected) and "" not in (value, expected) and value != expected:
                got = f"prediction {place} has the {key} {value!r:.60} and its reference {expected!r:.60}"
                raise ValueError(f"expected clips in the order of the references, got others: {got}")
    return clips, rows


def read_prediction(value: Any, rate: float | None = None, space: Space | None = None) -> Clip:
    """Read a clip: a `Clip`, a mapping with `frames` and `rate` (and `space`), or frames at a `rate`."""
    if isinstance(value, Clip):
        return value
    if isinstance(value, Mapping):
        if "frames" not in value:
            raise ValueError(f"expected 'frames', got {', '.join(map(str, value)) or 'nothing'}")
        if (value.get("length") or len(value["frames"])) != len(value["frames"]):
            raise ValueError(f"expected {value['length']} frames, as its length says, got {len(value['frames'])}")
        rate, space, value = value.get("rate", rate), value.get("space") or space, value["frames"]
    if rate is None:
        raise ValueError("expected frames with their rate, got none: rate=30")
    space = space or "weights"
    if not len(value) or isinstance(value[0], Mapping):
        return Clip.from_frames(value, rate, space=space)
    if len(widths := {np.size(frame) for frame in value}) > 1:
        raise ValueError(f"expected as many channels in every frame, got {', '.join(map(str, sorted(widths)))}")
    frames = np.array([*value])
    return Clip(frames, rate, space) if widths == {len(CHANNELS)} else Clip.from_frames(frames, rate, space=space)


def read_reference(value: Any) -> ClipReference:
    """Read a reference: a `Clip`, or a mapping with `beats`, each with `description` and `intensities`.

    Beats of a mapping may have `start` and `end` in seconds, all or none; with `frames` and `rate` the reference has a
    clip of its own.
    """
    if isinstance(value, ClipReference):
        return value
    clip = value if isinstance(value, Clip) else None
    if isinstance(value, Mapping):
        if value.get("frames") is not None:
            clip = read_prediction(value)
        beats, whole = value.get("beats"), value.get("description")
    else:
        beats, whole = (None, None) if clip is None else ([vars(beat) for beat in clip.beats], clip.description)
    if isinstance(beats, Mapping):  # as `datasets` has a sequence of records
        beats = [dict(zip(beats, row, strict=True)) for row in zip(*beats.values(), strict=True)]
    if beats is None or not len(beats):
        raise ValueError("expected beats, each with a description and intensities, got none")
    for place, beat in enumerate(beats):
        if not isinstance(beat, Mapping) or beat.get("description") is None or beat.get("intensities") is None:
            raise ValueError(f"expected a description and intensities of every beat, beat {place} lacks one of them")
    texts = tuple(check_descriptions([beat["description"] for beat in beats]))
    intensities = canonical_intensities(as_intensities([beat["intensities"] for beat in beats]))
    whole, names = whole or " ".join(texts), ("start", "end")
    if (missing := sum(beat.get(name) is None for beat in beats for name in names)) == 2 * len(beats):
        return ClipReference(texts, intensities, clip=clip, description=whole)
    if missing:
        raise ValueError(f"expected start and end of every beat or of none, got {2 * len(beats) - missing} of them")
    times = np.array([[real_number(f"{name} of a beat", beat[name]) for name in names] for beat in beats])
    if not ((times[:, 0] < times[:, 1]).all() and (np.diff(times[:, 0]) >= 0).all() and times.min() >= 0):
        raise ValueError(f"expected beats in order that end after they start, got {times.tolist()}")
    duration = times.max() if clip is None else max(times.max(), clip.duration)
    return ClipReference(texts, intensities, times, float(duration), clip, whole)


def _rows(name: str, values: Any) -> list[Any]:
    """What a list or a table has, row by row."""
    if isinstance(values, str | Clip):
        raise ValueError(f"expected {name} as a list, one for each clip, got a {type(values).__name__}")
    names = column_names(values)
    if names is None:
        return list(values)
    columns = zip(*(column(values, name) for name in names), strict=True)
    return [dict(zip(names, row, strict=True)) for row in columns]


def _named(name: str, row: int, read: Any, *arguments: Any) -> Any:
    try:
        return read(*arguments)
    except ValueError as error:
        raise ValueError(f"{name} {row}: {error}") from error
