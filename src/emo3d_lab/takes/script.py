"""A Python script that sets shape keys in Blender."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import Space, as_dicts, as_expressions
from emo3d.face.calibration import DEFAULT_METHOD, Method, rig_weights
from emo3d.names import SPELLINGS, folded, spelt

_SCRIPT = '''"""Sets the shape keys of every selected mesh to an expression or a take. Made by emo3d.

In Blender: select the head (and what hangs on it: teeth, brows), open this file in the Text Editor, press Run.
Names are found as they are here, or in any spelling of ARKit's: jawOpen, JawOpen, jaw_open, eyeBlink_L. Set KEYFRAME to
a frame to animate; a take, which has TIMES in seconds, starts there.
"""

from __future__ import annotations

import re

import bpy

KEYFRAME = @KEYFRAME@
TIMES = @TIMES@
WEIGHTS = {
@WEIGHTS@}
SPELLINGS = {
@SPELLINGS@}


@RULE@

def insert(keys, key, frames, values):
    """Put keyframes in place of all that the shape key has."""
    key.keyframe_insert("value", frame=frames[0])
    animation = keys.animation_data
    if hasattr(animation.action, "layers"):  # Blender 4.4 and later
        bags = [strip.channelbag(animation.action_slot) for layer in animation.action.layers for strip in layer.strips]
        curves = [curve for bag in bags if bag for curve in bag.fcurves]
    else:
        curves = animation.action.fcurves
    (curve,) = [curve for curve in curves if curve.data_path == key.path_from_id("value")]
    points = curve.keyframe_points
    while len(points):
        points.remove(points[-1], fast=True)
    points.add(len(frames))
    points.foreach_set("co", [number for pair in zip(frames, values) for number in pair])
    for point in points:
        point.interpolation = "LINEAR"
    curve.update()


def names_of(mesh, index, name):
    """What a shape key may be called in WEIGHTS; the Basis has index 0."""
    number = f"#{index - 1}"
    known = (f"{mesh}/{name}", f"{mesh}/{number}", name, number, spelt(name))
    return [name for name in known if name in WEIGHTS][:1]


def main():
    present, scene = set(), bpy.context.scene
    rate = scene.render.fps / scene.render.fps_base
    for thing in bpy.context.selected_objects:
        if thing.type != "MESH" or thing.data.shape_keys is None:
            continue
        keys = {}
        for index, key in enumerate(thing.data.shape_keys.key_blocks):
            for name in names_of(thing.data.name, index, key.name):
                if name in keys:
                    twice = f"{thing.name} has {name} twice, as {keys[name].name} and {key.name}"
                    raise RuntimeError(f"{twice}: rename one")
                keys[name] = key
        for name, key in keys.items():
            if TIMES is None:
                key.value = WEIGHTS[name]
                if KEYFRAME is not None:
                    key.keyframe_insert("value", frame=KEYFRAME)
                continue
            places, values = WEIGHTS[name]
            key.slider_min, key.slider_max = min(key.slider_min, *values), max(key.slider_max, *values)
            key.value = values[0]
            insert(thing.data.shape_keys, key, [KEYFRAME + TIMES[place] * rate for place in places], values)
        present |= keys.keys()
    if not present:
        raise RuntimeError("expected a selected mesh with ARKit shape keys (jawOpen, mouthSmileLeft, ...), found none")
    if TIMES is not None:
        scene.frame_end = max(scene.frame_end, int(KEYFRAME + TIMES[-1] * rate + 0.999))
    moved = [name for name, weight in WEIGHTS.items() if any(weight[1] if TIMES else [weight])]
    missing = [name for name in moved if name not in present]
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
    write_script(Path(path), {name: f"{weight:.4f}" for name, weight in weights.items()}, None)


def write_script(
    path: Path, weights: Mapping[str, str], times: np.ndarray | None = None, start: int | None = None
) -> None:
    """Write the script; an existing file is replaced.

    Args:
        path: of the script.
        weights: name of a shape key -> a number, or with times (places in them, numbers), as Python writes them.
        times: of a take's frames, (F,) seconds.
        start: frame of the first keys.
    """
    parts = {
        "@KEYFRAME@": str(start),
        "@TIMES@": "None" if times is None else str(np.round(times, 6).tolist()),
        "@WEIGHTS@": "".join(f"    {json.dumps(name)}: {weight},\n" for name, weight in weights.items()),
        "@SPELLINGS@": "".join(f'    "{spelling}": "{name}",\n' for spelling, name in SPELLINGS.items()),
        "@RULE@": "\n\n".join(map(inspect.getsource, (folded, spelt))),  # the package's own: both know the same names
    }
    script = _SCRIPT
    for mark, text in parts.items():
        script = script.replace(mark, text)
    path.write_text(script, encoding="utf-8")
