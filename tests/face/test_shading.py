"""Light, folds and textures, against plain computations written here."""

from dataclasses import replace

import numpy as np
import pytest

from emo3d.face import IDENTITIES, FaceRig, RenderSettings, render
from emo3d.face.identities import SKIN_TONES
from emo3d.face.render import _LIGHTS, _SHINE
from emo3d.face.rig import Wrinkles
from emo3d.face.surface import make_surface, to_linear, to_srgb

REST = np.zeros((1, 51))
GREY = np.full((2, 2, 3), 128, np.uint8)


def make_rig(vertices, triangles, uv, *, texture=GREY, gloss=None, wrinkles=None, alpha=None):
    """A rig that nothing moves, framed from -1 to 1."""
    colors = np.ones((len(vertices), 3 if alpha is None else 4), np.float32)
    if alpha is not None:
        colors[:, 3] = alpha
    return FaceRig(
        "made",
        neutral=np.asarray(vertices, np.float32),
        deltas=np.zeros((52, len(vertices), 3), np.float32),
        triangles=np.asarray(triangles, np.int32),
        welds=np.arange(len(vertices), dtype=np.int32),
        colors=colors,
        uv=np.asarray(uv, np.float32),
        texture=texture,
        frame=(0.0, 0.0, 0.0, 1.0),
        gloss=None if gloss is None else np.full(len(vertices), gloss, np.float32),
        wrinkles=wrinkles,
    )


def square(**options):
    """A square that fills the middle half of the frame, its texture upright."""
    corners = [[-0.5, 0.5, 0], [0.5, 0.5, 0], [-0.5, -0.5, 0], [0.5, -0.5, 0]]
    return make_rig(corners, [[0, 2, 1], [1, 2, 3]], [[0, 0], [1, 0], [0, 1], [1, 1]], **options)


def ball(**options):
    """Of radius 0.8, seen from the front."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, 91), np.linspace(0, 2 * np.pi, 181), indexing="ij")
    rim = np.sin(polar)
    vertices = np.stack([rim * np.sin(around), np.cos(polar), rim * np.cos(around)], axis=-1).reshape(-1, 3)
    row, column = (index.ravel() for index in np.mgrid[:90, :180])
    a, b = 181 * row + column, 181 * row + column + 181
    triangles = np.concatenate([np.stack([a, b, a + 1], axis=1), np.stack([a + 1, b, b + 1], axis=1)])
    return make_rig(0.8 * vertices, triangles, np.full((len(vertices), 2), 0.5), **options)


def lit(normals, views, albedo, gloss, lights, mirrored_color):
    """Linear light (N, 3) of normals and directions to the viewer (N, 3)."""
    total, shine = np.zeros_like(normals), np.zeros(len(normals))
    mirrored = 2 * (normals * views).sum(axis=1)[:, None] * normals - views
    for direction, color, wraps, rough, smooth in lights:
        unit = np.array(direction) / np.linalg.norm(direction)
        cosine = (normals @ unit)[:, None]
        total += np.array(color) * np.maximum(0, (cosine + wraps) / (1 + np.array(wraps)))
        cosine = np.maximum(0, mirrored @ unit)
        shine += rough * gloss * (1 - gloss) * cosine**4 + smooth * gloss**4 * cosine**64
    slant = gloss * (1 - gloss) * (1 - np.maximum(0, (normals * views).sum(axis=1))) ** 4
    diffuse = albedo * total
    return diffuse + (shine + slant)[:, None] * np.array(mirrored_color) * (1 - np.minimum(1, diffuse))


@pytest.mark.parametrize(("gloss", "value"), [(0.2, 128), (1.0, 40), (0.0, 250)])
def test_a_ball_is_lit_as_computed_by_hand(gloss, value):
    size, texture = 200, np.full((4, 4, 3), value, np.uint8)
    settings = RenderSettings(size=size, field_of_view=30)
    (picture,) = render(REST, rig=ball(gloss=gloss, texture=texture), settings=settings)
    row, column = (index.ravel() for index in np.mgrid[:size, :size])
    tangent = np.tan(np.radians(15))
    eye = np.array([0, 0, 1 / tangent])
    rays = np.stack(
        [(2 * column + 1 - size) * tangent, (size - 1 - 2 * row) * tangent, np.full(len(row), -size)], axis=1
    )
    rays = rays / np.linalg.norm(rays, axis=1)[:, None]
    along = -(rays @ eye)
    room = along**2 - eye @ eye + 0.8**2
    inside = room > 0.02
    spots = eye + (along[inside] - np.sqrt(room[inside]))[:, None] * rays[inside]
    albedo = to_linear(np.array([value / 255]))
    expected = 255 * to_srgb(lit(spots / 0.8, -rays[inside], albedo, gloss, _LIGHTS[settings.name], _SHINE))
    difference = np.abs(picture[row[inside], column[inside]] - expected)
    assert difference.mean() < 0.6
    assert np.quantile(difference, 0.99) < 3


def test_light_wraps_further_in_red():
    """As under skin: where the key light ends, what is left of it is warm."""
    key = _LIGHTS[RenderSettings().name][:1]
    grazed = np.cross(key[0][0], [0, 1, 0])[None]
    red, green, blue = lit(grazed / np.linalg.norm(grazed), np.array([[0, 0, 1.0]]), 1.0, 0.0, key, (0, 0, 0))[0]
    assert red > 1.3 * green > 1.3 * blue > 0


def test_folds_darken_and_brighten_with_their_drivers():
    maps = np.zeros((2, 16, 16), np.int8)
    maps[0, :, :6], maps[1, :, 10:] = -127, 127
    drivers = np.zeros((2, 52), np.float32)
    drivers[0, 3], drivers[1, [4, 5]] = 2.0, (1.0, -1.0)
    rig = square(wrinkles=Wrinkles(maps, drivers), gloss=0.0)
    weights = np.zeros((6, 51))
    weights[1:5, 3] = 0.25, 0.5, 0.75, 0.0
    weights[4, 4] = weights[5, 4] = weights[5, 5] = 0.5
    pictures = render(weights, rig=rig, size=64)
    left, middle, right = (pictures[:, 32, column].mean(axis=1) for column in (20, 32, 44))
    assert np.ptp(middle) == 0
    assert left[0] > left[1] > left[2] == left[3]  # the amount is at most 1
    assert left[4] == left[5] == left[0]
    assert right[4] > right[0] == right[5]  # drivers may cancel out
    plain = render(weights, rig=square(gloss=0.0), size=64)
    assert np.array_equal(pictures[0], plain[0])


def test_a_surface_is_cut_out_where_its_texture_says_so():
    texture = np.full((64, 64, 4), 255, np.uint8)
    texture[:, :32] = (0, 0, 0, 0)  # hidden black, as pictures often have it
    (picture,) = render(REST, rig=square(texture=texture, alpha=1.0), size=64)
    background = picture[0, 0]
    assert np.array_equal(picture[32, 20], background)
    assert not np.array_equal(picture[32, 40], background)
    edge = picture[20:44, 30:36].astype(int)
    assert (edge.min(axis=(0, 1)) >= np.minimum(background, picture[32, 40]) - 4).all()  # no black seeps through
    (clear,) = render(REST, rig=square(texture=texture, alpha=0.4), size=64)
    assert (clear == background).all()


def test_levels_of_a_texture_are_means_in_linear_light():
    board = (np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)
    surface = make_surface(square(texture=np.repeat(board[:, :, None], 3, axis=2)))
    start, side = surface.levels[1]
    assert [side for _, side in surface.levels] == [32, 16, 8]
    assert np.unique((surface.texels[start : start + side**2] & 1023) / 1023) == pytest.approx([0.5**0.5], abs=1e-3)
    (picture,) = render(REST, rig=square(texture=np.repeat(board[:, :, None], 3, axis=2)), size=20)
    (plain,) = render(REST, rig=square(texture=np.full((2, 2, 3), 188, np.uint8)), size=20)  # half of linear light
    assert np.abs(picture[7:13, 7:13].astype(int) - plain[7:13, 7:13]).max() <= 3


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 3, 3), (37, 37, 4)])
def test_textures_of_any_size(shape):
    texture = np.full(shape, 200, np.uint8)
    rig = square(texture=texture, alpha=1.0 if shape[2] == 4 else None)
    (expected,) = render(REST, rig=square(texture=np.full((2, 2, 3), 200, np.uint8)), size=40)
    assert np.array_equal(render(REST, rig=rig, size=40)[0], expected)


@pytest.mark.parametrize("samples", [1, 2, 3, 5])
def test_samples_of_a_pixel_are_averaged_in_linear_light(samples):
    """Against one sample a pixel of a larger picture."""
    fine, coarse = (
        render(REST, rig=ball(), settings=RenderSettings(size=size, samples=count))[0]
        for size, count in ((30 * samples, 1), (30, samples))
    )
    expected = to_linear(fine / 255).reshape(30, samples, 30, samples, 3).mean(axis=(1, 3))
    assert np.abs(255 * to_srgb(expected) - coarse).max() <= 4


def test_pictures_are_the_same_to_the_bit_whatever_the_batch_and_the_threads(monkeypatch):
    faces = np.random.default_rng(5).random((13, 51))
    together = render(faces)
    assert np.array_equal(together, np.concatenate([render(face) for face in faces]))
    for threads in ("1", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        assert np.array_equal(render(faces), together)


def cheeks(picture):
    return picture[80:190, 60:164].astype(float)


def test_the_darkest_skin_keeps_relief_and_the_lightest_does_not_burn_out():
    adult = IDENTITIES["adult"]
    dark, light = (
        render(REST, rig=FaceRig.from_anny(replace(adult, skin=SKIN_TONES[tone])))[0] for tone in ("monk-10", "monk-1")
    )
    assert cheeks(dark).mean(axis=2).std() > 8
    assert (cheeks(light).min(axis=2) >= 254).mean() < 0.01
