"""What a rig takes of what is given: weights pass, readings are calibrated first, and which way it went is said."""

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
    """Turn expressions into weights for a rig.

    Args:
        expressions: (N, 51) in 0..1, anything that `as_expressions` reads.
        space: what they are. Weights pass as they are, whatever the method.
        method: how readings become weights, see `emo3d.face.calibration`; `"none"` passes them as they are.
        calibration: the rig; or name or path of a calibration, which is then not held against a rig.

    Returns:
        (N, 51) float32 in 0..1.

    Raises:
        ValueError: bad expressions, an unknown space or method, or readings for a rig without a calibration or with one
            that was made of another.
    """
    scores = as_expressions(expressions)
    found = _calibration(space, method, calibration)
    return scores if found is None else found.to_weights(scores, method)


def name_calibration(
    space: Space, method: Method = DEFAULT_METHOD, calibration: FaceRig | str | None = PACKAGED
) -> str | None:
    """Name what `rig_weights` does, as files and signatures say it.

    Returns:
        `"network/anny-1"` (method and the calibration's own name), `"none"` for readings that are taken as they are,
        None for weights.
    """
    if check_space(space) == "weights":
        return None
    found = _calibration(space, method, calibration)
    return method if found is None else f"{method}/{found.name}"


def _calibration(space: Space, method: Method, rig: FaceRig | str | None) -> Calibration | None:
    if (check_space(space), check_method(method) == "none") != ("reading", False):
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
