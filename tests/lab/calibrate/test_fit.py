"""What is sampled, how it is measured through kills, and whether a fit finds a way back that is known to be there."""

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.identities import IDENTITIES
from emo3d_lab.calibrate.fit import _check_better, determination, fit
from emo3d_lab.calibrate.measure import Faces
from emo3d_lab.calibrate.sample import FITTED, HELD_OUT, KINDS, RENDERED, sample_sittings, sample_weights
from emo3d_lab.landmarks import weigh

INDEX = {name: index for index, name in enumerate(BLENDSHAPES)}


def test_weights_are_weights():
    weights, kinds = sample_weights(2000, np.random.default_rng(0))
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    assert weights.max() <= 1
    assert (weights[:, INDEX["mouthClose"]] <= weights[:, INDEX["jawOpen"]]).all()
    assert not weights[kinds == KINDS.index("neutral")].any()
    assert weights.any(axis=0).all()  # every unit has its turn


def test_sides_are_mostly_together():
    """Three faces of four, as `_move` says; a mixture's stray weights and opposed units make it a little less."""
    weights, kinds = sample_weights(4000, np.random.default_rng(1))
    sides = weights[kinds == KINDS.index("unit")][:, [INDEX["browDownLeft"], INDEX["browDownRight"]]]
    moved = sides[sides.any(axis=1)]
    assert 0.6 < (moved[:, 0] == moved[:, 1]).mean() < 0.9
    assert len(moved[(moved == 0).any(axis=1)])  # and sometimes one side moves alone


def test_sittings_are_decided_by_the_seed():
    once, again, other = sample_sittings(2560, seed=3), sample_sittings(2560, seed=3), sample_sittings(2560, seed=4)
    assert all(np.array_equal(a.weights, b.weights) for a, b in zip(once[9].shots, again[9].shots, strict=True))
    assert once[99].identity == again[99].identity != other[99].identity
    assert not np.array_equal(once[9].shots[0].weights, other[9].shots[0].weights)


def test_who_is_who():
    sittings = sample_sittings(3000)
    assert sum(len(shot.weights) for sitting in sittings for shot in sitting.shots) == 3000
    assert [sitting.held_out for sitting in sittings] == [False] * (RENDERED + FITTED) + [True] * HELD_OUT
    people = [sitting.identity for sitting in sittings]
    assert people[:RENDERED] == [IDENTITIES["adult"]] * RENDERED
    assert len({repr(person) for person in people}) == 1 + FITTED + HELD_OUT
    assert all(shot.yaw == shot.light_yaw == 0 for shot in sittings[0].shots)
    angles = [abs(shot.yaw) for sitting in sittings for shot in sitting.shots]
    assert 5 < max(angles) <= 20


def test_a_rig_of_its_own_is_everybody():
    assert {(sitting.identity, sitting.person) for sitting in sample_sittings(256, identities=False)} == {(None, 0)}


def test_too_few_faces():
    with pytest.raises(ValueError, match="expected at least 256 faces, one for each sitting, got 255"):
        sample_sittings(255)


def invented(count=1500, deaf=("noseSneerLeft", "noseSneerRight")):
    """Faces of an instrument that is known: it halves every unit, adds 0.2, and is deaf to some."""
    weights, kinds = sample_weights(count, np.random.default_rng(0))
    readings = (0.2 + 0.5 * weights).astype(np.float32)
    readings[:, [INDEX[name] for name in deaf]] = 0.3
    zeros = np.zeros(count, np.float32)
    dice = np.random.default_rng(1)
    face, moves = dice.random((478, 3)), 0.02 * dice.standard_normal((51, 478, 3))  # the landmarks go with all units
    return Faces(
        weights=weights,
        readings=readings,
        landmarks=(face + np.einsum("nu,ulx->nlx", weights, moves)).astype(np.float32),
        kind=kinds,
        person=np.zeros(count, int),
        held_out=np.arange(count) % 5 == 0,
        yaw=zeros,
        light_yaw=zeros,
        field_of_view=zeros + 20,
    )


@pytest.fixture(scope="module")
def fitted():
    return fit(invented(), name="invented", absent=["cheekPuff"], epochs=300)


def test_a_known_instrument_is_undone(fitted):
    """Raw, most weights are 0 and read 0.2: a mean squared error of nearly 0.2^2; refined, a tenth of it at most."""
    calibration, figures = fitted
    assert figures["weights"]["none"] > 0.03
    assert figures["weights"]["network"] < 0.25 * figures["weights"]["none"]
    assert figures["weights"]["refine"] < 0.1 * figures["weights"]["none"]
    np.testing.assert_allclose(calibration.to_readings(np.zeros((1, 51)))[0, INDEX["jawOpen"]], 0.2, atol=0.03)


def test_what_readings_do_not_tell_is_named(fitted):
    calibration, figures = fitted
    assert {"noseSneerLeft", "noseSneerRight"} <= {*figures["inferred"], *calibration.unrecoverable}
    assert "cheekPuff" in calibration.unrecoverable  # the rig lacks it
    assert "jawOpen" not in {*figures["inferred"], *calibration.unrecoverable}


def test_landmarks_tell_what_readings_do_not(fitted):
    """The instrument is deaf to a sneer, its landmarks move with it; a unit that the rig lacks stays exactly 0."""
    calibration, figures = fitted
    faces = invented()[np.arange(1500) % 5 == 0]
    weights = weigh(calibration, faces.readings, faces.landmarks)
    assert figures["weights"]["picture"] == pytest.approx(np.square(weights - faces.weights).mean(), abs=2e-6)
    assert figures["weights"]["picture"] < 0.25 * figures["weights"]["none"]
    sneer = INDEX["noseSneerLeft"]
    r2 = 1 - np.square(weights - faces.weights)[:, sneer].mean() / faces.weights[:, sneer].var()
    assert r2 > 0.5 > figures["determination"]["noseSneerLeft"]
    assert not weights[:, INDEX["cheekPuff"]].any()


def test_a_face_at_rest_stays_at_rest(fitted):
    """Raw, each unit reads 0.2 at rest, and a sneer 0.3."""
    at_rest = fitted[1]["at rest"]
    assert at_rest["none"] == pytest.approx(0.3, abs=1e-4)
    assert at_rest["network"] < 0.05
    assert at_rest["picture"] < 0.05


def test_the_same_faces_and_seed_give_the_same_bits():
    once, again, other = (fit(invented(), name="invented", seed=seed, epochs=3)[0].arrays for seed in (0, 0, 1))
    assert all(np.array_equal(once[name], again[name]) for name in once)
    assert not np.array_equal(once["inverse.0.weight"], other["inverse.0.weight"])


def test_faces_that_were_not_found_stay_out(fitted):
    faces = invented()
    lost = Faces(**{**vars(faces), "readings": np.where(np.arange(1500)[:, None] % 50 == 7, np.nan, faces.readings)})
    _, figures = fit(lost, name="lost", epochs=1)
    assert figures["faces"] == (faces.held_out & (np.arange(1500) % 50 != 7)).sum()
    with pytest.raises(ValueError, match="expected faces to fit and faces held out, got 300 and 0"):
        fit(faces[~faces.held_out][:300], name="none")


def test_determination_by_hand():
    """Truth 0, 1, 0, 1 (variance 1/4): answered exactly 1, by its mean 0, and by 0 (error 1/2) -1; 0 if it is fixed."""
    faces = invented(4)
    truth = np.zeros((4, 51), np.float32)
    truth[:, :3] = np.array([[0], [1], [0], [1]])
    answers = truth.copy()
    answers[:, 1], answers[:, 2] = 0.5, 0.0
    found = determination(Faces(**{**vars(faces), "weights": truth}), answers)
    np.testing.assert_allclose(found[:4], [1, 0, -1, 0])


def test_a_fit_that_does_not_beat_raw_is_refused():
    good = {"none": 0.04, "network": 0.02, "refine": 0.03, "picture": 0.01}
    _check_better("weights", {"weights": good}, 256)
    for method, error in (("network", 0.05), ("refine", 0.04), ("network", float("nan")), ("picture", 0.06)):
        with pytest.raises(ValueError, match=f"{error:.4f} by {method}, 0.0400 raw; measure more than 256 faces"):
            _check_better("weights", {"weights": good | {method: error}}, 256)
