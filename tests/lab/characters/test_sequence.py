"""Expressions in a row, worked out by hand from 3 t^2 - 2 t^3."""

import numpy as np
import pytest

from emo3d_lab.characters.sequence import sequence


def test_each_is_reached_at_its_time_and_held():
    """At 0.25 s the first turn is half done; the second begins at 1.5 s, and a quarter of it is 3/16 - 2/64 = 5/32."""
    frames = sequence(np.array([[1.0, 0.0], [0.0, 0.5]]), [0.5, 2.0], fps=8)
    assert len(frames) == 25  # three seconds, both ends
    at = {frame / 8: frames[frame].tolist() for frame in range(25)}
    assert at[0] == [0, 0]
    assert at[0.25] == [0.5, 0]
    assert at[0.5] == at[1.0] == at[1.5] == [1, 0]
    assert at[1.625] == pytest.approx([1 - 5 / 32, 5 / 64])
    assert at[2.0] == at[3.0] == [0, 0.5]


def test_what_is_reached_at_once_stands_from_the_first_frame():
    assert sequence(np.array([[0.25]]), [0.0], fps=2).tolist() == [[0.25]] * 3


def test_a_short_gap_makes_a_short_turn():
    frames = sequence(np.array([[1.0], [0.0]]), [1.0, 1.25], fps=8)
    assert frames[7:11, 0].tolist() == [pytest.approx(27 / 32), 1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("times", "fps", "message"),
    [
        ([0.5], 30, "expected a time for each of 2 expressions, got 1"),
        ([1, 1], 30, "expected times that rise from 0 to at most 600 s, got 1 s in row 1"),
        ([-1, 1], 30, "got -1 s in row 0"),
        ([1, 601], 30, "got 601 s in row 1"),
        ([1, float("inf")], 30, "expected time 1 as a finite number"),
        ([1, 2], 0, "expected 1 to 240 frames per second, got 0"),
    ],
)
def test_bad_times(times, fps, message):
    with pytest.raises(ValueError, match=message):
        sequence(np.zeros((2, 51)), times, fps)
