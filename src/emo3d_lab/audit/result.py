"""What an audit found: plain frozen dataclasses that go to JSON and come back.

KL is the mean divergence of the Emo3D score in nats, lower is better; a gap above 0 is worse for what is named first.
Intervals are bootstrap intervals, p-values are corrected after Holm over all comparisons of one table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from emo3d.documents import read_json

LEVEL = 0.05
"""A corrected p-value below this makes a claim."""

LEAST = 30
"""No claim is made of fewer rows."""

KINDS = ("panel", "skin", "child", "light")
"""Of conditions: other faces, then one thing at a time changed about the default face."""

_SHARES = ("expression", "identity", "rest")
_LARGEST = 1e100  # of a number in an audit that is read; squares and sums of such are numbers still

Source = Literal["predictions", "model", "dataset"]


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
    p_value: float | None

    @property
    def is_claim(self) -> bool:
        """Whether the difference is there beyond chance."""
        return self.p_value is not None and self.p_value < LEVEL


@dataclass(frozen=True)
class Slice:
    """Rows whose description has something in common.

    Attributes:
        factor: what is looked at, `"age words"`.
        name: the group, `"elderly"`.
        n: rows in it.
        others: rows outside of it.
        kl: of its rows.
        emo3d: likewise.
        gap: its KL minus that of the rows outside; None where either has fewer than `LEAST` rows.
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
        kind: `"panel"`, `"skin"`, `"child"` or `"light"`; the last three change one thing about the default face.
        name: of the identity or skin tone, or degrees by which the light is turned.
        kl: with its interval.
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
    """What it costs to score on fewer faces than the whole panel.

    Attributes:
        faces: which ones, `"adult"` or `"panel-1/3"` for the first three of the panel.
        k: how many.
        off: their mean KL minus that of the whole panel, paired.
    """

    faces: str
    k: int
    off: Estimate


@dataclass(frozen=True)
class IdentityAudit:
    """How much the score moves with the face when the expression does not.

    Attributes:
        n: expressions, each rendered under every condition.
        default: KL of the default face.
        panel: KL averaged over the panel.
        conditions: other faces, skin tones and lights.
        effects: differences of marginal means, by least squares; empty for less than the whole panel.
        shares: of the variance of KL over faces of the panel: `"expression"`, `"identity"`, `"rest"`; they sum to 1.
        worst: of all pairs of the panel the one that is furthest apart, the higher KL first.
        pairs: how many there were to choose from.
        costs: of one face (the default, then each of the panel) and of the first 2, 3 and 6.
    """

    n: int
    default: Estimate
    panel: Estimate
    conditions: tuple[Condition, ...]
    effects: tuple[Contrast, ...]
    shares: dict[str, float]
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
    """Descriptions with some words swapped, and what a generator made of it.

    Attributes:
        name: of the swap.
        is_control: whether the swap says the same of the same person.
        toward: the pole of signed figures, `"female"`; empty where there is none.
        n: rows in which something changed.
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
        n: descriptions looked at.
        swaps: gender words, age words, then the controls.
        apart: the yardstick: mean absolute difference between expressions of two descriptions with the same strongest
            emotion; None where no two have one.
    """

    n: int
    swaps: tuple[Swapped, ...]
    apart: Estimate | None


@dataclass(frozen=True)
class Band:
    """Rows of one emotion and strength.

    Attributes:
        n: rows.
        kl: None without rows.
        amplitude: mean root mean square of the 51 weights, likewise.
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


@dataclass(frozen=True)
class Audit:
    """For whom a score holds.

    Attributes:
        dataset: as it was asked for, with `config` and `split`.
        source: whose expressions: `"predictions"`, a `"model"`'s, or the `"dataset"`'s own. Then it is an audit of the
            data and of the metric.
        model: the generator's name, or None.
        n: rows.
        kl: of all rows on the default face.
        emo3d: likewise.
        slices: by what descriptions say.
        identities: the same expressions on other faces.
        texts: words swapped; None without a generator.
        strengths: weak and strong, by emotion.
        confidence: of all intervals.
        n_bootstrap: resamples behind them.
        seed: of these, and of the draw of rows.
        references: content hash of the dataset's descriptions and intensities.
        signature: of the score on the default face.
    """

    dataset: str
    config: str | None
    split: str
    source: Source
    model: str | None
    n: int
    kl: Estimate
    emo3d: Estimate
    slices: tuple[Slice, ...]
    identities: IdentityAudit
    texts: TextAudit | None
    strengths: tuple[Strength, ...]
    confidence: float
    n_bootstrap: int
    seed: int
    references: str
    signature: str

    def to_dict(self) -> dict[str, Any]:
        """Plain Python that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Audit:
        """Turn back what `to_dict` made, also after a way through JSON.

        Raises:
            ValueError: something is missing or of another kind; the message names it.
        """
        audit: Audit = _read(cls, plain, "the audit")
        _check(audit)
        return audit

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything as JSON."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Audit:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: it holds no audit; the message names the file.
        """
        try:
            return cls.from_dict(read_json(path))
        except ValueError as error:
            name = Path(path).name
            raise ValueError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None


def _read(kind: Any, plain: Any, where: str) -> Any:
    """A value of the annotated kind from what JSON made of it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if plain is None else _read(arguments[0], plain, where)
    if origin is tuple and isinstance(plain, list | tuple):
        kinds = arguments[:1] * len(plain) if arguments[-1] is Ellipsis else arguments
        if len(kinds) == len(plain):
            return tuple(_read(each, part, where) for each, part in zip(kinds, plain, strict=True))
    if origin is dict and isinstance(plain, Mapping):
        return {name: _read(arguments[1], value, name) for name, value in plain.items()}
    if origin is Literal and plain in arguments:
        return plain
    if is_dataclass(kind) and isinstance(plain, Mapping):
        hints = get_type_hints(kind)
        if missing := [field.name for field in fields(kind) if field.name not in plain]:
            known = ", ".join(map(str, plain)) or "nothing"
            raise ValueError(f"expected {missing[0]!r} in {where}, got {known:.300}")
        values = {field.name: _read(hints[field.name], plain[field.name], field.name) for field in fields(kind)}
        return kind(**values)  # type: ignore[operator]  # mypy takes it for an instance
    if type(plain) in ((int, float) if kind is float else (kind,)) and _is_sound(plain, where):
        return plain
    raise ValueError(f"expected {where} as an audit has it, got {plain!r:.60}")


def _is_sound(value: Any, where: str) -> bool:
    """Whether a value may stand in an audit: finite numbers, counts from 0, shares and p-values in 0..1."""
    if where in ("p_value", "confidence", *_SHARES):
        return 0 <= value <= 1
    return abs(value) <= _LARGEST and (type(value) is float or value >= 0) if type(value) in (int, float) else True


def _check(audit: Audit) -> None:
    """Raise a ValueError where parts of an audit that is read do not belong to each other."""
    faces = audit.identities
    if missing := [name for name in _SHARES if name not in faces.shares]:
        raise ValueError(f"expected {missing[0]!r} in shares, got {', '.join(faces.shares) or 'nothing':.300}")
    if not faces.costs or not any(one.kind == "panel" for one in faces.conditions):
        raise ValueError("expected costs, and a face of the panel among the conditions, got none")
    if wrong := [one.kind for one in faces.conditions if one.kind not in KINDS]:
        raise ValueError(f"expected conditions of {', '.join(KINDS)}, got {wrong[0]:.60}")
    if audit.source == "model" and audit.model is None:
        raise ValueError("expected the name of the model, got none")
    if not audit.n_bootstrap >= 1:
        raise ValueError(f"expected at least 1 resample, got {audit.n_bootstrap}")
