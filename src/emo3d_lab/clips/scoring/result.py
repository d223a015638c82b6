"""The score of clips with its parts, and how they are made of the values of every clip."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.scoring.consistency import alpha_of
from emo3d.scoring.core import (
    bootstrap_intervals,
    cluster_values,
    effective_size,
    emo3d_score,
    wilson_interval,
)
from emo3d.scoring.result import read_plain
from emo3d_lab.clips.scoring.settings import ClipSettings

SHARES = ("order",)
_CLOSE = 1e-6  # of means that were added up in another order


@dataclass(frozen=True, eq=False, repr=False)
class ClipResult:
    """A score of n clips with its parts; `emo3d` is lower for better ones, as that of stills."""

    # `emo3d` 0..1 and `kl_divergence` in nats, means over clips, lower is better. `order`: share of clips that show
    # their beats better in their order than backwards, higher is better; `timing_error`: mean distance in seconds of
    # where beats change from where the reference says. Both are of clips of two beats or more, and not there without
    # any. Others by the name of what gives them.
    numbers: dict[str, float]
    # (lower, upper) by name: bootstrap-t over clips, those of one reference together; Wilson's of `order`.
    intervals: dict[str, tuple[float, float]]
    # `kl_divergence`, `order`, `timing_error` (n,) float64, NaN where a clip has none; `reference` (n,) int64, its
    # place among the distinct ones, sorted.
    per_clip: dict[str, np.ndarray]
    # One row for each beat of each clip: `clip` int64; `start`, `end` in seconds where the alignment finds it, and its
    # `kl_divergence`, float64.
    per_beat: dict[str, np.ndarray]
    n: int
    truncated: int  # distinct descriptions of the bank that were longer than the backbone's window
    references: str  # content hash of the references' beats, the same in any order of the references
    signature: str
    reference_expressions: str | None = None  # content hash of the references' frames, where numbers compare with them
    readers: dict[str, Any] = field(default_factory=dict)  # as results of stills have them; none yet

    @property
    def emo3d(self) -> float:
        """The score."""
        return self.numbers["emo3d"]

    @property
    def kl_divergence(self) -> float:
        """Mean over clips of the mean divergence of their beats, nats."""
        return self.numbers["kl_divergence"]

    @property
    def per_sample(self) -> dict[str, np.ndarray]:
        """`per_clip`, as results of stills name it."""
        return self.per_clip

    def __str__(self) -> str:
        """One line for a footnote: the numbers, their intervals, n, and all that moves them."""
        parts = []
        for name, value in self.numbers.items():
            ends = " [{:.3f}, {:.3f}]".format(*self.intervals[name]) if name in self.intervals else ""
            parts.append(f"{_LABELS.get(name, name)} {value:.3f}{ends}")
        return f"{', '.join(parts)}, n={self.n} clips | references:{self.references}|{self.signature}"

    def __repr__(self) -> str:
        return f"ClipResult(emo3d={self.emo3d:.4f}, kl_divergence={self.kl_divergence:.4f}, n={self.n})"

    def to_dict(self, *, per_clip: bool = False) -> dict[str, Any]:
        """Plain Python that JSON can hold, with the values of every clip and beat on request."""
        plain = asdict(self)
        plain["intervals"] = {name: list(ends) for name, ends in self.intervals.items()}
        for name in ("per_clip", "per_beat"):
            table = plain.pop(name)
            if per_clip:
                columns = {key: values.tolist() for key, values in table.items()}
                plain[name] = {key: [None if x != x else x for x in values] for key, values in columns.items()}
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> ClipResult:
        """Turn back what `to_dict(per_clip=True)` made; a ValueError names what is missing or contradicts itself."""
        names = [field.name for field in fields(cls)]
        if missing := [name for name in names if name not in plain]:
            raise ValueError(f"expected a result of clips with {missing[0]!r}, got {', '.join(map(str, plain))!s:.200}")
        entries = {name: plain[name] for name in names}
        try:
            entries["intervals"] = {name: (float(low), float(high)) for name, (low, high) in plain["intervals"].items()}
            for name in ("per_clip", "per_beat"):
                columns = plain[name].items()
                entries[name] = {key: np.array([np.nan if x is None else x for x in xs]) for key, xs in columns}
            result = cls(**entries)
            _check(result)
        except (AttributeError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"expected numbers and values as a result of clips has them: {error!r:.200}") from error
        return result

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(per_clip=True), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ClipResult:
        """Read what `save` wrote; a ValueError names a file that holds no result of clips."""
        try:
            return cls.from_dict(read_plain(path))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


_LABELS = {"emo3d": "Emo3D", "kl_divergence": "KL", "timing_error": "timing error (s)"}


def summarise_clips(
    per_clip: dict[str, np.ndarray],
    per_beat: dict[str, np.ndarray],
    settings: ClipSettings,
    more: Mapping[str, float] | None = None,
    **fields: Any,
) -> ClipResult:
    """Make a result of the values of every clip; its numbers do not depend on the order of the clips.

    Args:
        per_clip, per_beat: see `ClipResult`, like `fields`.
        more: numbers that are no means over clips.
    """
    ranks = per_clip["reference"]
    numbers: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for name in (name for name in per_clip if name != "reference"):
        values = per_clip[name]
        there = ~np.isnan(values)
        if not there.any():
            continue
        order = np.lexsort([values[there], ranks[there]])  # resampled in an order that follows from the content
        values, places = values[there][order], ranks[there][order]
        numbers[name] = float(values.mean())
        if name in SHARES:
            size = effective_size(values, places)
            intervals[name] = wilson_interval(min(1.0, numbers[name]), size, settings.confidence)
            continue
        ends = bootstrap_intervals(
            cluster_values(values[:, None], places),
            n_bootstrap=settings.n_bootstrap,
            seed=settings.seed,
            confidence=settings.confidence,
        )
        if ends is not None:
            intervals[name] = float(ends[0, 0]), float(ends[0, 1])
    numbers = {"emo3d": emo3d_score(numbers["kl_divergence"], settings.divisor), **numbers, **(more or {})}
    if "kl_divergence" in intervals:
        low, high = (emo3d_score(end, settings.divisor) for end in intervals["kl_divergence"])
        intervals = {"emo3d": (low, high), **intervals}
    return ClipResult(numbers, intervals, per_clip, per_beat, n=len(ranks), **fields)


def _check(result: ClipResult) -> None:
    alpha = alpha_of(result.signature)
    if alpha is None or type(result.n) is not int or result.n < 1:
        raise ValueError(f"expected a signature with alpha and n of at least 1, got {result.signature!r:.60}")
    for name, value in result.numbers.items():
        if isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f"expected a finite number as {name}, got {value!r:.60}")
    if abs(emo3d_score(result.kl_divergence, alpha) - result.emo3d) > _CLOSE:
        raise ValueError(f"expected emo3d as kl_divergence and alpha give it, got {result.emo3d:.6f}")
    for name, (low, high) in result.intervals.items():
        if name not in result.numbers or not low <= high:
            raise ValueError(
                f"expected an interval from a lower to an upper end of a number that is there: {name!r:.60}"
            )
    for name, values in result.per_clip.items():
        if values.shape != (result.n,) or values.dtype.kind not in "biuf":
            raise ValueError(f"expected {result.n} numbers as {name} of clips, got shape {values.shape}")
        mean = None if name == "reference" or np.isnan(values).all() else float(np.nanmean(values))
        if mean is not None and not abs(result.numbers[name] - mean) <= _CLOSE * max(1, abs(mean)):
            raise ValueError(f"expected {name} as the mean of its values, {mean:.6f}, got {result.numbers[name]:.6f}")
    if len({values.shape for values in result.per_beat.values()}) > 1:
        raise ValueError("expected as many values of every kind of beats")
