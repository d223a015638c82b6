"""The map of a character without ARKit names: what each of its targets does is measured, and units are made of them."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm.auto import tqdm

import emo3d
from emo3d.face.calibration import SIDES
from emo3d.face.rig import TARGETS
from emo3d.names import spelt
from emo3d_lab.characters.mapping.effects import describe_motion, named_units
from emo3d_lab.characters.mapping.fit import LEAST_MADE, Fit, fit_dense, fit_unit, importances
from emo3d_lab.characters.mapping.morphs import Morphs
from emo3d_lab.characters.mapping.reference import load_reference, transport
from emo3d_lab.characters.mapping.sight import INNER_LIPS, OUTER_LIPS, Sight, find_face
from emo3d_lab.characters.maps import CharacterMap
from emo3d_lab.landmarker import LANDMARKS, FaceReader

logger = logging.getLogger(__name__)

_STILL = 0.02  # of the distance between the eyes: a unit that moves no landmark by more cannot be measured by them
_KEPT = 0.5  # cosine with a unit's motion from which on a target of its name is it, whatever else does it better
_WAYS = ("Up", "Up"), ("Down", "Down"), ("In", "Out"), ("Out", "In")
_TOGETHER = (
    *((TARGETS[left], TARGETS[right]) for left, right in SIDES),
    *((f"eyeLook{way}Left", f"eyeLook{other}Right") for way, other in _WAYS),
)
_BOTH = 0.2  # by how much less residual both sides must have together than each alone, to be made together
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
        The map. Targets of a unit's own name make it alone and make nothing else, unless they do something else. Units
        that cannot be made are left out, or empty where a target has their name. Where targets only move both sides
        together, each side has half of what makes both, so that both at once come out, and the residual of both.
    """
    keys = list(measurement.morphs.moves)
    seen = _measurable(measurement)
    kept, residuals = _named(measurement, seen)
    motions = measurement.motions.astype(float)
    motions[[keys.index(key) for names in kept.values() for key in names]] = 0  # free for nothing else
    hints = [named_units(key) for key in keys]
    goals = dict(zip(TARGETS, measurement.goals, strict=True))

    def fit(names: tuple[str, ...]) -> Fit:
        goal = np.sum([goals[name] for name in names], axis=0)
        counts = importances(goal)
        named = [place for place, hint in enumerate(hints) if not hint.isdisjoint(names)]
        return fit_unit((counts * goal).ravel(), (counts * motions).reshape(len(keys), -1), named=named, signed=signed)

    fits = {unit: fit((unit,)) for unit, there in zip(TARGETS, seen, strict=True) if there and unit not in kept}
    both: list[str] = []
    for pair in _TOGETHER:
        if fits.keys() >= set(pair) and (alone := min(fits[unit].residual for unit in pair)) > _BOTH:
            fitted = fit(pair)
            if fitted.residual <= min(1 - LEAST_MADE, alone - _BOTH):
                half = {place: value / 2 for place, value in fitted.coefficients.items()}
                fits |= dict.fromkeys(pair, Fit(half, fitted.residual))
                both += pair
    units = {
        unit: {keys[place]: round(value, 3) for place, value in fitted.coefficients.items()}
        for unit, fitted in fits.items()
        if fitted.residual <= 1 - LEAST_MADE
    }
    units |= {unit: dict.fromkeys(names, 1.0) for unit, names in kept.items()}
    if "tongueOut" not in kept:
        units |= _tongue(measurement)
    residuals |= {unit: fitted.residual for unit, fitted in fits.items()}
    missing = [unit for unit in TARGETS if unit not in units]
    wrong = [key for key in keys if (unit := spelt(key)) in TARGETS and key not in units.get(str(unit), {})]
    units |= {unit: {} for key in wrong if (unit := str(spelt(key))) in missing}  # else its name would count
    if wrong:
        logger.warning("named like a unit and not doing what it does: %s", ", ".join(wrong))
    if missing:
        logger.warning("%d of 52 units cannot be made: %s", len(missing), ", ".join(missing))
    method = {
        "emo3d": emo3d.__version__,
        "how": "landmarks of MediaPipe cast onto the mesh; units of anny's heads; bounded least squares",
        "missing": missing,
        "kept by name": list(kept),
        "moving both sides": both,
        "targets": {
            key: describe_motion(motion, measurement.sight.eye_distance)
            for key, motion in zip(keys, measurement.motions, strict=True)
        },
    }
    units = {unit: units[unit] for unit in TARGETS if unit in units}
    residuals = {unit: round(residuals[unit], 4) for unit in TARGETS if unit in residuals}
    return CharacterMap(units, residuals, measurement.morphs.origin, method, measurement.morphs.targets)


def _named(measurement: Measurement, seen: np.ndarray) -> tuple[dict[str, list[str]], dict[str, float]]:
    """Units and the targets of their names, where these point the right way or nothing is seen of it; and residuals."""
    motions = dict(zip(measurement.morphs.moves, measurement.motions.astype(float), strict=True))
    kept: dict[str, list[str]] = {}
    residuals = {}
    for place, unit in enumerate(TARGETS):
        names = [key for key in motions if spelt(key) == unit]
        goal, counts = measurement.goals[place], importances(measurement.goals[place])
        alike = {name: _cosine(counts * goal, counts * motions[name]) for name in names}
        best = max(names, key=alike.__getitem__, default="")
        if names and (not seen[place] or alike[best] >= _KEPT):
            kept[unit] = [name for name in names if name == best or not motions[name].any()]  # teeth, of another name
            if seen[place]:
                rest = goal - motions[best]
                residuals[unit] = min(1.0, float(((counts * rest) ** 2).sum() / ((counts * goal) ** 2).sum()))
    return kept, residuals


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float((one * other).sum() / max(1e-30, np.linalg.norm(one) * np.linalg.norm(other)))


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
