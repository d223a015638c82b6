"""The figures of an audit.

KL is the mean divergence of the Emo3D score in nats, lower is better; of a gap above 0, the first side is worse.
Intervals are bootstrap intervals, p-values are corrected after Holm over all comparisons of one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from emo3d.scoring.readers import ReaderResult
from emo3d_lab.plain import Share

LEVEL = 0.05
"""A corrected p-value below this makes a claim."""

LEAST = 30
"""No claim is made of fewer rows."""

KINDS = ("panel", "skin", "child", "light")
"""Of conditions: other faces, then one change to the default face."""


@dataclass(frozen=True)
class Estimate:
    """A number and its bootstrap interval, whose ends are None of few values."""

    value: float
    low: float | None
    high: float | None

    @property
    def ends(self) -> tuple[float, float]:
        """Of the interval; where there is none, the number."""
        return (self.value, self.value) if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class ReaderAudit:
    """What an emotion reader says of the expressions on the default face.

    Attributes:
        reader: its name.
        signature: all that moves it.
        n: rows judged.
        not_found: rows not judged, since no face was found.
        kl: over the emotions that it knows; None where nothing is judged.
        top1: share of faces whose likeliest emotion is the one described; None where nothing is judged.
    """

    reader: str
    signature: str
    n: int
    not_found: int
    kl: Estimate | None
    top1: Estimate | None


def read_by(name: str, result: ReaderResult) -> ReaderAudit:
    """Put a reader's result in figures."""
    numbers = (
        None if value is None else Estimate(value, *result.intervals.get(number, (None, None)))
        for number, value in (("kl_divergence", result.kl_divergence), ("top1", result.top1))
    )
    return ReaderAudit(name, result.signature, result.n, result.not_found, *numbers)


@dataclass(frozen=True)
class Gap:
    """A difference of two means.

    Attributes:
        difference: with its interval.
        effect: the difference in standard deviations: of the paired differences where rows are compared with
            themselves (Cohen's d_z), pooled where they are compared with other rows (Cohen's d); None where nothing
            varies.
        p_value: two-sided, corrected; None where no claim is made, since there are fewer than `LEAST` rows.
    """

    difference: Estimate
    effect: float | None
    p_value: Share | None

    @property
    def is_claim(self) -> bool:
        """Whether the difference is beyond chance."""
        return self.p_value is not None and self.p_value < LEVEL


@dataclass(frozen=True)
class Slice:
    """Rows whose descriptions have something in common.

    Attributes:
        factor: `"age words"`, for example.
        name: of the group, `"elderly"`.
        n: rows in it.
        others: rows outside of it.
        gap: its KL minus that of the others; None where either are fewer than `LEAST`.
    """

    factor: str
    name: str
    n: int
    others: int
    kl: Estimate
    emo3d: Estimate
    gap: Gap | None


@dataclass(frozen=True)
class Condition:
    """The same expressions on another face, or in another light.

    Attributes:
        kind: one of `KINDS`.
        name: of the identity or skin tone, or degrees by which the light is turned.
        gap: its KL minus that of the default face, paired.
    """

    kind: str
    name: str
    kl: Estimate
    gap: Gap


@dataclass(frozen=True)
class Contrast:
    """KL of faces that have `first` minus KL of those that have `second`, all else equal, paired over expressions."""

    factor: str
    first: str
    second: str
    gap: Gap


@dataclass(frozen=True)
class Cost:
    """The price of scoring on fewer faces than the whole panel.

    Attributes:
        faces: `"adult"`, or `"panel-2/3"` for the first three of the panel.
        k: how many.
        off: their mean KL minus that of the whole panel, paired.
    """

    faces: str
    k: int
    off: Estimate


class Shares(TypedDict):
    """Of the variance of KL over faces of the panel; they sum to 1."""

    expression: Share
    identity: Share
    rest: Share


@dataclass(frozen=True)
class IdentityAudit:
    """How much the score moves with the face when the expression does not.

    Attributes:
        n: expressions, each rendered under every condition.
        default: KL of the default face.
        panel: KL averaged over the panel.
        effects: differences of marginal means, by least squares; empty for less than the whole panel.
        worst: the pair of the panel that is furthest apart, the higher KL first.
        pairs: of the panel.
        costs: of one face (the default, then each of the panel) and of the first 2, 3 and 6.
    """

    n: int
    default: Estimate
    panel: Estimate
    conditions: tuple[Condition, ...]
    effects: tuple[Contrast, ...]
    shares: Shares
    worst: Contrast
    pairs: int
    costs: tuple[Cost, ...]


@dataclass(frozen=True)
class Shift:
    """How a blendshape moves, with its sign."""

    blendshape: str
    mean: Estimate


@dataclass(frozen=True)
class Swapped:
    """Descriptions with some words swapped, and what a generator makes of them.

    Attributes:
        name: of the swap.
        is_control: whether the swap says the same of the same person.
        toward: the pole of signed figures, `"female"`; empty where there is none.
        n: rows that change.
        examples: (before, after) of the first few.
        moved: mean absolute difference of the 51 blendshapes.
        gap: KL after minus before, against the same intensities.
        signed: KL toward the pole minus away from it, of the rows that have one way; None without a pole or rows.
        shifts: the five blendshapes that move most toward the pole.
    """

    name: str
    is_control: bool
    toward: str
    n: int
    examples: tuple[tuple[str, str], ...]
    moved: Estimate | None
    gap: Gap | None
    signed: Gap | None
    shifts: tuple[Shift, ...]


@dataclass(frozen=True)
class TextAudit:
    """How far the generated expression moves with words that should not matter.

    Attributes:
        swaps: gender words, age words, then the controls.
        apart: the yardstick: mean absolute difference between expressions of two descriptions with the same strongest
            emotion; None where no two have one.
    """

    n: int
    swaps: tuple[Swapped, ...]
    apart: Estimate | None


@dataclass(frozen=True)
class Band:
    """Rows of one emotion and strength; without rows, their figures are None.

    Attributes:
        amplitude: mean root mean square of the 51 weights.
    """

    n: int
    kl: Estimate | None
    amplitude: Estimate | None


@dataclass(frozen=True)
class Strength:
    """Weak and strong descriptions of one emotion.

    Attributes:
        emotion: the strongest of the row but neutral, the first among equals.
        n: its rows, of any strength.
        weak: those with an intensity of 0.4 at most.
        strong: those with 0.8 at least.
        gap: KL of strong minus weak; None where either has fewer than `LEAST` rows.
        correlation: Spearman's, of the intensity with the expression's amplitude over all rows of the emotion; None
            where it has fewer than `LEAST`, or one of the two does not vary.
    """

    emotion: str
    n: int
    weak: Band
    strong: Band
    gap: Gap | None
    correlation: float | None
