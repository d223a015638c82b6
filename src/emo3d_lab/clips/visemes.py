"""Lip-sync of other tools as clips: Oculus' fifteen visemes over time, or cues of when which one is spoken.

Sources: Meta's viseme reference (sil, PP, ..., U, weights of every frame); TalkingHead's `speakAudio` (`visemes`,
`vtimes`, `vdurations`, milliseconds); Rhubarb Lip Sync's JSON and TSV (`mouthCues`: start, end, mouth shapes A to H and
X). What a viseme does to the face is `emo3d_lab.avatars.shapes`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emo3d.clips import CHANNELS, Clip, check_rate
from emo3d.containers import read_csv
from emo3d.documents import read_json, read_text
from emo3d.ranges import fit_scores, real_number
from emo3d_lab.avatars.shapes import COMPOSED
from emo3d_lab.takes.reading import read_take, round_times, usual_rate

logger = logging.getLogger(__name__)

VISEMES: tuple[str, ...] = tuple(name.partition("_")[2] for name in COMPOSED if name.startswith("viseme_"))
"""Oculus' fifteen: sil, PP, FF, TH, DD, kk, CH, SS, nn, RR, aa, E, I, O, U."""

# Rhubarb's mouth shapes as its manual describes them: closed lips of P, B, M; clenched teeth of most consonants and EE;
# open, wide open, slightly rounded, puckered; F and V; the raised tongue of a long L; rest.
_RHUBARB = dict(A="PP", B="SS", C="E", D="aa", E="O", F="U", G="FF", H="nn", X="sil")
_KNOWN = {name.lower(): name for name in VISEMES}
_CLOSURES = ("PP", "FF")
_CROSSING = 0.08  # seconds from one viseme to the next at most; half of the shorter one where sounds are quick
_LONGEST = 3600.0  # seconds
_GAP = 2.5  # times the usual step between frames, as of takes


class Cue(NamedTuple):
    """A viseme and when it is spoken."""

    start: float  # seconds
    end: float
    viseme: str  # of `VISEMES`


def speech_of_cues(cues: Sequence[Cue], rate: float = 30.0, *, strength: float = 1.0) -> Clip:
    """Make speech of cues: each is reached in its middle, and they cross over where they meet.

    A closure (PP, FF) that is shorter than a frame is given the frame that is nearest to its middle: lips that close
    between two frames would not close at all. Where no cue is, lips are at rest.

    Args:
        cues: in the order of time, the first at 0 s or later; they may touch, not overlap.
        rate: frames per second, 1..240.
        strength: of all visemes, above 0 to 1.

    Raises:
        ValueError: no cues, an unknown viseme, times that are no numbers, run backwards, overlap or go beyond an hour.
    """
    rate, cues = check_rate(rate), _check_cues(cues)
    if not 0 < real_number("strength", strength) <= 1:
        raise ValueError(f"expected a strength above 0 to 1, got {strength:g}")
    times = np.arange(max(1, int(np.ceil(cues[-1].end * rate - 1e-6)))) / rate
    shares = np.zeros((len(times), len(VISEMES)))
    silence, closures = VISEMES.index("sil"), []
    for place, cue in enumerate(cues):
        length = cue.end - cue.start
        crossings = []
        for other, touches in ((place - 1, "end"), (place + 1, "start")):
            near = cues[other] if 0 <= other < len(cues) else None
            edge = cue.start if touches == "end" else cue.end
            meets = near is not None and abs(getattr(near, touches) - edge) < 1e-6
            crossings.append(min(_CROSSING, length / 2, (near.end - near.start) / 2 if near and meets else 1.0))
        rise = (times - cue.start) / crossings[0] + 0.5
        fall = (cue.end - times) / crossings[1] + 0.5
        share = np.clip(np.minimum(rise, fall), 0, 1)
        share = share * share * (3 - 2 * share)
        if cue.viseme in _CLOSURES:
            frame = min(round((cue.start + cue.end) / 2 * rate), len(times) - 1)
            closures.append(frame)
            share[frame] = 1.0
        column = VISEMES.index(cue.viseme)
        shares[:, column] = np.maximum(shares[:, column], share)
    others = [column for column, name in enumerate(VISEMES) if name not in _CLOSURES]
    shares[np.ix_(closures, others)] = 0  # lips that are closed are not also half open
    total = shares.sum(axis=1)
    shares[:, silence] += np.maximum(0, 1 - total)
    return speech_of_weights(strength * shares / np.maximum(1, total)[:, None], rate)


def speech_of_weights(weights: Any, rate: float) -> Clip:
    """Make speech of the visemes' weights (T, 15) in 0..1, order `VISEMES`; together they reach 1 at most.

    Raises:
        ValueError: another shape, or weights that are not in 0..1.
    """
    table = np.asarray(weights, np.float64)
    if table.ndim != 2 or table.shape[1] != len(VISEMES) or not len(table):
        raise ValueError(f"expected weights of {len(VISEMES)} visemes (T, 15), got an array of shape {table.shape}")
    fit = fit_scores(table)
    for row, column in np.argwhere(fit.invalid)[:1]:
        raise ValueError(
            f"expected weights in 0..1, got {VISEMES[column]} = {table[row, column]:g} in row {row}; {fit.advice}"
        )
    shares = fit.scores / np.maximum(1, fit.scores.sum(axis=1, keepdims=True))
    units = shares @ np.array([COMPOSED[f"viseme_{name}"] for name in VISEMES])
    return Clip(np.hstack([units, np.zeros((len(units), len(CHANNELS) - units.shape[1]))]), rate)


def read_speech(path: str | os.PathLike[str], *, rate: float | None = None, **options: Any) -> Clip:
    """Read speech: visemes over time, cues of visemes, a clip, or any take that `read_take` reads.

    Args:
        path: `.csv` or `.json` whose columns are Oculus' visemes (`PP` or `viseme_PP`) and `time` in seconds; `.json`
            of TalkingHead or Rhubarb, or a list of `{"start", "end" or "duration", "viseme"}` in seconds; `.tsv` of
            Rhubarb; a clip that `write_clip` wrote; or a take.
        rate: frames per second of the clip, 1..240; of cues 30 when None, else the file's own.
        options: for `read_take`.

    Raises:
        ValueError: what `speech_of_cues`, `speech_of_weights` or `read_take` refuse; the message begins with the name.
        FileNotFoundError: no such file.
    """
    from emo3d_lab.clips.files import read_own

    path = Path(path)
    suffix = path.suffix.lower()
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        if suffix == ".tsv":
            return speech_of_cues(_rhubarb_lines(read_text(path)), rate or 30.0)
        document = read_json(path) if suffix == ".json" else _viseme_rows(path) if suffix == ".csv" else None
        if (cues := _cues(document)) is not None:
            return speech_of_cues(cues, rate or 30.0)
        if (rows := _rows(document)) is not None:
            return _speech_of_rows(rows, document, rate)
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(path.name) else f"{path.name}: {message}") from error
    if (clip := read_own(path)) is not None:
        return clip if rate is None else clip.resample(rate)
    return read_take(path, **options).to_clip(rate)


def _viseme(name: Any) -> str | None:
    return _KNOWN.get(str(name).strip().lower().removeprefix("viseme_"))


def _check_cues(cues: Sequence[Cue]) -> list[Cue]:
    if not cues:
        raise ValueError("expected cues of visemes, got none")
    last = 0.0
    for row, cue in enumerate(cues):
        if cue.viseme not in VISEMES:
            raise ValueError(f"expected a viseme of {', '.join(VISEMES)} in cue {row}, got {cue.viseme!r}")
        start, end = real_number(f"start of cue {row}", cue.start), real_number(f"end of cue {row}", cue.end)
        if start < last - 1e-6 or end <= start:
            raise ValueError(
                f"expected cues that follow each other, got {start:g} to {end:g} s in cue {row} after {last:g} s"
            )
        if end > _LONGEST:
            raise ValueError(f"expected cues within {_LONGEST:g} s, got {end:g} s in cue {row}: are they milliseconds?")
        last = end
    return list(cues)


def _cues(document: Any) -> list[Cue] | None:
    match document:
        case {"mouthCues": list(entries)}:
            return [_cue(entry, row, _RHUBARB) for row, entry in enumerate(entries)]
        case {"visemes": list(names), "vtimes": list(starts), "vdurations": list(lengths)}:
            if not len(names) == len(starts) == len(lengths):
                counts = f"{len(names)}, {len(starts)} and {len(lengths)}"
                raise ValueError(f"expected as many visemes as vtimes and vdurations, got {counts}")
            entries = [
                {"viseme": name, "start": _seconds(start, row) / 1000, "duration": _seconds(length, row) / 1000}
                for row, (name, start, length) in enumerate(zip(names, starts, lengths, strict=True))
            ]
            return [_cue(entry, row, {}) for row, entry in enumerate(entries)]
        case [{"viseme": _}, *_] | [{"value": _}, *_]:
            return [_cue(entry, row, _RHUBARB) for row, entry in enumerate(document)]
        case [[_, _, str()], *_]:
            keys = ("start", "duration", "viseme")
            rows = [dict(zip(keys, row, strict=False)) if isinstance(row, list) else row for row in document]
            return [_cue(entry, row, {}) for row, entry in enumerate(rows)]
    return None


def _cue(entry: Any, row: int, shapes: Mapping[str, str]) -> Cue:
    if not isinstance(entry, Mapping):
        raise ValueError(f"expected a start, a duration and a viseme in cue {row}, got {str(entry)[:100]}")
    name = entry.get("viseme", entry.get("value"))
    viseme = shapes.get(str(name)) if "viseme" not in entry else _viseme(name)
    if viseme is None:
        known = VISEMES if "viseme" in entry else _RHUBARB
        raise ValueError(f"expected a viseme of {', '.join(known)} in cue {row}, got {name!r}")
    start = _seconds(entry.get("start", entry.get("time")), row)
    end = _seconds(entry["end"], row) if "end" in entry else start + _seconds(entry.get("duration"), row)
    return Cue(start, end, viseme)


def _seconds(value: Any, row: int) -> float:
    if value is None:
        raise ValueError(f"expected a start and an end or a duration in cue {row}, one is missing")
    return real_number(f"a time of cue {row}", value)


def _rhubarb_lines(text: str) -> list[Cue]:
    """Rhubarb's TSV: a start and a shape a line, each until the next; the last line only ends the one before."""
    lines = [line.split("\t") for line in text.splitlines() if line.strip()]
    for row, cells in enumerate(lines):
        if len(cells) != 2 or cells[1].strip() not in _RHUBARB:
            raise ValueError(f"expected a time, a tab and a shape A to H or X in line {row + 1}, got {cells}")
    starts = [_number(cells[0], f"the time in line {row + 1}") for row, cells in enumerate(lines)]
    shapes = [_RHUBARB[cells[1].strip()] for cells in lines]
    return [Cue(start, end, shape) for start, end, shape in zip(starts, starts[1:], shapes, strict=False)]


def _viseme_rows(path: Path) -> list[dict[str, Any]] | None:
    lines = read_csv(path)
    header = [cell.strip() for cell in next(lines, [])]
    if sum(_viseme(cell) is not None for cell in header) < 2:
        return None
    for name in header:
        if header.count(name) > 1:
            raise ValueError(f"expected each viseme in one column, got {name!r:.100} in {header.count(name)}")
    rows = []
    for row, cells in enumerate(lines):
        if len(cells) != len(header):
            raise ValueError(f"expected {len(header)} cells in row {row}, got {len(cells)}")
        rows.append(dict(zip(header, cells, strict=True)))
    return rows


def _rows(document: Any) -> list[Mapping[str, Any]] | None:
    rows = document.get("frames") if isinstance(document, Mapping) and "fps" in document else document
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        return None
    return rows if any(_viseme(key) for row in rows for key in row) else None


def _speech_of_rows(rows: list[Mapping[str, Any]], document: Any, rate: float | None) -> Clip:
    keys = dict.fromkeys(key for row in rows for key in row)  # of all: a viseme may come in late
    columns = {key: viseme for key in keys if (viseme := _viseme(key))}
    others = {str(key).strip().lower(): key for key in keys if key not in columns}
    if rest := [str(key) for name, key in others.items() if name not in ("time", "timecode")]:
        raise ValueError(f"expected columns of visemes and time, got {', '.join(rest)[:200]} besides")
    if len(set(columns.values())) < len(columns) or len(others) + len(columns) < len(keys):
        raise ValueError("expected each viseme, and time, in one column, got one in two")
    table = np.zeros((len(rows), len(VISEMES)))
    for row, values in enumerate(rows):
        for key, viseme in columns.items():
            table[row, VISEMES.index(viseme)] = _number(values.get(key), f"{key} in row {row}")
    fps = document.get("fps") if isinstance(document, Mapping) else None
    if (clock := others.get("time")) is not None:
        times = np.array([_number(values.get(clock), f"time in row {row}") for row, values in enumerate(rows)])
        return speech_of_weights(*_even_rows(table, times, rate))
    if fps is None and rate is None:
        raise ValueError("expected a column time (seconds), or frames per second: pass rate (--fps)")
    clip = speech_of_weights(table, check_rate(rate if fps is None else fps))
    return clip if rate is None else clip.resample(rate)


def _even_rows(table: np.ndarray, times: np.ndarray, rate: float | None) -> tuple[np.ndarray, float]:
    """Weights at an even rate from 0 s on, on straight lines between rows; lips rest before the first one."""
    steps = np.diff(times)
    for row in np.flatnonzero(steps <= 0)[:1]:
        raise ValueError(f"expected times that go forward, got {times[row + 1]:g} s after {times[row]:g} s")
    if times[0] < 0 or times[-1] > _LONGEST:
        got = f"{times[0]:g} to {times[-1]:g} s"
        raise ValueError(f"expected times within 0 to {_LONGEST:g} s, got {got}: are they milliseconds?")
    if len(steps) and steps.max() > _GAP * np.median(steps):
        logger.warning("a gap of %.3f s between frames of visemes: weights go straight on", steps.max())
    own = usual_rate(times)
    rate = check_rate(own if rate is None else rate)
    times = round_times(times, rate)
    if times[0] > 0:
        before = [time for time in (0.0, times[0] - 1 / own) if 0 <= time < times[0]]
        table = np.vstack([np.zeros((len(before), len(VISEMES))), table])
        times = np.r_[before, times]
    even = np.arange(int(times[-1] * rate + 1e-6) + 1) / rate
    return np.stack([np.interp(even, times, column) for column in table.T], axis=1), rate


def _number(value: Any, what: str) -> float:
    try:
        return real_number(what, float(value))
    except (TypeError, ValueError):
        raise ValueError(f"expected a finite number as {what}, got {str(value)[:100]!r}") from None
