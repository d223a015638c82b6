"""What a living face does beside its expression: blinks, gaze, head and micro-movements, drawn from a seed.

All of it is a function of time, so a clip at another rate is the same motion. Numbers and their sources are in
`assets/timing.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

import emo3d_lab
from emo3d.clips import CHANNELS, ROTATIONS

_UNITS = len(CHANNELS) - len(ROTATIONS)
_PLACE = {name: place for place, name in enumerate(CHANNELS)}
_LIDS = [_PLACE["eyeBlinkLeft"], _PLACE["eyeBlinkRight"]]
_WIDE = [_PLACE["eyeWideLeft"], _PLACE["eyeWideRight"]]
_HEAD = [_PLACE[f"head{axis}"] for axis in ("Pitch", "Yaw", "Roll")]
_FIELDS = ("pitch", "yaw", "roll", "down", "side", "blinks", "sway")
_STEADY = ("eyeBlink", "eyeLook", "tongue")  # blinks and gaze move these
_MOVED = [place for place, name in enumerate(CHANNELS[:_UNITS]) if not name.startswith(_STEADY)]
_IDLE = {"browInnerUp": 0.03, "mouthPressLeft": 0.04, "mouthPressRight": 0.04, "mouthShrugLower": 0.03}
_GRAIN = 0.01  # seconds, of the grid on which blinks are drawn


@dataclass(frozen=True)
class Motion:
    """What is added to joined stills; each can be switched off."""

    blinks: bool = True
    gaze: bool = True  # with the angles of the eyes; without it these are 0
    head: bool = True
    micro: bool = True
    lead: bool = True  # brows and eyes move 50 to 100 ms before the mouth


class Step(NamedTuple):
    """From when on a face is on its way to what."""

    start: float  # seconds
    onset: float  # seconds
    text: str  # the description of its beat; "" at rest
    emotion: str
    still: np.ndarray  # (52,)


class _Scene(NamedTuple):
    """What the motion goes by."""

    times: np.ndarray  # (T,) seconds
    duration: float  # seconds
    steps: Sequence[Step]
    postures: np.ndarray  # (E, 7), order `_FIELDS`

    def follow(self, columns: Sequence[int], lengths: float | Sequence[float]) -> np.ndarray:
        """Columns of the postures over time, (T, K)."""
        starts = [step.start for step in self.steps]
        return approach(self.times, starts, np.broadcast_to(lengths, len(starts)), self.postures[:, columns])


@cache
def timings() -> dict[str, Any]:
    """The table `assets/timing.yaml`."""
    return yaml.safe_load((Path(emo3d_lab.__file__).parent / "assets/timing.yaml").read_text("utf-8"))


def minimum_jerk(share: np.ndarray) -> np.ndarray:
    """From 0 to 1 with velocity and acceleration 0 at both ends: 10x^3 - 15x^4 + 6x^5 (Flash and Hogan 1985)."""
    x = np.clip(share, 0, 1)
    return np.minimum(x * x * x * (10 + x * (6 * x - 15)), 1.0)  # rounding would lead beyond


def add_motion(
    frames: np.ndarray,
    times: np.ndarray,
    duration: float,
    steps: Sequence[Step],
    motion: Motion,
    draws: Sequence[np.random.Generator],
) -> None:
    """Add what is switched on to frames (T, 61) of joined stills, in place.

    Scores meet as 1 - (1 - a)(1 - b), so they stay in 0..1; `draws` are four, so that none depends on another's switch.
    """
    scene = _Scene(times, duration, steps, np.array([_posture(step) for step in steps]))
    swings = _swings(scene)
    moves = np.zeros((len(times), 3))  # of the head about its posture: pitch, yaw, roll
    if motion.micro:
        _add_micro(frames, times, swings[:, 3], draws[0])
    if motion.head:
        moves = _add_head(frames, scene, swings[:, :3], draws[1])
    if motion.gaze:
        _add_gaze(frames, scene, moves, draws[2])
    if motion.blinks:
        _add_blinks(frames, scene, draws[3])


def approach(times: np.ndarray, starts: Any, lengths: Any, aims: np.ndarray) -> np.ndarray:
    """From 0 to one aim after the other (E, K), each on its way from its start on: (T, K)."""
    values = np.zeros((len(times), aims.shape[1]))
    for start, length, aim in zip(starts, lengths, aims, strict=True):
        share = minimum_jerk((times - start) / length)[:, None]
        values += share * (aim - values)
    return values


@cache
def _words(kind: str) -> tuple[tuple[re.Pattern[str], dict[str, Any]], ...]:
    return tuple((re.compile(row["words"], re.I), row) for row in timings()[kind])


def _posture(step: Step) -> list[float]:
    """What head and eyes do at a step, order `_FIELDS`."""
    row: dict[str, float] = {"blinks": 1.0, "sway": 1.0, **timings()["postures"][step.emotion]}
    strength = float(np.clip(1.4 * step.still.max(), 0, 1))
    for pattern, cue in _words("words"):
        if pattern.search(step.text):
            row = {"blinks": 1.0, "sway": 1.0, **cue}
            strength = 1.0
            break
    side, down = _look(step.still)
    if max(abs(side), abs(down)) > 0.3:  # the still looks somewhere itself, and the head goes along
        row |= {"side": 0.0, "down": 0.0}
        row |= {"yaw": row.get("yaw", 0) + 0.12 * side, "pitch": row.get("pitch", 0) + 0.08 * down}
    return [row.get(name, 0.0) * (1.0 if name in ("blinks", "sway") else strength) for name in _FIELDS]


def _look(still: np.ndarray) -> tuple[float, float]:
    """Where the eyes of a face look, to its own left and down, in -1..1."""
    of = {name: float(still[_PLACE[name]]) for name in CHANNELS[:_UNITS] if name.startswith("eyeLook")}
    side = of["eyeLookOutLeft"] - of["eyeLookInLeft"] + of["eyeLookInRight"] - of["eyeLookOutRight"]
    down = of["eyeLookDownLeft"] - of["eyeLookUpLeft"] + of["eyeLookDownRight"] - of["eyeLookUpRight"]
    return side / 2, down / 2


class _Noise:
    """Smooth noise in -1..1: sines of drawn frequencies and phases, slower ones larger."""

    def __init__(self, draw: np.random.Generator, count: int, low: float, high: float, waves: int = 5) -> None:
        self._rates = np.exp(draw.uniform(np.log(low), np.log(high), (waves, count)))
        self._phases = draw.uniform(0, 2 * np.pi, (waves, count))
        self._sizes = self._rates**-0.5
        self._sizes /= self._sizes.sum(0)

    def __call__(self, times: np.ndarray) -> np.ndarray:
        """(T, count)"""
        angles = 2 * np.pi * self._rates * times[:, None, None] + self._phases
        return (self._sizes * np.sin(angles)).sum(1)


def _add_micro(frames: np.ndarray, times: np.ndarray, pulse: np.ndarray, draw: np.random.Generator) -> None:
    """Let active units waver and a face at rest live; `pulse` (T,) in 0..1 opens and closes the jaw in laughter."""
    names = [CHANNELS[place] for place in _MOVED]
    pairs = [re.sub("Left$|Right$", "", name) for name in names]
    pairs = ["jaw" if name in ("jawOpen", "mouthClose") else name for name in pairs]  # lips stay on each other
    shared, own = _Noise(draw, len(names), 0.3, 3.0)(times), _Noise(draw, len(names), 0.3, 3.0)(times)
    noise = 0.8 * shared[:, [pairs.index(pair) for pair in pairs]] + 0.2 * own * [pair != "jaw" for pair in pairs]
    # 0 and 1 stay where they are; a rounding below 0 has no power.
    frames[:, _MOVED] = frames[:, _MOVED].clip(0, 1) ** np.exp(0.25 * noise)
    for place, (name, size) in enumerate(_IDLE.items()):
        idle = size * (1 + shared[:, place]) / 2
        frames[:, _PLACE[name]] = _meet(frames[:, _PLACE[name]], idle)
    frames[:, [_PLACE["jawOpen"], _PLACE["mouthClose"]]] *= 1 - pulse[:, None]


def _add_head(frames: np.ndarray, scene: _Scene, swings: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Turn the head; returns how it moves about its posture (T, 3). Largest angles add up to less than 0.4."""
    tilt = draw.choice([-1.0, 1.0])  # to which side this person tilts
    lengths = [float(np.clip(1.6 * step.onset, 0.35, 1.2)) for step in scene.steps]
    held = scene.follow([0, 1, 2], lengths) * [1, 1, tilt]
    moves = swings + 0.02 * scene.follow([6], lengths) * _Noise(draw, 3, 0.1, 0.7)(scene.times) * [1, 1, 0.6]
    frames[:, _HEAD] = held + moves
    return moves


def _swings(scene: _Scene) -> np.ndarray:
    """Nods, shakes and laughter: pitch, yaw, roll in radians, and by how much the jaw closes, (T, 4)."""
    values = np.zeros((len(scene.times), 4))
    ends = [*(step.start for step in scene.steps[1:]), scene.duration]
    for step, end in zip(scene.steps, ends, strict=True):
        row = next((row for pattern, row in _words("swings") if pattern.search(step.text)), None)
        if row is None:
            continue
        start = step.start + (0.1 if row["count"] else 0.6 * step.onset)
        length = min(row["count"] / row["rate"], end - start) if row["count"] else end - start
        if length < 1 / row["rate"]:
            continue
        since = scene.times - start
        edge = min(0.3, length / 3)
        gate = minimum_jerk(since / edge) * minimum_jerk((length - since) / edge)
        wave = np.sin(2 * np.pi * row["rate"] * since) * gate
        values[:, ("Pitch", "Yaw", "Roll").index(row["axis"])] += row["angle"] * wave
        values[:, 3] = np.maximum(values[:, 3], row.get("jaw", 0.0) * gate * (1 + wave) / 2)
    return values


def _add_gaze(frames: np.ndarray, scene: _Scene, moves: np.ndarray, draw: np.random.Generator) -> None:
    """Look away in shame or thought, look about, hold what is looked at while the head moves; set the eyes' angles."""
    table = timings()["gaze"]
    averted = scene.follow([4, 3], table["saccade"])
    starts = np.cumsum(draw.gamma(3.0, table["every"] / 3.0, int(2 * scene.duration / table["every"]) + 8))
    places = np.tanh(draw.standard_normal((len(starts), 2)) * [1, 0.6])
    about = approach(scene.times, starts, [table["saccade"]] * len(starts), places)
    wide = 1 + 1.5 * np.abs(averted).sum(1, keepdims=True)  # who looks away looks about more
    look = averted + table["size"] * wide * about - moves[:, [1, 0]] / [table["yaw"], table["pitch"]]
    side, down = np.tanh(look).T
    for name, share in _directions(side, down).items():
        frames[:, _PLACE[name]] = _meet(frames[:, _PLACE[name]], np.maximum(share, 0))
    for eye, (out, into) in {"left": ("OutLeft", "InLeft"), "right": ("InRight", "OutRight")}.items():
        end = eye.title()
        frames[:, _PLACE[f"{eye}EyeYaw"]] = table["yaw"] * (_unit(frames, out) - _unit(frames, into))
        frames[:, _PLACE[f"{eye}EyePitch"]] = table["pitch"] * (_unit(frames, f"Down{end}") - _unit(frames, f"Up{end}"))


def _directions(side: np.ndarray, down: np.ndarray) -> dict[str, np.ndarray]:
    looks = {"OutLeft": side, "InRight": side, "InLeft": -side, "OutRight": -side}
    looks |= {f"{way}{eye}": sign * down for way, sign in (("Down", 1), ("Up", -1)) for eye in ("Left", "Right")}
    return {f"eyeLook{name}": share for name, share in looks.items()}


def _unit(frames: np.ndarray, look: str) -> np.ndarray:
    return frames[:, _PLACE[f"eyeLook{look}"]]


def _add_blinks(frames: np.ndarray, scene: _Scene, draw: np.random.Generator) -> None:
    """Blink at human rates, where the eyes are open and no expression is just coming."""
    table = timings()["blinks"]
    lids = frames[:, _LIDS].max(1)
    shut = np.zeros(len(frames))
    for start in _blink_times(scene, draw):
        if np.interp(start + table["close"], scene.times, lids) < 0.5:
            since = scene.times - start
            opening = (since - table["close"] - table["shut"]) / table["open"]
            shut = np.maximum(shut, minimum_jerk(since / table["close"]) * (1 - minimum_jerk(opening)))
    frames[:, _LIDS] = _meet(frames[:, _LIDS], shut[:, None])
    frames[:, _WIDE] *= 1 - shut[:, None]


def _blink_times(scene: _Scene, draw: np.random.Generator) -> list[float]:
    """When blinks begin: log-normal intervals at the rate of each posture, and with large shifts of gaze or head."""
    table, steps, postures = timings()["blinks"], scene.steps, scene.postures
    length = table["close"] + table["shut"] + table["open"]
    grid = np.arange(0, scene.duration + _GRAIN, _GRAIN)
    starts = [step.start for step in steps]
    rates = postures[np.maximum(np.searchsorted(starts, grid, side="right") - 1, 0), 5]
    passed = np.cumsum(rates) * _GRAIN * table["rate"] / 60  # blinks that are due
    intervals = draw.lognormal(-(table["spread"] ** 2) / 2, table["spread"], int(passed[-1]) * 2 + 8)
    intervals[0] *= draw.uniform(0.1, 1)
    due = np.cumsum(intervals)
    blinks = [float(np.interp(number, passed, grid)) for number in due[due < passed[-1]]]
    shifts = np.abs(np.diff(postures[:, [1, 4]], axis=0, prepend=0)).max(1) > 0.15
    chances = draw.random(len(steps)) < table["gaze"]
    turns = [start for start, shift, chance in zip(starts, shifts, chances, strict=True) if shift and chance]
    quiet = [(step.start - 0.1, step.start + step.onset + 0.5) for step in steps if step.text]
    kept: list[float] = []
    for start in sorted([*turns, *blinks]):
        clear = start in turns or not any(low < start + length and start < high for low, high in quiet)
        if clear and (not kept or start - kept[-1] > 1.5 * length) and start + length < scene.duration:
            kept.append(start)
    return kept


def _meet(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    return 1 - (1 - scores) * (1 - others)
