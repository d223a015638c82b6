"""Units as few morph targets as make them: bounded least squares, a target at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emo3d_lab.characters.mapping.sight import IRISES

MOST = 6
"""Targets of a combination."""
LEAST_MADE = 0.5
"""Share of a unit's motion below which it is named as one that cannot be made."""

_GAIN = 0.02  # share of a unit's motion that a target must add, to be in its combination
_REACH = 3.0  # coefficients that are tried, before all are made to fit 0..1
_MAIN = 0.3  # a target makes most of a motion if it makes this share of what the strongest one makes
_LEAST = 0.04  # coefficient below which a target is left out
_NAMED = (
    1.3  # how much more a target counts whose name means the unit: goals are wrong up to a quarter off (docs/maps.md)
)
_ALIKE = 0.2  # cosine with the goal from which on a target is used: what only undoes others' motion elsewhere is not
_STILL, _ELSEWHERE = 0.1, 2.0  # landmarks that the unit moves by less, of its largest motion, count so often
_EYEBALL = 4.0  # and those of irises, five for a whole eyeball
_WHOLE = 0.75, 0.06  # coefficients from the first on are 1, where the residual grows by less than the second
_RIDGE = 1e-2  # of the mean power: landmarks are placed to some hundredths of the distance between the eyes


@dataclass(frozen=True)
class Fit:
    """A unit as a combination of targets.

    Attributes:
        coefficients: place of a target -> coefficient.
        residual: share of the unit's motion (sum of squares) that is not made, 0..1.
    """

    coefficients: Mapping[int, float]
    residual: float


def importances(goal: np.ndarray) -> np.ndarray:
    """By how much (L, 1) to multiply motions of landmarks (L, 3), so that a unit moves its own part of the face alone.

    Without it a squint is made by a look upwards: an eyeball has few landmarks.
    """
    lengths = np.linalg.norm(goal, axis=1)
    counts = np.where(lengths < _STILL * lengths.max(), _ELSEWHERE, 1.0)
    counts[IRISES:] *= _EYEBALL
    return np.sqrt(counts)[:, None]


def fit_unit(
    goal: np.ndarray, motions: np.ndarray, *, named: Sequence[int] = (), signed: bool = False, most: int = MOST
) -> Fit:
    """Find the few targets that make a motion.

    Args:
        goal: (D,) the unit's motion.
        motions: (K, D) of the targets.
        named: places of targets whose names mean it: they come first where they do about as much.
        signed: coefficients in -1..1 in place of 0..1.
        most: targets.
    """
    low = -_REACH if signed else 0.0
    power = float(goal @ goal)
    if not power > 0 or not len(motions):
        return Fit({}, 1.0)
    squares = np.maximum((motions**2).sum(axis=1), 1e-30)
    favour = np.ones(len(motions))
    favour[list(named)] = _NAMED
    alike = motions @ goal / np.sqrt(squares * power)
    favour[(np.abs(alike) if signed else alike) < _ALIKE] = 0
    chosen: list[int] = []
    values = np.zeros(0)
    for _ in range(min(most, len(motions))):
        rest = goal - values @ motions[chosen]
        along = motions @ rest
        steps = np.clip(along / squares, low, _REACH)
        gains = favour * (2 * steps * along - steps**2 * squares)
        gains[chosen] = 0
        best = int(np.argmax(gains))
        if gains[best] < _GAIN * power:
            break
        chosen.append(best)
        values = _solve(goal, motions[chosen], low)
    chosen, values = _prune(goal, motions, chosen, values, low, favour)
    values = _bound(values, (motions[chosen] ** 2).sum(axis=1))
    residual = _residual(goal, motions[chosen], values)
    whole = np.where(np.abs(values) >= _WHOLE[0], np.sign(values), values)
    if _residual(goal, motions[chosen], whole) < residual + _WHOLE[1]:  # made to be driven to their end
        values, residual = whole, _residual(goal, motions[chosen], whole)
    return Fit({place: float(value) for place, value in zip(chosen, values, strict=True)}, min(1.0, residual))


def _bound(values: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Coefficients within -1..1: those that make most of the motion keep their proportions, and the rest is cut.

    A rig whose shapes are half as strong as ours then moves half as far, and nothing else is added to make up for it.
    """
    parts = values**2 * squares
    main = parts >= _MAIN * parts.max(initial=0.0)
    return np.clip(values / max(1.0, np.abs(values[main]).max(initial=0.0)), -1, 1)


def _solve(goal: np.ndarray, motions: np.ndarray, low: float) -> np.ndarray:
    from scipy.optimize import lsq_linear

    return lsq_linear(motions.T, goal, (low, _REACH), method="bvls").x


def _residual(goal: np.ndarray, motions: np.ndarray, values: np.ndarray) -> float:
    return float(((goal - values @ motions) ** 2).sum() / (goal**2).sum())


def _prune(
    goal: np.ndarray, motions: np.ndarray, chosen: list[int], values: np.ndarray, low: float, favour: np.ndarray
) -> tuple[list[int], np.ndarray]:
    """Leave out what adds little, the least first."""
    while chosen:
        residual = _residual(goal, motions[chosen], values)
        without = []
        for place in range(len(chosen)):
            others = [target for target in chosen if target != chosen[place]]
            solution = _solve(goal, motions[others], low) if others else np.zeros(0)
            without.append(_residual(goal, motions[others], solution) - residual)
        least = int(np.argmin(np.where(np.abs(values) < _LEAST, -1.0, without * favour[chosen])))
        if np.abs(values[least]) >= _LEAST and without[least] >= _GAIN:
            break
        chosen = [target for place, target in enumerate(chosen) if place != least]
        values = _solve(goal, motions[chosen], low) if chosen else np.zeros(0)
    return chosen, values


def fit_dense(goals: np.ndarray, motions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write motions (N, D) as combinations of others (K, D), by ridge regression.

    Returns:
        Coefficients (N, K) of any sign and size, and residuals (N,) as of `Fit`.
    """
    gram = motions @ motions.T
    ridge = _RIDGE * np.trace(gram) / max(1, len(gram)) * np.eye(len(gram))
    values = np.linalg.lstsq(gram + ridge, motions @ goals.T, rcond=None)[0].T
    powers = np.maximum((goals**2).sum(axis=1), 1e-30)
    return values, np.minimum(1.0, ((goals - values @ motions) ** 2).sum(axis=1) / powers)
