"""Takes read: what captures have of a face over time, with the tongue, the times and the rotations."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emo3d.blendshapes import MEDIAPIPE_BLENDSHAPES, Layout, Space, as_expressions, check_space
from emo3d.captures import Capture, read_document, read_lines, timecode_seconds
from emo3d.clips import LARGEST_RATE, ROTATIONS, Clip
from emo3d.containers import read_csv
from emo3d.documents import read_json, read_json_lines, read_text
from emo3d.expressions import READERS, SUFFIXES, ask_layout
from emo3d.face.calibration import DEFAULT_METHOD, PACKAGED, Method, rig_weights
from emo3d.face.rig import FaceRig
from emo3d.forms import read_form
from emo3d.names import Names, blendshape_names, folded, read_names
from emo3d.ranges import fit_scores, real_number

logger = logging.getLogger(__name__)

_BY_FOLDED = {folded(name): name for name in ROTATIONS}
_BY_FOLDED |= {name.replace("lefteye", "leye").replace("righteye", "reye"): _BY_FOLDED[name] for name in _BY_FOLDED}

_DAY = 86_400  # seconds, after which a timecode starts again
_GAP = 2.5  # times the usual step between frames
_LOST = 1.5  # times the usual step: a frame or more is missing
_COMMON = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 120.0, 240.0)  # frames per second of cameras


@dataclass(frozen=True, eq=False)
class Take:
    """A recording of a face in motion."""

    scores: np.ndarray  # (F, 52) float32 in 0..1, order `TARGETS`; tongueOut is 0 where the recording has none
    times: np.ndarray  # (F,) float64, seconds, from 0 and forward
    space: Space = "weights"
    rotations: Mapping[str, np.ndarray] = field(default_factory=dict)  # name of `ROTATIONS` -> (F,), as the file has it

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return float(self.times[-1])

    @property
    def fps(self) -> float:
        """Frames per second, 1 or more, see `usual_rate`; frames that are missing do not make it slower."""
        return max(1.0, usual_rate(self.times))

    def at(self, times: np.ndarray) -> np.ndarray:
        """Scores (len(times), 52) float32 at other times, on straight lines between frames."""
        return np.stack([np.interp(times, self.times, column) for column in self.scores.T], axis=1).astype(np.float32)

    @classmethod
    def from_clip(cls, clip: Clip) -> Take:
        """A clip as a take."""
        angles = {name: angles for name, angles in zip(ROTATIONS, clip.rotations.T, strict=True) if angles.any()}
        return cls(clip.units, clip.times, clip.space, angles)

    def to_clip(self, rate: float | None = None, description: str | None = None) -> Clip:
        """The take at an even rate, its own when None, on straight lines between frames; angles count as radians."""
        rate = self.fps if rate is None else check_fps(rate)
        take = replace(self, times=round_times(self.times, rate))
        times = np.arange(int((take.duration + 1e-3) * rate) + 1) / rate  # a rounded end keeps its frame
        angles = [np.interp(times, take.times, self.rotations.get(name, 0 * self.times)) for name in ROTATIONS]
        return Clip(np.hstack([take.at(times), np.stack(angles, axis=1)]), rate, self.space, description=description)

    def to_weights(self, rig: FaceRig | None = None, method: Method = DEFAULT_METHOD) -> Take:
        """The take as weights of a rig (anny's heads when None): readings are calibrated, see `rig_weights`."""
        weights = rig_weights(self.scores[:, :-1], self.space, method, PACKAGED if rig is None else rig)
        return replace(self, scores=np.hstack([weights, self.scores[:, -1:]]), space="weights")


def usual_rate(times: np.ndarray) -> float:
    """Frames per second of times (F,), by the mean of the steps over which no frame is missing; 30 of a single one.

    A whole number, or that of television (59.94), where it is one but for rounding: within 0.5%, or a camera's where
    times are in whole milliseconds or hundredths and so few that no more can be known.
    """
    steps = np.diff(times)
    if not len(steps):
        return 30.0
    steps = steps[steps <= _LOST * np.median(steps)]
    rate = len(steps) / float(steps.sum())
    unit = next((unit for unit in (0.01, 0.001) if np.abs(times / unit - np.round(times / unit)).max() < 1e-3), 0.0)
    whole, near = float(round(rate)), min(_COMMON, key=lambda common: abs(common - rate))
    television = round(1.001 * rate) / 1.001
    nearest = min(whole, television, key=lambda known: abs(known - rate))
    rounded = unit * rate / len(steps)
    for candidate, within in ((whole, 1e-6), (nearest, 3e-4), (near, rounded), (whole, 0.005)):
        if candidate and abs(rate - candidate) <= within * rate:
            return candidate
    return rate


def round_times(times: np.ndarray, rate: float) -> np.ndarray:
    """Times (F,) from 0, even where they are so but for rounding to milliseconds: frames stay what they are then."""
    places = np.round(times * rate)
    even = places / rate
    return even if (np.diff(places) > 0).all() and np.abs(times - even).max() <= 0.00051 else times


class _Recording(NamedTuple):
    """Rows as a file has them, and what else there is of each."""

    capture: Capture
    seconds: Sequence[float | None] | None = None
    rotations: Mapping[str, Sequence[Any]] = {}


def read_take(
    path: str | os.PathLike[str],
    layout: Layout | None = None,
    *,
    names: str | os.PathLike[str] | Names | None = None,
    scale: float | None = None,
    clip: bool = False,
    space: str | None = None,
    fps: float | None = None,
) -> Take:
    """Read a take of Live Link Face, MediaPipe, Audio2Face, BEAT or iFacialMocap, or any file of expressions.

    Args:
        path: as `emo3d.expressions.read_capture` takes it, likewise `layout`, `names`, `scale` and `clip`.
        space: of the scores, where the file and its format do not say; weights when None.
        fps: frames per second, 1 to 240, for rows that have no times; rows that have some are evenly spaced by it.

    Returns:
        The take, from 0 seconds on. Times are those of the file: timecodes, `time` of BEAT, `exportFps` of Audio2Face.
        Rotations of head and eyes are carried by their names; what else the file has of them is left out with a
        warning, and so are gaps named.

    Raises:
        ValueError: what `read_capture` refuses, another space than the file's, no frame, no times and no `fps`, times
            that are none or do not go forward, or more frames per second than 240.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    if (suffix := path.suffix.lower()) not in SUFFIXES:
        raise ValueError(f"expected a take of {', '.join(SUFFIXES)}, got {path.name}")
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    names = read_names(names)
    try:
        recording = _open(path, suffix, names)
        capture = recording.capture
        if isinstance(capture.rows, list) and capture.rows and all(row == {} for row in capture.rows):
            raise ValueError("expected scores of blendshapes, found none in any row")
        if space and capture.space and check_space(space) != capture.space:
            raise ValueError(f"says that its space is {capture.space}, got --space {space}")
        if layout is None and suffix in (".json", ".jsonl", ".npy"):
            ask_layout(path, capture.rows)
        scores = _scores(capture, layout, names, capture.scale if scale is None else scale, clip)
        times = _times(recording, len(scores), fps)
        rotations = {name: _rotation(name, values) for name, values in recording.rotations.items()}
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(path.name) else f"{path.name}: {message}") from error
    return Take(scores, times, capture.space or check_space(space or "weights"), rotations)


def _scores(capture: Capture, layout: Layout | None, names: Names | None, scale: float, clip: bool) -> np.ndarray:
    """Scores (F, 52) float32 in the order of `TARGETS`."""
    order, scores = read_form(capture.rows, layout, names)
    columns = {name: scores[:, column] for column, name in enumerate(order)}
    tongue = columns.pop("tongueOut", np.zeros(len(scores)))
    columns.setdefault("_neutral", np.zeros(len(scores)))
    table = np.stack([columns[name] for name in MEDIAPIPE_BLENDSHAPES], axis=1)
    fit = fit_scores(tongue, scale, clip)
    for row in np.flatnonzero(fit.invalid)[:1]:
        raise ValueError(f"expected scores in 0..{scale:g}, got tongueOut = {tongue[row]:g} in row {row}; {fit.advice}")
    if fit.outliers.any():
        logger.warning("clipped tongueOut of %d rows to 0..1", fit.outliers.sum())
    faces = as_expressions(table, "mediapipe", scale=scale, clip=clip)
    return np.hstack([faces, fit.scores[:, None].astype(np.float32)])


def _open(path: Path, suffix: str, names: Names | None) -> _Recording:
    if suffix == ".csv":
        return _from_csv(path, names)
    if suffix in (".json", ".jsonl"):
        return _from_document(read_json(path) if suffix == ".json" else read_json_lines(path))
    if suffix == ".txt":
        text = read_text(path)
        if "#" in text:  # degrees about axes of the app's own: no other file could take them as they are
            logger.warning("%s: left out the rotations of head and eyes (=head#..., ...Eye#...)", path.name)
        return _Recording(read_lines(text))
    return _Recording(READERS[suffix](path, names))


def _from_csv(path: Path, names: Names | None) -> _Recording:
    capture = READERS[".csv"](path, names)  # rows are as wide as the header then
    lines = read_csv(path)
    header = [cell.strip() for cell in next(lines, [])]
    places = {_BY_FOLDED[folded(cell)]: place for place, cell in enumerate(header) if folded(cell) in _BY_FOLDED}
    clock = next((place for place, cell in enumerate(header) if cell.lower() == "timecode"), None)
    used = {*blendshape_names(header, names).values(), *(header[place] for place in places.values()), "blendshapes"}
    if rest := [cell for cell in header if cell not in used and cell.lower() not in ("timecode", "blendshapecount")]:
        logger.warning("%s: left out the columns %.1000s", path.name, ", ".join(rest))
    seconds: list[float | None] = []
    rotations: dict[str, list[str]] = {name: [] for name in places}
    for cells in lines:
        for name, place in places.items():
            rotations[name].append(cells[place])
        if clock is not None:
            seconds.append(timecode_seconds(cells[clock]))
    if clock is not None and None not in seconds:  # a timecode starts again at midnight
        seconds = list(np.unwrap(np.array(seconds, np.float64), period=_DAY)) if seconds else seconds
    return _Recording(capture, None if clock is None else seconds, rotations)


def _from_document(document: Any) -> _Recording:
    capture, seconds = read_document(document), None
    is_beat = isinstance(document, Mapping) and {"expressions", "facsNames"}.isdisjoint(document)
    frames = document["frames"] if is_beat and {"names", "frames"} <= document.keys() else []
    if any("time" in frame for frame in frames):
        times = [frame.get("time") for frame in frames]
        seconds = [time if isinstance(time, (int, float)) else None for time in times]
    motion = {"joints", "rotations", "translations", "rotation", "facial_transformation_matrixes"}
    motion |= {"facialTransformationMatrixes"}
    parts = document if isinstance(document, list) else [document, *frames]
    if lost := sorted({key for part in parts if isinstance(part, Mapping) for key in motion if part.get(key)}):
        logger.warning("left out what moves the head, not the face: %s", ", ".join(lost))
    rows = capture.rows
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return _Recording(capture, seconds)
    keys = {name: key for row in rows[:1] for key in row if (name := _BY_FOLDED.get(folded(str(key))))}
    rotations = {name: [row.get(key) for row in rows] for name, key in keys.items()}
    bare = [{key: score for key, score in row.items() if key not in keys.values()} for row in rows] if keys else rows
    return _Recording(capture._replace(rows=bare), seconds, rotations)


def _rotation(name: str, values: Sequence[Any]) -> np.ndarray:
    angles = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        with suppress(TypeError, ValueError):  # it stays NaN
            angles[row] = float(value)
        if not np.isfinite(angles[row]):
            raise ValueError(f"expected a finite number for {name} in row {row}, got {str(value)[:100]!r}")
    return angles


def check_fps(fps: float) -> float:
    """Return frames per second if they are 1 to 240; a ValueError otherwise."""
    if not 1 <= real_number("fps", fps) <= LARGEST_RATE:
        raise ValueError(f"expected 1 to {LARGEST_RATE:g} frames per second, got {fps:g}")
    return float(fps)


def _times(recording: _Recording, count: int, fps: float | None) -> np.ndarray:
    """Seconds (F,) from 0, checked."""
    rate = recording.capture.fps
    if fps is not None:
        check_fps(fps)
        if rate and abs(rate - fps) > 0.01 * fps:
            logger.warning("the take says %g frames a second; they are taken as %g a second", rate, fps)
        return np.arange(count) / fps
    if recording.seconds is None:
        if rate is None and count > 1:
            raise ValueError(f"expected times of the {count} frames, found none: pass --fps")
        return np.arange(count) / check_fps(rate or 1)
    for row, time in enumerate(recording.seconds):
        if time is None or not np.isfinite(time):
            raise ValueError(f"expected a time in row {row}, found none that can be read; --fps spaces rows evenly")
    times = np.array(recording.seconds, np.float64)
    steps = np.diff(times)
    for row in np.flatnonzero(steps <= 0)[:1]:
        what = f"{times[row + 1]:.3f} s in row {row + 1} after {times[row]:.3f} s"
        raise ValueError(f"expected times that go forward, got {what}; --fps spaces rows evenly")
    if len(steps):
        check_fps(max(1.0, usual_rate(times - times[0])))
        usual = float(np.median(steps))
        if len(gaps := np.flatnonzero(steps > _GAP * usual)):
            worst = int(steps.argmax())
            logger.warning(
                "%d gaps between frames, the longest of %.3f s after row %d (usual: %.3f s): weights go straight on",
                *(len(gaps), steps[worst], worst, usual),
            )
    return times - times[0]
