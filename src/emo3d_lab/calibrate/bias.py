"""The bias of an instrument: its readings of faces whose weights are known, and the weights that come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings
from emo3d.face.calibration import METHODS, Calibration, Method
from emo3d_lab.calibrate.measure import read_faces
from emo3d_lab.landmarker import FaceReader

STRENGTHS: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
"""Weights of each unit alone."""

MEASURES = {
    "weights": "mean squared error of weights",
    "at rest": "mean weight at rest, of the largest unit",
    "round trip": "mean squared error of the round trip",
}
"""What a fit is judged by, on faces of people who are not fitted on; it must be less than with readings as weights."""

_JAW, _CLOSE = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("mouthClose")


@dataclass(frozen=True, eq=False)
class Bias:
    """Readings of single units on several faces; NaN where the instrument finds no face or the rig lacks the unit.

    Attributes:
        rigs: names of the I faces.
        strengths: the S weights of each unit.
        neutral: (I, 51) readings of the faces at rest.
        readings: (I, 51, S, 51): face, unit, strength, unit read. `mouthClose`, which closes the lips of an open jaw
            and means nothing without one, comes with a `jawOpen` of the same weight.
        faces: pictures.
        misses: pictures in which the instrument finds no face.
    """

    rigs: tuple[str, ...]
    strengths: tuple[float, ...]
    neutral: np.ndarray
    readings: np.ndarray
    faces: int
    misses: int

    @property
    def above(self) -> np.ndarray:
        """(I, 51, S, 51) readings above those of the same face without the unit: at rest, or with `jawOpen` alone."""
        without = np.broadcast_to(self.neutral[:, None, None], self.readings.shape).copy()
        without[:, _CLOSE] = self.readings[:, _JAW]
        return self.readings - without

    @property
    def own(self) -> np.ndarray:
        """(I, 51, S) each unit's own reading, above."""
        return np.einsum("iusu->ius", self.above)

    @property
    def cross_talk(self) -> np.ndarray:
        """(51, 51) mean over faces of `above` at the last strength: unit, unit read."""
        return _mean(self.above[:, :, -1])

    def deaf(self, least: float = 0.05) -> tuple[str, ...]:
        """Units whose own reading at the last strength is below `least` above, in the mean over faces."""
        readings = _mean(self.own[:, :, -1])
        return tuple(name for name, reading in zip(BLENDSHAPES, readings, strict=True) if reading < least)


@dataclass(frozen=True, eq=False)
class Trial:
    """The round trip weights -> readings -> estimates of the weights -> their readings.

    Attributes:
        has_face: (M,) bool, the pictures in which the instrument finds a face; the rest is of those N.
        weights: (N, 51) of the rigs.
        readings: (N, 51) of the faces.
        estimates: method -> (N, 51) weights by the calibration; by `"none"`, the readings.
        second_readings: method -> (N, 51) readings of faces with the estimates; NaN without a face.
    """

    has_face: np.ndarray
    weights: np.ndarray
    readings: np.ndarray
    estimates: dict[Method, np.ndarray]
    second_readings: dict[Method, np.ndarray]

    def weights_error(self, method: Method) -> float:
        """Mean squared error of the estimates."""
        return mean_squared_error(self.estimates[method], self.weights)

    def reading_error(self, method: Method) -> float:
        """Mean squared error of the round trip reading -> weights -> picture -> reading."""
        return mean_squared_error(self.second_readings[method], self.readings)


def measure_bias(rigs: Sequence[FaceRig], reader: FaceReader, strengths: Sequence[float] = STRENGTHS) -> Bias:
    """Read each unit alone on each face: 1 + 51 x S pictures a face, 11 ms each with `FaceReader`.

    Args:
        rigs: faces; a unit that a rig lacks is NaN in it.
        reader: the instrument.
        strengths: S weights in 0..1, ascending.
    """
    count, units = len(strengths), len(BLENDSHAPES)
    weights = np.zeros((1 + units * count, units), np.float32)
    weights[1:] = (np.eye(units)[:, None] * np.asarray(strengths)[:, None]).reshape(-1, units)
    weights[:, _JAW] = np.maximum(weights[:, _JAW], weights[:, _CLOSE])
    readings = read_faces(np.tile(weights, (len(rigs), 1)), [rig for rig in rigs for _ in weights], reader)
    misses = int(np.isnan(readings[:, 0]).sum())
    readings = readings.reshape(len(rigs), len(weights), units)
    single = readings[:, 1:].reshape(len(rigs), units, count, units).copy()
    for place, rig in enumerate(rigs):
        single[place, ~rig.deltas[:units].any(axis=(1, 2))] = np.nan
    return Bias(
        rigs=tuple(rig.name for rig in rigs),
        strengths=tuple(strengths),
        neutral=readings[:, 0],
        readings=single,
        faces=len(rigs) * len(weights),
        misses=misses,
    )


def run_trial(
    calibration: Calibration,
    weights: np.ndarray,
    rigs: Sequence[FaceRig],
    reader: FaceReader,
    methods: Sequence[Method] = METHODS,
    settings: Sequence[RenderSettings] | None = None,
) -> Trial:
    """Read faces, estimate their weights, and read faces with the estimates.

    Args:
        calibration: estimates the weights.
        weights: (M, 51); face m is `rigs[m % len(rigs)]`.
        rigs: faces, best of identities that the calibration is not fitted on.
        reader: the instrument.
        methods: of `to_weights`.
        settings: of the M pictures, before and after; the default portrait otherwise.
    """
    faces = [rigs[row % len(rigs)] for row in range(len(weights))]
    readings = read_faces(weights, faces, reader, settings)
    has_face = ~np.isnan(readings[:, 0])
    faces, settings = list(compress(faces, has_face)), list(compress(settings, has_face)) if settings else None
    readings = readings[has_face]
    estimates = {method: calibration.to_weights(readings, method) for method in methods}
    second = {method: read_faces(estimate, faces, reader, settings) for method, estimate in estimates.items()}
    return Trial(has_face, weights[has_face], readings, estimates, second)


def r_squared(weights: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    """How much of each unit comes back: 1 - squared error / variance, (51,); 1 is all, 0 no better than its mean.

    NaN for a unit that does not vary.
    """
    error = ((np.asarray(estimates, np.float64) - weights) ** 2).mean(axis=0)
    variance = np.asarray(weights, np.float64).var(axis=0)
    return 1 - np.divide(error, variance, out=np.full(error.shape, np.nan), where=variance > 0)


def mean_squared_error(values: np.ndarray, expected: np.ndarray) -> float:
    """Mean squared error over (N, 51), without rows of NaN."""
    rows = ~np.isnan(values).any(axis=1)
    return float(((np.asarray(values, np.float64)[rows] - expected[rows]) ** 2).mean())


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis without NaN; NaN where there is nothing else."""
    count = (~np.isnan(values)).sum(axis=0)
    return np.divide(np.nansum(values, axis=0), count, out=np.full(count.shape, np.nan), where=count > 0)
