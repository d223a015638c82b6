"""Takes read, and written onto a character: every case of the trials, compared with what other programs read."""

import csv
import json
import logging

import numpy as np
import pygltflib
import pytest
from moving import APPLE, CASES, truth, write_character

from emo3d.face.calibration import to_weights
from emo3d.face.export import write_glb
from emo3d.face.rig import TARGETS
from emo3d_lab.characters import Character
from emo3d_lab.takes.reading import Take, read_take
from emo3d_lab.takes.unreal import metahuman_controls
from emo3d_lab.takes.writing import write_take
from livelink import LIVELINK_HEADER
from vrm_files import write_vrm

cases = pytest.mark.skipif(not CASES.is_dir(), reason="the case files are not beside the checkout")
UNTIMED = {"fps": 30}
OPTIONS = {
    "take_percent.csv": {"scale": 100},
    "bare51_arkit.json": {"layout": "arkit", **UNTIMED},
    "mediapipe_list.json": {},
    "mediapipe_py.json": UNTIMED,
    "pascal.json": UNTIMED,
    "with_head.json": UNTIMED,
}
TAKES = """a2f.json beat.json bare51_arkit.json mediapipe_list.json mediapipe_py.json pascal.json with_head.json r05.csv
r06.csv r07.csv take_LR.csv take_bom.csv take_lower.csv take_neg.csv take_no_tongue.csv take_norot.csv take_over.csv
take_percent.csv take_semicolon.csv take_upper.csv""".split()


def case(name):
    return read_take(CASES / name, **OPTIONS.get(name, {}))


@pytest.fixture(scope="module")
def character(tmp_path_factory):
    return Character.from_file(write_character(tmp_path_factory.mktemp("character") / "small.glb"))


@cases
def test_no_case_is_left_out():
    rigs = {"r01_back.glb", "r01_front.glb", "r02_zup.glb", "r03.glb", "r04.glb", "CASES.md"}
    assert {path.name for path in CASES.iterdir()} == {*TAKES, *rigs}


@cases
@pytest.mark.parametrize("name", TAKES)
def test_a_take_is_read_with_tongue_times_and_rotations(name):
    take = case(name)
    seconds, weights, angles = truth(name)
    assert take.scores.shape == (len(take.times), 52)
    for unit, values in weights.items():
        assert take.scores[:, TARGETS.index(unit)] == pytest.approx(values, abs=1e-6)
    assert take.times == pytest.approx(np.arange(len(take.times)) / 30 if seconds is None else seconds, abs=1e-9)
    assert take.rotations.keys() == angles.keys()
    assert all(take.rotations[axis] == pytest.approx(angles[axis]) for axis in angles)
    assert take.space == ("reading" if name.startswith("mediapipe") else "weights")


def sampled(path, mesh):
    """Times and target weights of the animation of a mesh, by pygltflib."""
    document = pygltflib.GLTF2().load(str(path))
    (animation,) = document.animations
    nodes = [node for node, entry in enumerate(document.nodes) if entry.mesh == mesh]
    (channel,) = [channel for channel in animation.channels if channel.target.node in nodes]
    sampler = animation.samplers[channel.sampler]
    assert (channel.target.path, sampler.interpolation) == ("weights", "LINEAR")
    times, values = floats(document, sampler.input), floats(document, sampler.output)
    return times, values.reshape(len(times), -1)


def floats(document, index):
    """Numbers of an accessor, one after the other."""
    accessor = document.accessors[index]
    start = document.bufferViews[accessor.bufferView].byteOffset + (accessor.byteOffset or 0)
    count = accessor.count * {"SCALAR": 1, "VEC3": 3}[accessor.type]
    return np.frombuffer(document.binary_blob(), "<f4", count, start)


@cases
@pytest.mark.parametrize("name", [name for name in TAKES if name != "mediapipe_list.json"])  # which is one face
def test_the_animation_is_the_take(name, character, tmp_path, validate):
    write_take(tmp_path / "out.glb", case(name), character, calibration="none")
    seconds, weights, _ = truth(name)
    for mesh, targets in enumerate([[*APPLE, "viseme_aa"], ["jawOpen", "tongueOut"]]):
        times, values = sampled(tmp_path / "out.glb", mesh)
        assert times == pytest.approx(np.arange(len(times)) / 30 if seconds is None else seconds, abs=1e-6)
        expected = np.stack([weights.get(target, np.zeros(len(times))) for target in targets], axis=1)
        assert values == pytest.approx(expected, abs=1e-6)
    assert validate(tmp_path / "out.glb")["issues"]["numErrors"] == 0


IN_THREE = """<!DOCTYPE html>IMPORTS<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
const gltf = await new GLTFLoader().loadAsync("out.glb");
const mixer = new THREE.AnimationMixer(gltf.scene);
mixer.clipAction(gltf.animations[0]).setLoop(THREE.LoopOnce).play().clampWhenFinished = true;
window.at = (time) => {
  mixer.setTime(time);
  const values = {};
  gltf.scene.traverse((mesh) => {
    for (const [name, place] of Object.entries(mesh.morphTargetDictionary ?? {}))
      values[`${mesh.name}/${name}`] = mesh.morphTargetInfluences[place];
  });
  return values;
};
window.ready = true;
</script>"""


@cases
@pytest.mark.browser
def test_three_plays_the_take(character, shelf, visit):
    from viewers import IMPORTS

    folder, address = shelf
    write_take(folder / "out.glb", case("take_bom.csv"), character)
    (folder / "page.html").write_text(IN_THREE.replace("IMPORTS", IMPORTS))
    page = visit(f"{address}/page.html")
    page.wait_for_function("window.ready === true")
    seconds, weights, _ = truth("take_bom.csv")
    for row, time in enumerate(seconds):
        values = page.evaluate("time => window.at(time)", float(np.float32(time)))
        expected = {f"Head/{unit}": weights[unit][row] for unit in APPLE} | {"Head/viseme_aa": 0}
        expected |= {f"Upper_teeth/{unit}": weights[unit][row] for unit in ("jawOpen", "tongueOut")}
        assert values == pytest.approx(expected, abs=1e-6)


@cases
def test_one_frame_is_an_expression(character, tmp_path):
    write_take(tmp_path / "out.glb", case("mediapipe_list.json"), character, calibration="none")
    document = pygltflib.GLTF2().load(str(tmp_path / "out.glb"))
    _, weights, _ = truth("mediapipe_list.json")
    for mesh in document.meshes:
        names = mesh.extras["targetNames"]
        assert mesh.weights == pytest.approx([weights[name][0] if name in weights else 0 for name in names], abs=1e-5)


@cases
def test_readings_need_a_calibration_and_are_calibrated(tmp_path):
    take = case("mediapipe_py.json")
    write_glb(tmp_path / "adult.glb", np.zeros(51))
    with pytest.raises(ValueError, match=r"the rig has no calibration, .*emo3d calibrate.*--calibration none"):
        write_take(tmp_path / "out.glb", take, Character.from_file(tmp_path / "adult.glb"))
    write_take(tmp_path / "out.csv", take)  # of anny's heads
    assert read_take(tmp_path / "out.csv").scores[:, :51] == pytest.approx(to_weights(take.scores[:, :51]), abs=1e-6)


@cases
@pytest.mark.parametrize("name", ["take_bom.csv", "r06.csv", "with_head.json"])
def test_a_take_of_live_link_comes_back_whole(name, tmp_path):
    write_take(tmp_path / "out.csv", case(name))
    assert (tmp_path / "out.csv").read_text().partition("\n")[0] == LIVELINK_HEADER
    take, (seconds, weights, angles) = read_take(tmp_path / "out.csv"), truth(name)
    assert take.times == pytest.approx(np.arange(5) / 30 if seconds is None else seconds, abs=2e-5)
    assert all(take.scores[:, TARGETS.index(unit)] == pytest.approx(weights[unit], abs=1e-6) for unit in APPLE)
    zeros = np.zeros(len(take.times))
    assert all(values == pytest.approx(angles.get(axis, zeros), abs=1e-7) for axis, values in take.rotations.items())


@cases
def test_a_vrm_animation_is_the_take_by_the_avatars_names(character, tmp_path, caplog):
    binds = [{"node": 0, "index": TARGETS.index("jawOpen"), "weight": 1.0}]
    for name, custom in (("bare", {}), ("synced", {"jaw_open": {"morphTargetBinds": binds}})):
        avatar = Character.from_file(write_vrm(tmp_path / f"{name}.vrm", "1.0", {"custom": custom}))
        write_take(tmp_path / f"{name}.vrma", case("take_bom.csv"), avatar)
    assert "bare.vrm has no expressions for a .vrma: emo3d vrm --perfect-sync adds them" in caplog.text
    assert "synced.vrm has no" not in caplog.text
    (tmp_path / "synced.vrma").rename(tmp_path / "synced.glb")  # pygltflib goes by the ending
    document, (seconds, weights, _) = pygltflib.GLTF2().load(str(tmp_path / "synced.glb")), truth("take_bom.csv")
    names = []
    for channel in document.animations[0].channels:
        sampler = document.animations[0].samplers[channel.sampler]
        names.append(document.nodes[channel.target.node].name)
        unit = {"jaw_open": "jawOpen"}.get(names[-1], names[-1][0].lower() + names[-1][1:])
        assert floats(document, sampler.input) == pytest.approx(seconds, abs=1e-6)
        assert floats(document, sampler.output)[::3] == pytest.approx(weights[unit], abs=1e-6)
    assert len(names) == 52
    assert "jaw_open" in names
    with pytest.raises(ValueError, match="expected a VRM, got a glTF file"):
        write_take(tmp_path / "out.vrma", case("take_bom.csv"), character)


# Of `GetFdsCurves` in VerifyMetaHumanCharacter.cpp by Epic Games, without the prefix CTRL_expressions_.
EPIC = """
browDownL browDownR browRaiseInL browRaiseInR browRaiseOuterL browRaiseOuterR eyeBlinkL eyeBlinkR eyeCheekRaiseL
eyeCheekRaiseR eyeLookDownL eyeLookDownR eyeLookLeftL eyeLookLeftR eyeLookRightL eyeLookRightR eyeLookUpL eyeLookUpR
eyeSquintInnerL eyeSquintInnerR eyeWidenL eyeWidenR jawChinRaiseDL jawChinRaiseDR jawChinRaiseUL jawChinRaiseUR jawFwd
jawLeft jawOpen jawRight mouthCheekBlowL mouthCheekBlowR mouthCornerDepressL mouthCornerDepressR mouthCornerPullL
mouthCornerPullR mouthDimpleL mouthDimpleR mouthFunnelDL mouthFunnelDR mouthFunnelUL mouthFunnelUR mouthLeft
mouthLipsPurseDL mouthLipsPurseDR mouthLipsPurseUL mouthLipsPurseUR mouthLipsTogetherDL mouthLipsTogetherDR
mouthLipsTogetherUL mouthLipsTogetherUR mouthLowerLipDepressL mouthLowerLipDepressR mouthLowerLipRollInL
mouthLowerLipRollInR mouthPressDL mouthPressDR mouthPressUL mouthPressUR mouthRight mouthStretchL mouthStretchR
mouthUpperLipRaiseL mouthUpperLipRaiseR mouthUpperLipRollInL mouthUpperLipRollInR noseWrinkleL noseWrinkleR tongueOut
""".split()


def test_controls_of_metahuman_are_epics_and_have_all_units():
    controls = metahuman_controls()
    assert {control.removeprefix("CTRL_expressions_") for control in controls} == set(EPIC)
    assert set(controls.values()) == set(APPLE)
    lone = {"eyeLookOutRight": "eyeLookRightR", "eyeBlinkLeft": "eyeBlinkL", "mouthLeft": "mouthLeft"}
    assert all(controls[f"CTRL_expressions_{control}"] == unit for unit, control in lone.items())


@cases
@pytest.mark.parametrize("ending", ["csv", "json"])
def test_curves_of_metahuman(ending, tmp_path):
    path = tmp_path / f"curves.{ending}"
    write_take(path, case("take_bom.csv"), names_out="metahuman")
    if ending == "csv":
        header, *rows = csv.reader(path.read_text().splitlines())
        times, curves = list(map(float, header[1:])), {row[0]: list(map(float, row[1:])) for row in rows}
    else:
        document = json.loads(path.read_text())
        times, curves = document["times"], document["curves"]
    seconds, weights, _ = truth("take_bom.csv")
    assert times == pytest.approx(seconds, abs=1e-6)
    assert curves["CTRL_expressions_mouthPressDR"] == pytest.approx(weights["mouthPressRight"], abs=1e-6)
    assert curves["CTRL_expressions_mouthCornerPullL"] == pytest.approx(weights["mouthSmileLeft"], abs=1e-6)
    assert len(curves) == 69


def written(path, times, **columns):
    rows = [",".join([time, "52", *(f"{columns.get(name, 0)}" for name in APPLE)]) for time in times]
    path.write_text("\n".join([",".join(["Timecode", "BlendshapeCount", *APPLE]), *rows]) + "\n")
    return path


CLOCK = ["00:00:00:00.000", "00:00:00:01.000", "00:00:00:02.000"]


@pytest.mark.parametrize(
    ("times", "options", "message"),
    [
        ([], {}, "take.csv: expected at least one expression, got an empty table"),
        (CLOCK[::-1], {}, r"take.csv: expected times that go forward, got 0.017 s in row 1 after 0.033 s; --fps"),
        ([CLOCK[0]] * 2, {}, "expected times that go forward"),
        (["nan", *CLOCK[1:]], {}, "take.csv: expected a time in row 0, found none that can be read; --fps"),
        (["00:00:00:00.000", "00:00:00:00.060"], {}, "expected 1 to 240 frames per second, got 1000"),
        (CLOCK, {"fps": 0}, "expected 1 to 240 frames per second, got 0"),
        (CLOCK, {"fps": 1000}, "expected 1 to 240 frames per second, got 1000"),
        (CLOCK, {"fps": float("nan")}, "expected fps as a finite number, got nan"),
        (CLOCK, {"space": "reading"}, "take.csv: says that its space is weights, got --space reading"),
    ],
)
def test_bad_takes_are_one_sentence(times, options, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        read_take(written(tmp_path / "take.csv", times), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["nan", "inf", 1.5, -0.5])
@pytest.mark.parametrize("name", ["jawOpen", "tongueOut"])
def test_scores_that_are_none_are_named(name, value, tmp_path):
    advice = "it must be finite" if value in ("nan", "inf") else r"clip=True \(--clip\) clips it"
    with pytest.raises(ValueError, match=rf"take.csv: .* in 0..1, got {name} = {value} in row 0; {advice}"):
        read_take(written(tmp_path / "take.csv", CLOCK, **{name: value}))


def test_what_is_clipped_or_left_out_is_said(tmp_path, caplog):
    frames = [{"time": row / 60, "weights": [0.0] * 52, "rotation": [1, 2, 3]} for row in (0, 1, 2, 3, 40)]
    (tmp_path / "beat.json").write_text(json.dumps({"names": APPLE, "frames": frames}))
    with caplog.at_level(logging.WARNING):
        take = read_take(written(tmp_path / "take.csv", CLOCK, tongueOut=1.01))
        assert take.scores[:, -1].tolist() == [1, 1, 1]
        read_take(tmp_path / "beat.json")
        (tmp_path / "phone.txt").write_text("=" + "|".join(f"{name}-5" for name in APPLE) + "|=head#1,2,3,4,5,6|")
        assert read_take(tmp_path / "phone.txt", fps=30).scores[0] == pytest.approx(0.05)
    for words in (
        "clipped tongueOut of 3 rows",
        "left out what moves the head, not the face: rotation",
        "1 gaps between frames, the longest of 0.617 s after row 3 (usual: 0.017 s)",
        "phone.txt: left out the rotations of head and eyes",
    ):
        assert words in caplog.text


def test_no_frame_is_lost_to_a_gap_or_to_rounding():
    for rate, times in ((60, [0, 1, 2, 3, 40, 41]), (60, range(30)), (30, [0, 1, 3, 4])):  # 60ths or 30ths
        clip = Take(np.eye(len(times), 52, dtype=np.float32), np.round(np.array(times) / rate, 3)).to_clip()
        np.testing.assert_array_equal(clip.resample(rate).frames[list(times), :52], np.eye(len(times), 52))


def test_a_take_over_midnight_goes_on(tmp_path):
    clocks = ["23:59:59:58.000", "23:59:59:59.000", "00:00:00:00.000"]
    assert read_take(written(tmp_path / "take.csv", clocks)).times == pytest.approx([0, 1 / 60, 2 / 60], abs=1e-6)


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        ("out.glb", {}, "expected a character .* for out.glb, got none"),
        ("out.obj", {}, "expected a file of .glb"),
        ("out.json", {}, "expected --names-out metahuman for out.json"),
        ("out.glb", {"names_out": "metahuman"}, "expected .csv or .json for curves of MetaHuman, got out.glb"),
        ("out.csv", {"names_out": "cc4"}, "expected metahuman as --names-out, got 'cc4'"),
    ],
)
def test_outputs_that_cannot_be(file, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_take(tmp_path / file, Take(np.zeros((2, 52), np.float32), np.array([0, 1.0])), **options)
    assert not list(tmp_path.iterdir())


def test_a_character_says_what_it_lacks(tmp_path, caplog):
    names = [name for name in APPLE if name != "cheekPuff"]
    character = Character.from_file(write_character(tmp_path / "small.glb", names, teeth=["jawOpen"]))
    moving = Take(np.full((2, 52), 0.5, np.float32), np.array([0, 1.0]))
    write_take(tmp_path / "out.glb", moving, character)
    assert "small.glb moves nothing for 1 of the take's 52 units, which are left out: cheekPuff" in caplog.text


def test_what_it_lacks_is_one_line_and_none_before_an_error(tmp_path, caplog):
    character = Character.from_file(write_character(tmp_path / "small.glb", ["jawOpen"], teeth=["jawOpen"]))
    moving = Take(np.full((2, 52), 0.5, np.float32), np.array([0, 1.0]))
    with pytest.raises(ValueError, match="expected 100"):
        write_take(tmp_path / "out.anim", moving, character, full=7)
    assert caplog.text == ""
    write_take(tmp_path / "out.glb", moving, character)
    (record,) = caplog.records
    lacking = sorted(TARGETS, key=TARGETS.index)
    lacking.remove("jawOpen")
    assert record.getMessage().endswith(f"51 of the take's 52 units, which are left out: {', '.join(lacking[:5])}, ...")


def test_ten_minutes_at_sixty_a_second(character, tmp_path):
    """36,000 frames: 2 s and 0.3 GB when this was written; a tenfold of either is a fault."""
    import resource
    import time

    weights = np.random.default_rng(0).random((36_000, 52)).round(4)
    clocks = [f"00:{k // 3600:02}:{k // 60 % 60:02}:{k % 60:02}.000" for k in range(36_000)]
    lines = [",".join([clock, "52", *map(str, row)]) for clock, row in zip(clocks, weights.tolist(), strict=True)]
    (tmp_path / "long.csv").write_text("\n".join([",".join(["Timecode", "BlendshapeCount", *APPLE]), *lines]) + "\n")
    del lines
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    write_take(tmp_path / "long.glb", read_take(tmp_path / "long.csv"), character)
    assert time.monotonic() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kB
    times, values = sampled(tmp_path / "long.glb", 0)
    assert np.allclose(times, np.arange(36_000) / 60, rtol=0, atol=4e-5)  # float32 at 600 s
    assert np.allclose(values[:, :52], weights, rtol=0, atol=1e-6)  # pytest.approx takes seconds
