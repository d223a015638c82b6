"""An actor: a face that keeps a mood, feels each new line on top of what it felt before, and calms down.

The numbers are those of `emo3d_lab.moods`; `web/src/actor.ts` is the same in TypeScript.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from emo3d.face.rig import TARGETS
from emo3d.instructions import Instruction, read_instructions
from emo3d.ranges import real_number
from emo3d_lab.acts import read_acts
from emo3d_lab.clips.motion import timings
from emo3d_lab.moods import LATEST, State, as_face, face_at, react, rest_state, rounded

LONGEST = 2_000  # characters of a line and of its context


class Generator(Protocol):
    """What an actor reads its lines with: any generator of emo3d, or an object of one's own."""

    @property
    def generate(self) -> Callable[..., Any]:
        """Of N texts weights (N, 51) or (N, 52) in 0..1; `strength` is passed only where it is not 1."""


@dataclass(frozen=True)
class Line:
    """A line of dialogue as a generator reads it."""

    text: str
    spoken: str  # what is said, without acts
    instructions: tuple[Instruction, ...]  # that its acts order
    strength: float  # the largest that its acts state; 1 without


def read_line(line: str, context: str | None = None) -> Line:
    """Read a line of dialogue: acts (see `emo3d_lab.acts`) lead, then the context, then the words.

    Which wording reads best was measured (docs/actor.md). Only acts order parts of the face about: "close your eyes" is
    said to somebody else.

    Raises:
        ValueError: a blank line, one that is no string, or a line or context beyond 2,000 characters.
    """
    for name, text in {"line": line, "context": context or "none"}.items():
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
            got = f"{len(text)} characters" if isinstance(text, str) else type(text).__name__
            raise ValueError(f"expected a {name} of words, up to {LONGEST} characters, got {got}")
    segments = read_acts(line)
    acts = [segment for segment in segments if segment.kind == "act"]
    spoken = " ".join("".join(segment.text for segment in segments if segment.kind == "said").split())
    orders = {act.text: read_instructions(act.text) for act in acts}  # each once
    feelings = ", ".join(disarm(text) for text, order in orders.items() if order.rest)
    has_words = re.search(r"\w", spoken)  # else symbols
    words = disarm(spoken) if has_words or not feelings else ""
    if context and context.strip():
        words = f'{disarm(context.strip())} "{words}"' if words else disarm(context.strip())
    if feelings:
        text = f"Feeling: {feelings}. {words}" if words else feelings
    else:
        text = f"Matter-of-factly: {words}" if has_words and not context else words
    instructions = tuple(step for order in orders.values() for step in order.instructions)
    return Line(
        text, spoken, instructions, max((act.strength for act in acts if act.strength is not None), default=1.0)
    )


def disarm(text: str) -> str:
    """A text in which no physical instruction is found: a joiner that BERT's tokenizer drops parts its words."""
    for _ in range(3):
        if not (found := read_instructions(text).instructions):
            break
        words = [word for step in found for word in re.findall(r"[^\W\d_]{2,}", step.words)]
        pattern = "|".join(sorted({*map(re.escape, words)}, key=len, reverse=True))
        text = re.sub(rf"(?<![^\W_])(?:{pattern})(?![^\W_])", lambda match: f"{match[0][0]}\u2060{match[0][1:]}", text)
    return text


class Actor:
    """A face that flows from line to line of a chat.

    Args:
        generator: "quickstart", another name of `load_generator`, or an object with `generate`.
        mood: where the mood goes back to, a text ("content, a little tired") or weights; when None a face at rest, or
            as the state has it.
        mood_strength: factor on the mood's expression, 0..1, also of what lines make of it.
        carry: the share of what is felt that is left under a neutral line, 0..1; stronger lines leave less.
        decay: factor on the emotions' half-lives, above 0.
        state: of another actor, from which this one goes on: `actor.state`.
        clock: seconds, for calls without `at`; counted from now, or from the state's time.

    Raises:
        ValueError: settings out of range, a mood or state that cannot be read.

    Example:
        >>> from emo3d_lab.actor import Actor
        >>> actor = Actor()  # doctest: +SKIP
        >>> actor.act("You got the job!", at=0).emotion, actor.weights(0.8).shape  # doctest: +SKIP
        ('happiness', (52,))
    """

    def __init__(
        self,
        generator: str | Generator = "quickstart",
        *,
        mood: str | Mapping[str, float] | np.ndarray | None = None,
        mood_strength: float = 0.3,
        carry: float = 0.5,
        decay: float = 1.0,
        state: Mapping[str, Any] | State | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.generator = _load(generator) if isinstance(generator, str) else generator
        settings = {"carry": (carry, 1.0), "mood_strength": (mood_strength, 1.0), "decay": (decay, 1000.0)}
        for name, (value, most) in settings.items():
            if not 0 <= real_number(name, value) <= most or (name == "decay" and value == 0):
                raise ValueError(f"expected {name} in 0..{most:g}, got {value:g}")
        self._settings = {name: float(value) for name, (value, _) in settings.items()}
        temper = np.zeros(len(TARGETS)) if mood is None else mood_strength * self._express(mood, "a mood")
        self._state = rest_state(temper)
        if state is not None:
            self._state = state if isinstance(state, State) else State.read(state)
            self._state = self._state if mood is None else replace(self._state, temper=rounded(temper))
        self._clock, self._since = clock, clock() - self._state.at

    def _express(self, mood: Any, what: str, **options: Any) -> np.ndarray:
        if not isinstance(mood, str):
            return as_face(mood, what)
        faces = np.asarray(self.generator.generate([mood], **options), np.float64)
        if faces.ndim != 2 or len(faces) != 1:
            raise ValueError(f"expected one expression of the generator, got an array of shape {faces.shape}")
        return as_face(faces[0], what)

    @property
    def state(self) -> dict[str, Any]:
        """The state as JSON: `Actor(..., state=actor.state)` goes on from it."""
        return self._state.to_dict()

    def act(self, line: str, *, context: str | None = None, strength: float = 1.0, at: float | None = None) -> State:
        """Hear a line that the actor says, and feel it.

        Args:
            line: dialogue, with any acts; not beyond 2,000 characters.
            context: what is going on, in a sentence of description ("Her laptop has just crashed.").
            strength: of the expression, 0..1.5; 1 for a generator that learnt no other. Acts may state another factor.
            at: seconds, not before the last line; when its expression is known, if None.

        Raises:
            ValueError: what `read_line` refuses, a strength out of range, or a time that has passed.
        """
        self._time(at)
        dialogue = read_line(line, context)
        amount = min(real_number("strength", strength) * dialogue.strength, 1.5)
        options = {} if amount == 1 else {"strength": amount}
        if amount < 0:
            raise ValueError(f"expected a strength of 0 to 1.5, got {strength:g}")
        expression = (
            self._express(dialogue.text, "an expression", **options) if dialogue.text else np.zeros(len(TARGETS))
        )
        self._state = react(
            self._state,
            expression,
            self._time(at),  # so that the way to a face begins when it is known
            instructions=dialogue.instructions,
            hold=len(dialogue.spoken) / timings()["actor"]["characters"],
            **self._settings,
        )
        return self._state

    def weights(self, at: float | None = None) -> np.ndarray:
        """The face (52,) float64 in 0..1, order `emo3d.face.rig.TARGETS`, at a time, see `act`."""
        return face_at(self._state, self._time(at), self._settings["decay"])

    def _time(self, at: float | None) -> float:
        if at is None:
            return max(self._clock() - self._since, self._state.at)
        if not self._state.at <= (number := real_number("at", at)) <= LATEST:
            got = f"{number:g} where the last line came at {self._state.at:g} s, and {LATEST:g} s is the last"
            raise ValueError(f"expected a time in seconds that runs forward only, got {got}")
        return number


def _load(name: str) -> Generator:
    if name == "quickstart":
        from emo3d_lab.light import LightGenerator

        if light := LightGenerator.load():
            return light
    from emo3d.generation import load_generator

    model = load_generator(name)
    return SimpleNamespace(generate=partial(model.generate, space="weights"))
