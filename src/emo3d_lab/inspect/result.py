"""What an inspection found: plain frozen dataclasses, all of them JSON-able."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

TIED = "tied"
"""Stands beside the eight emotions for rows in which several intensities are the highest."""

Gravity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Flagged:
    """How many rows (or texts, or pictures) are of a kind, and the first few of them in words."""

    count: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Descriptions:
    """The texts of a split. Two texts are the same when they differ in case and white space only.

    Attributes:
        total: texts, each counted in every row that holds it.
        unique: different ones.
        repeated: different texts that stand under more than one `sample_id` (without that column: in more than one
            row). The instances of one sample, which share their text, do not make it repeated.
        rows_repeated: rows that hold such a text.
        rows_without: rows with no text, or blank ones only.
        words: number of words -> different texts of that length.
        quartiles: shortest, first quartile, median, third quartile, longest of the different texts, in words; linear
            interpolation; empty without texts.
    """

    total: int
    unique: int
    repeated: Flagged
    rows_repeated: int
    rows_without: int
    words: Mapping[int, int]
    quartiles: tuple[float, ...]


@dataclass(frozen=True)
class Intensities:
    """The eight numbers of a split's rows; every mapping is by emotion, in the order of `EMOTIONS`.

    Attributes:
        rows: rows with eight numbers in 0..1. The figures below are of these.
        invalid: the other rows.
        without_distribution: rows whose eight numbers are all 0.
        zero: rows in which the emotion is 0.
        histogram: rows with an intensity in (0, 0.1], (0.1, 0.2], ..., (0.9, 1].
        mean_distribution: mean of intensities divided by their sum, rows without distribution left out; empty
            without rows.
        dominant: rows in which the emotion is higher than all others; under `"tied"` those with several highest.
    """

    rows: int
    invalid: Flagged
    without_distribution: int
    zero: Mapping[str, int]
    histogram: Mapping[str, tuple[int, ...]]
    mean_distribution: Mapping[str, float]
    dominant: Mapping[str, int]


@dataclass(frozen=True)
class Score:
    """One blendshape over expressions: `p95` to the nearest 0.001, `active` the share of scores above 0.1."""

    mean: float
    std: float
    min: float
    max: float
    p95: float
    active: float


@dataclass(frozen=True)
class Faces:
    """The expressions of a split.

    Attributes:
        total: places for an expression (one per row; in the published release one per picture).
        missing: of these, how many are null: no face was found.
        invalid: expressions that are not 51 numbers in 0..1. The figures below leave them out.
        scores: blendshape -> figures; empty without expressions.
        close_above_open: expressions with mouthClose > jawOpen.
        by_emotion: dominant emotion -> expressions it was counted over.
        mean_by_emotion: dominant emotion -> mean expression, 51 scores in the order of `BLENDSHAPES`; only emotions
            that have any.
    """

    total: int
    missing: int
    invalid: Flagged
    scores: Mapping[str, Score]
    close_above_open: int
    by_emotion: Mapping[str, int]
    mean_by_emotion: Mapping[str, tuple[float, ...]]

    @property
    def counted(self) -> int:
        """Expressions that the figures are of."""
        return self.total - self.missing - self.invalid.count


@dataclass(frozen=True)
class Pictures:
    """The pictures of a split. Two are the same when their files agree byte for byte; none is decoded.

    Attributes:
        total: places for a picture (one per row; in the published release as many as a row names).
        missing: of these, how many are null.
        by_path: of these, how many the dataset names but does not hold; they are not compared.
        unique: different ones among those held.
        repeated: different ones that stand under more than one `sample_id`.
    """

    total: int
    missing: int
    by_path: int
    unique: int
    repeated: Flagged


@dataclass(frozen=True)
class Split:
    """One split; what the dataset has no columns for is None.

    Attributes:
        name: as `load_dataset` has it.
        rows: how many.
        samples: different `sample_id`.
        repeated_rows: rows that repeat the `sample_id` of an earlier one (where there is a `variant`, also that; where
            there is a `description` beside it, also that).
        groups: column -> value -> rows, for `prompt_type` and `identity`; the most frequent first.
        problems: kind -> what the reader of the published release could not read and left out.
    """

    name: str
    rows: int
    samples: int | None
    repeated_rows: Flagged
    descriptions: Descriptions | None
    intensities: Intensities | None
    faces: Faces | None
    pictures: Pictures | None
    groups: Mapping[str, Mapping[str, int]]
    problems: Mapping[str, Flagged]


@dataclass(frozen=True)
class Shared:
    """What two splits have in common.

    Attributes:
        what: `"description"`, `"picture"` or `"sample_id"`.
        splits: the two.
        count: different ones in both.
        rows: rows of each split that hold one of them.
        examples: the first few, in words.
    """

    what: str
    splits: tuple[str, str]
    count: int
    rows: tuple[int, int]
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """One thing to know about the dataset, in a sentence; `count` is what the sentence counts."""

    gravity: Gravity
    sentence: str
    count: int


@dataclass(frozen=True)
class Inspection:
    """What `inspect_dataset` found.

    Attributes:
        dataset: as it was asked for.
        config: as it was asked for.
        findings: the gravest first; empty when there is nothing to report.
        splits: in the dataset's order.
        shared: one for each kind and pair of splits that have something in common.
        faces: the expressions of all splits together.
        ignored: columns that were not looked at.
    """

    dataset: str
    config: str | None
    findings: tuple[Finding, ...]
    splits: tuple[Split, ...]
    shared: tuple[Shared, ...]
    faces: Faces | None
    ignored: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-able values."""
        return asdict(self)
