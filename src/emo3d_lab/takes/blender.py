"""Takes for Blender: a script that sets shape keys; FBX and USD by Blender's own module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from emo3d.face.rig import TARGETS
from emo3d.files import whole_file
from emo3d_lab.takes.curves import Curve, kept_keys, target_curves
from emo3d_lab.takes.script import write_script

if TYPE_CHECKING:
    from emo3d_lab.characters.character import Character
    from emo3d_lab.takes.reading import Take


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
    write_script(Path(path), weights, take.times, start)


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
