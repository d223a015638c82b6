"""Scripts, GLB, FBX and USD in Blender itself: `make blender` sets it up (0.4 GB), else this is skipped."""

import ast
import json
import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from moving import APPLE, CASES, truth, write_character

from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES
from emo3d.face.export import write_glb
from emo3d.face.rig import TARGETS
from emo3d.names import blendshape_name
from emo3d_demo.animation import transition
from emo3d_lab.characters import Character, CharacterMap
from emo3d_lab.takes.reading import Take, read_take
from emo3d_lab.takes.script import write_blender_script
from emo3d_lab.takes.writing import write_take
from hanging import HANGS

BLENDER = Path(__file__).parents[3] / ".venv-blender" / "bin" / "python"
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
def blender():
    if not BLENDER.is_file():
        pytest.skip("Blender is not set up: make blender")
    return str(BLENDER)


@pytest.fixture(scope="module")
def in_blender(blender, tmp_path_factory):
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


# What shape keys have at frames: name of the mesh's object and of the key -> values, keyframes and their kind.
READ = """
import json, os, runpy, sys
import bpy
path, script, rate, first, *frames = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
if path.endswith(".fbx"):
    bpy.ops.import_scene.fbx(filepath=path, anim_offset=0)
elif ".usd" in path:
    bpy.ops.wm.usd_import(filepath=path)
else:
    bpy.ops.import_scene.gltf(filepath=path)
scene = bpy.context.scene
if script != "none":
    scene.render.fps = int(rate)
    for thing in scene.objects:
        thing.select_set(thing.type == "MESH")
    runpy.run_path(script)
answer = {"rate": scene.render.fps / scene.render.fps_base, "end": scene.frame_end, "values": {}, "keys": {}}
answer["pictures"] = [list(image.size) for image in bpy.data.images]
meshes = [thing for thing in scene.objects if thing.type == "MESH" and thing.data.shape_keys]
for frame in map(float, frames):
    scene.frame_set(int(frame), subframe=frame - int(frame))
    for thing in meshes:
        for key in thing.data.shape_keys.key_blocks[1:]:
            answer["values"].setdefault(f"{thing.data.name}/{key.name}", []).append(key.value)
for thing in meshes:
    animation = thing.data.shape_keys.animation_data
    for layer in animation.action.layers if animation else ():
        for bag in layer.strips[0].channelbags:
            for curve in bag.fcurves:
                points = [[point.co[0], point.co[1], point.interpolation] for point in curve.keyframe_points]
                answer["keys"][f"{thing.data.name}/{curve.data_path}"] = points
print(json.dumps(answer))
"""


def read_in_blender(path, frames, script=None, rate=0):
    command = [BLENDER, "-c", READ, path, script or "none", rate, 0, *frames]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    (answer,) = [line for line in done.stdout.splitlines() if line.startswith('{"rate"')]
    return json.loads(answer)


RNG = np.random.default_rng(1)
EVEN = Take(RNG.random((7, 52), np.float32), np.arange(7) / 30)
UNEVEN = Take(EVEN.scores, np.cumsum([0, *RNG.uniform(0.02, 0.08, 6)]))


@pytest.fixture(scope="module")
def character(tmp_path_factory):
    return Character.from_file(write_character(tmp_path_factory.mktemp("character") / "small.glb"))


def expected_values(take):
    values = {f"head_mesh/{unit}": take.scores[:, TARGETS.index(unit)] for unit in APPLE}
    values |= {f"teeth_mesh/{unit}": take.scores[:, TARGETS.index(unit)] for unit in ("jawOpen", "tongueOut")}
    return values


@pytest.mark.parametrize("take", [EVEN, UNEVEN])
@pytest.mark.parametrize("own", [True, False])  # the names of a character, or ARKit's in any spelling
def test_script_puts_keyframes_at_the_times(take, own, blender, character, tmp_path):
    write_take(tmp_path / "take.py", take, character if own else None)
    frames = 1 + 24 * take.times
    answer = read_in_blender(character.path, frames, tmp_path / "take.py", 24)
    for name, values in expected_values(take).items():
        mesh, unit = name.split("/")
        assert answer["values"][name] == pytest.approx(values, abs=2e-4)  # scene times are float32
        keys = answer["keys"][f'{mesh}/key_blocks["{unit}"].value']
        assert [key[0] for key in keys] == pytest.approx(frames, abs=1e-4)
        assert [key[1] for key in keys] == pytest.approx(values, abs=1e-6)
        assert {key[2] for key in keys} == {"LINEAR"}
    assert answer["values"]["head_mesh/viseme_aa"] == [0.0] * 7
    assert answer["end"] == 250  # the scene's own, which is longer


@pytest.mark.skipif(not CASES.is_dir(), reason="the case files are not beside the checkout")
def test_script_of_a_case(blender, character, tmp_path):
    write_take(tmp_path / "take.py", read_take(CASES / "take_bom.csv"), character)
    seconds, weights, _ = truth("take_bom.csv")
    answer = read_in_blender(character.path, 1 + 60 * seconds, tmp_path / "take.py", 60)
    assert all(answer["values"][f"head_mesh/{unit}"] == pytest.approx(weights[unit], abs=2e-4) for unit in APPLE)


def test_script_of_a_map(blender, character, tmp_path):
    """Another mesh has another combination for the same name, and one goes above 1."""
    units = {"jawOpen": {"viseme_aa": 1.0, "head_mesh/jawOpen": 0.5, "teeth_mesh/jawOpen": 1.0}}
    units["mouthFunnel"] = {"viseme_aa": 1.0}
    mapped = Character.from_file(character.path, map=CharacterMap(units))
    write_take(tmp_path / "take.py", EVEN, mapped)
    answer = read_in_blender(character.path, 1 + 30 * EVEN.times, tmp_path / "take.py", 30)["values"]
    jaw, funnel = (EVEN.scores[:, TARGETS.index(unit)] for unit in ("jawOpen", "mouthFunnel"))
    assert (jaw + funnel).max() > 1
    assert answer["head_mesh/viseme_aa"] == pytest.approx(jaw + funnel, abs=1e-4)
    assert answer["head_mesh/jawOpen"] == pytest.approx(jaw / 2, abs=1e-4)
    assert answer["teeth_mesh/jawOpen"] == pytest.approx(jaw, abs=1e-4)


def test_script_moves_no_other_mesh_of_that_name(blender, character, tmp_path):
    """Teeth have a jawOpen too, which the map leaves alone; without names, both have a first target."""
    jaw, blink = (EVEN.scores[:, TARGETS.index(unit)] for unit in ("jawOpen", "eyeBlinkLeft"))
    mapped = Character.from_file(character.path, map=CharacterMap({"jawOpen": {"head_mesh/jawOpen": 1.0}}))
    write_take(tmp_path / "take.py", EVEN, mapped)
    answer = read_in_blender(character.path, 1 + 30 * EVEN.times, tmp_path / "take.py", 30)["values"]
    assert answer["head_mesh/jawOpen"] == pytest.approx(jaw, abs=1e-4)
    assert answer["teeth_mesh/jawOpen"] == [0.0] * 7

    content = character.path.read_bytes()
    (size,) = struct.unpack_from("<I", content, 12)
    document = json.loads(content[20 : 20 + size])
    for mesh in document["meshes"]:
        mesh.pop("extras", None)
    text = json.dumps(document).encode().ljust(size)
    (tmp_path / "nameless.glb").write_bytes(content[:20] + text + content[20 + size :])
    units = {"jawOpen": {"head_mesh/#0": 1.0}, "eyeBlinkLeft": {"teeth_mesh/#0": 1.0}}
    nameless = Character.from_file(tmp_path / "nameless.glb", map=CharacterMap(units))
    write_take(tmp_path / "nameless.py", EVEN, nameless)
    answer = read_in_blender(nameless.path, 1 + 30 * EVEN.times, tmp_path / "nameless.py", 30)["values"]
    moved = {name: values for name, values in answer.items() if any(values)}
    assert {name.split("/")[0]: values for name, values in moved.items()} == {
        "head_mesh": pytest.approx(jaw, abs=1e-4),
        "teeth_mesh": pytest.approx(blink, abs=1e-4),
    }


def test_the_animated_glb_in_blender(blender, character, tmp_path):
    write_take(tmp_path / "out.glb", EVEN, character)
    answer = read_in_blender(tmp_path / "out.glb", 24 * EVEN.times)  # its own rate; it starts at frame 0
    for name, values in expected_values(EVEN).items():
        assert answer["values"][name] == pytest.approx(values, abs=2e-4)


@pytest.mark.parametrize("ending", ["fbx", "usda", "usdc", "usdz"])
def test_fbx_and_usd_come_back_moving(ending, blender, character, tmp_path):
    write_take(tmp_path / f"out.{ending}", EVEN, character, blender=blender)
    answer = read_in_blender(tmp_path / f"out.{ending}", range(7))
    if ending == "fbx":  # the importer of USD keeps the scene's
        assert answer["rate"] == pytest.approx(30)
    if ending == "usda":
        assert "timeCodesPerSecond = 30\n" in (tmp_path / "out.usda").read_text()
    names = {name.rpartition("/")[2]: name for name in answer["values"] if "teeth" in name.lower()}
    head = {name.rpartition("/")[2]: name for name in answer["values"] if "teeth" not in name.lower()}
    for unit in APPLE:
        assert answer["values"][head[unit]] == pytest.approx(EVEN.scores[:, TARGETS.index(unit)], abs=1e-4)
    assert answer["values"][names["jawOpen"]] == pytest.approx(EVEN.scores[:, TARGETS.index("jawOpen")], abs=1e-4)


def test_fbx_keeps_the_picture_of_the_skin(blender, tmp_path):
    write_glb(tmp_path / "adult.glb", np.zeros(51))
    write_take(tmp_path / "out.fbx", EVEN, Character.from_file(tmp_path / "adult.glb"), blender=blender)
    answer = read_in_blender(tmp_path / "out.fbx", [6])
    assert [1024, 1024] in answer["pictures"]
    assert answer["values"]["face/jawOpen"] == pytest.approx([EVEN.scores[6, TARGETS.index("jawOpen")]], abs=1e-4)


def test_usd_replaces_no_picture_of_another(blender, tmp_path):
    write_glb(tmp_path / "adult.glb", np.zeros(51))
    character = Character.from_file(tmp_path / "adult.glb")
    write_take(tmp_path / "out.usdc", EVEN, character, blender=blender)
    assert {picture.suffix for picture in (tmp_path / "textures").iterdir()} == {".jpg", ".png"}
    for picture in (tmp_path / "textures").iterdir():
        picture.write_bytes(b"another")
    with pytest.raises(ValueError, match=r"expected room for .*textures/Image_.* of again.usdc, got another file"):
        write_take(tmp_path / "again.usdc", EVEN, character, blender=blender)
    assert not (tmp_path / "again.usdc").exists()
    write_take(tmp_path / "again.usdz", EVEN, character, blender=blender)


def test_without_blender_the_way_to_it_is_said(character, tmp_path):
    with pytest.raises(OSError, match=r"\.fbx needs Blender as a module, bpy: .*pip install bpy"):
        write_take(tmp_path / "out.fbx", EVEN, character)
    with pytest.raises(OSError, match="expected a Python with bpy as --blender, got /nowhere/python"):
        write_take(tmp_path / "out.fbx", EVEN, character, blender="/nowhere/python")


def test_a_python_without_bpy_is_named(character, tmp_path):
    import sys

    with pytest.raises(ValueError, match=r"Blender could not write out.usd of small.glb: .*No module named 'bpy'"):
        write_take(tmp_path / "out.usd", EVEN, character, blender=sys.executable)
    assert not list(tmp_path.iterdir())
