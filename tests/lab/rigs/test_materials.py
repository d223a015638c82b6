"""Textures where extensions put them, repeated, cut out per sample; and files that real tools compressed."""

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import TARGETS, FaceRig, render
from emo3d.face.export import write_glb
from squares import MOVES, Square, png, seen

COMPRESSED = Path(__file__).parent / "compressed"
CASES = Path(__file__).parents[4] / "shared" / "cases"
EXPRESSION = np.eye(51)[[BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("mouthSmileLeft")]]
RED, GREEN, BLUE, WHITE = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (255, 255, 255, 255)
UV = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)  # the whole picture on the square


@pytest.fixture
def textured():
    """A square with a texture of columns; what a test changes of the texture, material and uv."""

    def build(columns, uv=UV, extension=None, wrap=None, **material):
        square = Square()
        source = {"index": 0, **({"extensions": {"KHR_texture_transform": extension}} if extension else {})}
        square.document |= {
            "images": [{"bufferView": square.view(png(*columns))}],
            "textures": [{"source": 0, **({"sampler": 0} if wrap else {})}],
            "samplers": [{"wrapS": wrap, "wrapT": wrap}] if wrap else [{}],
            "materials": [{"pbrMetallicRoughness": {"baseColorTexture": source}, **material}],
        }
        square.primitive |= {"material": 0}
        square.primitive["attributes"]["TEXCOORD_0"] = square.add(np.asarray(uv, np.float32))
        return square

    return build


@pytest.fixture
def read(tmp_path):
    return lambda square: FaceRig.from_glb(square.write(tmp_path / "square.gltf"))


def columns_of(rig):
    """Colours of the picture's middle row, from where the square begins to where it ends."""
    row = render(np.zeros((1, 51)), rig=rig)[0, 112]
    there = np.flatnonzero(np.abs(row.astype(int) - [218, 222, 228]).sum(axis=1) > 20)
    return row[there[0] : there[-1] + 1]


def test_texture_transform_is_what_three_js_does(textured, read):
    """three.js r187, Texture.updateMatrix with offset (0.1, 0.2), rotation 0.3: (0.25, 0.75) -> (0.56047, 0.84262)."""
    uv = np.array([[0.25, 0.75], [0, 0], [0.1, 0], [0, 0.1]])
    extension = {"offset": [0.1, 0.2], "rotation": 0.3}
    rig = read(textured([RED], uv, extension))
    assert rig.uv[0] == pytest.approx((0.56047, 0.84262), abs=1e-5)


def test_scale_comes_before_rotation(textured, read):
    """Khronos: translation * rotation * scale. (0.2, 0.1) x (2, 1) = (0.4, 0.1), a quarter turn on: (0.1, -0.4)."""
    uv = np.array([[0.2, 0.1], [0.2, 0.1], [0.2, 0.1], [0.2, 0.1]])
    rig = read(textured([RED], uv, {"scale": [2, 1], "rotation": np.pi / 2, "offset": [0, 0.9]}))
    assert rig.uv[0] == pytest.approx((0.1, 0.5), abs=1e-6)


def test_texture_transform_has_its_own_set_of_coordinates(textured, read):
    square = textured([RED, GREEN], np.zeros((4, 2)), {"texCoord": 1})
    square.primitive["attributes"]["TEXCOORD_1"] = square.add(np.full((4, 2), 0.75, np.float32))
    assert seen(read(square), 0) == [0, 255, 0]


@pytest.mark.parametrize("where", ["extensionsUsed", "extensionsRequired"])
def test_half_of_a_texture_spreads_over_the_square(textured, read, where):
    """Offset 0.5 and scale 0.5 show the right half alone, as in r03.glb: the third and fourth column."""
    square = textured([RED, GREEN, BLUE, WHITE], extension={"offset": [0.5, 0], "scale": [0.5, 1]})
    square.document[where] = ["KHR_texture_transform"]
    row = columns_of(read(square)).astype(int)
    left, right = row[len(row) // 4], row[3 * len(row) // 4]
    assert left[2] > left[0] + 60  # blue
    assert np.ptp(right) < 25  # white


@pytest.mark.skipif(not CASES.is_dir(), reason="the case files are not beside the checkout")
def test_r03_is_black(caplog):
    """Its uv are 0..1 and its transform halves and moves them to 0.5..1, where all the picture's texels are black."""
    rig = FaceRig.from_glb(CASES / "r03.glb")
    rig = replace(rig, gloss=np.zeros(len(rig.neutral), np.float32))  # nor does it shine
    picture = render(np.zeros((1, 51)), rig=rig)[0, 60:160, 90:130]
    assert (picture > 0).mean() < 0.2  # where black borders on white, texels are mixed


@pytest.mark.parametrize(
    ("wrap", "colors"),
    [(None, "rgrgrg"), (10497, "rgrgrg"), (33648, "rggrrg"), (33071, "rggggg")],
)
def test_a_texture_repeated_within_a_triangle(textured, read, wrap, colors):
    """Three repeats across one square: by the specification's wrapping modes, sampled in the middle of each half."""
    row = columns_of(read(textured([RED, GREEN], UV * [3, 1], wrap=wrap))).astype(int)
    places = [int((k + 0.5) * len(row) / 6) for k in range(6)]
    assert "".join("r" if row[place][0] > row[place][1] else "g" for place in places) == colors


def test_whole_repeats_cost_no_resolution(textured, read):
    """Islands in other tiles, as UDIM exporters leave them, are moved back; the picture stays as it is."""
    rig = read(textured([RED, GREEN], UV + np.array([5, -3])))
    assert rig.texture.shape == (2, 2, 3)
    assert [seen(rig, k) for k in range(4)] == [[255, 0, 0], [0, 255, 0], [0, 255, 0], [255, 0, 0]]


def test_diffuse_texture_of_specular_glossiness(textured, read):
    square = textured([RED])
    (material,) = square.document["materials"]
    texture = material["pbrMetallicRoughness"].pop("baseColorTexture")
    material["extensions"] = {
        "KHR_materials_pbrSpecularGlossiness": {"diffuseTexture": texture, "diffuseFactor": [0.25, 1, 1, 1]}
    }
    rig = read(square)
    assert seen(rig, 0) == [255, 0, 0]
    assert rig.colors[0] == pytest.approx([0.537, 1, 1], abs=1e-3)  # linear 0.25 in sRGB


def test_unity_offset_of_a_vrm_material(textured, read):
    """Unity's v goes up: (0, 0.5) with half the height is the upper half, whose v in glTF is 0 to 0.5."""
    square = textured([RED])
    vectors = {"_MainTex": [0, 0.5, 1, 0.5]}
    square.document["extensions"] = {"VRM": {"materialProperties": [{"vectorProperties": vectors}]}}
    assert read(square).uv[:, 1] == pytest.approx([0.5, 0.5, 0, 0])


def test_hidden_nodes_are_not_seen(textured, read):
    square = textured([RED])
    square.document["nodes"] += [
        {"children": [2], "extensions": {"KHR_node_visibility": {"visible": False}}},
        {"mesh": 0},
    ]
    square.document["scenes"][0]["nodes"] = [0, 1]
    assert len(read(square).triangles) == 2


@pytest.mark.parametrize(
    ("material", "alpha", "share"),
    [
        ({"alphaMode": "MASK"}, 127, 0.5),
        ({"alphaMode": "MASK"}, 128, 1.0),
        ({"alphaMode": "MASK", "alphaCutoff": 0.2}, 60, 1.0),
        ({"alphaMode": "MASK", "alphaCutoff": 0.2}, 40, 0.5),
        ({"alphaMode": "BLEND", "alphaCutoff": 0.2}, 60, 0.5),  # the cutoff is MASK's alone
        ({"alphaMode": "OPAQUE"}, 0, 1.0),
        ({}, 0, 1.0),
        ({"extensions": {"KHR_materials_transmission": {"transmissionFactor": 0.4}}}, 0, 1.0),
    ],
)
def test_alpha_is_tested_per_sample(textured, read, material, alpha, share):
    """The right half of the square's texture has this alpha: seen from 0.5 on, or the cutoff (255 x 0.5 = 127.5)."""
    rig = read(textured([WHITE, (255, 255, 255, alpha)], **material))
    whole = len(columns_of(read(textured([WHITE]))))
    assert len(columns_of(rig)) == pytest.approx(share * whole, abs=1.5)


def test_vertex_colours_have_an_alpha_too(textured, read):
    square = textured([WHITE], alphaMode="BLEND")
    faded = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]], np.float32)
    square.primitive["attributes"]["COLOR_0"] = square.add(faded)
    whole = len(columns_of(read(textured([WHITE]))))
    assert len(columns_of(read(square))) == pytest.approx(0.5 * whole, abs=1.5)


def test_a_card_is_seen_from_behind_where_its_material_says_so(textured, read):
    """Lashes are single cards; the skull behind (a larger square further back) says where the front is."""
    for double_sided, pixels in ((False, 0), (True, 1)):
        square = textured([(255, 0, 0, 255)], alphaMode="MASK", doubleSided=double_sided)
        card = {**square.primitive, "indices": square.add(np.array([0, 2, 1, 0, 3, 2], np.uint16))}
        del card["targets"]
        card["attributes"] = {
            **card["attributes"],
            "POSITION": square.add(np.array([[-1, 0, 1], [1, 0, 1], [1, 2, 1], [-1, 2, 1]], np.float32)),
        }
        square.mesh["primitives"] = [
            {key: value for key, value in square.primitive.items() if key != "material"},
            card,
        ]
        picture = render(np.zeros((1, 51)), rig=read(square))[0, 112, 80].astype(int)
        assert bool(picture[0] > 2 * picture[1]) == bool(pixels)


def test_what_is_cut_out_stays_so_in_our_own_file(textured, read, tmp_path):
    rig = read(textured([WHITE, (255, 255, 255, 90)], alphaMode="MASK", alphaCutoff=0.3))
    other = read(textured([WHITE, (255, 255, 255, 70)], alphaMode="MASK", alphaCutoff=0.3))
    for each, share in ((rig, 1.0), (other, 0.5)):
        write_glb(tmp_path / "again.glb", np.zeros(51), rig=each)
        again = FaceRig.from_glb(tmp_path / "again.glb")
        assert len(columns_of(again)) == pytest.approx(share * len(columns_of(rig)), abs=1.5)


def test_an_unknown_extension_is_said(textured, read, caplog):
    square = textured([RED])
    square.document["extensionsUsed"] = ["KHR_materials_sheen", "ACME_fur"]
    with caplog.at_level(logging.WARNING):
        read(square)
    assert "square.gltf: not known here, and left out: ACME_fur" in caplog.text


@pytest.mark.parametrize(
    ("name", "levels", "module"),
    [
        ("draco", 0.1, "DracoPy"),
        ("meshopt", 0.1, "meshopt"),
        ("gltfpack-c", 0.1, "meshopt"),
        ("webp", 0, None),
        ("gltfpack", 0.1, None),
    ],
)
def test_what_real_tools_compressed_is_the_same_face(name, levels, module):
    """Beside the uncompressed original: mean difference in levels of 255 (all but WebP quantise)."""
    if module is not None:
        pytest.importorskip(module, reason="needs the extra compressed")
    original, rig = (FaceRig.from_glb(COMPRESSED / f"{file}.glb") for file in ("head", f"head-{name}"))
    assert rig.missing == original.missing
    before, after = (render(EXPRESSION, rig=each).astype(int) for each in (original, rig))
    assert before.std() > 20
    assert np.abs(after - before).mean() <= levels


@pytest.mark.parametrize(
    ("name", "module", "command"),
    [
        ("head-meshopt", "meshopt", "gltfpack -i in.glb -o out.glb -noq"),
        ("head-gltfpack-c", "meshopt", "gltfpack -i in.glb -o out.glb -noq"),
        ("head-draco", "DracoPy", "gltf-transform copy in.glb out.glb"),
    ],
)
def test_without_a_decoder_the_extra_and_the_command_are_named(name, module, command, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"{name}.glb: .*pip install 'emo3d\[compressed\]' reads it.*, `{command}`"):
        FaceRig.from_glb(COMPRESSED / f"{name}.glb")


def test_a_gltf_in_the_hubs_cache(tmp_path):
    """A snapshot is made of links to blobs of the same repository; links to anywhere else are not followed."""
    square = Square()
    repository = tmp_path / "models--llm-lab--head"
    snapshot, blobs = repository / "snapshots" / "abc", repository / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    document = {**square.document, "buffers": [{"byteLength": len(square.blob), "uri": "data/face.bin"}]}
    (blobs / "1f").write_text(json.dumps(document))
    (blobs / "2f").write_bytes(square.blob)
    (snapshot / "data").mkdir()
    (snapshot / "face.gltf").symlink_to("../../blobs/1f")
    (snapshot / "data" / "face.bin").symlink_to("../../../blobs/2f")
    rig = FaceRig.from_glb(snapshot / "face.gltf")
    assert rig.deltas[TARGETS.index("jawOpen")].tolist() == MOVES["jawOpen"]
    (tmp_path / "secret").write_bytes(square.blob)
    (snapshot / "data" / "face.bin").unlink()
    (snapshot / "data" / "face.bin").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match=r"got 'data/face\.bin', a link to another"):
        FaceRig.from_glb(snapshot / "face.gltf")


def test_a_target_twice_but_alike_is_read_once(tmp_path, caplog):
    square = Square()
    square.mesh["extras"]["targetNames"].append("JawOpen")
    square.primitive["targets"].append(square.primitive["targets"][0])
    rig = FaceRig.from_glb(square.write(tmp_path / "twice.gltf"))
    assert rig.deltas[TARGETS.index("jawOpen")].tolist() == MOVES["jawOpen"]
    assert "has jawOpen twice, as 'jawOpen' and 'JawOpen'; they are alike, and one is read" in caplog.text


@pytest.mark.skipif(not CASES.is_dir(), reason="the case files are not beside the checkout")
def test_names_in_another_spelling():
    """r04.glb has the seven of r01_front.glb, spelt eyeBlink_Left and so on."""
    other, plain = FaceRig.from_glb(CASES / "r04.glb"), FaceRig.from_glb(CASES / "r01_front.glb")
    assert other.missing == plain.missing
    assert np.array_equal(other.deltas, plain.deltas)
