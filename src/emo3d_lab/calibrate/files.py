"""The file of a calibration, which `Calibration.load` reads."""

from __future__ import annotations

import json
import os

import numpy as np
from safetensors.numpy import save_file

from emo3d.face.calibration import Calibration


def save_calibration(calibration: Calibration, path: str | os.PathLike[str]) -> None:
    """Write a calibration as a safetensors file."""
    # Safetensors writes bytes as they lie, and a transposed array would come back mixed up.
    arrays = {name: np.ascontiguousarray(array) for name, array in calibration.arrays.items()}
    names = {name: json.dumps(getattr(calibration, name)) for name in ("unrecoverable", "inferred")}
    save_file(arrays, path, metadata={**calibration.about, "name": calibration.name, **names})
