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
    layout_names,
    mirror,
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
        ([[0.0] * 51], {"layout": "mediapipe"}, "the 52 scores of layout 'mediapipe' in row 0, got 51"),
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


def test_space_is_one_of_two():
    assert check_space("reading") == "reading"
    with pytest.raises(ValueError, match="'reading' or 'weights', got 'raw'"):
        check_space("raw")


def test_import_is_light():
    code = "import sys, emo3d; print([m for m in ('torch', 'datasets', 'transformers', 'numba') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_arkits_order_without_the_tongue():
    """51 numbers in Apple's order; places counted in its documentation, as BEAT lists them."""
    scores = np.zeros(51)
    scores[[0, 15, 17, 23, 24]] = 0.1, 0.2, 0.3, 0.4, 0.5
    (named,) = as_dicts(as_expressions(scores, "arkit"))
    assert {name: round(score, 6) for name, score in named.items() if score} == {
        "eyeBlinkLeft": 0.1,
        "jawLeft": 0.2,
        "jawOpen": 0.3,
        "mouthSmileLeft": 0.4,
        "mouthSmileRight": 0.5,
    }
    with pytest.raises(ValueError, match="the 51 or 52 scores of layout 'arkit' in row 0, got 50"):
        layout_names(50, "arkit", " in row 0")


@pytest.mark.parametrize("score", [1.00334, 1.00985, -2e-08, 1.02, -0.02])
def test_what_captures_have_just_out_of_range_is_clipped_and_said(score, caplog):
    faces = as_expressions([{"jawOpen": 0.5}, {"jawOpen": score, "mouthPucker": 0.25}])
    assert faces[1, BLENDSHAPES.index("jawOpen")] == (score > 0)
    assert faces[:, BLENDSHAPES.index("mouthPucker")].tolist() == [0, 0.25]
    assert "clipped 1 scores of 1 rows to 0..1; the furthest was jawOpen" in caplog.text
    assert f"= {score:.8g} in row 1" in caplog.text


def test_what_is_further_out_is_refused_or_clipped_on_request(caplog):
    for score, end in ((1.03, 1), (-0.03, 0)):
        with pytest.raises(ValueError, match=r"jawOpen = .* in row 0; clip=True \(--clip\) clips it"):
            as_expressions({"jawOpen": score})
        assert as_expressions({"jawOpen": score}, clip=True)[0, BLENDSHAPES.index("jawOpen")] == end
    with pytest.raises(ValueError, match="jawOpen = inf"):
        as_expressions({"jawOpen": float("inf")}, clip=True)
    assert caplog.text.count("clipped 1 scores") == 2


def test_percent_is_asked_about_and_read_when_said():
    percent = {"jawOpen": 50, "mouthSmileLeft": 100, "mouthSmileRight": 25}
    for clip in (False, True):
        with pytest.raises(ValueError, match=r"up to 100: if they are percent, pass scale=100 \(--scale 100\)"):
            as_expressions(percent, clip=clip)
    (named,) = as_dicts(as_expressions(percent, scale=100))
    assert {name: score for name, score in named.items() if score} == FACE
    with pytest.raises(ValueError, match="expected a scale above 0"):
        as_expressions(percent, scale=0)


class Frame:
    """What a table of pandas, polars or PyArrow has in common, when only its columns are asked for."""

    def __init__(self, columns):
        self.columns, self._columns = list(columns), columns

    def __getitem__(self, name):
        return self._columns[name]


def test_tables_go_by_the_names_of_their_columns():
    import pandas as pd
    import pyarrow as pa

    faces = np.random.default_rng(0).random((4, 51)).round(3)
    columns = {f"{name[0].upper()}{name[1:]}": faces[:, place] for place, name in enumerate(BLENDSHAPES)}
    columns = {"id": np.arange(4), "TongueOut": np.zeros(4), **dict(reversed(columns.items()))}
    vectors = {"description": ["x"] * 4, "blendshapes": faces.tolist()}
    for table in (pd.DataFrame(columns), pa.table(columns), Frame(columns), pd.DataFrame(vectors), pa.table(vectors)):
        np.testing.assert_allclose(as_expressions(table), faces, atol=1e-6)
    frame = pd.DataFrame(columns)
    with pytest.raises(ValueError, match=r"got none for jawOpen; is 'JawOpne' it\?"):
        as_expressions(frame.rename(columns={"JawOpen": "JawOpne"}))
    with pytest.raises(ValueError, match="names jawOpen twice, as 'JawOpen' and 'jaw_open'"):
        as_expressions(frame.rename(columns={"id": "jaw_open"})[["JawOpen", "jaw_open"]])
    with pytest.raises(ValueError, match="expected numbers in the column CheekPuff"):
        as_expressions(frame.assign(CheekPuff="much"))
    with pytest.raises(ValueError, match="jawOpen = nan in row 2"):
        as_expressions(frame.assign(JawOpen=[0, 0, None, 0]))


def test_keys_that_are_no_blendshapes_are_left_out_and_said(caplog):
    rows = [{"timestamp": 12.5, "headYaw": -0.3, "JawOpen": 0.5}, {"jaw_open": 0.25, "face": None}]
    assert as_expressions(rows)[:, BLENDSHAPES.index("jawOpen")].tolist() == [0.5, 0.25]
    assert "left out what is no blendshape: face, headYaw, timestamp" in caplog.text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (5, "expected a list of expressions, got int"),
        ([GOOD, {"jawOpen": 1}], "expected numbers in row 1"),
        ([{"jawOpen": 1}, GOOD], "expected a mapping from name to score in row 1, got list"),
        ([{"jawOpen": 10**400}], "expected a number for jawOpen in row 0, got a huge integer"),
        ([[*GOOD[:-1], 10**400]], "expected numbers in row 0"),
        (np.zeros((1, 51), complex), "expected numbers in row 0: got complex ones"),
        ([{"timestamp": 1, "face": 2}], "expected ARKit blendshape names, got 'timestamp' in row 0"),
        ([{"jawOpne": 1, "jawLeft": 1}], r"got 'jawOpne' in row 0; did you mean jawOpen\?"),
        ([{"mouthSmile_L": 0.1, "mouthSmileLeft": 0.2}], "twice, as 'mouthSmile_L' and 'mouthSmileLeft'"),
    ],
)
def test_other_forms_are_refused_in_a_sentence(values, message):
    with pytest.raises(ValueError, match=message):
        as_expressions(values)
