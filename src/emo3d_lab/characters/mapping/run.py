"""The map of a character without ARKit names: what each of its targets does is measured, and units are made of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm.auto import tqdm

import emo3d
from emo3d.face.calibration import SIDES
from emo3d.face.rig import TARGETS
from emo3d.names import spelt
from emo3d_lab.characters.mapping.effects import describe_motion, named_units, regions
from emo3d_lab.characters.mapping.fit import LEAST_MADE, Fit, fit_dense, fit_unit
from emo3d_lab.characters.mapping.morphs import Morphs
from emo3d_lab.characters.mapping.reference import load_reference, transport
from emo3d_lab.characters.mapping.sight import INNER_LIPS, OUTER_LIPS, Sight, find_face
from emo3d_lab.characters.maps import CharacterMap
from emo3d_lab.landmarker import LANDMARKS, FaceReader

logger = logging.getLogger(__name__)

_STILL = 0.02  # of the distance between the eyes: a unit that moves no landmark by more cannot be measured by them
_ONE_SIDED = 0.4  # residual up to which a target is of one side, or of both
_TONGUE = 0.3  # of the way that our tongue comes out: what comes out by less is none


@dataclass(frozen=True, eq=False)
class Measurement:
    """A face, what its targets do, and what our units would do on it."""

    morphs: Morphs
    sight: Sight
    motions: np.ndarray  # (K, 478, 3) of the targets, in the mesh's unit, turned to the front
    goals: np.ndarray  # (52, 478, 3) of the units
    tongue: float  # how far our tongue comes out, in the mesh's unit


def measure(morphs: Morphs, *, model: str | os.PathLike[str] | None = None, quiet: bool = True) -> Measurement:
    """Find the face of a mesh and measure its targets.

    Args:
        morphs: of a character or a basis.
        model, quiet: see `FaceReader`.

    Raises:
        ValueError: no target moves anything, or no face can be read.
        LandmarkerUnavailableError: see `FaceReader`; an OSError.
    """
    reference = load_reference(None if model is None else str(model), quiet=quiet)
    with FaceReader(model, quiet=quiet) as reader:
        try:
            sight = find_face(morphs.rig, morphs.reach, reader, reference.points)
        except ValueError as error:
            raise ValueError(f"{morphs.rig.name}: {error}") from error
    scratch = np.zeros(morphs.rig.neutral.shape, np.float32)
    motions = np.zeros((len(morphs.moves), LANDMARKS, 3), np.float32)
    for place, (rows, deltas) in enumerate(tqdm(morphs.moves.values(), desc="Measuring", unit=" targets", delay=3)):
        scratch[rows] = deltas
        motions[place] = sight.motion(scratch)
        scratch[rows] = 0
    return Measurement(morphs, sight, motions, transport(reference, sight), reference.tongue * sight.eye_distance)


def make_map(measurement: Measurement, *, signed: bool = False) -> CharacterMap:
    """Make each unit of as few targets as do what it does.

    Args:
        measurement: of a character.
        signed: coefficients in -1..1 in place of 0..1, for targets that are made to be driven both ways.

    Returns:
        The map; units that cannot be made are left out of its `units`, and have a residual of more than 2/3. Where the
        targets only move both sides together, each side has half of what makes both, so that both at once come out.
    """
    keys, goals = list(measurement.morphs.moves), measurement.goals.reshape(len(TARGETS), -1)
    motions = measurement.motions.reshape(len(keys), -1).astype(float)
    hints = [named_units(key) for key in keys]
    units: dict[str, dict[str, float]] = {}
    residuals: dict[str, float] = {}

    def fit(goal: np.ndarray, names: Collection[str]) -> Fit:
        named = [place for place, hint in enumerate(hints) if not hint.isdisjoint(names)]
        return fit_unit(goal, motions, named=named, signed=signed)

    fits = {
        unit: fit(goal, {unit})
        for unit, goal, seen in zip(TARGETS, goals, _measurable(measurement), strict=True)
        if seen
    }
    both = []
    for left, right in ((TARGETS[left], TARGETS[right]) for left, right in SIDES):
        if left in fits and right in fits and min(fits[left].residual, fits[right].residual) > _ONE_SIDED:
            pair = fit(goals[TARGETS.index(left)] + goals[TARGETS.index(right)], {left, right})
            if pair.residual <= _ONE_SIDED:
                both += [left, right]
                half = {place: value / 2 for place, value in pair.coefficients.items()}
                fits |= {unit: Fit(half, _residual_of(half, goals, unit, motions)) for unit in (left, right)}
    for unit, fitted in fits.items():
        residuals[unit] = round(fitted.residual, 4)
        if fitted.residual <= 1 - LEAST_MADE or unit in both:
            units[unit] = {keys[place]: round(value, 3) for place, value in fitted.coefficients.items()}
    units |= _tongue(measurement)
    _warn(keys, units)
    missing = [unit for unit in TARGETS if unit not in units]
    if missing:
        logger.warning("%d of 52 units cannot be made: %s", len(missing), ", ".join(missing))
    places = regions(measurement.sight)
    method = {
        "emo3d": emo3d.__version__,
        "how": "landmarks of MediaPipe cast onto the mesh; units of anny's heads; bounded least squares",
        "missing": missing,
        "moving both sides": both,
        "targets": {
            key: describe_motion(motion, places, measurement.sight.eye_distance)
            for key, motion in zip(keys, measurement.motions, strict=True)
        },
    }
    return CharacterMap(units, residuals, measurement.morphs.origin, method, measurement.morphs.targets)


def make_combinations(measurement: Measurement) -> dict[str, Any]:
    """Write units as components of a basis, and components as units: coefficients of any sign and size.

    Returns:
        `units` (unit -> component -> coefficient), `components` (component -> unit -> coefficient), and the residuals
        of both, `unit_residuals` and `component_residuals`, as of a map. What moves no landmark is left out.
    """
    keys, seen = list(measurement.morphs.moves), _measurable(measurement)
    units = [unit for unit, there in zip(TARGETS, seen, strict=True) if there]
    goals = measurement.goals[seen].reshape(len(units), -1)
    motions = measurement.motions.reshape(len(keys), -1).astype(float)
    result: dict[str, Any] = {"format": "emo3d-basis-1", "emo3d": emo3d.__version__}
    for name, names, wanted, others, made_of in (
        ("unit", units, goals, keys, motions),
        ("component", keys, motions, units, goals),
    ):
        values, residuals = fit_dense(wanted, made_of)
        moving = (wanted**2).sum(axis=1) > 0
        result[f"{name}s"] = {
            key: {other: round(float(value), 5) for other, value in zip(others, row, strict=True)}
            for key, row in zip(np.array(names)[moving].tolist(), values[moving], strict=True)
        }
        result[f"{name}_residuals"] = dict(
            zip(np.array(names)[moving].tolist(), np.round(residuals[moving], 4).tolist(), strict=True)
        )
    return result


def _residual_of(coefficients: Mapping[int, float], goals: np.ndarray, unit: str, motions: np.ndarray) -> float:
    goal = goals[TARGETS.index(unit)]
    rest = goal - sum((value * motions[place] for place, value in coefficients.items()), np.zeros(()))
    return min(1.0, float(rest @ rest / (goal @ goal)))


def _measurable(measurement: Measurement) -> np.ndarray:
    """(52,) whether a unit moves landmarks: a tongue does not."""
    furthest = np.linalg.norm(measurement.goals, axis=2).max(axis=1)
    return (furthest > _STILL * measurement.sight.eye_distance) & (np.array(TARGETS) != "tongueOut")


def _tongue(measurement: Measurement) -> dict[str, dict[str, float]]:
    """`tongueOut` of the target that brings something out between the lips and moves no landmark as far, if any."""
    sight, neutral = measurement.sight, measurement.morphs.rig.neutral
    lips = sight.points[list(INNER_LIPS + OUTER_LIPS)]
    low, high = np.nanmin(lips, axis=0), np.nanmax(lips, axis=0)
    best, furthest = None, _TONGUE * measurement.tongue
    for (key, (rows, deltas)), motion in zip(measurement.morphs.moves.items(), measurement.motions, strict=True):
        if not len(rows):
            continue
        forward = deltas @ sight.rotation[2]
        tip = int(np.argmax(forward))
        x, y, z = sight.rotation @ neutral[rows[tip]].astype(float)
        is_within = low[0] < x < high[0] and low[1] - (high - low)[1] < y < high[1] and z < high[2]
        if is_within and forward[tip] > furthest and np.linalg.norm(motion, axis=1).max() < 0.5 * forward[tip]:
            best, furthest = key, float(forward[tip])
    return {} if best is None else {"tongueOut": {best: round(min(1.0, measurement.tongue / furthest), 3)}}


def _warn(keys: list[str], units: Mapping[str, Mapping[str, float]]) -> None:
    """Say which targets have the name of a unit and do something else."""
    wrong = [key for key in keys if (unit := spelt(key)) in TARGETS and key not in units.get(str(unit), {})]
    if wrong:
        logger.warning("named like a unit and not doing what it does: %s", ", ".join(wrong))
