"""An expression as a Blender script, for any head whose shape keys carry ARKit's names."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

from emo3d.blendshapes import Space, as_dicts, as_expressions
from emo3d.face.calibration import DEFAULT_METHOD, Method, rig_weights
from emo3d.names import SPELLINGS, folded, spelt

_SCRIPT = '''"""Sets the shape keys of every selected mesh to an expression. Made by emo3d.

In Blender: select the head (and what hangs on it: teeth, brows), open this file in the Text Editor, press Run.
Names are found in any spelling of ARKit's: jawOpen, JawOpen, jaw_open, eyeBlink_L. Set KEYFRAME to a frame to animate.
"""

from __future__ import annotations

import re

import bpy

KEYFRAME = None
WEIGHTS = {
@WEIGHTS@}
SPELLINGS = {
@SPELLINGS@}


@RULE@

def main():
    present = set()
    for thing in bpy.context.selected_objects:
        if thing.type != "MESH" or thing.data.shape_keys is None:
            continue
        keys = {}
        for key in thing.data.shape_keys.key_blocks:
            name = spelt(key.name)
            if name not in WEIGHTS:
                continue
            if name in keys:
                raise RuntimeError(f"{thing.name} has {name} twice, as {keys[name].name} and {key.name}: rename one")
            keys[name] = key
        for name, key in keys.items():
            key.value = WEIGHTS[name]
            if KEYFRAME is not None:
                key.keyframe_insert("value", frame=KEYFRAME)
        present |= keys.keys()
    if not present:
        raise RuntimeError("expected a selected mesh with ARKit shape keys (jawOpen, mouthSmileLeft, ...), found none")
    missing = [name for name, weight in WEIGHTS.items() if weight > 0 and name not in present]
    print(f"emo3d: set {len(present)} shape keys" + (f"; no key for {', '.join(missing)}" if missing else ""))


main()
'''


def write_blender_script(
    path: str | os.PathLike[str],
    expression: Any,
    *,
    space: Space = "weights",
    calibration: Method = DEFAULT_METHOD,
) -> None:
    """Write a Python script that sets the shape keys of the selected meshes in Blender to an expression.

    It finds shape keys by ARKit's names in any spelling that `emo3d.names.blendshape_name` knows, leaves all others
    alone, prints what the mesh lacks, and stops where a mesh has none of them or two for one.

    Args:
        path: an existing file is replaced.
        expression: (51,) in 0..1, in any form that `as_expressions` reads as one row.
        space: of the expression. A reading becomes weights, with the calibration of anny's head.
        calibration: how it does, see `emo3d.face.calibration`; `"none"` writes a reading as it is.

    Raises:
        ValueError: not exactly one valid expression, or an unknown space or method.
    """
    scores = as_expressions(expression)
    if len(scores) != 1:
        raise ValueError(f"expected one expression for a script, got {len(scores)}")
    (weights,) = as_dicts(rig_weights(scores, space, calibration))
    lines = "".join(f'    "{name}": {weight:.4f},\n' for name, weight in weights.items())
    spellings = "".join(f'    "{spelling}": "{name}",\n' for spelling, name in SPELLINGS.items())
    rule = "\n\n".join(map(inspect.getsource, (folded, spelt)))  # the package's own, so that both know the same names
    script = _SCRIPT.replace("@WEIGHTS@", lines).replace("@SPELLINGS@", spellings).replace("@RULE@", rule)
    Path(path).write_text(script, encoding="utf-8")
