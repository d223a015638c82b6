"""What an actor feels over time: a fast layer over a slow mood, both expressions.

Two layers, as in ALMA (Gebhard 2005) and WASABI (Becker-Asano 2008): what is felt comes and goes in seconds, the mood
moves slowly and colours it. No appraisal rules are needed, since a generator reads the line. All arithmetic is
elementary, and `web/src/moods.ts` computes the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.rig import TARGETS
from emo3d.instructions import Instruction, apply_instructions
from emo3d.ranges import real_number
from emo3d_lab.clips.motion import minimum_jerk, timings
from emo3d_lab.clips.timeline import emotion_timing, leading_emotions
from emo3d_lab.sample.prototypes import settle

FORMAT = "emo3d-actor-1"
LATEST = 1e13  # seconds on an actor's clock; much later, floats have no thousandths between them
# Eyes that are shut or look away, and a tongue that is out, are no part of a mood, and are not carried on.
_LASTS = np.array([not name.startswith(("eyeBlink", "eyeLook", "tongue")) for name in TARGETS])
_DIGITS = 1e9  # weights of a state are whole multiples of 1e-9: short in JSON, and the same in TypeScript


@dataclass(frozen=True, eq=False)
class State:
    """All that an actor is at a time; `to_dict` is JSON, and `State.read` reads it."""

    at: float  # seconds on the actor's clock, when the last line came
    emotion: str  # the leading one of what is felt, one of `EMOTIONS`
    hold: float  # seconds that what is felt stays full, after its onset
    temper: np.ndarray  # (52,) weights, order `TARGETS`: where the mood goes back to
    mood: np.ndarray  # then, likewise all below
    start: np.ndarray  # the face then, before the line
    felt: np.ndarray  # what the line calls for, on top of mood and what was felt before
    gesture: np.ndarray | None = None  # that face while it does what the line orders, such as a wink

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: weights by name, without those that are 0."""
        numbers = {"at": self.at, "emotion": self.emotion, "hold": self.hold}
        return {"format": FORMAT} | numbers | {name: _named(getattr(self, name)) for name in _FACES}

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> State:
        """Read what `to_dict` made.

        Raises:
            ValueError: another format or version, missing or unknown fields, times or weights out of range.
        """
        names = ["format", *(field.name for field in fields(cls))]
        if not isinstance(state, Mapping) or state.get("format") != FORMAT or {*state} != {*names}:
            got = f"{state.get('format')!r:.40} with {', '.join(map(str, state))}" if isinstance(state, Mapping) else ""
            expected = f"a state of format {FORMAT!r} with {', '.join(names)}"
            raise ValueError(f"expected {expected}, got {got or type(state).__name__:.300}")
        at, hold = (real_number(name, state[name]) for name in ("at", "hold"))
        known = isinstance(state["emotion"], str) and state["emotion"] in timings()["emotions"]
        if not 0 <= at <= LATEST or not 0 <= hold <= 600 or not known:
            got = f"{at:g}, {hold:g} and {state['emotion']!r:.40}"
            raise ValueError(f"expected at of 0 to 1e13 s, hold of 0 to 600 s and an emotion in a state, got {got}")
        absent = {"gesture"} if state["gesture"] is None else set()
        faces = {name: None if name in absent else as_face(state[name], f"{name} of a state") for name in _FACES}
        return cls(at, state["emotion"], hold, **faces)  # type: ignore[arg-type]


_FACES = ("temper", "mood", "start", "felt", "gesture")


def rest_state(temper: np.ndarray, at: float = 0.0) -> State:
    """An actor of whom nothing has been heard: its face is its mood, and that is its temper (52,)."""
    return State(float(at), "neutral", 0.0, *[rounded(temper)] * 4)


def mood_at(state: State, at: float) -> np.ndarray:
    """The mood (52,) at a time, on its way back to the temper."""
    share = _halving(at - state.at, timings()["actor"]["mood_half"])
    return state.temper + share * (state.mood - state.temper)


def left_at(state: State, at: float, decay: float = 1.0) -> float:
    """The share 0..1 that is left at a time of what was felt; `decay` is a factor on the emotions' half-lives."""
    since = at - state.at - emotion_timing(state.emotion).onset - state.hold
    return _halving(max(since, 0.0), decay * timings()["actor"]["halves"][state.emotion])


def face_at(state: State, at: float, decay: float = 1.0) -> np.ndarray:
    """The face (52,) float64 at a time: from the face that was there, by the emotion's onset, to what is left of it."""
    since, timing = at - state.at, emotion_timing(state.emotion)
    mood = mood_at(state, at)
    aim = mood + left_at(state, at, decay) * (state.felt - mood)
    face = state.start + _ease(since / timing.onset) * (aim - state.start)
    if state.gesture is not None:
        table = timings()["gesture"]
        length = timings()["lengths"]["physical"] - table["onset"]
        goes = _ease((since - length) / table["offset"])
        face = face + _ease(since / table["onset"]) * (1 - goes) * (state.gesture - face)
    return face.clip(0, 1)


def react(
    state: State,
    expression: np.ndarray,
    at: float,
    *,
    instructions: Sequence[Instruction] = (),
    hold: float = 0.0,
    carry: float = 0.5,
    decay: float = 1.0,
    mood_strength: float = 0.3,
) -> State:
    """The state after a line that calls for an expression.

    What is left of the last line, times `carry`, or the mood where that is more, lies under the new expression: weights
    meet as 1 - (1 - a)(1 - b), and of opposed ones the weaker yields, as compound expressions of people do (Du, Tao and
    Martinez 2014). A mean of both would be half a smile with half a frown. The stronger the line, the less is under it.

    Args:
        expression: (52,) weights in 0..1.
        at: seconds, not before the state's.
        instructions: what the line orders parts of the face to do, for about 1.5 s.
        hold: seconds that it stays full at least.
        carry, decay, mood_strength: see `Actor`.
    """
    table = timings()["actor"]
    mood = mood_at(state, at)
    before = carry * left_at(state, at, decay) * state.felt * _LASTS
    level = float(expression.max())
    felt = layer(expression, np.maximum(before, mood), table["displacement"])
    moved = mood + table["mood_share"] * level * (mood_strength * expression * _LASTS - mood)
    emotion = leading_emotions(felt[None])[0]
    orders = np.append(apply_instructions(felt[:-1], instructions), felt[-1]) if instructions else None
    return State(
        float(at),
        emotion,
        float(max(emotion_timing(emotion).apex, min(hold, table["longest"]))),
        state.temper,
        rounded(moved),
        rounded(face_at(state, at, decay)),
        rounded(felt),
        None if orders is None else rounded(orders),
    )


def layer(upper: np.ndarray, lower: np.ndarray, displacement: float) -> np.ndarray:
    """One expression (52,) over another, of which it puts a share aside as far as it is strong itself."""
    lower = lower * (1 - displacement * float(upper.max()))
    both = 1 - (1 - upper) * (1 - lower)
    return np.append(settle(both[:-1]), both[-1])


def as_face(values: Any, what: str) -> np.ndarray:
    """Weights by name, (51,) or (52,), as (52,) float64; a ValueError that says `what` is wrong with others."""
    if isinstance(values, Mapping):
        if unknown := [name for name in values if name not in TARGETS]:
            raise ValueError(f"expected names of ARKit's 52 blendshapes in {what}, got {unknown[0]!r:.60}")
        values = [real_number(f"{name} of {what}", values.get(name, 0.0)) for name in TARGETS]
    try:
        face = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected 51 or 52 numbers as {what}, got {values!r:.60}") from None
    if face.shape not in ((len(BLENDSHAPES),), (len(TARGETS),)):
        raise ValueError(f"expected 51 or 52 weights as {what}, got an array of shape {face.shape}")
    if not ((face >= 0) & (face <= 1)).all():
        place = int((~((face >= 0) & (face <= 1))).argmax())
        raise ValueError(f"expected weights in 0..1 as {what}, got {TARGETS[place]} = {face[place]:g}")
    return np.pad(face, (0, len(TARGETS) - len(face)))


def _ease(share: float) -> float:
    return float(minimum_jerk(np.asarray(share)))


def _halving(seconds: float, half: float) -> float:
    return math.exp(-math.log(2) * seconds / half)


def rounded(face: np.ndarray) -> np.ndarray:
    """Weights as a state holds them: whole multiples of 1e-9."""
    return np.floor(np.asarray(face, np.float64) * _DIGITS + 0.5) / _DIGITS


def _named(face: np.ndarray | None) -> dict[str, float] | None:
    return None if face is None else {name: float(w) for name, w in zip(TARGETS, face, strict=True) if w}
