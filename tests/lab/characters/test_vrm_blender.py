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

# What the add-on read; then the avatar as the add-on itself writes it.
IN_BLENDER = """
import json, sys
import bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.preferences.addon_enable(module="io_scene_vrm")
bpy.ops.import_scene.vrm(filepath=sys.argv[1])
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
assert bpy.ops.export_scene.vrm(filepath=sys.argv[2]) == {"FINISHED"}
print("READ" + json.dumps(read))
"""


@pytest.mark.parametrize("version", ["1.0", "0.x"])
def test_the_add_on_reads_what_was_written_and_the_other_way_round(tmp_path, version):
    probe = [BLENDER, "-c", "import bpy, io_scene_vrm"]
    if not BLENDER.is_file() or subprocess.run(probe, capture_output=True, timeout=HANGS).returncode:
        pytest.skip("Blender and its VRM add-on are not set up: make blender")
    path, theirs = tmp_path / "avatar.vrm", tmp_path / "blender.vrm"
    own = [{"mesh": 0, "node": 0, "index": SAD, "weight": 0.5 if version == "1.0" else 50}]
    entries = {
        "1.0": {"preset": {"sad": {"morphTargetBinds": own}}},
        "0.x": [{"name": "Sorrow", "presetName": "sorrow", "binds": own}],
    }
    write_vrm(path, version, entries[version])
    character = Character.from_file(path)
    edited = EditedFile(character.asset)
    fill_presets(edited, character, ["happy", "angry", "blink"], perfect_sync=True)
    edited.write(path)
    done = subprocess.run([BLENDER, "-c", IN_BLENDER, path, theirs], capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("READ")]
    read = json.loads(line.removeprefix("READ"))
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
