"""KeyframeFace: described keyframes, each with 61 numbers, become clips.

Source: `example.jsonl`, `example_result.jsonl` and `jsonl2csv.py` of https://github.com/wjc12345123/KeyframeFace, the
only public files of its layout (arXiv 2512.11321). A line is a chat: the user's message has "Keyframe Description
Sequence:" with "- Keyframe One: ...", then Background, Emotion, and which keyframe is asked for; the answer, the
assistant's message or `response`, is {"Keyframe_one": {"EyeBlinkLeft": 0.0, ...}}. Lines that differ in the keyframe
asked for belong together.

Assumed, since nothing says it: keyframes are a second apart, as their converter's timecodes are; each lies in the
middle of its second; between two go straight lines; the rotations, in -1..1, are radians as Live Link Face has them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.clips import CHANNELS, Beat, Clip
from emo3d.documents import parse_json, read_json_lines
from emo3d.ranges import fit_scores
from emo3d_lab.neighbours.clip_sources import ClipRule, ClipSource, Performance, clipped
from emo3d_lab.neighbours.formats import files_of

RATE = 30.0
"""Frames per second that keyframes become, where no other rate is asked for."""

_NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()
_LINE = re.compile(r"-\s*Keyframe[ _](\w+)\s*:\s*(.+)")
_COLUMNS = {name.lower(): place for place, name in enumerate(CHANNELS)}


def find_keyframes(path: Path) -> tuple[dict[str, list[ClipSource]], dict[str, str]]:
    """Find the sequences of a file of lines (`.jsonl`), or of those in a folder.

    Returns:
        `train` -> sources, with two descriptions each where both are there: background and emotion, and what the
        keyframes show one after the other.

    Raises:
        ValueError: no such file, or a line that is no JSON.
    """
    files = [path] if path.is_file() else files_of(path, ".jsonl")
    if not files or (path.is_file() and path.suffix.lower() != ".jsonl"):
        raise ValueError(f"expected lines of JSON (.jsonl) of KeyframeFace, got {path.name}")
    sources: list[ClipSource] = []
    for file in files:
        groups: dict[str, list[tuple[int, Any]]] = {}
        for number, record in enumerate(read_json_lines(file)):
            prompt = _message(record, "user").partition("Task Instruction:")[0].strip()
            groups.setdefault(prompt or f"line {number}", []).append((number, record))
        for prompt, lines in groups.items():
            sources.append(_source(file, prompt, lines))
    return {"train": sources}, {}


def _source(file: Path, prompt: str, lines: list[tuple[int, Any]]) -> ClipSource:
    name = f"{file.name} row {lines[0][0]}"
    try:
        texts = _descriptions(prompt)
        keyframes = [_answer(record) for _, record in lines]
        places = [place for place, _ in keyframes]
        if sorted(places) != list(range(len(texts))):
            wanted, got = (", ".join(_NUMBERS[place] for place in some) for some in (range(len(texts)), places))
            raise ValueError(f"expected one answer for each described keyframe ({wanted}), got {got or 'none'}")
        beats = tuple(Beat(text, float(place), place + 1.0) for place, text in enumerate(texts))
    except ValueError as error:
        return ClipSource(name, str(file), (), problem=str(error))
    context = " ".join(
        match[1].strip() for key in ("Background", "Emotion") if (match := re.search(rf"^{key}:(.+)$", prompt, re.M))
    )
    frames = tuple(tuple(values) for _, values in sorted(keyframes))
    return ClipSource(name, str(file), tuple(filter(None, (context, " ".join(texts)))), beats, entry=frames)


def _message(record: Any, role: str) -> str:
    messages = record.get("messages") if isinstance(record, Mapping) else None
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, Mapping) and message.get("role") == role and isinstance(message.get("content"), str):
            return message["content"]
    return ""


def _descriptions(prompt: str) -> list[str]:
    """The keyframes' descriptions in their order."""
    found = {_place(number): text.strip() for number, text in _LINE.findall(prompt)}
    if not found or sorted(found) != list(range(len(found))):
        raise ValueError('expected a message of the user with "- Keyframe One: ..." and so on, found none or gaps')
    return [found[place] for place in range(len(found))]


def _place(number: str) -> int:
    number = number.lower()
    if number not in _NUMBERS:
        raise ValueError(f"expected a keyframe from one to {_NUMBERS[-1]}, got {number!r:.40}")
    return _NUMBERS.index(number)


def _answer(record: Any) -> tuple[int, list[float]]:
    """Which keyframe an answer is of, and its 61 numbers in the order of `CHANNELS`."""
    text = _message(record, "assistant") or (record.get("response") if isinstance(record, Mapping) else None) or ""
    if not isinstance(text, str) or not text.strip():
        raise ValueError("expected an answer, the assistant's message or `response`, found none")
    answer = parse_json(text)
    if not isinstance(answer, Mapping) or len(answer) != 1:
        raise ValueError(f'expected an answer {{"Keyframe_one": {{...}}}}, got {text:.60}')
    ((key, numbers),) = answer.items()
    names = {str(name).lower() for name in numbers} if isinstance(numbers, Mapping) else set()
    if names != set(_COLUMNS):
        missing = [name for name in CHANNELS if name.lower() not in names] or sorted(names - set(_COLUMNS))
        raise ValueError(f"expected the {len(CHANNELS)} names of Live Link Face in {key}, not so {missing[0]!r:.60}")
    values = [0.0] * len(CHANNELS)
    for name, value in numbers.items():
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise ValueError(f"expected a number for {name} in {key}, got {value!r:.60}")
        values[_COLUMNS[name.lower()]] = float(value)
    return _place(key.lower().removeprefix("keyframe_")), values


def read_keyframes(source: ClipSource, rule: ClipRule) -> Performance:
    """Frames of keyframes: straight lines between the middles of their seconds; the first and the last are held.

    Raises:
        ValueError: a score outside 0..1, or a rotation outside -1..1.
    """
    keys = np.array(source.entry)
    fit = fit_scores(keys[:, :52], rule.scale, rule.clip)
    for row, column in np.argwhere(fit.invalid)[:1]:
        got = f"{CHANNELS[column]} in 0..{rule.scale:g}, got {keys[row, column]:g} in keyframe {row}"
        raise ValueError(f"expected {got}; {fit.advice}")
    keys = np.hstack([fit.scores, keys[:, 52:]])
    for row, column in np.argwhere(np.abs(keys[:, 52:]) > 1)[:1]:
        raise ValueError(f"expected {CHANNELS[52 + column]} in -1..1, got {keys[row, 52 + column]:g} in keyframe {row}")
    rate = rule.fps or RATE
    times = (np.arange(max(1, round(len(keys) * rate))) + 0.5) / rate
    frames = np.stack([np.interp(times, np.arange(len(keys)) + 0.5, column) for column in keys.T], axis=1)
    return Performance(Clip(frames, rate), notes=clipped(fit))
