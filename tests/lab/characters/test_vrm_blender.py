"""Avatars in Blender's VRM add-on (PyPI: bpy-vrm-format): `make blender` sets both up, else this is skipped."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from emo3d.face.rig import TARGETS
from emo3d_lab.characters import Character, EditedFile
from emo3d_lab.characters.presets import EMOTION_PRESETS, preset_weights
from emo3d_lab.characters.vrm import expressions_of, fill_presets
from hanging import HANGS
from vrm_files import chunks_of, write_vrm

BLENDER = Path(__file__).parents[3] / ".venv-blender" / "bin" / "python"
SAD = TARGETS.index("mouthFrownLeft")

# What the add-on read, of pairs of files; then the avatars as the add-on itself writes them.
IN_BLENDER = """
import json, sys
import bpy
for path, theirs in zip(sys.argv[1::2], sys.argv[2::2]):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="io_scene_vrm")
    bpy.ops.import_scene.vrm(filepath=path)
    (rig,) = [thing for thing in bpy.data.objects if thing.type == "ARMATURE"]
    avatar = rig.data.vrm_addon_extension
    if avatar.spec_version == "1.0":
        expressions = avatar.vrm1.expressions.all_name_to_expression_dict()
        read = {
            name: [[bind.node.mesh_object_name, bind.index, bind.weight] for bind in expression.morph_target_binds]
            for name, expression in expressions.items()
        }
    else:
        read = {
            group.name: [[bind.mesh.mesh_object_name, bind.index, bind.weight] for bind in group.binds]
            for group in avatar.vrm0.blend_shape_master.blend_shape_groups
        }
    assert bpy.ops.export_scene.vrm(filepath=theirs) == {"FINISHED"}
    print("READ" + json.dumps(read))
"""
SET_UP = "import importlib.util as u, sys; sys.exit(not (u.find_spec('bpy') and u.find_spec('io_scene_vrm')))"
OWN = {"mesh": 0, "node": 0, "index": SAD}
ENTRIES = {
    "1.0": {"preset": {"sad": {"morphTargetBinds": [{**OWN, "weight": 0.5}]}}},
    "0.x": [{"name": "Sorrow", "presetName": "sorrow", "binds": [{**OWN, "weight": 50}]}],
}


@pytest.fixture(scope="module")
def in_blender(tmp_path_factory):
    """What the add-on read of an avatar of each version, and the file that it wrote; Blender starts once."""
    if not BLENDER.is_file() or subprocess.run([BLENDER, "-c", SET_UP], timeout=HANGS).returncode:
        pytest.skip("Blender and its VRM add-on are not set up: make blender")
    folder = tmp_path_factory.mktemp("vrm")
    pairs = {version: (folder / f"avatar-{version}.vrm", folder / f"blender-{version}.vrm") for version in ENTRIES}
    for version, (path, _) in pairs.items():
        write_vrm(path, version, ENTRIES[version])
        character = Character.from_file(path)
        edited = EditedFile(character.asset)
        fill_presets(edited, character, ["happy", "angry", "blink"], perfect_sync=True)
        edited.write(path)
    words = [path for pair in pairs.values() for path in pair]
    done = subprocess.run([BLENDER, "-c", IN_BLENDER, *words], capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line.removeprefix("READ")) for line in done.stdout.splitlines() if line.startswith("READ")]
    return {version: (read, theirs) for (version, (_, theirs)), read in zip(pairs.items(), lines, strict=True)}


@pytest.mark.parametrize("version", ENTRIES)
def test_the_add_on_reads_what_was_written_and_the_other_way_round(in_blender, tmp_path, version):
    read, theirs = in_blender[version]
    titles = {"happy": "Joy", "angry": "Angry", "blink": "Blink"} if version == "0.x" else {}
    for name in ("happy", "angry", "blink"):
        weights = {unit: float(w) for unit, w in zip(TARGETS, preset_weights()[name], strict=True) if w}
        for mesh in ("face", "second"):
            binds = {unit: weight for other, unit, weight in read[titles.get(name, name)] if other == mesh}
            assert binds == pytest.approx(weights, abs=1e-4)
    assert {(unit, weight) for _, unit, weight in read["JawOpen"]} == {("jawOpen", 1)}

    # The add-on's own file: what is there is kept, what is empty in it is filled.
    character = Character.from_file(theirs)
    assert character.missing == ()
    edited = EditedFile(character.asset)
    outcomes = {filling.name: filling.outcome for filling in fill_presets(edited, character, EMOTION_PRESETS)}
    assert {name for name, outcome in outcomes.items() if outcome == "kept"} == {"happy", "angry", "sad"}
    expressions = {expression.name: expression for expression in expressions_of(edited.json)}
    assert {weight for *_, weight in expressions["sad"].binds} == {0.5}
    assert len(expressions["surprised"].binds) == 2 * np.count_nonzero(preset_weights()["surprised"])
    edited.write(tmp_path / "filled.vrm")
    assert chunks_of(tmp_path / "filled.vrm")[1] == chunks_of(theirs)[1]
