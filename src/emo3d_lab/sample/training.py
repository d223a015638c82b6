"""Rows to train the packaged parts on: the sample's grammar and the training grammar together, at any strength."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d_lab.sample.grammar import describe
from emo3d_lab.sample.guard import is_reserved
from emo3d_lab.sample.rows import SampleRow, belongs, expression_of, intensities_of
from emo3d_lab.sample.speech import Spoken, speak

SAMPLE_SHARE = 0.3
"""Share of the rows that the sample's own grammar makes."""

STRONGEST = 1.5
"""The largest strength of `expression_at`."""

_FIRST_ID = 10_000_000
_MOST_FAILURES = 20_000


@dataclass(frozen=True)
class TrainingRow(SampleRow):
    """A row of the sample with what it was made of.

    Attributes:
        scene: the description before it was composed, for `expression_at`.
        construction: `sample`, or a construction of the training grammar (`negation`, `degree`, ...).
        series: rows with the same number, 0 and up, differ in degree only, the weakest first; -1 for all others.
    """

    scene: Spoken = field(repr=False, default_factory=Spoken)
    construction: str = "sample"
    series: int = -1


def make_training_rows(n: int, seed: int = 0, *, held_out: bool = False) -> list[TrainingRow]:
    """Make rows to train on, without pictures; they have nothing that the lexicon holds out for the test split.

    Args:
        n: number of rows.
        seed: decides everything; a larger n begins with the same rows.
        held_out: make rows of the words, situations, names, templates and constructions that are otherwise left out,
            to validate a model on; none of them is of the sample's grammar.

    Returns:
        n rows, no description twice.

    Raises:
        ValueError: n < 1, or more rows than there are descriptions.

    Example:
        >>> [row.description for row in make_training_rows(2)] == [row.description for row in make_training_rows(5)][:2]
        True
    """
    if n < 1:
        raise ValueError(f"expected at least one row, got n = {n}")
    rng = np.random.default_rng([seed, 3 + held_out])
    rows: list[TrainingRow] = []
    seen: set[str] = set()
    failures = series = 0
    while len(rows) < n:
        scenes = _draw(rng, held_out)
        texts = [scene.description for scene in scenes]
        if len(set(texts)) < len(texts) or not seen.isdisjoint(texts) or any(map(is_reserved, texts)):
            failures += 1
            if failures > _MOST_FAILURES:
                raise ValueError(f"the grammar has no more than about {len(rows)} descriptions, got n = {n}")
            continue
        failures = 0
        seen.update(texts)
        for scene in scenes:
            rows.append(
                TrainingRow(
                    sample_id=_FIRST_ID + len(rows),
                    description=scene.description,
                    intensities=intensities_of(scene),
                    blendshapes=expression_of(scene, rng),
                    identity=scene.identity,
                    scene=scene,
                    construction=scene.construction,
                    series=series if len(scenes) > 1 else -1,
                )
            )
        series += len(scenes) > 1
    return rows[:n]


def expression_at(row: TrainingRow, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Compose the expression of a row at another strength.

    Intensities and details are multiplied by it and capped at 1; what is cut off there goes on in the weights.

    Args:
        row: a training row; at strength 1 its own expression but for the variation that `rng` adds.
        strength: 0 (at rest) to `STRONGEST`.
        rng: source of the variation between faces.

    Returns:
        (51,) float32 weights, order `BLENDSHAPES`, 0..1.

    Raises:
        ValueError: a strength outside 0..`STRONGEST`.
    """
    if not 0 <= strength <= STRONGEST:
        raise ValueError(f"expected a strength of 0 to {STRONGEST}, got {strength:g}")
    scene = row.scene
    feelings = {name: value * strength for name, value in scene.intensities.items() if name != "neutral"}
    intensities = {name: min(value, 1.0) for name, value in feelings.items()}
    units = [
        " ".join(
            f"{unit}:{min(float(value) * strength, 1.0):g}" for unit, value in (u.split(":") for u in part.split())
        )
        for part in scene.units
    ]
    weights = expression_of(replace(scene, intensities=intensities, units=units), rng).astype(np.float64)
    weights *= max([1.0, *feelings.values()]) if feelings else max(strength, 1.0)
    weights = np.clip(weights, 0.0, 1.0)
    close, jaw = BLENDSHAPES.index("mouthClose"), BLENDSHAPES.index("jawOpen")
    weights[close] = min(weights[close], weights[jaw])
    return np.round(weights, 3).astype(np.float32)


def _draw(rng: np.random.Generator, held_out: bool) -> list[Spoken]:
    if held_out or rng.random() > SAMPLE_SHARE:
        return speak(rng, held_out)
    scene = describe(rng, held_out=False)
    while not belongs(scene.description, "train"):
        scene = describe(rng, held_out=False)
    return [Spoken(**vars(scene))]
