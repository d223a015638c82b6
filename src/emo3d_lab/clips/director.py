"""The director: a text becomes beats, each beat a still of a generator, and the stills a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.clips import Beat, Clip
from emo3d.descriptions import check_descriptions
from emo3d.face.calibration import rig_weights
from emo3d.ranges import real_number
from emo3d_lab.clips.beats import BeatText, beat_text, read_beats
from emo3d_lab.clips.motion import Motion
from emo3d_lab.clips.timeline import Timing, emotion_timing, leading_emotions, perform, scaled, timings

SHORTEST = 0.25  # seconds of a beat: less is not seen
LONGEST = 600.0  # seconds of a clip
_CALM = (1.0, 0, 0, 0, 0, 0, 0, 0)  # intensities of a face at rest


class Director:
    """Makes clips of texts with any generator of stills.

    Args:
        generator: `"quickstart"`, another name or folder that `load_generator` takes, or an object with `generate`.
        motion: what is added to the stills; all of it when None.
        strength: how strongly to act; 1 asks nothing of the generator.
    """

    def __init__(self, generator: Any = "quickstart", *, motion: Motion | None = None, strength: float = 1.0) -> None:
        self.generator = _load(generator) if isinstance(generator, str) else generator
        self.motion = Motion() if motion is None else motion
        self.strength = real_number("strength", strength)

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
        texts = check_descriptions(texts)
        plans = [self.plan(text, seconds) for text in texts]
        stills = iter(self._stills([beat for plan in plans for beat in plan]))
        clips = []
        for text, plan in zip(texts, plans, strict=True):
            faces = np.stack([next(stills) for _ in plan])
            clips.append(self._perform(faces, plan, rate, seed, seconds, text))
        return clips

    def plan(self, text: str, seconds: float | None = None) -> tuple[Beat, ...]:
        """The beats of a text with their times: what `direct` takes."""
        return plan_beats(read_beats(text), seconds)

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
        return self._perform(self._stills(beats), beats, rate, seed, duration, description)

    def _perform(
        self,
        stills: np.ndarray,
        beats: Sequence[Beat],
        rate: float,
        seed: int,
        duration: float | None,
        description: str | None,
    ) -> Clip:
        steps = [_timing(beat, emotion) for beat, emotion in zip(beats, leading_emotions(stills), strict=True)]
        return perform(
            stills,
            beats,
            rate=rate,
            timings=steps,
            motion=self.motion,
            seed=seed,
            description=description,
            duration=duration,
        )

    def _stills(self, beats: Sequence[Beat]) -> np.ndarray:
        """Weights (B, 51) of every beat; what ends the beat before is a face at rest."""
        texts = [beat_text(beat.description) for beat in beats]
        asked = list(dict.fromkeys(text.face for text in texts if not text.releases))
        faces = dict(zip(asked, self._generate(asked), strict=True)) if asked else {}
        rest = np.zeros(len(BLENDSHAPES), np.float32)
        return np.stack([rest if text.releases else faces[text.face] for text in texts])

    def _generate(self, descriptions: list[str]) -> np.ndarray:
        options = {} if self.strength == 1 else {"strength": self.strength}
        expressions = np.asarray(self.generator.generate(descriptions, **options), np.float32)
        config = getattr(self.generator, "config", None)
        return rig_weights(expressions.reshape(len(descriptions), -1), getattr(config, "space", "weights"))


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


def plan_beats(texts: Sequence[BeatText], seconds: float | None = None) -> tuple[Beat, ...]:
    """Give beats their times, one after the other; a momentary one lies within the one before.

    Raises:
        ValueError: fewer than 0.25 seconds for each beat, or more than 600.
    """
    lengths = [_length(text) for text in texts]
    total = sum(lengths)
    if seconds is not None:
        total = real_number("seconds", seconds)
        if not SHORTEST * len(texts) <= total <= LONGEST:
            raise ValueError(
                f"expected {SHORTEST * len(texts):g} to {LONGEST:g} seconds for {len(texts)} beats, got {total:g}"
            )
    ends = np.cumsum(lengths) * total / sum(lengths)
    starts = [0.0, *ends[:-1]]
    return tuple(
        Beat(text.description, float(start), float(end), _CALM if text.releases else None)
        for text, start, end in zip(texts, starts, ends, strict=True)
    )


def _length(text: BeatText) -> float:
    table = timings()["lengths"]
    if text.seconds is not None:
        return text.seconds
    kind = "release" if text.releases else "moment" if text.momentary else "slow" if text.manner == "slow" else "beat"
    return table[kind]


def _timing(beat: Beat, emotion: str) -> Timing:
    timing, manner = emotion_timing(emotion), beat_text(beat.description).manner
    return timing if manner == "plain" else scaled(timing, timings()["manners"][manner])


def _load(name: str) -> Any:
    """The generator of a name; the light one where it has the same numbers, since transformers takes long to load."""
    if name == "quickstart":
        from emo3d_lab.light import LightGenerator

        if light := LightGenerator.load():
            return light
    from emo3d.generation import load_generator

    return load_generator(name)
