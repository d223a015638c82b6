"""How a clip moves: jerk, flicker, frozen frames and blinks; beside a reference the upper face's dynamics and the lips.

Arrays of units are (T, C) at an even rate; the numbers are in seconds, so a motion has the same at 30 and at 60 fps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from emo3d.clips import CHANNELS, Clip
from emo3d.face.heads import head_arrays
from emo3d.face.identities import NAMED
from emo3d.face.rig import TARGETS
from emo3d.face.skin import SIZE, SKIN
from emo3d.loading import loaded_once

QUALITIES = ("jerk", "flicker", "frozen", "blinks", "fdd", "lve")
"""What `quality_numbers` measures, in its order."""

WINDOW = 0.1
"""Half of the seconds that a third derivative is fitted to."""
FLICKER = 8.0
"""Hz above which a motion is flicker: expressions hold nearly all of theirs below."""
STILL, STILL_SECONDS = 0.002, 0.2
"""How far (units or radians) a channel that rests goes at most, within these seconds; takes have three decimals."""

_SHOWN = CHANNELS.index("leftEyeYaw")  # channels that pictures show: units and head
_SLOWEST = 20.0  # frames per second from which jerk and flicker can be told
_CLOSED, _OPEN = 0.5, 0.3  # of eyeBlink: where a blink begins and ends
_LONGEST_BLINK = 0.5  # seconds; Stern et al. (1984) have 0.1 to 0.4
_BLOCK = 1024  # frames whose vertices are computed at once

_LIDS = [CHANNELS.index(f"eyeBlink{side}") for side in ("Left", "Right")]
# Lids and eyes move in jumps, so that every blink would count as jerk and flicker.
_SMOOTH = [place for place, name in enumerate(TARGETS) if not name.startswith(("eyeBlink", "eyeLook"))]
_UPPER = tuple(
    place for place, name in enumerate(TARGETS) if name.startswith(("brow", "eyeBlink", "eyeSquint", "eyeWide"))
)
_MOVED = 0.001  # metres by which a unit of the upper face moves what belongs to it


class Region(NamedTuple):
    """Vertices of the head `adult` that are measured."""

    vertices: np.ndarray  # (V,) int64, their places in the rig
    deltas: np.ndarray  # (52, V, 3) float32, millimetres, order `TARGETS`


class Regions(NamedTuple):
    """Where a face is measured."""

    lips: Region  # what the head's mask paints as lips: 226
    upper: Region  # skin that a unit of brows or lids moves by 1 mm or more: 1,337


def quality_numbers(predictions: Sequence[Clip], references: Sequence[Clip] | None = None) -> dict[str, np.ndarray]:
    """Measure how each of N clips moves, and by how much its upper face and lips are off a reference.

    Clips of readings are calibrated first. Jerk and flicker leave out eyeBlink and eyeLook.

    Args:
        predictions: N clips.
        references: of the same N texts, for `fdd` and `lve`.

    Returns:
        (N,) float64 by the names of `QUALITIES`; NaN where one does not apply, as said here.

        - jerk: root mean square over time of the length of the units' third derivative, 1/s^3. Cubics fitted to
          +-0.1 s (Savitzky and Golay 1964). NaN below 20 fps, and in clips shorter than the window.
        - flicker: root mean square over time of what the units do above 8 Hz. NaN below 20 fps or 0.5 s.
        - frozen: share of windows of 0.2 s, 0..1, in which no unit and no turn of the head goes further than 0.002.
          NaN of shorter clips. Angles of the eyes, which pictures do not show, are left out.
        - blinks: per minute; closures of both eyes by half or more that last up to 0.5 s.
        - fdd: millimetres, as in Xing et al. 2023, "CodeTalker": how much more the upper face moves in the reference,
          as a vertex's standard deviation over time of its way from the neutral face, averaged over vertices.
        - lve: millimetres, as in Richard et al. 2021, "MeshTalk": the largest error of a lip vertex in each frame,
          averaged over frames. NaN where the reference has another length or rate.

    Raises:
        ValueError: no clips, or other than N references.
    """
    if not len(predictions):
        raise ValueError("expected clips to measure, got none")
    if references is not None and len(references) != len(predictions):
        raise ValueError(f"expected a reference of each of {len(predictions)} clips, got {len(references)}")
    numbers = {name: np.full(len(predictions), np.nan) for name in QUALITIES}
    for place, prediction in enumerate(map(_as_weights, predictions)):
        frames, rate = prediction.frames.astype(np.float64), prediction.rate
        numbers["jerk"][place] = jerk(frames[:, _SMOOTH], rate)
        numbers["flicker"][place] = flicker(frames[:, _SMOOTH], rate)
        numbers["frozen"][place] = frozen_share(frames[:, :_SHOWN], rate)
        numbers["blinks"][place] = 60 * count_blinks(frames[:, _LIDS].min(axis=1), rate) / prediction.duration
        if references is not None:
            reference = _as_weights(references[place])
            numbers["fdd"][place] = upper_dynamics(reference.units) - upper_dynamics(prediction.units)
            if (len(reference), reference.rate) == (len(prediction), rate):
                numbers["lve"][place] = lip_errors(prediction.units, reference.units).mean()
    return numbers


def jerk(units: np.ndarray, rate: float) -> float:
    """Root mean square over time of the length of the third derivative of units (T, C): units / s^3."""
    reach = round(WINDOW * rate)
    if rate < _SLOWEST or len(units) < 2 * reach + 1:
        return math.nan
    steps = np.arange(-reach, reach + 1)
    # The fit's coefficient of t^3, times 3!, of each window; in steps, so that the matrix is well conditioned.
    weights = 6 * rate**3 * np.linalg.pinv(np.vander(steps / reach, 4, increasing=True))[3] / reach**3
    windows = np.lib.stride_tricks.sliding_window_view(units, len(steps), axis=0)  # (T - 2 reach, C, 2 reach + 1)
    return float(np.sqrt(np.square(windows @ weights).sum(axis=1).mean()))


def flicker(units: np.ndarray, rate: float, above: float = FLICKER) -> float:
    """Root mean square over time of what units (T, C) do faster than `above` Hz, all together; Hann window."""
    if rate < _SLOWEST or len(units) < rate / 2:
        return math.nan
    count = len(units)
    window = np.hanning(count + 2)[1:-1, None]
    spectrum = np.fft.rfft((units - units.mean(axis=0)) * window, axis=0)
    power = np.square(np.abs(spectrum)).sum(axis=1)
    power[1 : (count + 1) // 2] *= 2  # negative frequencies
    fast = power[np.fft.rfftfreq(count, 1 / rate) > above].sum()
    return float(np.sqrt(fast / (count * np.square(window).sum())))


def frozen_share(frames: np.ndarray, rate: float) -> float:
    """Share, 0..1, of windows of 0.2 s in which no channel of frames (T, C) goes further than `STILL`."""
    count = max(1, round(STILL_SECONDS * rate)) + 1
    if len(frames) < count:
        return math.nan
    windows = np.lib.stride_tricks.sliding_window_view(frames, count, axis=0)
    return float(((windows.max(axis=2) - windows.min(axis=2)).max(axis=1) <= STILL).mean())


def count_blinks(lids: np.ndarray, rate: float) -> int:
    """Count closures in how far the lids are closed, (T,): over 0.5, and under 0.3 again within 0.5 s.

    Eyes that are closed at the clip's first or last frame have not been seen to blink.
    """
    closed, since, blinks = False, None, 0
    for place, lid in enumerate(lids):
        if not closed and lid >= _CLOSED:
            closed, since = True, place if place else None
        elif closed and lid < _OPEN:
            closed = False
            blinks += since is not None and (place - since) / rate <= _LONGEST_BLINK
    return blinks


def upper_dynamics(units: np.ndarray) -> float:
    """How much the upper face moves in units (T, 52): millimetres, a standard deviation, averaged over vertices."""
    deltas = face_regions().upper.deltas
    total, squares = np.zeros((2, deltas.shape[1]))
    for block in _blocks(units):
        ways = np.linalg.norm(np.tensordot(block, deltas, 1), axis=2).astype(np.float64)
        total += ways.sum(axis=0)
        squares += np.square(ways).sum(axis=0)
    mean = total / len(units)
    return float(np.sqrt(np.maximum(squares / len(units) - mean**2, 0)).mean())


def lip_errors(prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The largest error of a lip vertex in each of T frames of units (T, 52): (T,), millimetres."""
    deltas = face_regions().lips.deltas
    blocks = _blocks(prediction - reference)
    return np.concatenate([np.linalg.norm(np.tensordot(block, deltas, 1), axis=2).max(axis=1) for block in blocks])


@loaded_once(maxsize=1)
def face_regions() -> Regions:
    """The vertices of lips and upper face of the packaged head `adult`, with what each unit does to them."""
    head = head_arrays(NAMED["adult"])
    column, row = np.minimum(head["uv"] * SIZE, SIZE - 1).astype(int).T
    skin = (head["part"] == SKIN) & (head["inside"] < 0.5)
    ways = np.linalg.norm(head["deltas"][list(_UPPER)], axis=2).max(axis=0)
    places = map(np.flatnonzero, (skin & (head["lips"][row, column] > 127), skin & (ways >= _MOVED)))
    return Regions(*(Region(place, 1000 * head["deltas"][:, place]) for place in places))


def _as_weights(clip: Clip) -> Clip:
    return clip if clip.space == "weights" else clip.to_weights()


def _blocks(units: np.ndarray) -> Iterator[np.ndarray]:
    return (units[start : start + _BLOCK] for start in range(0, len(units), _BLOCK))
