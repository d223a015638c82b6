"""Stills at beats become a clip: onset, apex, offset and decay that fit the emotion, then what `Motion` adds."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.clips import CHANNELS, Beat, Clip, check_rate
from emo3d.emotions import EMOTIONS
from emo3d.ranges import real_number, whole_number
from emo3d_lab.clips.motion import Motion, Step, add_motion, minimum_jerk
from emo3d_lab.clips.motion import timings as _table
from emo3d_lab.sample.prototypes import VARIANTS

_UNITS = len(BLENDSHAPES) + 1
_NAMES = CHANNELS[:_UNITS]
_STILL = 0.12  # of the largest weight: a face with less is at rest
_GAP = 0.02  # seconds between beats that count as none
# Eyes that are shut, look away, or a tongue that is out do not fade as feelings do.
_FADES = np.array([not name.startswith(("eyeBlink", "eyeLook", "tongue")) for name in _NAMES])
_MOUTH = np.array([name.startswith(("mouth", "jaw", "tongue")) for name in _NAMES])
_CLOSE, _JAW = _NAMES.index("mouthClose"), _NAMES.index("jawOpen")
_MIDDLE = np.array([name.startswith(("cheek", "nose")) for name in _NAMES])


@dataclass(frozen=True)
class Timing:
    """How long an expression takes to come, stays full, and takes to go; `emotion_timing` has those of emotions.

    Raises:
        ValueError: a time that is not above 0 (`apex`: below 0), or a share outside 0..1.
    """

    onset: float  # seconds, from rest to the full expression
    offset: float  # seconds, back to rest
    apex: float = 1.5  # seconds of the full expression
    sustain: float = 0.8  # the share that an expression fades to when it is held on, 0..1
    decay: float = 3.0  # seconds that it takes to fade so far

    def __post_init__(self) -> None:
        for name in ("onset", "offset", "apex", "sustain", "decay"):
            value = real_number(name, getattr(self, name))
            low, high = 0.0 if name in ("apex", "sustain") else 1e-3, 1.0 if name == "sustain" else 600.0
            if not low <= value <= high:
                raise ValueError(f"expected {name} of a timing in {low:g}..{high:g}, got {value:g}")


class _Event(NamedTuple):
    """From when on the face is on its way to which still."""

    start: float
    row: int  # of the stills; -1: rest
    rise: float  # seconds that what grows takes
    fall: float  # seconds that what goes takes
    timing: Timing | None


@cache
def emotion_timing(emotion: str) -> Timing:
    """The timing of one of `EMOTIONS`, or of a `"gesture"`."""
    table = _table()
    return Timing(**(table["gesture"] if emotion == "gesture" else table["emotions"][emotion]))


def leading_emotions(stills: np.ndarray) -> list[str]:
    """The emotion whose prototype each still (B, 51 or 52) in weights is most alike by direction; neutral at rest."""
    names, rows = _prototypes()
    faces = np.asarray(stills, np.float64)[:, : len(BLENDSHAPES)]
    lengths = np.linalg.norm(faces, axis=1)
    likeness = faces @ rows.T / np.maximum(lengths, 1e-9)[:, None]
    best = likeness.argmax(axis=1)
    return ["neutral" if face.max() < _STILL else names[place] for face, place in zip(faces, best, strict=True)]


@cache
def _prototypes() -> tuple[list[str], np.ndarray]:
    pairs = [(emotion, weights) for emotion in EMOTIONS[1:] for weights in VARIANTS[emotion].values()]
    rows = np.array([[weights.get(name, 0.0) for name in BLENDSHAPES] for _, weights in pairs])
    return [emotion for emotion, _ in pairs], rows / np.linalg.norm(rows, axis=1, keepdims=True)


def perform(
    stills: Any,
    beats: Sequence[Beat],
    *,
    rate: float = 30,
    timings: Sequence[Timing] | None = None,
    motion: Motion | None = None,
    seed: int = 0,
    description: str | None = None,
    duration: float | None = None,
) -> Clip:
    """Make a clip of stills: each is reached at its beat, from the one before, and the motion of a face is added.

    A beat within another one interrupts it; between beats, and after the last, the face goes back to rest.

    Args:
        stills: (B, 51) or, with the tongue, (B, 52) weights in 0..1, order `BLENDSHAPES`.
        beats: B beats in the order of their starts.
        rate: frames per second, 1..240. The same clip at another rate is the same motion.
        timings: one for each beat; those of its leading emotion when None.
        motion: what is added; all of it when None. With all switched off the clip is the joined stills.
        seed: of all that is drawn.
        duration: seconds; until the last beat ends when None.

    Raises:
        ValueError: no beats, other numbers of stills, beats and timings, weights outside 0..1, beats out of order, or a
            duration that is not above 0 or ends before a beat does.
    """
    faces, rate, beats = _check_stills(stills, beats), check_rate(rate), tuple(beats)
    emotions = leading_emotions(faces)
    steps = [emotion_timing(emotion) for emotion in emotions] if timings is None else list(timings)
    if len(steps) != len(beats):
        raise ValueError(f"expected a timing for each of {len(beats)} beats, got {len(steps)}")
    last = max(beat.end for beat in beats)
    seconds = last if duration is None else real_number("duration", duration)
    if seconds <= 0 or last > seconds + 1 / rate:
        raise ValueError(f"expected a duration above 0 that no beat exceeds, got {seconds:g} s, and one to {last:g} s")
    times = np.arange(max(1, round(seconds * rate))) / rate
    motion = Motion() if motion is None else motion
    key = zlib.crc32("\n".join(beat.description for beat in beats).encode())
    if whole_number("seed", seed) < 0:
        raise ValueError(f"expected a seed of 0 or more, got {seed}")
    draws = [np.random.default_rng([int(seed), key, part]) for part in range(5)]
    events = _events(beats, steps)
    lags = _lags(len(events), draws[4]) if motion.lead else np.zeros((len(events), _UNITS))
    frames = np.zeros((len(times), len(CHANNELS)))
    frames[:, :_UNITS] = _join(faces, events, lags, times)
    texts = [beat.description for beat in beats]
    moods = [*zip(texts, emotions, faces, strict=True), ("", "neutral", np.zeros(_UNITS))]  # the last: at rest, row -1
    path = [Step(event.start, event.rise, *moods[event.row]) for event in events]
    add_motion(frames, times, seconds, path, motion, draws)
    return Clip(frames, rate, "weights", beats, description)


def _check_stills(stills: Any, beats: Sequence[Beat]) -> np.ndarray:
    """Stills as (B, 52) float64."""
    faces = np.asarray(stills, np.float64)
    if not len(beats):
        raise ValueError("expected at least one beat, got none")
    if faces.ndim != 2 or faces.shape[1] not in (_UNITS - 1, _UNITS) or len(faces) != len(beats):
        raise ValueError(f"expected a still of 51 or 52 weights for each of {len(beats)} beats, got {faces.shape}")
    for row, column in np.argwhere(~((faces >= 0) & (faces <= 1)))[:1]:
        raise ValueError(f"expected weights in 0..1, got {_NAMES[column]} = {faces[row, column]:g} in still {row}")
    starts = [beat.start for beat in beats]
    if starts != sorted(starts):
        raise ValueError(f"expected beats in the order of their starts, got {starts}")
    return np.pad(faces, ((0, 0), (0, _UNITS - faces.shape[1])))


def _events(beats: Sequence[Beat], steps: Sequence[Timing]) -> list[_Event]:
    """What the face is on its way to, from when on: the beat that started last of those that have not ended."""
    edges = sorted({beat.start for beat in beats} | {beat.end for beat in beats})
    rows: list[tuple[float, int]] = []
    for edge in edges:
        row = max((row for row, beat in enumerate(beats) if beat.start <= edge < beat.end), default=-1)
        soon = any(edge < beat.start <= edge + _GAP for beat in beats)
        if (row >= 0 or not soon) and (not rows or rows[-1][1] != row):
            rows.append((edge, row))
    events = []
    before = -1
    for (start, row), (end, _) in zip(rows, [*rows[1:], (np.inf, -1)], strict=True):
        comes, goes = (steps[place] if place >= 0 else None for place in (row, before))
        back = row >= 0 and start > beats[row].start + 1e-9  # what a shorter beat has interrupted
        if comes is None or (back and goes):
            assert goes is not None
            rise = fall = goes.offset
        else:
            rise = comes.onset
            # What goes is hurried by what comes, but goes more slowly than that comes.
            fall = rise if goes is None else max(rise, min(goes.offset, 1.5 * rise))
        length = end - start
        events.append(_Event(start, row, min(rise, 0.6 * length), min(fall, 0.75 * length), comes))
        before = row
    return events


def _lags(count: int, draw: np.random.Generator) -> np.ndarray:
    """Seconds (E, 52) by which cheeks and mouth come after brows and eyes."""
    mouth = draw.uniform(0.05, 0.1, count)[:, None]
    middle = mouth * draw.uniform(0.3, 0.6, count)[:, None]
    return np.where(_MOUTH, mouth, np.where(_MIDDLE, middle, 0.0))


def _join(faces: np.ndarray, events: Sequence[_Event], lags: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The joined stills (T, 52). Every step is a share of the way to a still in 0..1, so all of it stays in 0..1."""
    rest = np.zeros(_UNITS)
    units, before = np.zeros((len(times), _UNITS)), rest
    for event, lag in zip(events, lags, strict=True):
        first = int(np.searchsorted(times, event.start))
        since = times[first:] - event.start
        target = rest if event.row < 0 else faces[event.row]
        aim = np.broadcast_to(target, (len(since), _UNITS))
        if event.timing and event.timing.sustain < 1:
            late = (since - event.rise - event.timing.apex) / event.timing.decay
            level = 1 - (1 - event.timing.sustain) * minimum_jerk(late)
            aim = target * np.where(_FADES, level[:, None], 1.0)
        lengths = np.where(target > before, event.rise, event.fall)
        lengths[_CLOSE] = lengths[_JAW]  # else the lips would cross on the way
        share = minimum_jerk((since[:, None] - np.minimum(lag, 0.3 * lengths)) / lengths)
        units[first:] += share * (aim - units[first:])
        before = target
    return units.clip(0, 1)  # rounding may leave -1e-17, of which no power can be taken


def scaled(timing: Timing, onset: float) -> Timing:
    """A timing whose onset takes another time, by a factor; its offset goes along by half of that."""
    return replace(timing, onset=timing.onset * onset, offset=timing.offset * onset**0.5)
