"""Expressions and takes for Blender: a script that sets shape keys; FBX and USD by Blender's own module."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from emo3d.blendshapes import Space, as_dicts, as_expressions
from emo3d.face.calibration import DEFAULT_METHOD, Method, rig_weights
from emo3d.face.rig import TARGETS
from emo3d.files import whole_file
from emo3d.names import SPELLINGS, folded, spelt
from emo3d_lab.takes.curves import Curve, kept_keys, target_curves

if TYPE_CHECKING:
    from emo3d_lab.characters.character import Character
    from emo3d_lab.takes.reading import Take

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
    _write(Path(path), {name: f"{weight:.4f}" for name, weight in weights.items()}, None)


def write_blender_take(
    path: str | os.PathLike[str], take: Take, character: Character | None = None, *, start: int = 1
) -> None:
    """Write a script that puts a take on the selected meshes as keyframes, on straight lines between frames.

    Args:
        path: an existing file is replaced.
        take: in the space of weights. Frames lie at their times, whatever the scene's rate.
        character: whose targets are driven, by their own names; those of ARKit in any spelling when None.
        start: frame of the first keys.
    """
    curves: dict[str, np.ndarray] = {}
    if character is None:
        curves = {name: take.scores[:, column] for column, name in enumerate(TARGETS)}
    else:
        holders = Counter(name for mesh in character.meshes for name in {*mesh.targets})
        groups: dict[str, list[Curve]] = {}
        for curve in target_curves(character, take):
            groups.setdefault(curve.name, []).append(curve)
        for name, group in groups.items():
            # By its name alone where all meshes that have one so named move it alike: another's would move along.
            if len(group) == holders[name] and all(np.array_equal(curve.values, group[0].values) for curve in group):
                curves[name] = group[0].values
                continue
            for mesh, _, _, values in group:  # Blender calls a mesh without a name by its number
                curves[f"{mesh.name or f'Mesh_{mesh.index}'}/{name}"] = values
    weights = {}
    for name, values in curves.items():
        places = kept_keys(values)
        numbers = ", ".join(f"{value:.6g}" for value in values[places].tolist())
        weights[name] = f"({places.tolist()}, [{numbers}])"
    _write(Path(path), weights, take.times, start)


def _write(path: Path, weights: Mapping[str, str], times: np.ndarray | None, start: int | None = None) -> None:
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


_CONVERSION = """
import runpy, sys, bpy
source, script, target, rate = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=source)
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = max(1, round(float(rate))), max(1, round(float(rate))) / float(rate)
scene.frame_start = scene.frame_end = 0  # so that the file's own time starts at 0
for thing in scene.objects:
    thing.select_set(thing.type == "MESH")
runpy.run_path(script)
if target.lower().endswith(".fbx"):
    # FBX knows a picture as a colour, but not one that is mixed with the vertices' colours.
    for tree in [material.node_tree for material in bpy.data.materials if material.node_tree]:
        for node in [node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"]:
            links = list(node.inputs["Base Color"].links)
            while links and links[0].from_node.type != "TEX_IMAGE":
                links += [link for socket in links.pop(0).from_node.inputs for link in socket.links]
            if links:
                tree.links.new(links[0].from_node.outputs["Color"], node.inputs["Base Color"])
    bpy.ops.export_scene.fbx(
        filepath=target, path_mode="COPY", embed_textures=True, add_leaf_bones=False, bake_anim_simplify_factor=0,
        bake_anim_use_all_actions=False, bake_anim_use_nla_strips=False,
    )
else:
    bpy.ops.wm.usd_export(filepath=target, export_animation=True, export_shapekeys=True)
"""


def write_scene(path: Path, take: Take, character: Character, python: str | None = None) -> None:
    """Write a character with a take as `.fbx`, `.usd`, `.usda`, `.usdc` or `.usdz`, by Blender's module `bpy`.

    It runs in a process of its own. The take is baked at whole frames of its average rate.

    Args:
        path: an existing file is replaced.
        take: in the space of weights.
        character: as Blender imports its file.
        python: of an environment with `bpy`; this one's when None.

    Raises:
        OSError: there is no `bpy`; the message has the way to one.
        ValueError: Blender could not read the character, or write the file; other pictures in `textures/` beside it.
    """
    advice = (
        "make an environment with it (python3.11 -m venv blender; blender/bin/pip install bpy), and pass its Python"
    )
    if python is None and find_spec("bpy") is None:
        raise OSError(f"{path.suffix} needs Blender as a module, bpy: {advice} as --blender blender/bin/python")
    with TemporaryDirectory() as folder, whole_file(path) as part:
        script = Path(folder, "take.py")
        write_blender_take(script, take, character, start=0)
        command = [python or sys.executable, "-c", _CONVERSION, character.path, script, part, f"{take.fps:.9g}"]
        try:
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace")
        except OSError as error:
            raise OSError(
                f"expected a Python with bpy as --blender, got {python}: {error.strerror}; {advice}"
            ) from None
        if done.returncode or not part.is_file():
            reason = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no message")
            raise ValueError(f"Blender could not write {path.name} of {character.path.name}: {reason[:300]}")
        for picture in (part.parent / "textures").glob("*"):  # which USD refers to
            copy = path.parent / "textures" / picture.name
            if copy.exists() and copy.read_bytes() != picture.read_bytes():
                raise ValueError(
                    f"expected room for {copy} of {path.name}, got another file: write .usdz, or elsewhere"
                )
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(picture, copy)
