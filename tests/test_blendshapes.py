"""Names, layouts and mirrors. Expected orders are typed from FACTS (MediaPipe) and Apple's documentation (ARKit)."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emo3d.blendshapes import (
    ARKIT_BLENDSHAPES,
    BLENDSHAPES,
    MEDIAPIPE_BLENDSHAPES,
    as_dicts,
    as_expressions,
    as_layout,
    check_space,
    mirror,
    mirror_text,
    parse_scores,
)

expressions = st.lists(st.floats(0, 1, width=32), min_size=51, max_size=51).map(lambda row: np.array([row], np.float32))


def test_the_three_layouts():
    assert (len(BLENDSHAPES), len(MEDIAPIPE_BLENDSHAPES), len(ARKIT_BLENDSHAPES)) == (51, 52, 52)
    assert ("_neutral", *BLENDSHAPES) == MEDIAPIPE_BLENDSHAPES
    assert set(ARKIT_BLENDSHAPES) == set(BLENDSHAPES) | {"tongueOut"}
    # Positions counted by hand in the published lists.
    assert BLENDSHAPES[2] == "browInnerUp"
    assert BLENDSHAPES[24] == "jawOpen"
    assert BLENDSHAPES[37] == "mouthPucker"
    assert ARKIT_BLENDSHAPES[0] == "eyeBlinkLeft"
    assert ARKIT_BLENDSHAPES[17] == "jawOpen"


PUBLISHED = "[0.    0.271 0.191 0.165 0.001\n 0.002 0.    " + "0. " * 44 + "\n 0.5 ]"


def test_parse_printed_array():
    scores = parse_scores(PUBLISHED)
    assert scores.shape == (52,)
    assert scores[[1, 2, 3, 4, 5, 51]].tolist() == pytest.approx([0.271, 0.191, 0.165, 0.001, 0.002, 0.5])
    read = as_expressions([PUBLISHED], layout="mediapipe")
    assert dict(zip(BLENDSHAPES, read[0], strict=True))["noseSneerRight"] == pytest.approx(0.5)


FACE = {"jawOpen": 0.5, "mouthSmileLeft": 1.0, "mouthSmileRight": 0.25}


@pytest.mark.parametrize(
    ("values", "layout"),
    [
        (FACE, None),
        ([{"jawOpen": 0.5, "mouthSmile_L": 1.0, "mouthSmile_R": 0.25, "tongueOut": 0}], None),
        (
            [float(n == "jawOpen") / 2 + (n == "mouthSmileLeft") + (n == "mouthSmileRight") / 4 for n in BLENDSHAPES],
            None,
        ),
        (
            [
                float(n == "jawOpen") / 2 + (n == "mouthSmileLeft") + (n == "mouthSmileRight") / 4
                for n in ARKIT_BLENDSHAPES
            ],
            "arkit",
        ),
    ],
)
def test_one_face_in_every_spelling(values, layout):
    named = as_dicts(as_expressions(values, layout))[0]
    assert {name: score for name, score in named.items() if score} == FACE


@pytest.mark.parametrize("layout", ["emo3d", "mediapipe", "arkit"])
def test_layouts_round_trip(layout):
    faces = np.random.default_rng(0).random((5, 51), dtype=np.float32)
    assert np.array_equal(as_expressions(as_layout(faces, layout), layout), faces)


GOOD = [0.0] * 51


@pytest.mark.parametrize(
    ("values", "arguments", "message"),
    [
        ([], {}, "empty batch"),
        ([GOOD, [0.0] * 48], {}, "expected 51 scores in row 1, got 48"),
        ([[0.0] * 48], {}, "expected 51 or 52 scores in row 0, got 48"),
        (np.zeros((2, 48)), {}, "expected 51 or 52 scores in row 0, got 48"),
        ([[0.0] * 52], {}, 'layout="mediapipe" or layout="arkit"'),
        ([[0.0] * 51], {"layout": "arkit"}, "the 52 scores of layout 'arkit'"),
        ([GOOD], {"layout": "apple"}, "expected a layout of emo3d, mediapipe, arkit, got 'apple'"),
        ([GOOD, [*GOOD[:-1], float("nan")]], {}, "noseSneerRight = nan in row 1"),
        ([GOOD, [*GOOD[:-1], float("inf")]], {}, "noseSneerRight = inf in row 1"),
        ([GOOD, [1.5, *GOOD[1:]]], {}, "browDownLeft = 1.5 in row 1"),
        ([{"jawOpen": -0.1}], {}, "jawOpen = -0.1 in row 0"),
        ([{"jawOpen": 0.1}, {"jawOpne": 0.1}], {}, "got 'jawOpne' in row 1"),
        ([{"mouthSmile_L": 0.1, "mouthSmileLeft": 0.2}], {}, "row 0 names mouthSmileLeft twice"),
        ([{"jawOpen": "wide"}], {}, "expected a number for jawOpen in row 0, got 'wide'"),
        ([{"tongueOut": 0.3}], {}, "row 0 has tongueOut = 0.3"),
        (["[0. 0.1 zero]"], {}, "row 0: expected a number in a printed array, got 'zero'"),
        (["0. 0.1"], {}, "row 0: expected a printed array in brackets"),
    ],
)
def test_bad_scores_say_what_and_where(values, arguments, message):
    with pytest.raises(ValueError, match=r"^.*$") as error:
        as_expressions(values, **arguments)
    assert message in str(error.value)


def test_tongue_is_dropped_only_by_name():
    assert as_dicts(as_expressions({"tongueOut": 0.3, "jawOpen": 1}, drop=["tongueOut"]))[0]["jawOpen"] == 1


@given(expressions)
def test_mirror_twice_is_identity(expression):
    assert np.array_equal(mirror(mirror(expression)), expression)


def test_mirror_swaps_sides_and_keeps_the_middle():
    mirrored = as_dicts(mirror(as_expressions({"eyeBlinkLeft": 1, "mouthRight": 0.5, "jawOpen": 0.25})))[0]
    assert (mirrored["eyeBlinkRight"], mirrored["mouthLeft"], mirrored["jawOpen"]) == (1, 0.5, 0.25)
    assert mirrored["eyeBlinkLeft"] == mirrored["mouthRight"] == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left eye, Right brow", "right eye, Left brow"),
        ("He left; the brightest smile", "He right; the brightest smile"),  # words only, as the published code does
        ("no side", "no side"),
    ],
)
def test_mirror_text(text, expected):
    assert mirror_text(text) == expected
    assert mirror_text(mirror_text(text)) == text


def test_space_is_one_of_two():
    assert check_space("reading") == "reading"
    with pytest.raises(ValueError, match="'reading' or 'weights', got 'raw'"):
        check_space("raw")


def test_import_is_light():
    code = "import sys, emo3d; print([m for m in ('torch', 'datasets', 'transformers', 'numba') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
