"""Clips: what their door lets in, and what is done with frames; expected numbers by hand."""

import numpy as np
import pytest

import emo3d.clips
from emo3d import BLENDSHAPES
from emo3d.clips import CHANNELS, ROTATIONS, Beat, Clip

SMILE, TURN = CHANNELS.index("mouthSmileLeft"), CHANNELS.index("headYaw")


def rising(count=5, rate=10, **more):
    frames = np.zeros((count, 61))
    frames[:, SMILE] = np.linspace(0, 1, count)
    frames[:, TURN] = 0.1
    return Clip(frames, rate, **more)


def test_channels():
    assert len(CHANNELS) == 61
    assert CHANNELS[:51] == BLENDSHAPES
    assert CHANNELS[51] == "tongueOut"
    assert CHANNELS[52:] == ROTATIONS


def test_times_and_duration():
    clip = rising()
    assert clip.duration == 0.5
    np.testing.assert_allclose(clip.times, [0, 0.1, 0.2, 0.3, 0.4])
    assert (clip.expressions.shape, clip.units.shape, clip.rotations.shape) == ((5, 51), (5, 52), (5, 9))


def test_frames_by_names():
    rows = [{"mouthSmile_L": 0.5, "HeadYaw": -0.2, "tongueOut": 0.1}, {"mouthSmileLeft": 1.0}]
    clip = Clip.from_frames(rows, 30)
    assert clip.frames[:, SMILE].tolist() == [0.5, 1.0]
    np.testing.assert_allclose(clip.frames[:, TURN], [-0.2, 0])
    np.testing.assert_allclose(clip.frames[0, 51], 0.1)
    named = Clip.from_frames([[0.5, -0.2], [1.0, 0.0]], 30, names=["mouthSmileLeft", "headYaw"])
    np.testing.assert_array_equal(named.frames[:, [SMILE, TURN]], clip.frames[:, [SMILE, TURN]])
    assert Clip.from_frames(np.full((3, 51), 0.25), 24).expressions.mean() == 0.25


def test_slices_cut_beats():
    clip = rising(10, beats=[Beat("first", 0, 0.5), Beat("second", 0.5, 1)])
    part = clip[3:8]
    assert [(beat.description, round(beat.start, 6), round(beat.end, 6)) for beat in part.beats] == [
        ("first", 0, 0.2),
        ("second", 0.2, 0.5),
    ]
    np.testing.assert_array_equal(part.frames, clip.frames[3:8])


def test_resampling_is_linear():
    twice = rising().resample(20)
    np.testing.assert_allclose(twice.frames[:, SMILE], [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1, 1])
    assert rising(240, 240).resample(1).duration == 1


def test_beats_end_with_the_frames_at_another_rate():
    clip = rising(41, 24, beats=[Beat("a", 0, 1.0), Beat("b", 1.0, 1.728)])  # a beat may end a frame after 41 / 24 s
    assert clip.resample(60).beats[-1].end == pytest.approx(103 / 60)  # 102.5 frames: no half of one is lost


def test_no_beat_is_lost_at_another_rate():
    clip = rising(49, 60, beats=[Beat("a", 0, 0.78), Beat("b", 0.8, 0.81)])
    slow = clip.resample(4)  # 3.27 frames
    assert ([beat.description for beat in slow.beats], len(slow)) == (["a", "b"], 4)
    assert len(rising(70, 30).resample(90)) == 210


def test_descriptions_are_of_what_is_there():
    beats = [Beat("She smiles", 0, 0.3), Beat("She cries!", 0.3, 0.6), Beat("She sighs", 0.6, 1)]
    clip = rising(10, beats=beats, description="She smiles, cries and sighs")
    assert clip[:5].description == "She smiles. She cries!"
    assert clip[:9].description == clip.description
    assert rising(10, description="She smiles")[:2].description == "She smiles"
    whole = Clip.concatenate([clip[:5], rising(), clip[7:]])
    assert whole.description == "She smiles. She cries! She sighs"
    assert Clip.concatenate([rising(description="She smiles.")]).description == "She smiles."


def test_fields_are_as_declared():
    beat = Beat("a", np.float32(0), np.int64(1), np.float32([0.5] * 8))
    assert (type(beat.start), type(beat.end), beat.intensities) == (float, float, (0.5,) * 8)
    assert rising(description="").description is None


def test_all_names_are_listed():
    assert {"Clip", "CHANNELS", "generate_clip", "score_clips"} <= {*dir(emo3d.clips)}


def test_blending():
    blended = rising().blend(Clip(np.zeros((5, 61)), 10), np.array([0, 0.5, 1, 0.5, 0]))
    np.testing.assert_allclose(blended.frames[:, SMILE], [0, 0.125, 0, 0.375, 1])


def test_concatenation():
    first, second = rising(beats=[Beat("up", 0, 0.5)]), rising(beats=[Beat("again", 0.1, 0.5)])
    whole = Clip.concatenate([first, second])
    assert len(whole) == 10
    assert whole.beats[1].start == pytest.approx(0.6)
    faded = Clip.concatenate([first, second], fade=0.2)
    # Two frames overlap, with shares of 1/3 and 2/3 on 3t^2 - 2t^3: 7/27 and 20/27.
    assert len(faded) == 8
    assert faded.beats[1].start == pytest.approx(0.4)
    np.testing.assert_allclose(faded.frames[3:5, SMILE], [20 / 27 * 0.75, 7 / 27 + 20 / 27 * 0.25], rtol=1e-6)


def test_mirroring_turns_the_head_too():
    clip = rising().mirror()
    np.testing.assert_allclose(clip.frames[:, CHANNELS.index("mouthSmileRight")], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(clip.frames[:, TURN], -0.1)
    np.testing.assert_array_equal(clip.mirror().frames, rising().frames)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Clip(np.zeros((0, 61)), 30), "expected frames of 61 channels"),
        (lambda: Clip(np.zeros((4, 51)), 30), r"got an array of shape \(4, 51\)"),
        (lambda: rising(rate=0), "expected 1 to 240 frames per second, got 0"),
        (lambda: rising(rate=1000), "expected 1 to 240 frames per second, got 1000"),
        (lambda: Clip(np.full((2, 61), np.nan), 30), "expected browDownLeft in 0..1, got nan in frame 0"),
        (lambda: Clip(np.pad([[4.0]], ((0, 0), (60, 0))), 30), r"expected rightEyeRoll in -pi..pi \(radians\), got 4"),
        (lambda: Clip.from_frames([[2.0]], 30, names=["jawOpen"]), "expected jawOpen in 0..1, got 2 in frame 0"),
        (lambda: Clip.from_frames(np.zeros((2, 52)), 30), "cannot be told apart"),
        (lambda: Beat(" ", 0, 1), "expected a description of every beat"),
        (lambda: Beat("late", 2, 1), "expected a beat that ends after it starts, got 2 to 1 s"),
        (lambda: Beat("odd", 0, 1, (1, 2)), "expected 8 intensities"),
        (lambda: rising(beats=[Beat("long", 0, 9)]), "expected beats within 0.5 s, 'long' ends at 9 s"),
        (lambda: rising(beats=[Beat("b", 0.2, 0.3), Beat("a", 0, 0.1)]), "in the order of their starts"),
        (lambda: rising().blend(rising(6), 0.5), "expected clips of one length, got 5 and 6 in clip 1"),
        (lambda: rising().blend(rising(), 2), "expected a share in 0..1"),
        (lambda: Clip.concatenate([rising(), rising(rate=20)]), "clips of one rate, got 10.0 and 20.0 in clip 1"),
        (lambda: Clip.concatenate([]), "expected clips, got none"),
        (lambda: Clip.concatenate([rising()], fade=9), "expected a fade of 0 s"),
        (lambda: rising()[4:4], "expected a slice with frames"),
        (lambda: rising()[::2], "without a step"),
        (lambda: rising()[1.0:2.0], "expected a slice of frames without a step, as clip"),
        (lambda: rising(description=5), "expected a description in Unicode without NUL, got 5"),
        (lambda: rising(description="end\0"), "without NUL"),
        (lambda: rising(description="\udcff"), "expected a description in Unicode"),
        (lambda: Beat("a\ud800", 0, 1), "expected a description of every beat in Unicode"),
        (lambda: Beat(None, 0, 1), "expected a description of every beat in Unicode without NUL, got None"),
    ],
)
def test_mistakes_are_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
