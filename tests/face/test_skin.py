"""Skin of every tone and age: living, legible, and with the folds that its years give it."""

from dataclasses import replace

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import IDENTITIES, FaceRig, RenderSettings, render, skin
from emo3d.face.heads import head_arrays
from emo3d.face.identities import HAIR_STYLES, SKIN_TONES, Identity
from emo3d.face.surface import to_linear

REST = np.zeros((1, 51))
# Spots of the adult's head on the side that the key lights, millimetres: left of the middle, and above the chest.
CHEEK, LIP, BROW, FOREHEAD, FURROW = (-43, 108), (-8, 69), (-26, 168), (-26, 184), (-26, 98)
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # IEC 61966-2-1


def lab(srgb):
    """CIE L*a*b* (D65) of sRGB in 0..255, (3,)."""
    xyz = TO_XYZ @ to_linear(np.asarray(srgb) / 255) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def vertex(spot):
    """The foremost skin of the adult's head at a spot, as an index."""
    arrays = head_arrays(IDENTITIES["adult"])
    points = 1000 * arrays["neutral"]
    front = (points[:, 2] > 100) & (arrays["part"] == skin.SKIN) & (arrays["inside"] < 0.1)
    distance = np.linalg.norm(points[:, :2] - spot, axis=1) - 0.2 * points[:, 2]  # the foremost of near ones
    return np.where(front, distance, np.inf).argmin()


def project(rig, point, size):
    """Row and column of a picture at which a point shows."""
    x, y, depth, half = rig.frame
    near = 1 / (1 - (point[2] - depth) * np.tan(np.radians(RenderSettings().field_of_view / 2)) / half)
    across, up = (point[:2] - (x, y)) * near / half * size / 2
    return int(size / 2 - up), int(size / 2 + across)


def colour(rig, spot, size=224):
    """The mean sRGB of a rendered face at rest about a spot, (3,)."""
    (picture,) = render(REST, rig=rig, size=size)
    row, column = project(rig, rig.neutral[vertex(spot)], size)
    return picture[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3).mean(axis=0)


def person(**changes):
    return FaceRig.from_anny(replace(IDENTITIES["adult"], **changes))


def weights(**named):
    return np.array([[named.get(name, 0.0) for name in BLENDSHAPES]])


@pytest.fixture(scope="module")
def tones():
    """The adult with black hair in every tone of the Monk scale."""
    return {name: person(skin=tone, hair=(34, 28, 27)) for name, tone in SKIN_TONES.items()}


def test_skin_keeps_to_its_swatch_and_to_the_scales_order(tones):
    """The Monk scale's swatches are pale paint; cheeks have blood in them, and the darkest shine."""
    cheeks = [lab(colour(rig, CHEEK)) for rig in tones.values()]
    order = np.argsort([lab(tone)[0] for tone in SKIN_TONES.values()])
    assert (np.diff([cheeks[k][0] for k in order]) > -1).all()
    for cheek, (name, tone) in zip(cheeks, SKIN_TONES.items(), strict=True):
        assert np.linalg.norm(cheek - lab(tone)) < 22, name
        assert cheek[0] < 94, name
        assert 4 < cheek[1] < 25, name  # towards red, neither chalk nor graphite: living skin has a* of 5 to 20
        assert cheek[2] > 3, name


def test_mouth_and_brows_show_on_every_tone(tones):
    """At the size of a score's pictures, by four times what an eye just sees (2.3: Mahy and others, 1994)."""
    for name, rig in tones.items():
        cheek, lip, brow, forehead = (lab(colour(rig, spot)) for spot in (CHEEK, LIP, BROW, FOREHEAD))
        assert np.linalg.norm(lip - cheek) > 9, name
        assert np.linalg.norm(brow - forehead) > 14, name


def test_lines_come_with_the_years():
    """None before 45, then more and more; at ninety the furrow beside the nose is there at rest."""
    ages = [10, 25, 44, 60, 75, 90]
    arrays = head_arrays(IDENTITIES["adult"])
    plain = {**arrays, "age_lines": np.full_like(arrays["age_lines"], 128)}
    depths = []
    for years in ages:
        identity = Identity({"age": np.interp(years, [10, 25, 90], [1 / 3, 2 / 3, 1])})
        lined, smooth = (skin.paint(kept, identity)[1].astype(int) for kept in (arrays, plain))
        depths.append(np.abs(lined - smooth).mean())
    assert max(depths[:3]) < 0.01
    assert 0 < depths[3] < depths[4] < depths[5]
    column, row = (arrays["uv"][vertex(FURROW)] * skin.SIZE).astype(int)
    around = np.s_[row - 6 : row + 6, column - 6 : column + 6]
    assert (lined[around] / smooth[around]).min() < 0.9


def test_children_have_smooth_foreheads():
    raised = weights(browInnerUp=1.0, browOuterUpLeft=1.0, browOuterUpRight=1.0)
    contrasts = []
    for age in (1 / 3, 2 / 3):
        rig = person(phenotype={"gender": 0.5, "age": age})
        folded, smooth = (render(raised, rig=kept).astype(int) for kept in (rig, replace(rig, wrinkles=None)))
        contrasts.append(np.abs(folded - smooth).max())
    assert contrasts[0] <= 1
    assert contrasts[1] > 15


@pytest.mark.parametrize("style", [style for style in HAIR_STYLES if HAIR_STYLES[style].cover])
def test_folds_end_below_the_hairline(style):
    identity = replace(IDENTITIES["adult"], hair_style=style)
    arrays = head_arrays(identity)
    hair = arrays["hair_maps"][skin.HAIRLINES.index(HAIR_STYLES[style].line)]
    hair = hair.reshape(256, 2, 256, 2).mean(axis=(1, 3))
    bald, worn = (skin.folds(arrays, kept).astype(int) for kept in (replace(identity, hair_style="none"), identity))
    left = np.abs(worn[:, hair > 200]).max(initial=0)
    assert left <= 0.25 * np.abs(bald).max()
    clear = np.mean([np.roll(hair, rows, axis=0) for rows in range(-4, 5)], axis=0) == 0
    assert np.array_equal(bald[:, clear], worn[:, clear])


def test_dark_skin_folds_deeper():
    arrays = head_arrays(IDENTITIES["adult"])
    dark, light = (
        skin.folds(arrays, replace(IDENTITIES["adult"], skin=SKIN_TONES[name])).astype(int)
        for name in ("monk-10", "monk-2")
    )
    assert np.abs(dark).sum() > 1.3 * np.abs(light).sum()


def test_an_eyes_highlight_is_the_lights():
    """One, where the key light is mirrored, and gone from there with it: none is painted."""
    rig, size = person(iris=(40, 30, 25)), 700
    eye = rig.neutral[(rig.gloss == 1) & (rig.neutral[:, 0] > 0)]
    row, column = project(rig, (eye.max(axis=0) + eye.min(axis=0)) / 2, size)
    wide = weights(eyeWideLeft=1.0, eyeWideRight=1.0)
    irises = []
    for turn in (0.0, 40.0):
        (picture,) = render(wide, rig=rig, settings=RenderSettings(size=size, light_yaw=turn))
        irises.append(picture[row - 8 : row + 8, column - 8 : column + 8].min(axis=2).astype(int))
    first, second = irises
    place = np.unravel_index(first.argmax(), first.shape)
    assert first[place] > 150
    assert second[place] < 70
