"""What an emotion reader says of the faces of a score, of which it is no part; `emo3d_lab.readers` makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class ReaderResult:
    """An emotion reader's answers, of the faces that it can judge; its numbers are None where there are none."""

    signature: str  # all that moves them: reader, crop, rendering
    emotions: tuple[str, ...]  # of `EMOTIONS`, those that it knows
    n: int  # faces judged
    not_found: int  # faces not judged, since no face was found in their pictures
    kl_divergence: float | None  # mean over the emotions that it knows, in nats, lower is better
    top1: float | None  # share of faces whose likeliest emotion is the one described, higher is better
    intervals: dict[str, tuple[float, float]]  # of both: bootstrap-t, and Wilson's; see `Emo3DResult`
    per_emotion: dict[str, dict[str, Any]]  # by the strongest emotion described: `n`, both numbers, `intervals`
    # `kl_divergence` and `top1` (N,) float64 of all N faces of the score, NaN where not judged: no face found, or a
    # description that is first of all an emotion which the reader lacks. With several identities means over them.
    per_sample: dict[str, np.ndarray]

    @property
    def numbers(self) -> dict[str, float]:
        """Those of `kl_divergence` and `top1` that there are."""
        numbers = {"kl_divergence": self.kl_divergence, "top1": self.top1}
        return {name: value for name, value in numbers.items() if value is not None}

    def __str__(self) -> str:
        parts = [f"n={self.n}", f"not found={self.not_found}"]
        for name, value in reversed(self.numbers.items()):
            ends = self.intervals.get(name)
            parts.insert(0, f"{name} {value:.3f}" + (" [{:.3f}, {:.3f}]".format(*ends) if ends else ""))
        return f"{', '.join(parts)}|{self.signature}"
