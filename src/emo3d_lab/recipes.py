"""The recipe book: weights of expressions that have a name in everyday language, from `assets/recipe_book.yaml`.

Emotions come from the prototypes of the sample, times a strength; blends from `compose`; everyday expressions from
prototypes, action units, blendshapes and physical instructions, tuned by looking (docs/recipes.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
import yaml

from emo3d.blendshapes import BLENDSHAPES, mirror
from emo3d.emotions import EMOTIONS
from emo3d.hints import did_you_mean
from emo3d.instructions import apply_instructions, read_instructions
from emo3d_lab.sample.prototypes import PROTOTYPES, combine, settle, units_to_weights

STRENGTHS: dict[str, float] = {"slight": 0.5, "": 0.75, "full": 1.0}
"""What stands before an emotion's name -> factor on its prototype."""

Kind = Literal["emotion", "blend", "everyday"]


_NEAR = 0.75  # of difflib's ratio; "nothing here" is as near as 0.6 to "loathing"


@dataclass(frozen=True)
class Recipe:
    """An expression by name."""

    weights: Mapping[str, float]  # blendshape -> weight in 0..1, those that are not 0, order `BLENDSHAPES`
    about: str  # what the face does, in a sentence; left and right are the person's own
    emotions: tuple[str, ...]  # of `EMOTIONS` that it shows, of a blend in the order of their intensities; () of none
    kind: Kind

    @property
    def emotion(self) -> str | None:
        """The one emotion that it shows; None of a blend, and where it shows none."""
        return self.emotions[0] if len(self.emotions) == 1 else None

    @property
    def expression(self) -> np.ndarray:
        """All weights, (51,) float32 in 0..1, order `BLENDSHAPES`."""
        return _vector(self.weights).astype(np.float32)


def recipes() -> dict[str, Recipe]:
    """All recipes by name: emotions by strength, then blends, then everyday expressions.

    One that is not symmetric moves the person's own left side, and is followed by its mirror image, "NAME right".

    Example:
        >>> recipes()["blink"].weights
        {'eyeBlinkLeft': 1.0, 'eyeBlinkRight': 1.0}
    """
    return dict(_book())


def find_recipe(name: str) -> Recipe:
    """Find a recipe by its name, in any case, with hyphens for blanks or "left" after it.

    Raises:
        ValueError: an unknown name; the message has the nearest one.
    """
    plain = " ".join(name.lower().replace("-", " ").replace("_", " ").split())
    names = {known.replace("-", " "): known for known in _book()}
    one_sided = f"{plain.removesuffix(' left')} right" in names
    known = names.get(plain.removesuffix(" left") if one_sided else plain)
    if known is None:
        near = did_you_mean(plain, get_close_matches(plain, _book(), cutoff=_NEAR))
        raise ValueError(f"expected the name of a recipe, got {name!r}{near or '; `emo3d recipes --list` shows them'}")
    return _book()[known]


def recipes_json() -> str:
    """All recipes as JSON: `{"format", "space", "recipes": {name: {weights, about, emotions, kind}}}`."""
    rows = {name: asdict(recipe) for name, recipe in _book().items()}
    return json.dumps({"format": "emo3d-recipes-1", "space": "weights", "recipes": rows}, indent=1) + "\n"


@cache
def _book() -> dict[str, Recipe]:
    text = resources.files("emo3d_lab").joinpath("assets", "recipe_book.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    book: dict[str, Recipe] = {}

    def enter(name: str, expression: np.ndarray, about: str, emotions: tuple[str, ...], kind: Kind) -> None:
        book[name] = Recipe(_named(expression), about, emotions, kind)
        other = _named(mirror(book[name].expression)[0])
        if other != book[name].weights:
            book[f"{name} right"] = Recipe(other, f"Mirror image of {name}.", emotions, kind)

    for emotion in EMOTIONS:
        prototype, about = _vector(PROTOTYPES[emotion]), document["emotions"][emotion]
        if not prototype.any():
            enter(emotion, prototype, about, (emotion,), "emotion")
            continue
        for word, strength in STRENGTHS.items():
            name, words = f"{word} {emotion}".strip(), f"{about} The prototype times {strength:g}."
            enter(name, strength * prototype, words, (emotion,), "emotion")
    parts: dict[Kind, dict[str, dict[str, str]]] = {"blend": document["blends"], "everyday": document["everyday"]}
    for kind, rows in parts.items():
        for name, row in rows.items():
            expression, intensities = _compose(row.get("mix", ""), row.get("says", ""))
            order = sorted(intensities, key=lambda emotion: -intensities[emotion])
            emotions = tuple(order) if kind == "blend" else (row["emotion"],) if "emotion" in row else ()
            enter(name, expression, row["about"], emotions, kind)
    return book


def _compose(mix: str, says: str) -> tuple[np.ndarray, dict[str, float]]:
    """Make an expression (51,) of a mix, such as "happiness.soft:0.5 12L:0.3 jawOpen:0.2", and an instruction.

    Emotions have intensities, which are returned too, (and a variant), action units strengths, blendshapes weights.
    """
    intensities: dict[str, float] = {}
    variants: dict[str, str] = {}
    units: list[str] = []
    direct: dict[str, float] = {}
    for part in mix.split():
        key, amount = part.split(":")
        emotion, _, variant = key.partition(".")
        if emotion in EMOTIONS:
            intensities[emotion] = float(amount)
            variants |= {emotion: variant} if variant else {}
        elif key[0].isdigit():
            units.append(part)
        else:
            direct |= {key.replace("*", side): float(amount) for side in (("Left", "Right") if "*" in key else ("",))}
    weights = 1 - (1 - combine(intensities, variants)) * (1 - _vector(units_to_weights(" ".join(units))))
    expression = settle(1 - (1 - weights) * (1 - _vector(direct)))
    if says:
        expression = apply_instructions(expression, read_instructions(says).instructions)
    return expression, intensities


def _vector(weights: Mapping[str, Any]) -> np.ndarray:
    if unknown := weights.keys() - set(BLENDSHAPES):
        raise ValueError(f"expected blendshapes in the recipe book, got {', '.join(sorted(unknown))}")
    return np.array([weights.get(name, 0.0) for name in BLENDSHAPES])


def _named(expression: np.ndarray) -> dict[str, float]:
    """Weights that are not 0, by name, in hundredths, which no eye tells apart."""
    return {name: round(float(w), 2) for name, w in zip(BLENDSHAPES, expression, strict=True) if round(float(w), 2)}
