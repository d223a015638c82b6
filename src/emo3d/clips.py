"""Clips: expressions over time at an even rate, with the tongue and the turns of head and eyes.

`emo3d.clips.generate_clip` and all other names of `emo3d_lab.clips`, the workshop of clips, are found here, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, Layout, Space, check_space
from emo3d.emotions import EMOTIONS
from emo3d.forms import read_form
from emo3d.loading import workshop_part
from emo3d.ranges import fit_scores, real_number

if TYPE_CHECKING:
    from emo3d.face import FaceRig
    from emo3d.face.calibration import Method

ROTATIONS: tuple[str, ...] = tuple(
    f"{part}{axis}" for part in ("head", "leftEye", "rightEye") for axis in ("Yaw", "Pitch", "Roll")
)
"""Rotations of head and eyes, in Live Link Face's order; radians about ARKit's axes of a face (y up, z to the front,
right-handed): yaw is positive to its own left, pitch downwards, roll towards its own right shoulder."""

CHANNELS: tuple[str, ...] = (*BLENDSHAPES, "tongueOut", *ROTATIONS)
"""The 61 columns of a clip's frames."""

LARGEST_RATE = 240.0  # frames per second; phones record faces at 60
_UNITS = len(BLENDSHAPES) + 1
_SIDES = {"Left": "Right", "Right": "Left", "left": "right", "right": "left"}
_MIRROR = [CHANNELS.index(re.sub("Left$|Right$|^left|^right", lambda side: _SIDES[side[0]], name)) for name in CHANNELS]
_TURNED = np.array([-1 if name.endswith(("Yaw", "Roll")) else 1 for name in CHANNELS], np.float32)


@dataclass(frozen=True)
class Beat:
    """One thing that a clip shows: what, from when to when, and the emotions in it."""

    description: str
    start: float  # seconds
    end: float
    intensities: tuple[float, ...] | None = None  # order `EMOTIONS`, 0..1; None where nobody says

    def __post_init__(self) -> None:
        _check_text("a description of every beat", self.description)
        start, end = real_number("start of a beat", self.start), real_number("end of a beat", self.end)
        if not 0 <= start < end:
            got = f"{start:g} to {end:g} s: {self.description}"
            raise ValueError(f"expected a beat that ends after it starts, got {got}")
        if self.intensities is not None:
            values = np.asarray(self.intensities, np.float64)
            if values.shape != (len(EMOTIONS),) or not ((values >= 0) & (values <= 1)).all():
                raise ValueError(f"expected {len(EMOTIONS)} intensities in 0..1 of {self.description!r}, got {values}")
            self.__dict__["intensities"] = tuple(values.tolist())
        self.__dict__.update(start=start, end=end)


@dataclass(frozen=True, eq=False)
class Clip:
    """Expressions over time at an even rate; `Clip.from_frames` reads other columns.

    Raises:
        ValueError: no frames or other than 61 columns, scores outside 0..1 or rotations outside -pi..pi (the message
            says which), a rate outside 1..240, an unknown space, or a beat that ends after the clip.
    """

    frames: np.ndarray  # (T, 61) float32, order `CHANNELS`: 52 scores in 0..1, then nine angles in radians
    rate: float  # frames per second, 1..240
    space: Space = "weights"
    beats: tuple[Beat, ...] = ()  # in the order of their starts; none where nobody says
    description: str | None = None

    def __post_init__(self) -> None:
        rate = check_rate(self.rate)
        frames = np.array(self.frames, np.float32, order="C")
        if frames.ndim != 2 or frames.shape[1] != len(CHANNELS) or not len(frames):
            raise ValueError(f"expected frames of 61 channels (T, 61), got an array of shape {frames.shape}")
        _check_channels(frames)
        frames.setflags(write=False)
        beats = tuple(self.beats)
        if (starts := [beat.start for beat in beats]) != sorted(starts):
            raise ValueError(f"expected beats in the order of their starts, got {starts}")
        for beat in beats:
            if beat.end > (len(frames) + 1) / rate:
                late = f"{beat.description!r} ends at {beat.end:g} s"
                raise ValueError(f"expected beats within {len(frames) / rate:g} s, {late}")
        _check_text("a description", self.description or "none")
        fields = {"frames": frames, "rate": rate, "space": check_space(self.space), "beats": beats}
        self.__dict__.update(fields, description=self.description or None)

    @classmethod
    def from_frames(
        cls,
        frames: Any,
        rate: float,
        *,
        space: Space = "weights",
        layout: Layout | None = None,
        names: Sequence[str] | None = None,
        beats: Sequence[Beat] = (),
        description: str | None = None,
    ) -> Clip:
        """Read frames by the names of their columns; channels that they lack are 0.

        Args:
            frames: (T, 51), or (T, 52) with a `layout`, as `as_expressions` reads them; (T, K) numbers with K `names`;
                or T mappings from name to number. Names of blendshapes and of `ROTATIONS` are told apart.
            rate: frames per second, 1..240.

        Raises:
            ValueError: what `as_expressions` and `Clip` refuse.
        """
        if names is not None:
            table = np.asarray(frames)
            if table.ndim != 2 or table.shape[1] != len(names):
                raise ValueError(f"expected frames (T, {len(names)}) for {len(names)} names, got shape {table.shape}")
            frames = [dict(zip(names, row, strict=True)) for row in table.tolist()]
        angles = np.zeros((len(frames), len(ROTATIONS)))
        if len(frames) and isinstance(frames[0], Mapping):
            spelt = {name.lower(): place for place, name in enumerate(ROTATIONS)}
            for row, mapping in enumerate(frames):
                for name in [name for name in mapping if str(name).lower() in spelt]:
                    angles[row, spelt[str(name).lower()]] = real_number(f"{name} in row {row}", mapping[name])
            frames = [{name: row[name] for name in row if str(name).lower() not in spelt} for row in frames]
        order, scores = read_form(frames, layout, None)
        fit = fit_scores(scores)
        columns = dict(zip(order, np.where(fit.invalid, scores, fit.scores).T, strict=True))
        units = np.stack([columns.get(name, np.zeros(len(scores))) for name in CHANNELS[:_UNITS]], axis=1)
        return cls(np.hstack([units, angles]), rate, space, tuple(beats), description)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def duration(self) -> float:
        """Seconds, T / rate: each frame lasts for one part of a second."""
        return len(self.frames) / self.rate

    @property
    def times(self) -> np.ndarray:
        """Seconds (T,) float64 at which each frame begins, from 0."""
        return np.arange(len(self.frames)) / self.rate

    @property
    def expressions(self) -> np.ndarray:
        """The 51 blendshapes, (T, 51) float32."""
        return self.frames[:, : len(BLENDSHAPES)]

    @property
    def units(self) -> np.ndarray:
        """What moves a rig's 52 targets, (T, 52) float32, order `emo3d.face.rig.TARGETS`."""
        return self.frames[:, :_UNITS]

    @property
    def rotations(self) -> np.ndarray:
        """Angles (T, 9) float32, radians, order `ROTATIONS`."""
        return self.frames[:, _UNITS:]

    def __getitem__(self, part: slice) -> Clip:
        """Frames of a slice without a step; beats are cut where it cuts them, and described are those that are left."""
        if not isinstance(part, slice) or part.step not in (None, 1) or float in map(type, (part.start, part.stop)):
            raise ValueError(f"expected a slice of frames without a step, as clip[30:60], got {part!r}")
        start, stop, _ = part.indices(len(self.frames))
        if stop <= start:
            raise ValueError(f"expected a slice with frames of a clip of {len(self.frames)}, got {start} to {stop}")
        first, last = start / self.rate, stop / self.rate
        beats = [
            replace(beat, start=max(beat.start, first) - first, end=min(beat.end, last) - first)
            for beat in self.beats
            if beat.start < last and beat.end > first
        ]
        text = self.description if len(beats) == len(self.beats) else _joined(beat.description for beat in beats)
        return replace(self, frames=self.frames[start:stop], beats=tuple(beats), description=text)

    def resample(self, rate: float) -> Clip:
        """The clip at another rate, on straight lines between frames; the last frame is held to the end.

        Raises:
            ValueError: a rate outside 1..240.
        """
        rate = check_rate(rate)
        times = np.arange(max(1, math.ceil(self.duration * rate - 1e-6))) / rate  # no part of a frame is lost
        last = len(times) / rate
        beats = tuple(replace(beat, end=min(beat.end, last)) for beat in self.beats if beat.start < last)
        frames = np.stack([np.interp(times, self.times, line) for line in self.frames.T], 1)
        return replace(self, frames=frames, rate=rate, beats=beats)

    def blend(self, other: Clip, share: float | np.ndarray) -> Clip:
        """This clip with a share of another in it, frame by frame; beats and description stay this one's.

        Args:
            share: of the other, 0..1, a number or one for each frame (T,).

        Raises:
            ValueError: clips of other lengths, rates or spaces, or a share outside 0..1.
        """
        check_alike((self, other), length=True)
        shares = np.asarray(share, np.float32)
        if shares.shape not in ((), (len(self.frames),)) or not ((shares >= 0) & (shares <= 1)).all():
            raise ValueError(f"expected a share in 0..1, one or {len(self.frames)} of them, got {share!r}")
        shares = shares.reshape(-1, 1)
        return replace(self, frames=(1 - shares) * self.frames + shares * other.frames)

    @staticmethod
    def concatenate(clips: Sequence[Clip], fade: float = 0.0) -> Clip:
        """One clip after another; with a fade, each grows out of the last `fade` seconds of the one before.

        Raises:
            ValueError: no clips, other rates or spaces, or a fade that is longer than a clip.
        """
        clips = list(clips)
        check_alike(clips)
        count = round(real_number("fade", fade) * clips[0].rate)
        if not 0 <= count <= min(map(len, clips)):
            raise ValueError(f"expected a fade of 0 s to the length of the shortest clip, got {fade:g} s")
        ramp = ((np.arange(count) + 1) / (count + 1))[:, None]
        ramp = ramp * ramp * (3 - 2 * ramp)
        frames, beats = clips[0].frames, list(clips[0].beats)
        for clip in clips[1:]:
            start = (len(frames) - count) / clip.rate
            beats += [replace(beat, start=beat.start + start, end=beat.end + start) for beat in clip.beats]
            overlap = (1 - ramp) * frames[len(frames) - count :] + ramp * clip.frames[:count]
            frames = np.concatenate([frames[: len(frames) - count], overlap, clip.frames[count:]])
        beats.sort(key=lambda beat: beat.start)
        return Clip(frames, clips[0].rate, clips[0].space, tuple(beats), _joined(clip.description for clip in clips))

    def mirror(self) -> Clip:
        """Left and right swapped, turns of the head too; descriptions stay as they are."""
        return replace(self, frames=self.frames[:, _MIRROR] * _TURNED)

    def to_weights(self, rig: FaceRig | None = None, method: Method | None = None) -> Clip:
        """The clip as weights of a rig (anny's heads when None): readings are calibrated, see `rig_weights`."""
        from emo3d.face.calibration import DEFAULT_METHOD, PACKAGED, rig_weights

        weights = rig_weights(self.expressions, self.space, method or DEFAULT_METHOD, PACKAGED if rig is None else rig)
        return replace(self, frames=np.hstack([weights, self.frames[:, len(BLENDSHAPES) :]]), space="weights")


def check_rate(rate: Any) -> float:
    """Return frames per second as a float if they are 1 to 240; a ValueError otherwise."""
    number = real_number("a rate", rate)
    if not 1 <= number <= LARGEST_RATE:
        raise ValueError(f"expected 1 to {LARGEST_RATE:g} frames per second, got {number:g}")
    return number


def check_alike(clips: Sequence[Clip], length: bool = False) -> None:
    """Refuse clips of other rates or spaces, or also of other lengths, with a ValueError."""
    if not clips:
        raise ValueError("expected clips, got none")
    advice = {"rate": "clip.resample", "space": "clip.to_weights"} | ({"length": "a slice"} if length else {})
    for name, mend in advice.items():
        values = [len(clip) if name == "length" else getattr(clip, name) for clip in clips]
        for place, value in enumerate(values):
            if value != values[0]:
                raise ValueError(f"expected clips of one {name}, got {values[0]} and {value} in clip {place}: {mend}")


def _check_text(what: str, text: Any) -> None:
    if not isinstance(text, str) or not text.strip() or re.search("[\0\ud800-\udfff]", text):  # no file holds these
        raise ValueError(f"expected {what} in Unicode without NUL, got {text!a:.80}")


def _joined(texts: Iterable[str | None]) -> str:
    return re.sub("(?<![.!?…])\0", ". ", "\0".join(filter(None, texts))).replace("\0", " ")


def _check_channels(frames: np.ndarray) -> None:
    scores, angles = frames[:, :_UNITS], frames[:, _UNITS:]
    bad = np.hstack([~((scores >= 0) & (scores <= 1)), ~(np.abs(angles) <= np.float32(np.pi))])  # NaN is neither
    for row, column in np.argwhere(bad)[:1]:
        limits = "0..1" if column < _UNITS else "-pi..pi (radians)"
        raise ValueError(f"expected {CHANNELS[column]} in {limits}, got {frames[row, column]:g} in frame {row}")


def __dir__() -> list[str]:
    return [*globals(), *dir(workshop_part("clips"))]


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(workshop_part("clips"), name)
