"""Action units, prototypes and their composition. Expected weights are worked by hand."""

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES, mirror
from emo3d.emotions import EMOTIONS
from emo3d_lab.sample.prototypes import AU_BLENDSHAPES, PROTOTYPES, VARIANTS, compose, settle, units_to_weights, vary


def at(expression, name):
    return float(expression[BLENDSHAPES.index(name)])


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("", {}),
        ("1:1", {"browInnerUp": 1}),
        ("12L:0.5 26:1", {"mouthSmileLeft": 0.5, "jawOpen": 1}),
        ("61:0.5", {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5}),  # eyes turn to the person's own left
        ("62:0.5", {"eyeLookInLeft": 0.5, "eyeLookOutRight": 0.5}),
        ("30R:1", {"jawRight": 1}),
        # 6 squints the eye by half, 7 wholly: 1 - (1 - 0.5)(1 - 0.4)
        ("6L:1 7L:0.4", {"cheekSquintLeft": 1, "eyeSquintLeft": 0.7}),
        ("26:0", {"jawOpen": 0}),
    ],
)
def test_units(units, expected):
    assert units_to_weights(units) == pytest.approx(expected)


def test_unknown_unit():
    with pytest.raises(ValueError, match="got '99'"):
        units_to_weights("99:1")


def test_tables_name_blendshapes():
    used = {name for weights in AU_BLENDSHAPES.values() for name in weights}
    assert used <= set(BLENDSHAPES)
    assert set(BLENDSHAPES) - used == {"mouthClose"}  # a corrective of the jaw: no unit of its own


# What EMFACS asks for, as blendshapes that must be strong, and what would be another emotion's.
@pytest.mark.parametrize(
    ("emotion", "strong", "absent"),
    [
        ("happiness", "mouthSmileLeft mouthSmileRight cheekSquintLeft", "mouthFrownLeft browDownLeft"),
        ("surprise", "browInnerUp browOuterUpLeft eyeWideLeft jawOpen", "browDownLeft mouthSmileLeft mouthStretchLeft"),
        ("sadness", "browInnerUp mouthFrownLeft mouthFrownRight", "mouthSmileLeft eyeWideLeft"),
        ("anger", "browDownLeft browDownRight mouthLowerDownLeft mouthUpperUpLeft", "browInnerUp mouthSmileLeft"),
        ("disgust", "noseSneerLeft noseSneerRight mouthUpperUpLeft", "browInnerUp browDownLeft mouthSmileLeft"),
        ("fear", "browInnerUp eyeWideLeft mouthStretchLeft mouthStretchRight", "mouthSmileLeft noseSneerLeft"),
        ("contempt", "mouthDimpleLeft", "mouthSmileRight mouthDimpleRight browInnerUp"),
    ],
)
def test_prototypes_are_those_of_emfacs(emotion, strong, absent):
    expression = compose({emotion: 1.0})
    assert min(at(expression, name) for name in strong.split()) >= 0.7
    assert max(at(expression, name) for name in absent.split()) == 0


def test_neutral_is_zero():
    assert PROTOTYPES["neutral"] == {}
    assert not compose({"neutral": 1.0}).any()


def test_every_variant_is_a_face():
    for emotion in EMOTIONS:
        for variant in VARIANTS[emotion]:
            expression = compose({emotion: 1.0}, {emotion: variant})
            assert expression.shape == (51,)
            assert 0 <= expression.min() <= expression.max() <= 1


def test_composition_by_hand():
    # strength of 0.5: 1 - 0.5 ** 1.6 = 0.67012
    half = compose({"happiness": 0.5})
    assert at(half, "mouthSmileLeft") == pytest.approx(0.67012, abs=1e-5)
    assert at(half, "eyeSquintRight") == pytest.approx(0.5 * 0.67012, abs=1e-5)
    # surprise and fear share browInnerUp: 1 - (1 - 0.67012)(1 - 0.67012)
    assert at(compose({"surprise": 0.5, "fear": 0.5}), "browInnerUp") == pytest.approx(0.89118, abs=1e-5)
    # smile 1 and frown 0.67012 are opposed: the frown is scaled by 1 - 1
    both = compose({"happiness": 1.0, "sadness": 0.5})
    assert (at(both, "mouthSmileLeft"), at(both, "mouthFrownLeft")) == (1.0, 0.0)


@pytest.mark.parametrize("emotion", EMOTIONS[1:])
def test_stronger_means_more(emotion):
    sums = [compose({emotion: step / 10}).sum() for step in range(11)]
    assert sums[0] == 0
    assert np.all(np.diff(sums) > 0)


def test_only_contempt_and_a_puzzled_look_are_one_sided():
    sided = set()
    for emotion in EMOTIONS:
        for variant in VARIANTS[emotion]:
            expression = compose({emotion: 1.0}, {emotion: variant})
            gaze = [name.startswith("eyeLook") for name in BLENDSHAPES]
            if np.abs((mirror([expression])[0] - expression)[np.logical_not(gaze)]).max() > 1e-6:
                sided.add((emotion, variant))
    contempt = {("contempt", variant) for variant in VARIANTS["contempt"]}
    assert sided == contempt | {("surprise", "puzzled")}


def test_mouth_close_never_exceeds_jaw_open():
    weights = np.zeros(51)
    weights[BLENDSHAPES.index("mouthClose")], weights[BLENDSHAPES.index("jawOpen")] = 0.9, 0.4
    assert at(settle(weights), "mouthClose") == 0.4
    rng = np.random.default_rng(0)
    for _ in range(500):
        varied = vary(rng.random(51), rng)
        assert 0 <= varied.min() <= varied.max() <= 1
        assert at(varied, "mouthClose") <= at(varied, "jawOpen")


def test_no_spread_is_no_variation():
    weights = compose({"fear": 0.7})
    assert vary(weights, np.random.default_rng(0), spread=0.0) == pytest.approx(weights)
