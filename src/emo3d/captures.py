"""What other programs write of faces: MediaPipe, Audio2Face, BEAT, iFacialMocap and Live Link Face.

Sources: MediaPipe's `FaceLandmarkerResult` as `json.dumps` and `JSON.stringify` leave it; Audio2Face's export of
blendshapes (`facsNames`, `weightMat`, `exportFps`); BEAT (`names`, `frames`; https://github.com/PantoMatrix/BEAT);
iFacialMocap's datagrams (`name-percent|...|=head#...`; https://www.ifacialmocap.com/for-developer).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from emo3d.blendshapes import Space, check_space

_PART = re.compile(r"=?(\w{1,60})[-&](-?\d{1,9}(?:\.\d{1,20})?)")
_TIMECODE = re.compile(r"(\d{1,3}):(\d\d):(\d\d):(\d\d(?:\.\d{1,9})?)", re.ASCII)


class Capture(NamedTuple):
    """Rows as a file has them, and what the file or its format says of them."""

    rows: Any  # in a form that `as_expressions` reads
    space: Space | None = None
    fps: float | None = None  # frames per second
    scale: float = 1  # the score that means 1


def read_document(document: Any) -> Capture:
    """Read a JSON document; one of no format above becomes rows as it stands, a broken one is a ValueError."""
    match document:
        case {"expressions": rows}:
            space = check_space(document["space"]) if "space" in document else None
            return Capture(list(map(read_row, rows)) if isinstance(rows, list) else rows, space)
        case {"facsNames": names, "weightMat": frames}:
            fps = document.get("exportFps")
            fps = float(fps) if isinstance(fps, (int, float)) and 0 < fps < 1e6 else None
            return Capture(_frames(names, frames), "weights", fps)
        case {"names": names, "frames": frames}:
            if not isinstance(frames, list) or not all(isinstance(frame, Mapping) for frame in frames):
                raise ValueError("expected a list of frames with weights")
            rows = _frames(names, [frame.get("weights") for frame in frames])
            times = [frame.get("time") for frame in frames]
            has_times = all(isinstance(time, (int, float)) for time in times)
            return Capture(rows, "weights", frame_rate(times) if has_times else None)
    if (rows := _faces(document)) is None:
        rows = [document] if isinstance(document, Mapping) or _is_face(document) else document
    if not isinstance(rows, list):
        return Capture(rows)
    return Capture(list(map(read_row, rows)), "reading" if any(_is_face(_inside(row)) for row in rows) else None)


def read_row(row: Any) -> Any:
    """Read one row of JSON: its entry `blendshapes` if it has one, and MediaPipe's categories by name."""
    row = _inside(row)
    return _face(row) if _is_face(row) else row


def _inside(row: Any) -> Any:
    for _ in range(3):  # a result has faces, a face has categories
        if not isinstance(row, Mapping):
            break
        faces = _faces(row)
        if faces is None:
            keys = (key for key in row if isinstance(key, str) and key.lower() in ("blendshapes", "categories"))
            row = row.get(next(keys, None), row)
        elif len(faces) != 1:
            raise ValueError(f"expected results of MediaPipe with one face each, got one with {len(faces)}")
        else:
            row = faces[0]
    return row


def read_lines(text: str) -> Capture:
    """Read iFacialMocap's lines, a frame each: `mouthSmile_R-12|...|=head#...`; others are a ValueError."""
    rows = []
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines()))):
        names, scores = [], []
        for part in filter(None, line.split("|")):
            if match := _PART.fullmatch(part):
                names.append(match[1])
                scores.append(float(match[2]))
            elif "#" not in part:  # of a head or an eye, which an expression does not have
                raise ValueError(f"expected lines of iFacialMocap, name-percent|..., got {part[:40]!r} in row {number}")
        rows.append(_by_name(names, scores, number))
    return Capture(rows, "weights", scale=100)


def timecode_seconds(timecode: str) -> float | None:
    """Seconds of a timecode of Live Link Face, `HH:MM:SS:FF.fff`, whose FF counts sixtieths whatever the frame rate."""
    match = _TIMECODE.fullmatch(timecode.strip())
    if match is None:
        return None
    hours, minutes, seconds, sixtieths = map(float, match.groups())
    return 3600 * hours + 60 * minutes + seconds + sixtieths / 60


def frame_rate(times: Sequence[float | None]) -> float | None:
    """Frames per second of frames at these seconds; None where they have none, or do not go forward."""
    if len(times) < 2 or times[0] is None or times[-1] is None or not times[-1] > times[0]:
        return None
    return round((len(times) - 1) / (times[-1] - times[0]), 3)


def _frames(names: Any, frames: Any) -> list[dict[str, Any]]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("expected a list of names")
    if not isinstance(frames, list):
        raise ValueError("expected a list of frames")
    for number, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) != len(names):
            got = len(frame) if isinstance(frame, list) else repr(frame)[:40]
            raise ValueError(f"expected {len(names)} weights in row {number}, got {got}")
    return [_by_name(names, frame, number) for number, frame in enumerate(frames)]


def _by_name(names: Sequence[str], scores: Sequence[Any], number: int) -> dict[str, Any]:
    if len(set(names)) != len(names):
        raise ValueError(f"row {number} names {next(name for name in names if names.count(name) > 1)} twice")
    return dict(zip(names, scores, strict=True))


def _faces(result: Any) -> list[Any] | None:
    faces = result.get("faceBlendshapes", result.get("face_blendshapes")) if isinstance(result, Mapping) else None
    return faces if isinstance(faces, list) else None


def _is_face(value: Any) -> bool:
    """Whether something is MediaPipe's categories of one face."""
    items = value if isinstance(value, list) and value else [None]
    keys = {"category_name", "categoryName", "index"}
    return all(isinstance(item, Mapping) and "score" in item and not keys.isdisjoint(item) for item in items)


def _face(categories: Sequence[Mapping[str, Any]]) -> dict[str, Any] | list[Any]:
    names: list[Any] = [item.get("category_name") or item.get("categoryName") for item in categories]
    scores = [item["score"] for item in categories]
    if all(isinstance(name, str) for name in names):
        return _by_name(names, scores, 0)
    if any(names):
        raise ValueError("expected MediaPipe's categories with their names, got some without")
    return scores
