"""Intensities, distributions, divergence. Expected numbers are worked by hand; the working stands beside them."""

from math import log

import numpy as np
import pytest

from emo3d.emotions import EMOTIONS, as_intensities, distribution, kl_divergence


def test_order():
    assert EMOTIONS == ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")


def test_row_0_of_the_release():
    p = distribution([[0.2, 0, 0, 0.9, 0, 0, 0, 0.1]])
    assert p[0].tolist() == pytest.approx([0.2 / 1.2, 0, 0, 0.9 / 1.2, 0, 0, 0, 0.1 / 1.2])


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [
        # 1 ln(1 / 1.01)
        ([1, 0], [1, 0], log(1 / 1.01)),
        # 1 ln(1 / 0.01)
        ([1, 0], [0, 1], log(100)),
        # 0.5 ln(0.5 / 0.26) + 0.5 ln(0.5 / 0.76)
        ([0.5, 0.5], [0.25, 0.75], 0.5 * log(0.5 / 0.26) + 0.5 * log(0.5 / 0.76)),
    ],
)
def test_divergence_by_hand(p, q, expected):
    p, q = (np.pad(np.array([v], float), ((0, 0), (0, 6))) for v in (p, q))
    assert kl_divergence(p, q) == pytest.approx([expected], abs=1e-12)


def test_names_and_numbers_agree():
    assert np.array_equal(as_intensities([{"sadness": 0.9}]), as_intensities([0, 0, 0, 0.9, 0, 0, 0, 0]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "empty batch"),
        ([[0.5] * 8, [0] * 8], "row 1 has eight intensities of 0"),
        ([[0.5] * 7], "expected 8 intensities in row 0, got an array of shape (7,)"),
        ([[0.5] * 8, [1.2] + [0] * 7], "neutral = 1.2 in row 1"),
        ([[0.5] * 7 + [float("nan")]], "contempt = nan in row 0"),
        ([{"joy": 1}], "got 'joy' in row 0"),
        ([["a"] * 8], "expected eight numbers in row 0"),
    ],
)
def test_bad_intensities_say_what_and_where(values, message):
    with pytest.raises(ValueError, match=r"^.*$") as error:
        as_intensities(values)
    assert message in str(error.value)
