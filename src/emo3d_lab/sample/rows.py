"""The synthetic sample: descriptions from the grammar, their intensities, expressions, and the pictures of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, mirror
from emo3d.emotions import EMOTIONS
from emo3d_lab.sample.grammar import Scene, describe
from emo3d_lab.sample.prototypes import combine, settle, units_to_weights, vary

Split = Literal["train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(Split)
ROWS = {"train": 9000, "validation": 600, "test": 900}
"""Rows per split of the full sample."""

EMBEDDED_ROWS = {"train": 200, "validation": 50, "test": 250}
"""Rows per split of the sample that is kept in the repository and in the package."""

_MOST_FAILURES = 5000  # in a row, after which the grammar is taken to be exhausted


@dataclass(frozen=True)
class SampleRow:
    """One synthetic instance.

    Attributes:
        sample_id: unique over all splits.
        description: English text.
        intensities: (8,) float32, order `EMOTIONS`, 0..1 in steps of 0.1, not all zero.
        blendshapes: (51,) float32 weights, order `BLENDSHAPES`, 0..1, three decimals, mouthClose <= jawOpen.
        identity: name in `emo3d.face.IDENTITIES` of a face that fits the description.
    """

    sample_id: int
    description: str
    intensities: np.ndarray
    blendshapes: np.ndarray
    identity: str


def make_rows(split: str, n: int | None = None, seed: int = 0) -> list[SampleRow]:
    """Make rows of the synthetic sample, without pictures.

    Test rows are made of held-out templates, words, situations and details only; train and validation of none of
    them. Which of these two a description belongs to is decided by a hash of it, so that no description is in both
    whatever their sizes and seeds.

    Args:
        split: `"train"`, `"validation"` or `"test"`.
        n: number of rows; `ROWS[split]` by default.
        seed: with the split, decides everything; a larger n begins with the same rows.

    Returns:
        n rows, no description twice.

    Raises:
        ValueError: an unknown split, n < 1, or more rows than the grammar has descriptions.

    Example:
        >>> [row.identity for row in make_rows("test", 2)] == [row.identity for row in make_rows("test", 3)][:2]
        True
    """
    if split not in SPLITS:
        raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {split!r}")
    n = ROWS[split] if n is None else n
    if n < 1:
        raise ValueError(f"expected at least one row, got n = {n}")
    index = SPLITS.index(split)
    rng = np.random.default_rng([seed, index])
    rows: list[SampleRow] = []
    seen: set[str] = set()
    failures = 0
    while len(rows) < n:
        scene = describe(rng, held_out=split == "test")
        if scene.description in seen or not belongs(scene.description, split):
            failures += 1
            if failures > _MOST_FAILURES:
                raise ValueError(
                    f"the grammar has no more than about {len(rows)} descriptions for {split}, got n = {n}"
                )
            continue
        failures = 0
        seen.add(scene.description)
        rows.append(
            SampleRow(
                sample_id=index * 1_000_000 + len(rows),
                description=scene.description,
                intensities=intensities_of(scene),
                blendshapes=expression_of(scene, rng),
                identity=scene.identity,
            )
        )
    return rows


def intensities_of(scene: Scene) -> np.ndarray:
    """Intensities (8,) float32 of a described face, order `EMOTIONS`."""
    return np.array([scene.intensities.get(name, 0.0) for name in EMOTIONS], np.float32)


def expression_of(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Compose the expression (51,) float32 weights of a described face: prototypes, then its details, then variation.

    A detail raises its blendshapes to at least its strength; a one-sided detail keeps the other side at a fifth, and
    a strength of 0 turns a blendshape off.
    """
    weights = np.zeros(len(BLENDSHAPES)) if scene.bare else combine(scene.intensities, scene.variants)
    if scene.side == "right":  # one-sided prototypes are written for the left
        weights = mirror(weights)[0].astype(np.float64)
    for units in scene.units:
        weights = _with_detail(weights, units_to_weights(units))
    return np.round(vary(settle(weights), rng), 3).astype(np.float32)


def _with_detail(weights: np.ndarray, detail: dict[str, float]) -> np.ndarray:
    weights = weights.copy()
    for name, weight in detail.items():
        place = BLENDSHAPES.index(name)
        weights[place] = max(weights[place], weight) if weight else 0.0
        partner = name.replace("Left", "Right") if name.endswith("Left") else name.replace("Right", "Left")
        if partner not in detail and not name.startswith("eyeLook"):
            weights[BLENDSHAPES.index(partner)] *= 0.2
    return weights


def belongs(description: str, split: str) -> bool:
    """Whether a hash puts a description of the sample's grammar into this split."""
    if split == "test":
        return True
    tenth = hashlib.sha256(description.encode()).digest()[0] % 10 == 0
    return tenth == (split == "validation")
