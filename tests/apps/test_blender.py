"""The script and the GLB in Blender itself: `make blender` sets it up (0.4 GB), else this is skipped."""

import ast
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES
from emo3d.face.export import write_glb
from emo3d.names import blendshape_name
from emo3d_demo.animation import transition
from emo3d_demo.blender import write_blender_script
from hanging import HANGS

BLENDER = Path(__file__).parents[2] / ".venv-blender" / "bin" / "python"
SMILE = {"jawOpen": 0.6, "mouthSmileLeft": 0.8, "mouthSmileRight": 0.7, "browInnerUp": 0.25}

# The mesh is spelled as other tools do, and has one key that is no blendshape.
IN_BLENDER = """
import json, runpy, sys
import bpy
glb, script = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=glb)
(face,) = [thing for thing in bpy.data.objects if thing.type == "MESH"]
keys = face.data.shape_keys.key_blocks
opened = {key.name: key.value for key in keys}
frames = [list(action.frame_range) for action in bpy.data.actions]
face.data.shape_keys.animation_data_clear()
for key in keys:
    key.value = 0.0
keys["tongueOut"].value = 0.5
keys["jawOpen"].name = "JawOpen"
keys["mouthSmileLeft"].name = "blendShape1.mouth_smile_l"
for thing in bpy.data.objects:
    thing.select_set(False)
try:
    runpy.run_path(script)
    refused = None
except RuntimeError as error:
    refused = str(error)
face.select_set(True)
runpy.run_path(script)
print(json.dumps({"opened": opened, "frames": frames, "refused": refused, "set": {k.name: k.value for k in keys}}))
"""


@pytest.fixture(scope="module")
def in_blender(tmp_path_factory):
    if not BLENDER.is_file():
        pytest.skip("Blender is not set up: make blender")
    folder = tmp_path_factory.mktemp("blender")
    frames = transition(np.zeros(51), SMILE, frames=13)
    write_glb(folder / "face.glb", SMILE, animation=frames, fps=24)
    write_blender_script(folder / "face.py", SMILE)
    command = [BLENDER, "-c", IN_BLENDER, folder / "face.glb", folder / "face.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_blender_opens_the_glb_with_its_animation(in_blender):
    assert {name for name in in_blender["opened"]} == {"Basis", *BLENDSHAPES, "tongueOut"}
    ((first, last),) = in_blender["frames"]
    assert (first, last) == pytest.approx((0, 12), abs=0.1)  # 13 frames at Blender's own 24 a second


def test_script_sets_shape_keys_in_other_spellings_and_no_others(in_blender):
    weights = in_blender["set"]
    assert weights["JawOpen"] == pytest.approx(0.6, abs=1e-4)
    assert weights["blendShape1.mouth_smile_l"] == pytest.approx(0.8, abs=1e-4)
    assert weights["mouthSmileRight"] == pytest.approx(0.7, abs=1e-4)
    assert weights["tongueOut"] == 0.5
    assert weights["noseSneerLeft"] == 0


def test_script_says_when_nothing_fits(in_blender):
    assert in_blender["refused"].startswith("expected a selected mesh with ARKit shape keys")


def test_script_is_python_and_holds_the_weights(tmp_path):
    write_blender_script(tmp_path / "face.py", SMILE)
    (weights,) = [
        ast.literal_eval(node.value)
        for node in ast.parse((tmp_path / "face.py").read_text()).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "WEIGHTS"
    ]
    assert weights == {name: SMILE.get(name, 0.0) for name in BLENDSHAPES}


def test_script_knows_the_names_that_the_package_knows(tmp_path):
    """What is not Blender's in it is run here: its spellings and the two functions that look a name up."""
    write_blender_script(tmp_path / "face.py", SMILE)
    tree = ast.parse((tmp_path / "face.py").read_text())
    kept = [node for node in tree.body if isinstance(node, (ast.ImportFrom, ast.FunctionDef, ast.Assign))]
    script = {"re": re}
    exec(compile(ast.Module(kept, []), "face.py", "exec"), script)
    names = [spell(name) for name in ARKIT_BLENDSHAPES for spell in (str.upper, "head__{}".format, "a.{}".format)]
    names += [
        "eyeBlink.L",
        "mouth_smile_r",
        "Fcl_MTH_Neutral",
        "jawOpen_mouthClose",
        "Basis",
        "_neutral",
        "A25_Jaw_Open",
    ]
    assert [script["spelt"](name) for name in names] == [blendshape_name(name) for name in names]
    assert script["spelt"]("blendShape1.eye_blink_l") == "eyeBlinkLeft"


def test_a_reading_becomes_weights_first(tmp_path):
    reading = np.full(51, 0.5, np.float32)
    write_blender_script(tmp_path / "as_it_is.py", reading)
    write_blender_script(tmp_path / "calibrated.py", reading, space="reading")
    assert (tmp_path / "as_it_is.py").read_text() != (tmp_path / "calibrated.py").read_text()


def test_two_expressions_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected one expression for a script, got 2"):
        write_blender_script(tmp_path / "face.py", np.zeros((2, 51)))
