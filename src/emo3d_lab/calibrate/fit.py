"""Fit a calibration to measured faces, and test it on held-out ones, and with the instrument."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import emo3d
from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.calibration import METHODS, Calibration, Method
from emo3d.face.rig import FaceRig
from emo3d_lab.calibrate.bias import MEASURES, mean_squared_error, r_squared
from emo3d_lab.calibrate.files import save_calibration
from emo3d_lab.calibrate.measure import Faces, Setup, measure, read_faces
from emo3d_lab.calibrate.networks import fit_networks
from emo3d_lab.calibrate.page import write_page
from emo3d_lab.calibrate.sample import KINDS, sample_sittings
from emo3d_lab.landmarker import FaceReader
from emo3d_lab.landmarks import weigh

UNDETERMINED = 0.05
"""R^2, over held-out faces with independent units, below which readings do not determine a unit.

Where R^2 over all held-out faces is not below it, the unit is inferred from those that the textbook's expressions have
beside it; otherwise it is unrecoverable, and left at 0.
"""

_EPOCHS = 60
_TRIAL_FACES = 800  # held-out ones that make the real round trip
_FIRST_FACES = 8  # of a rig, before it is measured
_PAGE_FACES = 1000


def calibrate(
    out: str | os.PathLike[str],
    *,
    rig: str | os.PathLike[str] | None = None,
    names: str | None = None,
    map: str | os.PathLike[str] | None = None,
    face: str | None = None,
    name: str | None = None,
    faces: int,
    seed: int = 0,
    model: str | os.PathLike[str] | None = None,
    num_proc: int = 1,
    quiet: bool = False,
) -> tuple[Path, dict[str, Any]]:
    """Make a calibration from nothing: sample, measure, fit, test with the real instrument, write.

    Args:
        out: folder for `NAME.safetensors`, `NAME.json` (the figures), `instrument.html` (the instrument's bias) and the
            measured faces; see `measure`, which goes on where an earlier run stopped.
        rig, names, map, face, model, quiet: see `Setup`; of anny, "adult" is the identity to render on.
        name: of the calibration; `"anny-2"` or the GLB's file name by default.
        faces, seed, num_proc: see `measure`.

    Returns:
        The path of the calibration, and its figures: see `fit`, `round_trip`, and the names of units in `absent`.

    Raises:
        ValueError: see `measure` and `fit`; the instrument finds no face in the rig; or the fit does not beat readings
            as weights, and only the measured faces are written.
        OSError: see `measure`.
    """
    setup = Setup(rig, names, model, quiet, map, face)
    target = setup.face()
    sittings = sample_sittings(faces, seed=seed, identities=rig is None)
    if rig is not None:
        _check_visible(target, sittings[0].shots[0].weights[:_FIRST_FACES], setup)
    sample = measure(out, setup, faces=faces, seed=seed, num_proc=num_proc)
    name = name or ("anny-2" if rig is None else Path(rig).stem)
    source = json.loads((Path(out) / "faces" / "source.json").read_text(encoding="utf-8"))
    about = {"emo3d": emo3d.__version__, "faces": str(len(sample)), "seed": str(seed), **source}
    calibration, figures = fit(sample, name=name, seed=seed, absent=target.missing, about=about, num_proc=num_proc)
    for row in ("weights", "at rest"):
        _check_better(row, figures, len(sample))
    held_out = sample[sample.held_out & sample.has_face]
    with setup.reader() as reader:
        readings = held_out.readings[:: max(1, len(held_out) // _TRIAL_FACES)]
        figures["round trip"] = {
            method: round_trip(calibration, readings, method, target, reader) for method in METHODS
        }
        _check_better("round trip", figures, len(sample))
        rigs = [setup.face(sitting) for sitting in sittings if sitting.held_out][: 6 if rig is None else 1]
        page = Path(out) / "instrument.html"
        page_faces = min(_PAGE_FACES, faces // 4)
        write_page(page, calibration, rigs, reader, figures=figures, faces=page_faces, seed=seed)
    misses = int((~sample.has_face).sum())
    figures = {"name": name, **figures, "absent": list(target.missing), "not found": misses, **about}
    path = Path(out) / f"{name}.safetensors"
    tables = {key: json.dumps(figures[key]) for key in ("weights", "at rest", "readings", "round trip")}
    save_calibration(replace(calibration, about={**calibration.about, **tables}), path)
    path.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return path, figures


def _check_visible(rig: FaceRig, weights: np.ndarray, setup: Setup) -> None:
    """Raise a ValueError where the instrument finds no face in any of these, before thousands are rendered."""
    with setup.reader() as reader:
        readings = read_faces(weights, [rig] * len(weights), reader)
    if np.isnan(readings[:, 0]).all():
        raise ValueError(
            f"the instrument finds no face in {len(weights)} of {len(weights)} pictures of {rig.name}: look at one, "
            "`emo3d.render(weights, rig=rig)`; it must look like a person's face"
        )


def _check_better(row: str, figures: Mapping[str, Any], faces: int) -> None:
    """Raise a ValueError where a method, or the network that sees pictures, is no better than readings as weights."""
    raw = figures[row]["none"]
    for method in (*METHODS, "picture"):
        if method != "none" and method in figures[row] and not figures[row][method] < raw:  # NaN, too
            raise ValueError(
                f"the fit does not beat readings taken as weights, so it is not written: {MEASURES[row]} "
                f"{figures[row][method]:.4f} by {method}, {raw:.4f} raw; measure more than {faces} faces, in a new "
                "folder"
            )


def round_trip(
    calibration: Calibration, readings: np.ndarray, method: Method, rig: FaceRig, reader: FaceReader
) -> float:
    """Mean squared error of the real instrument's readings of the faces that readings (N, 51) are rendered as."""
    weights = calibration.to_weights(readings, method)
    return _error(read_faces(weights, [rig] * len(weights), reader), readings)


def fit(
    faces: Faces,
    *,
    name: str,
    seed: int = 0,
    epochs: int = _EPOCHS,
    absent: Collection[str] = (),
    about: Mapping[str, str] | None = None,
    num_proc: int = 1,
) -> tuple[Calibration, dict[str, Any]]:
    """Fit a calibration.

    Args:
        faces: measured; not fitted on are held-out rows and those without a face.
        name: of the calibration.
        seed: of initial weights and order of rows; the same faces and seed give the same bits on the same machine.
        epochs: passes over the faces.
        absent: units that the rig lacks.
        about: strings for the file's metadata.
        num_proc: processes; three networks are fitted.

    Returns:
        The calibration, and figures of held-out faces: see `held_out_figures`.

    Raises:
        ValueError: no face to fit on, or none held out.
    """
    faces = faces[faces.has_face]
    train, test = faces[~faces.held_out], faces[faces.held_out]
    if not len(train) or not len(test):
        raise ValueError(f"expected faces to fit and faces held out, got {len(train)} and {len(test)}")
    arrays = fit_networks(train, seed=seed, epochs=epochs, absent=absent, num_proc=num_proc)
    estimates = Calibration(name, arrays).to_weights(test.readings, "network")
    mixtures = test.kind == KINDS.index("mixture")
    r2_of_mixtures = determination(test[mixtures], estimates[mixtures])
    weak = _below(r2_of_mixtures, absent)
    unrecoverable = tuple(unit for unit in _below(determination(test, estimates), absent) if unit in weak)
    inferred = tuple(unit for unit in weak if unit not in unrecoverable)
    calibration = Calibration(name, arrays, unrecoverable, inferred, about or {})
    figures = held_out_figures(calibration, test)
    without = replace(calibration, unrecoverable=(*unrecoverable, *inferred))
    figures["weights without inferred"] = held_out_figures(without, test)["weights"]
    figures["determination"] = {unit: round(float(r2), 3) for unit, r2 in zip(BLENDSHAPES, r2_of_mixtures, strict=True)}
    return calibration, {**figures, "unrecoverable": list(unrecoverable), "inferred": list(inferred)}


def _below(r2: np.ndarray, absent: Collection[str]) -> tuple[str, ...]:
    return tuple(unit for unit, value in zip(BLENDSHAPES, r2, strict=True) if unit in absent or value < UNDETERMINED)


def determination(faces: Faces, estimates: np.ndarray) -> np.ndarray:
    """R^2 of each unit's weight over faces, (51,); 0 for a unit that does not vary."""
    return np.nan_to_num(r_squared(faces.weights, estimates))


def held_out_figures(calibration: Calibration, faces: Faces) -> dict[str, Any]:
    """Figures of faces.

    Returns:
        Mean squared errors of `"weights"`, by each method, from pictures, and of their mean; the largest mean weight of
        a unit `"at rest"`, by the same; mean squared errors of `"readings"` by the forward network, and of their mean.
    """
    readings, mean = faces.readings, faces.weights.mean(axis=0)
    estimates: dict[str, np.ndarray] = {method: calibration.to_weights(readings, method) for method in METHODS}
    estimates["picture"] = weigh(calibration, readings, faces.landmarks)
    rest = faces.kind == KINDS.index("neutral")
    return {
        "faces": len(faces),
        "weights": {method: _error(weights, faces.weights) for method, weights in estimates.items()}
        | {"mean": _error(np.broadcast_to(mean, faces.weights.shape), faces.weights)},
        "at rest": {
            method: round(float(weights[rest].mean(axis=0).max()), 4)
            for method, weights in estimates.items()
            if rest.any()
        },
        "readings": {
            "forward": _error(calibration.to_readings(faces.weights), readings),
            "mean": _error(np.broadcast_to(readings.mean(axis=0), readings.shape), readings),
        },
    }


def _error(values: np.ndarray, truth: np.ndarray) -> float:
    return round(mean_squared_error(values, truth), 6)
