"""Faces as files: GLB for Blender, Unity, Unreal and three.js, Live Link Face CSV, and named scores in JSON.

An existing file is replaced. Readings become weights as `emo3d.face.calibration` says: of the rig in a GLB, of anny's
head elsewhere.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import Space, as_dicts
from emo3d.face.calibration import DEFAULT_METHOD, PACKAGED, Method, name_calibration, rig_weights
from emo3d.face.rig import FaceRig
from emo3d.loading import workshop_part


def write_glb(
    path: str | os.PathLike[str],
    expression: Any,
    *,
    rig: FaceRig | None = None,
    space: Space = "weights",
    calibration: Method = DEFAULT_METHOD,
    description: str | None = None,
    animation: Any = None,
    fps: float = 30,
) -> None:
    """Write a face as one GLB mesh with 52 named morph targets, showing the expression when it is opened.

    Metres, y up, +z front. The morph targets (positions and normals; sparse, since most blendshapes move few vertices)
    are `TARGETS` in their order, named in `mesh.extras.targetNames`; the expression is `mesh.weights`, `tongueOut`
    being 0. The texture (a JPEG; a PNG where it cuts out) has the folds of the expression, and the vertices' colours,
    in linear light, multiply it; roughness follows the rig's gloss, which vertices carry as `_GLOSS`.

    Args:
        expression: (51,) in 0..1, in any form that `as_expressions` reads as one row.
        rig: the default identity when None.
        space: of expression and animation.
        description: for `asset.extras`, beside `identity` and what `write_json` says of its scores.
        animation: (F, 51) in 0..1, the frames of an animation of the weights, `fps` a second; its folds are those of
            the expression.

    Raises:
        ValueError: not exactly one valid expression, a reading for a rig without a calibration, invalid frames, fps of
            0 or less, or an unknown space or method.
    """
    content = workshop_part("rigs").glb_bytes(
        expression,
        rig=rig,
        space=space,
        calibration=calibration,
        description=description,
        animation=animation,
        fps=fps,
    )
    Path(path).write_bytes(content)


def write_livelink_csv(
    path: str | os.PathLike[str],
    expressions: Any,
    *,
    fps: int = 60,
    space: Space = "weights",
    calibration: Method = DEFAULT_METHOD,
) -> None:
    """Write expressions (N, 51) in 0..1 as a take of Epic's Live Link Face app, one frame per row.

    Columns: `Timecode` (HH:MM:SS:FF.fff from zero; as in takes of the app, FF counts sixtieths of a second whatever the
    frame rate, and fff are thousandths of a sixtieth), `BlendshapeCount` (61), Apple's 52 blendshapes in PascalCase,
    and nine rotations of head and eyes, which an expression does not have: they and `TongueOut` are 0.

    Raises:
        ValueError: invalid expressions, fps that is no whole number of at least 1, or an unknown space or method.
    """
    if int(fps) != fps or fps < 1:
        raise ValueError(f"expected a whole number of frames per second, got {fps}")
    weights = np.pad(rig_weights(expressions, space, calibration), ((0, 0), (0, 1)))
    workshop_part("clips").write_livelink(path, weights, np.arange(len(weights)) / fps)


def write_json(
    path: str | os.PathLike[str], expressions: Any, *, space: Space = "weights", calibration: Method = "none"
) -> None:
    """Write expressions (N, 51) in 0..1 as `{"space": ..., "expressions": [{ARKit name: score, ...}, ...]}`.

    Beside the file's own `space` it has `source_space`, that of `expressions`, and `calibration`, how one became the
    other: method and name (`"network/anny-2"`), `"none"` for readings as they are, null for weights.
    `read_expressions` reads all of it back but the last two.

    Raises:
        ValueError: invalid expressions, or an unknown space or method.
    """
    document = {**provenance(space, calibration), "expressions": as_dicts(rig_weights(expressions, space, calibration))}
    Path(path).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def provenance(space: Space, method: Method, calibration: FaceRig | str = PACKAGED) -> dict[str, str | None]:
    """How scores of a space became what a file holds: its `space`, `source_space` and `calibration`."""
    name = name_calibration(space, method, calibration)
    return {"space": space if method == "none" else "weights", "source_space": space, "calibration": name}
