"""The director: a text becomes beats, each beat a still of a generator, and the stills a clip."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.clips import Beat, Clip, check_rate
from emo3d.descriptions import check_descriptions
from emo3d.face.calibration import rig_weights
from emo3d.instructions import apply_instructions
from emo3d.ranges import real_number
from emo3d_lab.clips.beats import LONGEST, BeatText, beat_text, read_beats
from emo3d_lab.clips.motion import Motion, timings
from emo3d_lab.clips.timeline import Timing, emotion_timing, leading_emotions, perform, scaled

SHORTEST = 0.25  # seconds of a beat: less is not seen
_LIDS = np.array([name.startswith("eyeBlink") for name in BLENDSHAPES])
_CALM = (1.0, 0, 0, 0, 0, 0, 0, 0)  # intensities of a face at rest


class Director:
    """Makes clips of texts with any generator of stills.

    Args:
        generator: `"quickstart"`, another name or folder that `load_generator` takes, or an object with `generate`.
        motion: what is added to the stills; all of it when None.
        strength: how strongly to act; 1 asks nothing of the generator.
    """

    def __init__(self, generator: Any = "quickstart", *, motion: Motion | None = None, strength: float = 1.0) -> None:
        self._generator = generator
        self.motion = Motion() if motion is None else motion
        self.strength = real_number("strength", strength)

    @property
    def generator(self) -> Any:
        """What makes the stills; loaded when it is first asked for."""
        if isinstance(self._generator, str):
            self._generator = _load(self._generator)
        if not callable(getattr(self._generator, "generate", None)):
            raise ValueError(
                f"expected the name of a generator or an object with generate, got {self._generator!r:.80}"
            )
        return self._generator

    def generate(
        self, texts: Sequence[str], *, seconds: float | None = None, rate: float = 30, seed: int = 0
    ) -> list[Clip]:
        """Make a clip of every text, in weights; one call of the generator makes all stills.

        Args:
            texts: what happens, in English: "She holds back tears, then breaks into a smile".
            seconds: length of every clip; what its beats need when None.
            rate: frames per second, 1..240.
            seed: of all that is drawn; a text's clip depends on nothing beside it.

        Raises:
            ValueError: no texts, a blank one, or fewer than 0.25 `seconds` for each beat.
        """
        check_rate(rate)
        plans = [schedule(read_beats(text), seconds) for text in check_descriptions(texts)]
        stills = self._stills([beats for beats, _ in plans])
        return [
            self._perform(faces, beats, rate, seed, duration, text)
            for text, faces, (beats, duration) in zip(texts, stills, plans, strict=True)
        ]

    def plan(self, text: str, seconds: float | None = None) -> tuple[Beat, ...]:
        """The beats of a text with their times: what `direct` takes."""
        return schedule(read_beats(text), seconds)[0]

    def direct(
        self,
        beats: Sequence[Beat],
        *,
        rate: float = 30,
        seed: int = 0,
        duration: float | None = None,
        description: str | None = None,
    ) -> Clip:
        """Make a clip of beats whose times are given; see `perform`."""
        check_rate(rate)
        if not len(beats):
            raise ValueError("expected at least one beat, got none")
        return self._perform(self._stills([beats])[0], beats, rate, seed, duration, description)

    def _perform(
        self,
        stills: np.ndarray,
        beats: Sequence[Beat],
        rate: float,
        seed: int,
        duration: float | None,
        description: str | None,
    ) -> Clip:
        emotions = leading_emotions(stills)
        steps = [_timing(beat_text(beat.description), emotion) for beat, emotion in zip(beats, emotions, strict=True)]
        faces, parts, paces = _add_winks(stills, beats, steps)
        options: Any = {"motion": self.motion, "seed": seed, "description": description, "duration": duration}
        return replace(perform(faces, parts, rate=rate, timings=paces, **options), beats=tuple(beats))

    def _stills(self, plans: Sequence[Sequence[Beat]]) -> list[np.ndarray]:
        """Weights (B, 51) of the beats of each plan."""
        texts = [[beat_text(beat.description) for beat in beats] for beats in plans]
        asked = [text.face for row in texts for text in row if not (text.releases or text.keeps or text.instructions)]
        faces = self._generate(list(dict.fromkeys(asked)))
        return [self._act(row, faces) for row in texts]

    def _act(self, texts: Sequence[BeatText], faces: dict[str, np.ndarray]) -> np.ndarray:
        """Stills of one text: what only moves a part of the face moves it on the face that is there."""
        stills = []
        settled = np.zeros(len(BLENDSHAPES), np.float32)  # what a momentary beat leaves as it was
        for text in texts:
            if text.releases:
                still = np.zeros_like(settled)
            elif text.keeps:
                still = settled
            elif instructions := text.instructions:
                still = apply_instructions(settled, instructions, self.strength)
            else:
                still = faces[text.face]
            stills.append(still)
            settled = settled if text.momentary else still
        return np.stack(stills)

    def _generate(self, descriptions: list[str]) -> dict[str, np.ndarray]:
        if not descriptions:
            return {}
        options = {} if self.strength == 1 else {"strength": self.strength}
        if options and "strength" not in inspect.signature(self.generator.generate).parameters:
            kind = type(self.generator).__name__
            raise ValueError(f"expected another kind of generator for a strength of {self.strength:g}, got {kind}")
        expressions = np.asarray(self.generator.generate(descriptions, **options), np.float32)
        if expressions.shape != (len(descriptions), len(BLENDSHAPES)):
            raise ValueError(
                f"expected expressions ({len(descriptions)}, 51) of the generator, got {expressions.shape}"
            )
        space: Any = getattr(getattr(self.generator, "config", None), "space", "weights")
        weights = rig_weights(expressions, space)
        return dict(zip(descriptions, weights, strict=True))


def generate_clip(
    text: str,
    generator: Any = "quickstart",
    *,
    seconds: float | None = None,
    rate: float = 30,
    seed: int = 0,
    motion: Motion | None = None,
    strength: float = 1.0,
) -> Clip:
    """Make a clip of a text, in weights; see `Director`.

    Example:
        >>> clip = generate_clip("She holds back tears, then breaks into a smile", seconds=4)
        >>> clip.frames.shape
        (120, 61)
    """
    director = Director(generator, motion=motion, strength=strength)
    return director.generate([text], seconds=seconds, rate=rate, seed=seed)[0]


def schedule(texts: Sequence[BeatText], seconds: float | None = None) -> tuple[tuple[Beat, ...], float]:
    """Give beats their times, one after the other, and return these with the length of the clip in seconds.

    After a last beat that is momentary, the one before it comes again. Lengths that the text says are kept where
    `seconds` leave room for them.

    Raises:
        ValueError: fewer than 0.25 seconds for each beat, or more than 600.
    """
    lasting = [text for text in texts if not text.momentary]
    back = [replace(lasting[-1], seconds=None, later=None)] if lasting and texts[-1].momentary else []
    beats = [*texts, *back]
    lengths = np.array([_length(text) for text in beats])
    fixed = np.array([text.seconds is not None for text in beats])
    for place, text in enumerate(beats[1:]):
        if text.later is not None:
            lengths[place], fixed[place] = text.later, True
    wait = beats[0].later or 0.0
    ends = beats[-1].seconds is not None or beats[-1].momentary  # the text says that it is over
    tail = timings()["lengths"]["tail"] if ends else 0.0
    if seconds is not None:
        room, least = real_number("seconds", seconds), SHORTEST * len(beats)
        count = "1 beat" if len(beats) == 1 else f"{len(beats)} beats"
        if not least <= room <= LONGEST:
            raise ValueError(f"expected {least:g} to {LONGEST:g} seconds for {count}, got {room:g}")
        free = room - wait - tail - lengths[fixed].sum()
        if (~fixed).any() and free >= SHORTEST * (~fixed).sum():
            lengths[~fixed] = _shared(lengths[~fixed], np.full((~fixed).sum(), SHORTEST), free)
        elif (~fixed).any() or free < 0:
            parts = np.array([wait, *lengths, tail])
            wait, *rest, tail = _shared(parts, np.array([0.0, *[SHORTEST] * len(beats), 0.0]), room).tolist()
            lengths = np.array(rest)
        tail = max(room - wait - lengths.sum(), 0.0)
    bounds = wait + np.concatenate([[0.0], np.cumsum(lengths)])
    duration = float(bounds[-1] + tail)
    if seconds is not None:
        duration, bounds = room, np.minimum(bounds, room)  # sums are rounded
    if duration > LONGEST:
        raise ValueError(f"expected a text of at most {LONGEST:g} seconds, its beats take {duration:g}")
    planned = tuple(
        Beat(text.description, float(start), float(end), _CALM if text.releases else None)
        for text, start, end in zip(beats, bounds[:-1], bounds[1:], strict=True)
    )
    return planned, duration


def _shared(lengths: np.ndarray, least: np.ndarray, room: float) -> np.ndarray:
    """Lengths in proportion that fill a room together, none of them shorter than its least."""
    held = np.zeros(len(lengths), bool)
    while True:
        shared = np.where(held, least, lengths * (room - least[held].sum()) / lengths[~held].sum())
        short = shared < least - 1e-9
        if not short.any():
            return shared
        held |= short


def _length(text: BeatText) -> float:
    table = timings()["lengths"]
    if text.seconds is not None:
        return text.seconds
    if text.instructions or text.keeps:
        return table["gesture" if text.momentary else "physical"]
    kinds = {"release": text.releases, "moment": text.momentary, text.manner: text.manner != "plain"}
    return table[next((kind for kind, is_so in kinds.items() if is_so), "beat")]


def _timing(text: BeatText, emotion: str) -> Timing:
    timing = emotion_timing("gesture") if text.instructions else emotion_timing(emotion)
    factor = timings()["manners"].get(text.manner, timings()["manners"]["moment"] if text.momentary else 1.0)
    return scaled(timing, factor)


def _add_winks(stills: np.ndarray, beats: Sequence[Beat], steps: Sequence[Timing]) -> tuple[Any, list[Beat], Any]:
    """Of a beat that winks and shows something else, let the lids shut for a moment only, within it."""
    rows = [*zip(stills, beats, steps, strict=True)]
    for place, (still, beat, _) in enumerate(rows[:]):
        text = beat_text(beat.description)
        if text.winks and not text.momentary:
            rows[place] = (np.where(_LIDS, 0, still), beat, steps[place])
            start = beat.start + 0.4 * (beat.end - beat.start)
            end = min(start + timings()["lengths"]["gesture"], beat.end)
            rows.append((still, replace(beat, start=start, end=end), emotion_timing("gesture")))
    faces, planned, paces = zip(*sorted(rows, key=lambda row: row[1].start), strict=True)
    return np.stack(faces), list(planned), paces


def _load(name: str) -> Any:
    """The generator of a name; the light one where it has the same numbers, since transformers takes long to load."""
    if name == "quickstart" and (light := _light()):
        return light
    from emo3d.generation import load_generator

    return load_generator(name)


@cache
def _light() -> Any:
    from emo3d_lab.light import LightGenerator

    return LightGenerator.load()
