"""Expressions as weights of a rig: weights pass, readings are calibrated first, and the way is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emo3d.blendshapes import Space, as_expressions, check_space
from emo3d.face.calibration import DEFAULT_METHOD, PACKAGED, Calibration, Method, check_method, load_calibration

if TYPE_CHECKING:
    from emo3d.face.rig import FaceRig


def rig_weights(
    expressions: Any, space: Space, method: Method = DEFAULT_METHOD, calibration: FaceRig | str | None = PACKAGED
) -> np.ndarray:
    """Turn expressions (N, 51) in 0..1 into weights (N, 51) float32 of a rig.

    Args:
        expressions: anything that `as_expressions` reads.
        space: of the expressions. Weights pass as they are, whatever the method.
        method: how readings become weights, see `emo3d.face.calibration`.
        calibration: the rig; or name or path of a calibration, which is then not compared with a rig.

    Raises:
        ValueError: bad expressions, an unknown space or method, or readings for a rig without a calibration or with one
            that was made of another.
    """
    scores = as_expressions(expressions)
    conversion = _calibration(space, method, calibration)
    return scores if conversion is None else conversion.to_weights(scores, method)


def name_calibration(
    space: Space, method: Method = DEFAULT_METHOD, calibration: FaceRig | str | None = PACKAGED
) -> str | None:
    """Name what `rig_weights` does: `"network/anny-1"`, `"none"` for readings as they are, None for weights."""
    if check_space(space) == "weights":
        return None
    conversion = _calibration(space, method, calibration)
    return method if conversion is None else f"{method}/{conversion.name}"


def _calibration(space: Space, method: Method, rig: FaceRig | str | None) -> Calibration | None:
    raw = check_method(method) == "none"
    if check_space(space) == "weights" or raw:
        return None
    name = rig if rig is None or isinstance(rig, str) else rig.calibration
    if name is None:
        raise ValueError(
            "the rig has no calibration, so it cannot show readings: make one with `emo3d calibrate`, or pass "
            'calibration="none" to take them as if they were weights'
        )
    calibration = load_calibration(name)
    if rig is not None and not isinstance(rig, str):
        calibration.check_rig(rig)
    return calibration
