"""The score of clips with its parts, and how they are made of the values of every clip."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
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
from emo3d.scoring.result import Emo3DResult, read_plain
from emo3d_lab.clips.scoring.settings import ClipSettings

SHARES = ("order",)
_CLOSE = 1e-6  # of means that were added up in another order


@dataclass(frozen=True, eq=False, repr=False)
class ClipResult(Emo3DResult):
    """A score of n clips with its parts: that of stills, whose samples are clips here, and what time adds.

    `kl_divergence` is the mean over clips of the mean over their beats; there is no `recall_at_k`, `mse`, `mae` or
    `amplitude`, and no group. `per_sample` has `kl_divergence`, those of `more` that are means over clips, NaN where a
    clip has none, and `reference`. `references` is a hash of beats in order, with their times where there are any.
    """

    # `order`: share of clips that show their beats better in their order than backwards, higher is better;
    # `timing_error`: mean distance in seconds of where beats change from where the reference says. Both of clips of two
    # beats or more. Others by the names that `field_numbers` and `quality_numbers` give them.
    more: dict[str, float] = field(default_factory=dict)
    # One row for each beat of each clip: `clip` int64; `start`, `end` in seconds where the alignment finds it, and its
    # `kl_divergence`, float64.
    per_beat: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, float]:
        """`emo3d`, `kl_divergence`, and those of `more`."""
        return {"emo3d": self.emo3d, "kl_divergence": self.kl_divergence, **self.more}

    @property
    def columns(self) -> dict[str, str]:
        """Numbers that are means over all clips -> the values whose means they are."""
        names = (name for name, values in self.per_sample.items() if name != "reference" and not np.isnan(values).any())
        return {name: name for name in names}

    def __str__(self) -> str:
        """One line for a footnote: the numbers, their intervals, n, and all that moves them."""
        parts = []
        for name, value in self.numbers.items():
            ends = " [{:.3f}, {:.3f}]".format(*self.intervals[name]) if name in self.intervals else ""
            parts.append(f"{_LABELS.get(name, name)} {value:.3f}{ends}")
        return f"{', '.join(parts)}, n={self.n} clips | references:{self.references}|{self.signature}"

    def to_dict(self, *, per_sample: bool = False) -> dict[str, Any]:
        """Plain Python that JSON can hold, with the values of every clip and beat on request."""
        plain = super().to_dict(per_sample=per_sample)
        beats = plain.pop("per_beat")
        return plain | ({"per_beat": {name: values.tolist() for name, values in beats.items()}} if per_sample else {})

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> ClipResult:
        """Turn back what `to_dict(per_sample=True)` made; a ValueError names what is missing or contradicts itself."""
        names = [field.name for field in fields(cls)]
        if missing := [name for name in names if name not in plain]:
            raise ValueError(f"expected a result of clips with {missing[0]!r}, got {', '.join(map(str, plain))!s:.200}")
        entries = {name: plain[name] for name in names}
        try:
            entries["intervals"] = {name: (float(low), float(high)) for name, (low, high) in plain["intervals"].items()}
            for name in ("per_sample", "per_beat"):
                columns = plain[name].items()
                entries[name] = {key: np.array([np.nan if x is None else x for x in xs]) for key, xs in columns}
            result = cls(**entries)
            _check(result)
        except (AttributeError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"expected numbers and values as a result of clips has them: {error!r:.200}") from error
        return result


def load_result(path: str | os.PathLike[str]) -> Emo3DResult:
    """Read a result of stills or of clips; a ValueError names a file that holds neither."""
    try:
        plain = read_plain(path)
        return (ClipResult if "per_beat" in plain else Emo3DResult).from_dict(plain)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


_LABELS = {"emo3d": "Emo3D", "kl_divergence": "KL", "timing_error": "timing error (s)"}


def summarise_clips(
    per_sample: dict[str, np.ndarray],
    per_beat: dict[str, np.ndarray],
    settings: ClipSettings,
    more: Mapping[str, float] | None = None,
    **fields: Any,
) -> ClipResult:
    """Make a result of the values of every clip; its numbers do not depend on the order of the clips.

    Args:
        per_sample, per_beat: see `ClipResult`, like `fields`.
        more: numbers that are no means over clips.
    """
    ranks = per_sample["reference"]
    numbers: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for name in (name for name in per_sample if name != "reference"):
        values = per_sample[name]
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
    kl = numbers.pop("kl_divergence")
    if "kl_divergence" in intervals:
        low, high = (emo3d_score(end, settings.divisor) for end in intervals["kl_divergence"])
        intervals = {"emo3d": (low, high), **intervals}
    none: dict[str, Any] = {**dict.fromkeys(("recall_at_k", "mse", "mae")), "per_emotion": {}, "per_band": {}}
    return ClipResult(
        emo3d=emo3d_score(kl, settings.divisor),
        kl_divergence=kl,
        intervals=intervals,
        per_sample=per_sample,
        per_beat=per_beat,
        n=len(ranks),
        more={**numbers, **(more or {})},
        **none,
        **fields,
    )


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
    for name, values in result.per_sample.items():
        if values.shape != (result.n,) or values.dtype.kind not in "biuf":
            raise ValueError(f"expected {result.n} numbers as {name} of clips, got shape {values.shape}")
        mean = None if name == "reference" or np.isnan(values).all() else float(np.nanmean(values))
        if mean is not None and not abs(result.numbers[name] - mean) <= _CLOSE * max(1, abs(mean)):
            raise ValueError(f"expected {name} as the mean of its values, {mean:.6f}, got {result.numbers[name]:.6f}")
    if len({values.shape for values in result.per_beat.values()}) > 1:
        raise ValueError("expected as many values of every kind of beats")
