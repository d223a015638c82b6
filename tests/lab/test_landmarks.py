"""Weights from readings and landmarks: where a face is in the picture does not matter, old calibrations still serve."""

from dataclasses import replace

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.calibration import Calibration, load_calibration, to_weights
from emo3d_lab.calibrate.files import save_calibration
from emo3d_lab.landmarker import Face
from emo3d_lab.landmarks import _STABLE, align, name_picture_weights, picture_weights


def turn(axis, degrees):
    """The rotation about an axis, by the textbook's formula of one plane."""
    angle, (i, j) = np.radians(degrees), [k for k in range(3) if k != axis]
    matrix = np.eye(3)
    matrix[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    return matrix


@pytest.fixture(scope="module")
def landmarks():
    return np.random.default_rng(0).random((5, 478, 3))


def test_place_size_and_turn_are_taken_out(landmarks):
    target = landmarks[0]
    moved = 0.3 * landmarks @ turn(2, 25) @ turn(1, -18) @ turn(0, 12) + (0.4, -2.0, 0.1)
    np.testing.assert_allclose(align(moved[:1], target)[0], target, atol=1e-5)
    np.testing.assert_allclose(align(moved, target), align(landmarks, target), atol=1e-5)


def test_a_mirror_image_is_not_turned_inside_out(landmarks):
    """The best rotation of a mirror image leaves it one: no reflection is laid over the target."""
    aligned = align(landmarks[:1] * (-1, 1, 1), landmarks[0])[0]
    (points, before) = (array[list(_STABLE)] for array in (aligned, landmarks[0] * (-1, 1, 1)))
    edges = [array[1:4] - array[0] for array in (points, before)]
    assert np.sign(np.linalg.det(edges[0])) == np.sign(np.linalg.det(edges[1]))


def test_only_points_of_the_skull_decide(landmarks):
    """A jaw that drops moves no other point."""
    dropped = landmarks.copy()
    dropped[:, 152, 1] += 1.0
    others = [place for place in range(478) if place != 152]
    np.testing.assert_array_equal(align(dropped, landmarks[0])[:, others], align(landmarks, landmarks[0])[:, others])


def faces(landmarks):
    readings = np.random.default_rng(1).random((len(landmarks), 51)).astype(np.float32)
    box = (0.0, 0.0, 1.0, 1.0)
    return [Face(reading, box, points.astype(np.float32)) for reading, points in zip(readings, landmarks, strict=True)]


def seeing(landmarks, axes=4, coordinates=1434):
    dice = np.random.default_rng(2)
    sizes = (102 + axes, 8, 8, 51)
    arrays = {
        f"picture.{layer}.{part}": dice.normal(size=shape).astype(np.float16)
        for layer in range(3)
        for part, shape in (("weight", sizes[layer : layer + 2][::-1]), ("bias", sizes[layer + 1 : layer + 2]))
    }
    extra = {"picture.mean": landmarks[0].reshape(-1)[:coordinates].astype(np.float32)}
    extra["picture.axes"] = dice.normal(size=(coordinates, axes)).astype(np.float16).T / 40  # laid out as in a fit
    return replace(load_calibration(), name="seeing", arrays={**load_calibration().arrays, **arrays, **extra})


def test_weights_of_pictures(landmarks, tmp_path):
    """The network by hand, in float64; and after a round trip through a file."""
    calibration, seen = seeing(landmarks), faces(landmarks)
    save_calibration(calibration, tmp_path / "seeing.safetensors")
    weights = picture_weights(seen, Calibration.load(tmp_path / "seeing.safetensors"))
    assert name_picture_weights(calibration) == "picture/seeing"
    assert weights.shape == (5, 51)
    assert weights.min() >= 0
    assert weights.max() <= 1
    arrays = {name: array.astype(np.float64) for name, array in calibration.arrays.items()}
    readings = np.stack([face.expression for face in seen]).astype(np.float64)
    points = align(landmarks, landmarks[0]).reshape(5, -1)
    values = [
        readings,
        np.log((readings + 0.001) / (1.001 - readings)) / 4,
        (points - arrays["picture.mean"]) @ arrays["picture.axes"].T,
    ]
    values = np.concatenate(values, axis=1)
    for layer in range(2):
        values = values @ arrays[f"picture.{layer}.weight"].T + arrays[f"picture.{layer}.bias"]
        values = values / (1 + np.exp(-values))
    expected = 1 / (1 + np.exp(-(values @ arrays["picture.2.weight"].T + arrays["picture.2.bias"])))
    close, jaw = BLENDSHAPES.index("mouthClose"), BLENDSHAPES.index("jawOpen")
    expected[:, close] = np.minimum(expected[:, close], expected[:, jaw])
    np.testing.assert_allclose(weights, expected, atol=1e-3)


def test_a_calibration_without_landmarks_takes_the_readings(landmarks):
    plain = load_calibration()
    plain = replace(plain, arrays={name: array for name, array in plain.arrays.items() if "picture" not in name})
    readings = np.stack([face.expression for face in faces(landmarks)])
    np.testing.assert_array_equal(picture_weights(faces(landmarks), plain), to_weights(readings, "network", plain))
    assert name_picture_weights(plain) == f"network/{plain.name}"


def test_landmarks_of_another_mesh_are_refused(landmarks):
    with pytest.raises(ValueError, match="seeing: expected a mean face of 1434 numbers and axes for 106 inputs, got"):
        picture_weights(faces(landmarks), seeing(landmarks, coordinates=1404))
