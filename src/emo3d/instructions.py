"""Physical instructions in English descriptions ("winks with her left eye"), read by rule in front of the encoder.

The reader is `emo3d_lab.instructions`, found by its entry point; what it gives, and how a face takes it, is here. Left
and right are the person's own. docs/instructions.md says what is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, limit_mouth_close
from emo3d.descriptions import check_descriptions
from emo3d.loading import workshop_part

# What pulls the same skin in opposite directions, or needs the mouth shut: a * stands for each side.
_OPPOSED = """
    eyeBlink*-eyeWide* eyeSquint*-eyeWide* eyeLookUp*-eyeLookDown* eyeLookIn*-eyeLookOut* browOuterUp*-browDown*
    mouthSmile*-mouthFrown* mouthPress*-mouthLowerDown* mouthPress*-mouthUpperUp* mouthPress*-jawOpen
    mouthPucker-mouthStretch* mouthPucker-mouthSmile* mouthFunnel-mouthPress* mouthLeft-mouthRight jawLeft-jawRight
    jawOpen-mouthRollLower jawOpen-mouthShrugLower cheekPuff-jawOpen cheekPuff-mouthLowerDown* cheekPuff-mouthUpperUp*
    mouthRollLower-mouthLowerDown* mouthRollUpper-mouthUpperUp* mouthShrugLower-mouthLowerDown*
"""
OPPOSED = [pair.replace("*", side).split("-") for pair in _OPPOSED.split() for side in ("Left", "Right")]


@dataclass(frozen=True)
class Instruction:
    """What a description tells a part of the face to do."""

    words: str  # as written
    weights: dict[str, float]  # blendshape -> weight in 0..1 that the face must have; 0: off


@dataclass(frozen=True)
class Interpretation:
    """What a description was understood as."""

    description: str
    rest: str  # for the encoder; "" where nothing of meaning is left
    instructions: tuple[Instruction, ...] = ()
    notes: tuple[str, ...] = ()  # how symbols were read, and what has no blendshape

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, for JSON."""
        return asdict(self) | {"instructions": [asdict(step) for step in self.instructions], "notes": list(self.notes)}


def read_instructions(description: str) -> Interpretation:
    """Read the physical instructions of a description.

    Args:
        description: English; of other languages only emoji are read. One beyond 2,000 characters is all rest.

    Returns:
        The instructions in the order of their verbs, and the rest: the whole description, symbols spelt out, or ""
        where it says nothing of meaning beside them. Where code of a saved model runs without this package there is no
        reader: a note says so.

    Example:
        >>> read_instructions("He winks with his left eye.").instructions[0].weights
        {'eyeBlinkLeft': 1.0, 'eyeBlinkRight': 0.0}
    """
    try:
        read = _reader()
    except (ImportError, OSError) as error:
        return Interpretation(description, description, (), (f"physical instructions are not read: {error}",))
    return read(description)


def interpret(descriptions: Sequence[str], by_rule: bool) -> list[Interpretation]:
    """Check N descriptions and say what each is understood as: all of it rest, unless instructions are read by rule."""
    descriptions = check_descriptions(descriptions)
    return [read_instructions(text) if by_rule else Interpretation(text, text) for text in descriptions]


@cache
def _reader() -> Callable[[str], Interpretation]:
    return workshop_part("instructions").read


def apply_instructions(weights: np.ndarray, instructions: Iterable[Instruction], strength: float = 1.0) -> np.ndarray:
    """Give a face what its instructions ask for; of two that contradict each other the later one holds.

    Args:
        weights: (51,) in 0..1, order `BLENDSHAPES`, in the space of weights.
        instructions: of `read_instructions`.
        strength: 0 or more, by which what is asked for is multiplied, up to 1.

    Returns:
        A new array (51,). What is opposed to something asked for is at most 1 minus it, and mouthClose <= jawOpen.
    """
    asked = {name: weight for instruction in instructions for name, weight in instruction.weights.items()}
    targets = {name: min(strength * weight, 1.0) for name, weight in asked.items()}
    scores = dict(zip(BLENDSHAPES, map(float, weights), strict=True))
    for pair in OPPOSED:
        for name, other in (pair, pair[::-1]):
            scores[other] = min(scores[other], 1 - targets.get(name, 0))
    result = np.array([[targets.get(name, score) for name, score in scores.items()]], np.asarray(weights).dtype)
    limit_mouth_close(result)
    return result[0]
