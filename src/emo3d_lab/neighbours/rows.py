"""What every reader checks of a row: its numbers, its scores, and why it cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.dataset.tally import Tally
from emo3d.names import Names
from emo3d.ranges import fit_scores
from emo3d_lab.building.reports import RowError

logger = logging.getLogger(__name__)


def numbers(cells: Sequence[Any], columns: Sequence[str]) -> np.ndarray:
    """Read cells, one for each of `columns`, as (N,) float64.

    Raises:
        RowError: a cell that is no number.
    """
    try:
        values = np.asarray(cells, np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.empty(0)
    if values.shape != (len(columns),):
        for cell, column in zip(cells, columns, strict=True):
            try:
                float(cell)
            except (TypeError, ValueError, OverflowError):
                raise RowError("no number", column, f"expected a number, got {cell!r:.200}") from None
        raise RowError("no number", columns[0] if columns else "", "expected one number for each column")
    return values


def within(values: np.ndarray, columns: Sequence[str]) -> None:
    """Check that values lie in 0..1.

    Raises:
        RowError: one does not.
    """
    outside = np.flatnonzero(~((values >= 0) & (values <= 1)))  # NaN compares false
    if len(outside):
        first = outside[0]
        raise RowError("out of range", columns[first], f"expected a value in 0..1, got {values[first]:g}")


@dataclass(frozen=True)
class Rule:
    """How scores are read.

    Attributes:
        drop: what may be left out although it is not 0: `"tongueOut"`, or a unit such as `"AU38"`.
        names: a mapping of the user's own, see `emo3d.names.read_names`.
        scale: the score that means 1.
        clip: see `emo3d.ranges.fit_scores`.
    """

    drop: tuple[str, ...] = ()
    names: Names | None = None
    scale: float = 1
    clip: bool = False


class ScoreReader:
    """Scores of the rows of one file become expressions; what it took is counted, and said at the end."""

    def __init__(self, file: str, rule: Rule) -> None:
        self.file, self.rule = file, rule
        self.extras: dict[str, None] = {}
        self._clipped, self._furthest, self._out = 0, "", 0.0

    def expression(
        self,
        scores: np.ndarray,
        names: Sequence[str],
        columns: Sequence[str],
        tally: Tally,
        number: int,
        rows: int = 1,
    ) -> list[float]:
        """Put scores in the order of `BLENDSHAPES`; a blendshape that is not among `names` is 0.

        Args:
            scores: (N,) numbers.
            names: of the blendshapes, N.
            columns: what the file calls them, N.
            tally: where what is clipped and dropped is counted.
            number: of the row.
            rows: that are made of the scores.

        Raises:
            RowError: a score outside 0..1, or one that an expression has no place for.
        """
        fit = fit_scores(scores, self.rule.scale, self.rule.clip)
        if fit.invalid.any():
            first = int(fit.invalid.argmax())
            message = f"expected a value in 0..{self.rule.scale:g}, got {scores[first]:g}; {fit.advice}"
            raise RowError("out of range", columns[first], message)
        for index, name in enumerate(names):
            if name not in _PLACES and fit.scores[index]:
                if name not in self.rule.drop:
                    message = f"expected 0, since an expression has no {name}, got {scores[index]:g}"
                    raise RowError(name, columns[index], f"{message}; --drop {name} ignores it")
                tally.count(f"dropped_{name}", rows)
        if fit.outliers.any():
            tally.count("clipped", rows)
            self._clipped += int(fit.outliers.sum())
            out = np.where(fit.outliers, np.abs(scores / self.rule.scale - 0.5), 0)
            if out.max() > self._out:
                self._out, furthest = float(out.max()), int(out.argmax())
                self._furthest = f"{columns[furthest]} = {scores[furthest]:.8g} in row {number}"
        by_name = dict(zip(names, fit.scores.tolist(), strict=True))
        return [by_name.get(name, 0.0) for name in BLENDSHAPES]

    def close(self) -> None:
        """Say what was clipped and left out."""
        if self._clipped:
            logger.warning("%s: clipped %d scores; the furthest was %s", self.file, self._clipped, self._furthest)
        if self.extras:
            logger.warning("%s: left out what is no blendshape: %.1000s", self.file, ", ".join(self.extras))


_PLACES = frozenset(BLENDSHAPES)
