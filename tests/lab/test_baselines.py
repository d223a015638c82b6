"""A gain: one number that gives expressions the amplitude of their references."""

import numpy as np
import pytest

from emo3d_lab.baselines import fit_gain, with_gain


def rows(*scores):
    expressions = np.zeros((len(scores), 51), np.float32)
    for row, values in enumerate(scores):
        expressions[row, : len(values)] = values
    return expressions


@pytest.mark.parametrize(
    ("predictions", "references", "gain"),
    [
        ([[0.5]], [[1.0]], 2),
        ([[0.8, 0.8]], [[0.8, 0.8]], 1),
        # (0.8 + 0.2) / 2 would be doubled, but from 1.25 on the first score is clipped: 1 + 0.2 g = 2.
        ([[0.8, 0.2]], [[1, 1]], 5),
        # A score where the reference has none (0.9) does not count.
        ([[0.25, 0, 0.9]], [[1, 0, 0]], 4),
        # The median of 1/4, 1/2 and 1, and rows below a norm of 1 are left out.
        ([[0.25], [0.5], [1.0], [0.01], [0.01]], [[1.0], [1.0], [1.0], [0.9], [0.5]], 2),
    ],
)
def test_gain_by_hand(predictions, references, gain):
    assert fit_gain(rows(*predictions), rows(*references)) == pytest.approx(gain, rel=1e-6)


def test_weak_faces_get_the_amplitude_of_their_references():
    rng = np.random.default_rng(0)
    references = rng.uniform(0, 0.9, (40, 51))
    assert fit_gain(0.6 * references, references) == pytest.approx(1 / 0.6)
    np.testing.assert_allclose(with_gain(0.6 * references, 1 / 0.6), references)


def test_only_what_is_above_1_is_clipped():
    np.testing.assert_array_equal(with_gain(rows([0.2, 0.5, 0.75]), 2), rows([0.4, 1, 1]))


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([[0.5]], [[0.5]], r"expected a reference of norm 1 or more, got norms up to 0\.500"),
        ([[0, 1.0]], [[1.0, 0]], r"expected predictions to which a gain can give an amplitude of 1, theirs is 0\.000"),
    ],
)
def test_what_has_no_gain(predictions, references, message):
    with pytest.raises(ValueError, match=message):
        fit_gain(rows(*predictions), rows(*references))
