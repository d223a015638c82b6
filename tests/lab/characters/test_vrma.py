"""VRM animations as files; test_vrm_viewer.py plays them."""

import numpy as np
import pytest

from emo3d.face.rig import TARGETS
from emo3d_lab.characters.vrma import write_vrma
from vrm_files import chunks_of

JAW = TARGETS.index("jawOpen")


def test_an_animation_is_valid_and_says_each_weight_at_its_time(tmp_path, validate):
    frames = np.random.default_rng(1).uniform(size=(7, 52)).astype(np.float32)
    write_vrma(tmp_path / "take.vrma", frames, np.arange(7) / 30, {"jawOpen": "jaw_open"})
    report = validate(tmp_path / "take.vrma")
    assert [message["code"] for message in report["issues"]["messages"] if message["severity"] < 2] == []
    document, data = chunks_of(tmp_path / "take.vrma")
    custom = document["extensions"]["VRMC_vrm_animation"]["expressions"]["custom"]
    assert set(custom) == {name[0].upper() + name[1:] for name in TARGETS} - {"JawOpen"} | {"jaw_open"}
    (animation,) = document["animations"]
    outputs = {c["target"]["node"]: animation["samplers"][c["sampler"]]["output"] for c in animation["channels"]}
    start = document["accessors"][outputs[custom["jaw_open"]["node"]]]["byteOffset"] + 7 * 4
    places = np.frombuffer(data, "<f4", 21, start).reshape(7, 3)
    np.testing.assert_array_equal(places[:, 0], frames[:, JAW])
    assert not places[:, 1:].any()


@pytest.mark.parametrize(
    ("frames", "times", "message"),
    [
        (np.zeros((2, 51)), [0, 1], r"expected frames \(F, 52\), got an array of shape \(2, 51\)"),
        (np.full((1, 52), 1.5), [0], "expected weights in 0..1"),
        (np.full((1, 52), np.nan), [0], "expected weights in 0..1"),
        (np.zeros((2, 52)), [0], "expected a time in seconds for each of 2 frames, got 1"),
        (np.zeros((2, 52)), [1, 1], "expected times that rise"),
        (np.zeros((0, 52)), [], r"expected frames \(F, 52\)"),
    ],
)
def test_an_animation_that_cannot_be_is_one_sentence(tmp_path, frames, times, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        write_vrma(tmp_path / "take.vrma", frames, times)
    assert not list(tmp_path.iterdir())
