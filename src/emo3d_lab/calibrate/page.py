"""The bias of an instrument as a page: its readings of known faces, and the weights that its calibration recovers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import compress

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings, render
from emo3d.face.calibration import Calibration, Method
from emo3d.pictures import encode_picture
from emo3d_lab import pages
from emo3d_lab.calibrate.bias import MEASURES, Bias, Trial, measure_bias, r_squared, run_trial
from emo3d_lab.calibrate.measure import read_faces
from emo3d_lab.calibrate.sample import KINDS, sample_weights
from emo3d_lab.landmarker import FaceReader
from emo3d_lab.sample.prototypes import compose

_RAW_FIRST: tuple[Method, ...] = ("none", "network", "refine")
_SIDE = 160  # pixels of a picture on the page
_EXAMPLES = {"at rest": {}, "sadness": {"sadness": 1.0}, "disgust": {"disgust": 1.0}, "happiness": {"happiness": 1.0}}


def write_page(
    path: str | os.PathLike[str],
    calibration: Calibration,
    rigs: Sequence[FaceRig],
    reader: FaceReader,
    *,
    figures: Mapping[str, Mapping[str, float]] | None = None,
    faces: int = 1000,
    seed: int = 0,
) -> None:
    """Measure the instrument's bias and the calibration, and write the page.

        with FaceReader(quiet=True) as reader:
            write_page(out / "instrument.html", calibration, rigs, reader)

    With six rigs this reads 5,200 pictures, which takes a minute on two cores.

    Args:
        path: of the page, one file that loads nothing from outside it.
        calibration: of the instrument.
        rigs: the faces, at best of identities that the calibration is not fitted on.
        reader: the instrument.
        figures: of the fit, on faces held out; see `emo3d_lab.calibrate.bias.MEASURES`.
        faces: random ones for the round trip and, the mixtures among them, for R^2.
        seed: of the draw.
    """
    bias = measure_bias(rigs, reader)
    weights, kinds = sample_weights(faces, np.random.default_rng(seed))
    trial = run_trial(calibration, weights, rigs, reader, _RAW_FIRST)
    mixtures = kinds[trial.has_face] == KINDS.index("mixture")
    r2 = {
        method: r_squared(trial.weights[mixtures], estimate[mixtures]) for method, estimate in trial.estimates.items()
    }
    show(path, calibration, bias, r2, trial, _pictures(calibration, rigs[0], reader), figures or {})


def show(
    path: str | os.PathLike[str],
    calibration: Calibration,
    bias: Bias,
    r2: Mapping[Method, np.ndarray],
    trial: Trial,
    pictures: Mapping[str, Sequence[str]],
    figures: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Write the page.

    Args:
        path: of the page.
        calibration: for its name, and the units that it cannot recover, or only infer.
        bias: of the instrument.
        r2: method -> (51,) R^2 of estimated weights, on faces that mix units independently.
        trial: of the round trip.
        pictures: name of a face -> URIs of its pictures: with its weights, and with those that `none`, `network` and
            `refine` estimate.
        figures: of the fit, see `write_page`.
    """
    own = bias.own
    neutral = sorted(zip(BLENDSHAPES, bias.neutral.T, strict=True), key=lambda item: -np.nanmean(item[1]))
    pages.write_page(
        "calibration.html.jinja",
        path,
        name=calibration.name,
        bias=bias,
        deaf=bias.deaf(),
        unrecoverable=calibration.unrecoverable,
        inferred=calibration.inferred,
        neutral=[(unit, *_spread(values)) for unit, values in neutral if np.nanmean(values) >= 0.05],
        quiet=[unit for unit, values in neutral if np.nanmean(values) < 0.05],
        responses=[
            [(unit, _curve(bias.strengths, own[:, place]), *_spread(own[:, place, -1])) for unit, place in region]
            for region in pages.face_regions()
        ],
        regions=pages.face_regions(),
        names=BLENDSHAPES,
        cross_talk=bias.cross_talk.tolist(),
        returned={method: values.tolist() for method, values in r2.items() if method != "none"},
        methods={"none": "readings as weights", "network": "network", "refine": "refine"},
        trial=trial,
        pictures=pictures,
        figures={row: figures[row] for row in MEASURES if figures and row in figures},
        measures=MEASURES,
    )


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, minimum and maximum over faces; NaN where there is none."""
    values = values[~np.isnan(values)]
    return (float(values.mean()), float(values.min()), float(values.max())) if len(values) else (np.nan,) * 3


def _curve(strengths: Sequence[float], own: np.ndarray) -> dict[str, str] | None:
    """A unit's own readings (I, S) as points of an SVG 100 wide, 1 being 60 high: mean, and band from min to max."""
    columns = [(0.0, 0.0, 0.0), *(_spread(values) for values in own.T)]
    if np.isnan(columns).any():
        return None
    mean, low, high = (
        [f"{100 * x:.1f},{60 - 60 * y:.1f}" for x, y in zip((0.0, *strengths), line, strict=True)]
        for line in zip(*columns, strict=True)
    )
    return {"mean": " ".join(mean), "band": " ".join([*low, *reversed(high)])}


def _pictures(calibration: Calibration, rig: FaceRig, reader: FaceReader) -> dict[str, list[str]]:
    examples = np.stack([compose(intensities) for intensities in _EXAMPLES.values()]).astype(np.float32)
    readings = read_faces(examples, [rig] * len(examples), reader)
    has_face = ~np.isnan(readings[:, 0])
    readings = readings[has_face]
    columns = [examples[has_face], *(calibration.to_weights(readings, method) for method in _RAW_FIRST)]
    tiles = [render(weights, rig=rig, settings=RenderSettings(size=_SIDE)) for weights in columns]
    names = compress(_EXAMPLES, has_face)
    return {name: [encode_picture(tile[row], _SIDE) for tile in tiles] for row, name in enumerate(names)}
