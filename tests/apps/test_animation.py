import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d_demo.animation import transition
from emo3d_lab.takes.preview import write_gif

JAW = BLENDSHAPES.index("jawOpen")


def test_transition_is_slow_at_both_ends():
    frames = transition(np.zeros(51), {"jawOpen": 0.8}, frames=5)
    # 3 t^2 - 2 t^3 at t = 0, 1/4, 1/2, 3/4, 1 by hand: 0, 0.15625, 0.5, 0.84375, 1
    np.testing.assert_allclose(frames[:, JAW], 0.8 * np.array([0, 0.15625, 0.5, 0.84375, 1]), atol=1e-6)
    assert np.delete(frames, JAW, axis=1).max() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: transition(np.zeros((2, 51)), np.zeros(51)), "expected one expression at each end, got 2 and 1"),
        (lambda path: transition(np.zeros(51), np.zeros(51), frames=1), "expected 2 frames or more, got 1"),
        (
            lambda path: write_gif(path, np.zeros((2, 51)), fps=60),
            "expected 1 to 50 frames per second in a GIF, got 60",
        ),
        (lambda path: write_gif(path, np.zeros((2, 51)), space="x"), "expected a space"),
    ],
)
def test_bad_input_is_named_and_writes_no_file(call, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "face.gif")
    assert list(tmp_path.iterdir()) == []
