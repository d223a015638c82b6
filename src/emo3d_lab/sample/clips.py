"""The synthetic clips: sentences of one to four beats about one person, and a face that does what they say.

Clauses and what joins them are in `emo3d_lab/assets/lexicon/clips.txt`, their words in the lexicon of the stills; which
of both are for the test split only is said there. Timing and motion are drawn far more widely than a director would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np

from emo3d.clips import Beat, Clip
from emo3d.emotions import EMOTIONS
from emo3d_lab.clips.motion import Motion
from emo3d_lab.clips.rows import row_of_clip
from emo3d_lab.clips.timeline import Timing, perform
from emo3d_lab.sample import lexicon
from emo3d_lab.sample.grammar import SLOT, Scene, Writer, on_side, polish
from emo3d_lab.sample.guard import is_reserved
from emo3d_lab.sample.lexicon import Template
from emo3d_lab.sample.rows import SPLITS, belongs, expression_of

RATES = (24.0, 25.0, 30.0, 60.0)
"""Frames per second that clips have, equally often."""

CLIP_ROWS = {"train": 240, "validation": 60, "test": 60}
"""Clips per split of the sample in the repository."""

_COUNTS = (0.15, 0.35, 0.3, 0.2)  # shares of clips with one to four beats
# Seconds by manner: of a beat, and until its expression is there.
_SECONDS = {"": (0.9, 2.4), "fast": (0.7, 2.0), "slow": (1.5, 3.2), "brief": (0.5, 0.9)}
_ONSETS = {"": (0.2, 0.7), "fast": (0.08, 0.25), "slow": (0.6, 1.4), "brief": (0.12, 0.35)}
_MOST_FAILURES = 5000  # in a row, after which the grammar is taken to be exhausted
_END = "\x00"  # of a clause or of what joins two


@dataclass(frozen=True)
class Clause:
    """A line of `clips.txt`: its kind, its text with slots, its manner, and whether it is for the test split only."""

    kind: str
    text: str
    manner: str
    held_out: bool


@dataclass(frozen=True)
class Part:
    """One beat as it is written: the scene, its clause, and how it comes about (`""`, fast, slow or brief)."""

    scene: Scene
    text: str
    manner: str


def make_clips(split: str, count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Make clips of the synthetic sample, one after the other.

    Clips of the test split are made of held-out clauses, words, situations and details only, those of train and
    validation of none of them; a hash of the description decides between these two. Neighbouring beats differ in their
    leading emotion.

    Args:
        split: `"train"`, `"validation"` or `"test"`.
        count: number of clips.
        seed: with the split, decides everything; a larger count begins with the same clips.

    Yields:
        Rows of the config `clips`, no description twice; frames (T, 61) float32 weights with three decimals.

    Raises:
        ValueError: an unknown split, a count below 1, or more clips than the grammar has descriptions.
    """
    if split not in SPLITS:
        raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {split!r}")
    if count < 1:
        raise ValueError(f"expected at least one clip, got a count of {count}")
    index = SPLITS.index(split)
    rng = np.random.default_rng([seed, index, 61])
    seen: set[str] = set()
    failures = 0
    while len(seen) < count:
        description, parts = describe_beats(rng, held_out=split == "test")
        reserved = split != "test" and is_reserved(description)  # as the training texts are
        if description in seen or reserved or not belongs(description, split):
            failures += 1
            if failures > _MOST_FAILURES:
                raise ValueError(f"the grammar has no more than about {len(seen)} clips for {split}, got {count}")
            continue
        failures = 0
        clip = act(description, parts, rng)
        yield row_of_clip(clip, index * 1_000_000 + len(seen), "synthetic")
        seen.add(description)


def describe_beats(rng: np.random.Generator, held_out: bool) -> tuple[str, list[Part]]:
    """Make up a description of one to four beats, and what each of them shows."""
    writer = Writer(rng, held_out)
    writer.template = Template("clips", 3 if writer.chance(0.8) else 1, "", held_out)
    writer.draw_person()
    while " with " in writer.noun:  # "the man with a beard's face"
        writer.draw_person()
    count = 1 + int(np.searchsorted(np.cumsum(_COUNTS), rng.random() * sum(_COUNTS), "right"))
    pieces: list[str] = []
    drafts: list[tuple[Scene, str]] = []
    emotion = ""
    for place in range(count):
        text, scene, emotion, plain = _clause(writer, place, count, emotion)
        connective = _connective(writer, place, count, plain)
        pieces += [connective.text, text]
        drafts.append((scene, connective.manner))
    words = writer.refer(_END.join(pieces)).split(_END)
    parts = [
        Part(scene, polish(clause + "."), manner) for (scene, manner), clause in zip(drafts, words[1::2], strict=True)
    ]
    spaced = [
        f"{connective} {clause}" if connective else clause
        for connective, clause in zip(words[::2], words[1::2], strict=True)
    ]
    return polish(re.sub(r"([.!?]);? ?[,;.]", r"\1", "".join(spaced)).strip() + "."), parts


def _connective(writer: Writer, place: int, count: int, plain: bool) -> Clause:
    """What stands before a clause; events have no manner, and a single beat has no `At first`."""
    if count == 1:
        return Clause("open", "", "", writer.held_out)
    connectives = _clauses("join" if place else "open", writer.held_out)
    return writer.choose([connective for connective in connectives if not (plain and connective.manner)])


def _clause(writer: Writer, place: int, count: int, last: str) -> tuple[str, Scene, str, bool]:
    """A clause with its slots filled, its scene, its leading emotion, and whether it tells of an event."""
    kinds = _kinds(writer.held_out)
    allowed = [
        kind
        for kind in kinds
        if not (place == 0 and kind in ("turn", "rest", "denied"))
        and not (kind == "calm" and (place or count == 1))
        and not (kind in ("rest", "denied") and last in ("", "neutral"))
    ]
    kind = writer.choose_weighted(allowed, [kinds[kind] for kind in allowed])
    emotions = [emotion for emotion in EMOTIONS[1:] if emotion != last]
    first, second = (emotions.pop(int(writer.rng.random() * len(emotions))) for _ in range(2))
    rests = kind in ("rest", "denied", "calm")
    writer.scene = Scene(identity=writer.scene.identity)
    writer.picks, writer.shades = [], {}
    writer.emotions = [last if kind == "denied" else first, second]
    text = SLOT.sub(writer.fill, writer.choose(_clauses(kind, writer.held_out)).text)
    scene = writer.scene
    if rests:
        return text, replace(scene, intensities={"neutral": 1.0}), "neutral", False
    units = [on_side(units, scene.side) for units in scene.units]
    return text, replace(scene, units=units, intensities=writer.mix()), first, kind == "situation"


def act(description: str, parts: list[Part], rng: np.random.Generator) -> Clip:
    """The clip of a description: beats with times, their expressions, how they come and go, and a face's motion."""
    rate = RATES[int(rng.random() * len(RATES))]
    time = rng.uniform(0.0, 0.6) if rng.random() < 0.5 else 0.0
    beats, stills, timings = [], [], []
    for part in parts:
        seconds, onset = rng.uniform(*_SECONDS[part.manner]), rng.uniform(*_ONSETS[part.manner])
        intensities = tuple(part.scene.intensities.get(name, 0.0) for name in EMOTIONS)
        beats.append(Beat(part.text, round(time, 3), round(time + seconds, 3), intensities))
        stills.append(np.clip(expression_of(part.scene, rng) * rng.uniform(0.8, 1.1), 0, 1))
        offset, apex, sustain, decay = rng.uniform((0.3, 0.3, 0.6, 1.0), (1.5, 2.5, 1.0, 4.0))
        timings.append(Timing(onset, offset, apex, sustain, decay))
        time += seconds + (rng.uniform(0.05, 0.8) if rng.random() < 0.25 else 0.0)
    duration = beats[-1].end + (rng.uniform(0.0, 0.8) if rng.random() < 0.5 else 0.0)
    motion = Motion(*(bool(part) for part in rng.random(len(fields(Motion))) < 0.8))
    seed = int(rng.integers(2**31))
    clip = perform(np.stack(stills), beats, rate=rate, timings=timings, motion=motion, seed=seed, duration=duration)
    return replace(clip, frames=np.round(clip.frames, 3), description=description)


@cache
def _lines() -> tuple[tuple[Clause, ...], dict[str, float]]:
    """Clauses, and the weight of each kind that has one."""
    clauses: list[Clause] = []
    kinds: dict[str, float] = {}
    kind = ""
    for line in (lexicon.FILES / "clips.txt").read_text("utf-8").splitlines():
        if line.startswith("="):
            kind, weight = line[1:].split()
            kinds[kind] = float(weight)
        elif line and not line.startswith("#"):
            text, _, manner = line.removeprefix("* ").partition("|")
            if manner.strip() not in _SECONDS:
                raise ValueError(f"clips.txt: expected a manner of {', '.join(_SECONDS)}, got {line!r}")
            clauses.append(Clause(kind, text.strip(), manner.strip(), line.startswith("*")))
    return tuple(clauses), {kind: weight for kind, weight in kinds.items() if weight}


@cache
def _clauses(kind: str, held_out: bool) -> tuple[Clause, ...]:
    """Clauses of a kind; of what joins two, the test split has those of the others, too."""
    both = kind in ("join", "open") and held_out
    return tuple(clause for clause in _lines()[0] if clause.kind == kind and (both or clause.held_out == held_out))


@cache
def _kinds(held_out: bool) -> dict[str, float]:
    return {kind: weight for kind, weight in _lines()[1].items() if _clauses(kind, held_out)}
