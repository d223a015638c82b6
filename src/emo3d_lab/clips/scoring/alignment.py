"""Beats against a clip's instants: which stretch of time shows which beat, so that they come in their order.

Dynamic programming over B beats and T instants (as segmental k-means of Rabiner, Wilpon and Juang 1986, "A segmental
k-means training procedure for connected word recognition", of one template for each word): the time is cut into B
stretches in the order of the beats, with a transition between two of them that counts for neither. All lengths follow
from T / B, so a clip that is played more slowly is cut at the same shares of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Alignment:
    """Stretches of a clip, one for each beat in order: instants `starts[b]` to before `ends[b]`."""

    starts: np.ndarray  # (B,) int64
    ends: np.ndarray  # (B,) int64
    means: np.ndarray  # (B,) float64, the mean cost of each beat in its stretch

    @property
    def cost(self) -> float:
        """Mean over beats, each counted once however long its stretch is."""
        return float(self.means.mean())

    @property
    def boundaries(self) -> np.ndarray:
        """Instants (B - 1,) float64 between which one beat becomes the next, the middle of the transition."""
        return (self.ends[:-1] + self.starts[1:]) / 2


def align(costs: np.ndarray, least: float = 0.4, transition: float = 0.3) -> Alignment:
    """Cut T instants into stretches of B beats in order, so that the costs in all stretches together are least.

    Linear in B x T; of equal cuts the earliest. Half a transition is left out before the first beat and after the last,
    where a face comes from rest and goes back.

    Args:
        costs: (B, T) of each beat at each instant, T at least B.
        least: shortest stretch of a beat, as a share of T / B, rounded down, at least one instant.
        transition: time between two beats, a share of T / B, rounded down; `least` and `transition` sum to at most 1.

    Raises:
        ValueError: fewer instants than beats, no beats, or costs that are not finite.

    Example:
        >>> alignment = align(np.array([[0, 0, 0, 0, 9, 9], [9, 9, 9, 9, 0, 0]]), transition=0)
        >>> alignment.ends, alignment.cost
        (array([4, 6]), 0.0)
    """
    costs = np.asarray(costs, np.float64)
    if costs.ndim != 2 or not 1 <= len(costs) <= costs.shape[1]:
        raise ValueError(f"expected costs (B, T) of beats at as many instants or more, got shape {costs.shape}")
    if not np.isfinite(costs).all():
        raise ValueError("expected finite costs of beats")
    count, instants = costs.shape
    shortest = max(1, int(least * instants / count))
    gap = min(int(transition * instants / count), instants // count - shortest)
    edge = gap // 2
    # sums[b, t]: of the instants before t, in whole steps of 1e-9, which add up without rounding: equal cuts are equal.
    sums = np.pad(np.rint(costs * 1e9).cumsum(axis=1), ((0, 0), (1, 0)))
    ends_before = np.full(instants + 1, np.inf)  # by end of the stretch before: the least cost up to there
    ends_before[edge] = 0.0
    starts = []
    for beat, total in enumerate(sums):
        shift = gap if beat else 0
        by_start = np.full(instants + 1, np.inf)
        by_start[shift:] = ends_before[: instants + 1 - shift]
        by_start -= total
        lowest = np.minimum.accumulate(by_start)
        is_new = np.r_[True, lowest[1:] < lowest[:-1]]
        places = np.maximum.accumulate(np.where(is_new, np.arange(instants + 1), 0))
        ends_before = np.full(instants + 1, np.inf)
        ends_before[shortest:] = total[shortest:] + lowest[: instants + 1 - shortest]
        starts.append(np.r_[np.zeros(shortest, np.int64), places[: instants + 1 - shortest]])
    cuts = np.empty((count, 2), np.int64)
    end = instants - edge
    for beat in reversed(range(count)):
        cuts[beat] = starts[beat][end], end
        end = cuts[beat, 0] - gap
    firsts, lasts = cuts.T
    rows = np.arange(count)
    totals = np.pad(costs.cumsum(axis=1), ((0, 0), (1, 0)))
    return Alignment(firsts, lasts, (totals[rows, lasts] - totals[rows, firsts]) / (lasts - firsts))
