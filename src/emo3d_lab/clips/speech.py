"""An emotion laid over speech: lips close and open as the speech has them, the emotion shapes the rest.

How much of a unit is the speech's follows from how far it moves the inner lips, measured on the packaged heads
(`benchmarks/speech.py --motion`). While there is speech the gap between the lips stays what speech alone makes it: in
closures nothing that parts the lips is let in; in open sounds an emotion may make a part of the gap in its own way, as
by a raised upper lip, and the jaw makes the rest. What both have of a unit meets as 1 - (1 - a)(1 - b).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emo3d.blendshapes import as_expressions
from emo3d.clips import CHANNELS, ROTATIONS, Clip, check_rate
from emo3d.face.rig import TARGETS
from emo3d.ranges import real_number

# Of a unit at 1, of both sides where it has two: how the gap between the lips changes in an open vowel (viseme aa; mean
# over the middle 24 mm of the mouth), and by how much closed lips come apart (PP or FF; the widest place). Millimetres,
# means over the named heads; units that are not here do neither.
_LIPS = """
jawOpen 15.9 26.5
mouthClose -30.5 0
tongueOut 0 9.1
mouthUpperUp 7.5 7.3
mouthLowerDown 5.7 6.1
mouthFunnel 5.7 10.6
mouthShrugLower -4.5 0
mouthPucker -3.0 0
mouthShrugUpper 3.0 1.9
mouthLeft -2.3 0.2
mouthRight -2.3 0.1
mouthRollLower -2.2 0.5
mouthSmile -1.5 0
cheekPuff -1.5 0.2
mouthRollUpper -1.3 0.2
jawForward 1.2 0.9
mouthDimple 1.2 0.1
mouthStretch 1.2 0.3
noseSneer 0.6 0.6
mouthFrown 0.3 0.1
mouthPress 0.3 0
jawLeft -0.3 0.7
jawRight -0.3 0.7
"""
_VOWEL = 17.4  # mm between the lips in aa
_LEAST_SHARE, _WHOLE_SHARE = 0.10, 0.25  # shares of it: what parts lips by less is the emotion's, by more the speech's
_PART = 0.6  # of the gap that speech wants, which the emotion may make by other units
_SEALED, _APART = 0.6, 1.2  # mm that closed lips may come apart, and of what is the speech's in closures
_CLOSED, _OPEN = 1.5, 4.0  # mm between the lips: a closure, and none
_PARTS = 0.13  # of jaw or upper lip: speech parts the lips for certain
_TIGHT, _LOOSE = -2.0, 0.7  # mm: what closes lips so far yields by this share in closures that are not tight, as in FF
_BITE = 1.9  # mm between the lips in FF
_QUIET, _LOUD = 0.05, 0.2  # the mouth's strongest unit at rest, and in speech for certain; every sound has 0.25 or more

RELEASE = 0.25
"""Seconds in which the emotion gets 63% of the mouth back when speech stops. Speech takes it as fast as its own lips
move: with a slower attack the first closure of a phrase would stay open."""

BLINKS_APART = 0.3
"""Seconds from the end of one track's blink to the next of the other track."""
_BLINK, _OVER = 0.1, 0.05  # of a lid above where it rests: a blink begins, is over
_SETTLE = 0.5  # per second: lids that stay down are at rest there

# Degrees that head and eyes turn from the middle at most: the lower ends of the neck's ranges by the American Academy
# of Orthopaedic Surgeons (rotation 60 to 80, all others 45), and about what eyes turn without the head.
_LIMITS = {"headYaw": 60, "headPitch": 45, "headRoll": 45}
_TURNS = np.radians([_LIMITS.get(name, 35) for name in ROTATIONS]).astype(np.float32)

_UNITS = len(TARGETS)


def _sides(stem: str) -> list[int]:
    return [place for place, name in enumerate(TARGETS) if name in (stem, f"{stem}Left", f"{stem}Right")]


def _lip_motion() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each unit (52,): its own opening of the lips, that of both sides, and by how much it parts closed ones, mm."""
    opening, both, parting = np.zeros((3, _UNITS))
    for line in _LIPS.split("\n")[1:-1]:
        stem, *numbers = line.split()
        places = _sides(stem)
        both[places], parting[places] = map(float, numbers)
        opening[places] = both[places] / len(places)
    return opening, both, parting


_OPENING, _BOTH, _PARTING = _lip_motion()
_PRIORITY = np.clip((_PARTING / _VOWEL - _LEAST_SHARE) / (_WHOLE_SHARE - _LEAST_SHARE), 0, 1).round(2)
_PRIORITY[TARGETS.index("mouthClose")] = 1.0  # it parts nothing, and is what closes lips in captures
PRIORITY: dict[str, float] = dict(zip(TARGETS, _PRIORITY.tolist(), strict=True))
"""How much of each unit is the speech's while there is speech, 0..1; the rest is the emotion's."""
_WIDENS = (_OPENING > 0) & (_PRIORITY > 0)
_WIDENING = _OPENING * _WIDENS
_NARROWS = (_BOTH < _TIGHT) & (_PRIORITY == 0)
_IN_CLOSURES = np.clip((_PARTING - _SEALED) / (_APART - _SEALED), 0, 1)
_MOUTH = np.array(
    [place for place, name in enumerate(TARGETS) if name.startswith(("jaw", "mouth", "tongue"))
     and not name.startswith(("mouthSmile", "mouthFrown", "mouthDimple"))]
)  # fmt: skip
# What pulls the same skin apart: the emotion's corners and brows stay, the speech's yield to them.
_OPPOSED = [(a + side, b + side) for a, b in (("mouthSmile", "mouthFrown"), ("browOuterUp", "browDown"))
            for side in ("Left", "Right")]  # fmt: skip
_ONE = np.array([TARGETS.index(name) for pair in _OPPOSED for name in pair])
_OTHER = np.array([TARGETS.index(name) for pair in _OPPOSED for name in pair[::-1]])
_BLINKS, _WIDE, _UPPER = _sides("eyeBlink"), _sides("eyeWide"), _sides("mouthUpperUp")
_JAW, _CLOSE = TARGETS.index("jawOpen"), TARGETS.index("mouthClose")


@dataclass
class _Lids:
    """The lids of one track: where they rest, and the blinks above that."""

    rest: list[float] = field(default_factory=list)
    since: float = math.inf  # seconds since the last blink that was shown
    blinks: bool = False
    withheld: bool = False

    def step(self, lids: list[float], collides: bool, seconds: float) -> list[float]:
        """Both lids of a frame, without a blink that began while the other track's was on or just over."""
        before = self.rest or lids
        self.rest = [min(lid, low + _SETTLE * seconds) for lid, low in zip(lids, before, strict=True)]
        heights = [lid - low for lid, low in zip(lids, self.rest, strict=True)]
        if max(heights) < _OVER:
            self.blinks = self.withheld = False
        elif max(heights) >= _BLINK and not self.blinks:
            self.blinks, self.withheld = True, collides
        self.since = 0.0 if self.blinks and not self.withheld else self.since + seconds
        limit = _BLINK if self.withheld else 1.0
        return [low + min(height, limit) for low, height in zip(self.rest, heights, strict=True)]


def _parted(speech: np.ndarray) -> tuple[float, float]:
    """By how much jaw and upper lip hold the lips apart, 0..1; the lip counts where the jaw is up, as in FF."""
    jaw = min(max(float(speech[_JAW] - speech[_CLOSE]) / _PARTS, 0.0), 1.0)
    return jaw, min(float(speech[_UPPER].max()) / _PARTS, 1.0) * (1 - jaw)


class Compositor:
    """Lays an emotion over speech frame by frame; what comes later is never needed.

    Args:
        rate: frames per second of both, 1..240.
        priority: units whose share of the speech, 0..1, is another than in `PRIORITY`.
        release: seconds, see `RELEASE`.

    Raises:
        ValueError: another rate, an unknown unit, a priority outside 0..1 or a release that is not above 0.
    """

    def __init__(self, rate: float, *, priority: Mapping[str, float] | None = None, release: float = RELEASE) -> None:
        self.rate = check_rate(rate)
        if not isinstance(priority, Mapping | None):
            raise ValueError(f"expected priorities by unit, got a {type(priority).__name__}")
        if unknown := [name for name in priority or () if name not in PRIORITY]:
            raise ValueError(f"expected units of ARKit's 52 with a priority, got {unknown[0]!r}")
        shares = {name: real_number(f"priority of {name}", share) for name, share in (priority or {}).items()}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"expected a priority in 0..1 of {name}, got {share:g}")
        if not real_number("release", release) > 0:
            raise ValueError(f"expected a release above 0 s, got {release:g}")
        self._priority = np.array([shares.get(name, PRIORITY[name]) for name in TARGETS])
        self._fade = math.exp(-1 / (self.rate * release))
        self.reset()

    def reset(self) -> None:
        """Forget the frames before, as for another recording."""
        self._activity, self._lids = 0.0, (_Lids(), _Lids())

    def step(self, speech_frame: Any, emotion_frame: Any) -> np.ndarray:
        """Compose one frame.

        Args:
            speech_frame: (61,) weights and angles, order `CHANNELS`; what speech does not move is 0.
            emotion_frame: likewise.

        Returns:
            (61,) float32. Turns of head and eyes are added, and end where a neck and eyes do.

        Raises:
            ValueError: not 61 finite numbers, or weights outside 0..1 by more than `ROUNDING`; the message names the
                channel.
        """
        speech_values, emotion_values = _frame("speech", speech_frame), _frame("emotion", emotion_frame)
        speech, emotion = speech_values[:_UNITS].copy(), emotion_values[:_UNITS]
        level = (float(speech[_MOUTH].max()) - _QUIET) / (_LOUD - _QUIET)
        self._activity = max(min(level, 1.0), self._activity * self._fade)
        gap = float(_OPENING @ speech)
        closure = min(max((_OPEN - gap) / (_OPEN - _CLOSED), 0.0), 1.0)
        # Of the gap that speech wants, the emotion may make a part in its own way.
        demand = float(_WIDENING @ (self._priority * emotion))
        grant = min(1.0, _PART * max(gap, 0.0) / demand) if demand > 0 else 0.0
        speech_share = np.maximum(self._priority * (1 - grant * _WIDENS), closure * _IN_CLOSURES)
        jaw, lip = _parted(speech)
        speech_share = np.maximum(speech_share, _LOOSE * closure * max(jaw, lip) * _NARROWS)
        emotion = emotion * (1 - self._activity * speech_share)
        speech[_ONE] *= 1 - emotion[_OTHER]
        units = self._keep_gap(speech, emotion, gap, closure)
        self._close_lids(units, speech_values[_BLINKS].tolist(), emotion_values[_BLINKS].tolist())
        turns = np.clip(speech_values[_UNITS:] + emotion_values[_UNITS:], -_TURNS, _TURNS)
        return np.concatenate([units, turns]).astype(np.float32)

    def _keep_gap(self, speech: np.ndarray, emotion: np.ndarray, gap: float, closure: float) -> np.ndarray:
        """Both together, with the gap between the lips that speech alone has, in mm."""
        units = emotion + speech * (1 - emotion)
        excess = float(_OPENING @ units) - gap
        if excess > 0 and (reserve := float(_WIDENING @ speech)) > 0:
            speech = speech * (1 - self._activity * (1 - closure) * min(1.0, excess / reserve) * _WIDENS)
            return emotion + speech * (1 - emotion)
        lack = max(0.0, -excess)
        jaw, lip = _parted(speech)
        for places, height in (([_JAW], jaw * lack), (_UPPER, lip * min(lack, _BITE))):
            units[places] = np.minimum(units[places] + self._activity * height / _BOTH[places[0]], 1.0)
        return units

    def _close_lids(self, units: np.ndarray, speech_lids: list[float], emotion_lids: list[float]) -> None:
        """One blink at a time, the higher of both lids; and a lid that blinks is not wide."""
        seconds = 1 / self.rate
        speech, emotion = self._lids
        pairs = zip(
            speech.step(speech_lids, emotion.since < BLINKS_APART, seconds),
            emotion.step(emotion_lids, speech.since < BLINKS_APART, seconds),
            strict=True,
        )
        for blink, wide, lids in zip(_BLINKS, _WIDE, pairs, strict=True):
            units[blink] = max(lids)
            units[wide] *= 1 - units[blink]


def compose(speech: Clip, emotion: Any, *, priority: Mapping[str, float] | None = None) -> Clip:
    """Lay an emotion over speech; the same as `Compositor.step` frame by frame.

    Args:
        speech: in the space of weights, a clip of `read_speech` or any other.
        emotion: a clip of the speech's rate and length; a clip of one frame, or one expression (51,) in any form that
            `as_expressions` reads, which is held; or a description, from which `generate_clip` makes a clip.
        priority: see `Compositor`.

    Returns:
        A clip of the speech's rate and length, with the emotion's beats and description.

    Raises:
        ValueError: clips of other rates, lengths or spaces, or readings; nothing is cut or stretched here.
    """
    if not isinstance(speech, Clip):
        raise ValueError(f"expected speech as a clip, got a {type(speech).__name__}: read_speech, Clip.from_frames")
    clip = _as_clip(emotion, speech)
    if speech.space != "weights":
        raise ValueError("expected speech in the space of weights, got readings: clip.to_weights")
    if clip.space != speech.space:
        raise ValueError("expected an emotion in the space of weights, got readings: clip.to_weights")
    if clip.rate != speech.rate:
        raise ValueError(
            f"expected an emotion at the speech's {speech.rate:g} frames per second, got {clip.rate:g}: clip.resample"
        )
    if len(clip) != len(speech):
        lengths = [f"{len(part)} frames ({part.duration:.2f} s)" for part in (speech, clip)]
        advice = "cut one with a slice, or pass a still, which is held"
        raise ValueError(f"expected an emotion as long as the speech, {lengths[0]}, got {lengths[1]}: {advice}")
    compositor = Compositor(speech.rate, priority=priority)
    frames = [compositor.step(*pair) for pair in zip(speech.frames, clip.frames, strict=True)]
    return Clip(np.stack(frames), speech.rate, speech.space, clip.beats, clip.description)


def check_room(text: str, speech: Clip) -> None:
    """Refuse speech that is too short for the beats of a text, with a ValueError."""
    from emo3d_lab.clips.director import SHORTEST, Director

    beats = len(Director().plan(text))
    if speech.duration < SHORTEST * beats:
        needs = f"{beats} beats need {SHORTEST * beats:g} s" if beats > 1 else f"a beat needs {SHORTEST:g} s"
        raise ValueError(
            f"expected longer speech for this text, whose {needs}, got {speech.duration:.3g} s: say less, or hold one "
            "expression (a still; --still)"
        )


def _as_clip(emotion: Any, speech: Clip) -> Clip:
    if isinstance(emotion, str):
        from emo3d_lab.clips.director import generate_clip

        check_room(emotion, speech)
        emotion = generate_clip(emotion, seconds=speech.duration, rate=speech.rate)
    if not isinstance(emotion, Clip):
        expressions = as_expressions(emotion)
        if len(expressions) != 1:
            raise ValueError(f"expected a clip or one expression over the speech, got {len(expressions)} expressions")
        emotion = Clip.from_frames(expressions, speech.rate)
    if len(emotion) != 1:
        return emotion
    frames = np.repeat(emotion.frames, len(speech), axis=0)
    return Clip(frames, speech.rate, emotion.space, description=emotion.description)


ROUNDING = 1e-6
"""By how much a channel may be out of its range, as sums of others are: it is clipped. More is refused."""
_CLIPPED = (
    np.r_[np.zeros(_UNITS), np.full(len(ROTATIONS), -np.pi)],
    np.r_[np.ones(_UNITS), np.full(len(ROTATIONS), np.pi)],
)
_LEAST, _MOST = _CLIPPED[0] - ROUNDING, _CLIPPED[1] + ROUNDING


def _frame(whose: str, frame: Any) -> np.ndarray:
    try:
        values = np.asarray(frame)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged; a tensor that is elsewhere
        raise ValueError(f"expected a frame of numbers of the {whose}, got {type(frame).__name__}: {error}") from error
    if values.dtype.kind not in "fiu":
        got = f"{type(frame).__name__} of {values.dtype}"
        raise ValueError(f"expected a frame of {len(CHANNELS)} numbers of the {whose}, got {got}")
    values = values.astype(np.float64)
    if values.shape != (len(CHANNELS),):
        raise ValueError(f"expected a frame of {len(CHANNELS)} channels of the {whose}, got shape {values.shape}")
    within = (values >= _LEAST) & (values <= _MOST)  # NaN is not
    if not within.all():
        place = int(within.argmin())
        limits = "0..1" if place < _UNITS else "-pi..pi (radians)"
        raise ValueError(f"expected {CHANNELS[place]} of the {whose} in {limits}, got {values[place]:.9g}")
    return np.clip(values, _CLIPPED[0], _CLIPPED[1])
