"""How an instrument is biased: what it reads off faces whose weights are known, and what can be told back from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings, render_batches
from emo3d.face.calibration import METHODS, Calibration, Method
from emo3d_lab.landmarker import FaceReader

STRENGTHS: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
"""Weights at which each unit is told alone."""

_JAW, _CLOSE = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("mouthClose")


@dataclass(frozen=True, eq=False)
class Bias:
    """Readings of single units on several faces; NaN where the face was not found or the rig lacks the unit.

    Attributes:
        rigs: names of the I faces.
        strengths: the S weights at which each unit was told.
        neutral: (I, 51) readings of the faces at rest.
        told: (I, 51, S, 51) readings: face, unit told, strength, unit read. `mouthClose`, which closes the lips of an
            open jaw and means nothing without one, was told together with a `jawOpen` of the same weight.
        faces: how many pictures were taken.
        missed: in how many of them no face was found.
    """

    rigs: tuple[str, ...]
    strengths: tuple[float, ...]
    neutral: np.ndarray
    told: np.ndarray
    faces: int
    missed: int

    @property
    def above(self) -> np.ndarray:
        """(I, 51, S, 51) `told` above what the same face reads without the unit: at rest, or with `jawOpen` alone."""
        without = np.broadcast_to(self.neutral[:, None, None], self.told.shape).copy()
        without[:, _CLOSE] = self.told[:, _JAW]
        return self.told - without

    @property
    def own(self) -> np.ndarray:
        """(I, 51, S) each unit's own reading, above."""
        return np.einsum("iusu->ius", self.above)

    @property
    def cross_talk(self) -> np.ndarray:
        """(51, 51) mean over faces of `above` at the last strength: unit told, unit read."""
        return _mean(self.above[:, :, -1])

    def deaf(self, least: float = 0.05) -> tuple[str, ...]:
        """Units whose own reading at the last strength is below `least` above, in the mean over faces."""
        heard = _mean(self.own[:, :, -1])
        return tuple(name for name, reading in zip(BLENDSHAPES, heard, strict=True) if reading < least)


@dataclass(frozen=True, eq=False)
class Trial:
    """Faces that were told, read, told back and read again.

    Attributes:
        found: (M,) bool, in which of the pictures a face was found; what follows is of those N.
        weights: (N, 51) that the rigs were told.
        readings: (N, 51) of those faces.
        recovered: method -> (N, 51) weights told back from the readings; `"none"` takes the readings as weights.
        reread: method -> (N, 51) readings of the faces with the recovered weights; NaN where no face was found.
    """

    found: np.ndarray
    weights: np.ndarray
    readings: np.ndarray
    recovered: dict[Method, np.ndarray]
    reread: dict[Method, np.ndarray]

    def weights_error(self, method: Method) -> float:
        """Mean squared error of recovered weights."""
        return mean_squared_error(self.recovered[method], self.weights)

    def reading_error(self, method: Method) -> float:
        """Mean squared error of the round trip reading -> weights -> picture -> reading."""
        return mean_squared_error(self.reread[method], self.readings)


def measure_bias(rigs: Sequence[FaceRig], reader: FaceReader, strengths: Sequence[float] = STRENGTHS) -> Bias:
    """Tell each face each unit alone and read it: 1 + 51 x S pictures a face, 11 ms each with `FaceReader`.

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
    missed = int(np.isnan(readings[:, 0]).sum())
    readings = readings.reshape(len(rigs), len(weights), units)
    told = readings[:, 1:].reshape(len(rigs), units, count, units).copy()
    for place, rig in enumerate(rigs):
        told[place, ~rig.deltas[:units].any(axis=(1, 2))] = np.nan
    return Bias(
        rigs=tuple(rig.name for rig in rigs),
        strengths=tuple(strengths),
        neutral=readings[:, 0],
        told=told,
        faces=len(rigs) * len(weights),
        missed=missed,
    )


def run_trial(
    calibration: Calibration,
    weights: np.ndarray,
    rigs: Sequence[FaceRig],
    reader: FaceReader,
    methods: Sequence[Method] = METHODS,
    settings: Sequence[RenderSettings] | None = None,
) -> Trial:
    """Tell faces, read them, tell the readings back, and read those faces too.

    Args:
        calibration: what tells them back.
        weights: (M, 51); face m is `rigs[m % len(rigs)]`.
        rigs: faces, best of people who took no part in fitting.
        reader: the instrument.
        methods: of `to_weights`.
        settings: of the M pictures, before and after; the default portrait otherwise.
    """
    faces = [rigs[row % len(rigs)] for row in range(len(weights))]
    readings = read_faces(weights, faces, reader, settings)
    found = ~np.isnan(readings[:, 0])
    weights, readings = weights[found], readings[found]
    faces, settings = _kept(faces, found), _kept(settings, found) if settings else None
    recovered = {method: calibration.to_weights(readings, method) for method in methods}
    reread = {method: read_faces(told, faces, reader, settings) for method, told in recovered.items()}
    return Trial(found, weights, readings, recovered, reread)


def read_faces(
    weights: np.ndarray, rigs: Sequence[FaceRig], reader: FaceReader, settings: Sequence[RenderSettings] | None = None
) -> np.ndarray:
    """Picture N faces and read them: weights (N, 51) and N rigs -> (N, 51) float32, NaN where no face is found.

    Faces of one rig and setting are pictured together; what comes out is in the order of what came in.
    """
    readings = np.full((len(weights), len(BLENDSHAPES)), np.nan, np.float32)
    alike: dict[tuple[int, RenderSettings], list[int]] = {}
    for row, rig in enumerate(rigs):
        alike.setdefault((id(rig), settings[row] if settings else RenderSettings()), []).append(row)
    with tqdm(desc="Reading faces", total=len(weights), unit=" faces", delay=5, leave=False) as progress:
        for (_, setting), rows in alike.items():
            batches = render_batches(weights[rows], rig=rigs[rows[0]], settings=setting)
            for row, picture in zip(rows, chain.from_iterable(batches), strict=True):
                reading = reader.read(picture)
                if reading is not None:
                    readings[row] = reading
                progress.update()
    return readings


def r_squared(weights: np.ndarray, recovered: np.ndarray) -> np.ndarray:
    """How much of each unit comes back: 1 - squared error / variance, (51,); 1 is all, 0 no better than its mean.

    NaN for a unit that does not vary.
    """
    error = ((np.asarray(recovered, np.float64) - weights) ** 2).mean(axis=0)
    variance = np.asarray(weights, np.float64).var(axis=0)
    return 1 - np.divide(error, variance, out=np.full(error.shape, np.nan), where=variance > 0)


def mean_squared_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Mean squared error over (N, 51), without rows of NaN."""
    kept = ~np.isnan(found).any(axis=1)
    return float(((np.asarray(found, np.float64)[kept] - expected[kept]) ** 2).mean())


def _kept(values: Sequence[Any], mask: np.ndarray) -> list[Any]:
    return [value for value, kept in zip(values, mask, strict=True) if kept]


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis without NaN; NaN where there is nothing else."""
    count = (~np.isnan(values)).sum(axis=0)
    return np.divide(np.nansum(values, axis=0), count, out=np.full(count.shape, np.nan), where=count > 0)
