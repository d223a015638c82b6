"""Motion quality against closed forms: sines, steps and blinks whose numbers follow by hand, and torchmetrics' lips."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional import multimodal

from emo3d.blendshapes import BLENDSHAPES
from emo3d.clips import CHANNELS, Clip
from emo3d.face import FaceRig
from emo3d_lab.clips.scoring.quality import (
    QUALITIES,
    count_blinks,
    face_regions,
    flicker,
    frozen_share,
    jerk,
    quality_numbers,
)

BOTH_RATES = pytest.mark.parametrize("rate", [30, 60])


def clip_of(rate, seconds, space="weights", **units):
    """A clip of functions of time, by unit."""
    times = np.arange(round(rate * seconds)) / rate
    frames = np.zeros((len(times), len(CHANNELS)))
    for name, function in units.items():
        frames[:, CHANNELS.index(name)] = np.vectorize(function)(times)
    return Clip(frames, rate, space)


def wave(hertz, middle=0.5, height=0.4):
    return lambda time: middle + height * math.sin(2 * math.pi * hertz * time)


def blinks_at(*starts, seconds=0.2):
    """Lids that close and open on half a sine."""
    return lambda time: max(math.sin(math.pi * np.clip((time - start) / seconds, 0, 1)) for start in starts)


def numbers(prediction, reference=None):
    answers = quality_numbers([prediction], None if reference is None else [reference])
    assert tuple(answers) == QUALITIES
    return {name: values.item() for name, values in answers.items()}


@BOTH_RATES
@pytest.mark.parametrize("hertz", [0.5, 1.0])
def test_the_jerk_of_a_sine(rate, hertz):
    # A sin(wt) has the third derivative -A w^3 cos(wt), in square mean A w^3 / sqrt(2). A cubic fitted to 2m + 1 steps
    # of length t weighs them by p(k) = k^3 - k (3m^2 + 3m - 1) / 5 and so damps it by (wt)^2 / 20 * sum(p k^5) /
    # sum(p k^3): 0.5833 (wt)^2 for m = 3 (30 fps), 2.25 (wt)^2 for m = 6 (60 fps), at 1 Hz by 2.56% and by 2.47%.
    # The clip is longer than whole periods by the window of the fit.
    exact = 0.4 * (2 * math.pi * hertz) ** 3 / math.sqrt(2)
    number = numbers(clip_of(rate, 10.2, mouthSmileLeft=wave(hertz)))["jerk"]
    assert number == pytest.approx(exact * (1 - {30: 0.0256, 60: 0.0247}[rate] * hertz**2), rel=0.001)


def test_the_jerk_of_one_motion_at_two_rates():
    slow, fast = (numbers(clip_of(rate, 10.2, jawOpen=wave(1)))["jerk"] for rate in (30, 60))
    assert slow / fast == pytest.approx((1 - 0.0256) / (1 - 0.0247), abs=0.0005)  # see above


def test_the_jerk_is_scipys_filter():
    signal = pytest.importorskip("scipy.signal")
    units = np.random.default_rng(0).random((90, 3))
    filtered = signal.savgol_filter(units, 7, 3, deriv=3, delta=1 / 30, axis=0)[3:-3]
    assert jerk(units, 30) == pytest.approx(math.sqrt(np.square(filtered).sum(1).mean()), rel=1e-9)


def test_a_straight_motion_and_a_blink_have_no_jerk():
    assert numbers(clip_of(30, 3, jawOpen=lambda time: time / 4))["jerk"] < 0.01  # frames are float32
    assert numbers(clip_of(30, 3, eyeBlinkLeft=blinks_at(1), eyeBlinkRight=blinks_at(1)))["jerk"] == 0


@BOTH_RATES
def test_flicker_is_the_fast_part(rate):
    # 0.1 sin at 10 Hz: 0.1 / sqrt(2); the half of 2 Hz beside it is no flicker.
    def shaken(time):
        return wave(2, 0.5, 0.3)(time) + 0.1 * math.sin(20 * math.pi * time)

    assert numbers(clip_of(rate, 4, jawOpen=shaken))["flicker"] == pytest.approx(0.1 / math.sqrt(2), rel=0.01)
    assert numbers(clip_of(rate, 4, jawOpen=wave(2)))["flicker"] < 0.001
    assert numbers(clip_of(rate, 4, jawOpen=lambda time: time / 4))["flicker"] < 0.002


@BOTH_RATES
def test_the_frozen_share(rate):
    # At rest up to the frame at 3 s, of 4 s: windows of 0.2 s begin in 2.8 s and a frame, of 3.8 s.
    stop_and_go = clip_of(rate, 4, jawOpen=lambda time: max(0, time - 3) / 2)
    assert numbers(stop_and_go)["frozen"] == pytest.approx((2.8 * rate + 1) / (3.8 * rate))
    assert numbers(clip_of(rate, 2))["frozen"] == 1
    assert numbers(clip_of(rate, 2, rightEyeRoll=lambda time: 0.1 * time))["frozen"] == 1  # which no picture shows
    assert numbers(clip_of(rate, 2, headYaw=lambda time: 0.02 * time))["frozen"] == 0  # 0.004 rad in 0.2 s
    rounded = clip_of(rate, 2, jawOpen=lambda time: round(0.02 * time, 3))  # slow, and in steps
    assert numbers(rounded)["frozen"] == 0
    assert numbers(clip_of(rate, 2, jawOpen=wave(5, 0.5, 0.01)))["frozen"] == 0  # as it was 0.2 s before


@BOTH_RATES
def test_blinks_per_minute(rate):
    lids = blinks_at(1, 2.5, 5)
    assert numbers(clip_of(rate, 6, eyeBlinkLeft=lids, eyeBlinkRight=lids))["blinks"] == 30  # 3 in 6 s
    long = blinks_at(1, seconds=2)  # closed by half or more for 1.3 s
    assert numbers(clip_of(rate, 6, eyeBlinkLeft=long, eyeBlinkRight=long))["blinks"] == 0
    assert numbers(clip_of(rate, 6, eyeBlinkLeft=lids))["blinks"] == 0  # a wink


@pytest.mark.parametrize(
    ("lids", "count"),
    [
        ([0, 1, 0], 1),
        ([1, 1, 0], 0),  # closed before it begins
        ([0, 1, 1], 0),
        ([0, 0.6, 0.4, 0.6, 0], 1),  # one blink that trembles
        ([0, 0.6, 0.2, 0.6, 0], 2),
        ([0, 0.49, 0], 0),
        ([0, *[1] * 15, 0], 1),  # 0.5 s
        ([0, *[1] * 16, 0], 0),
    ],
)
def test_what_a_blink_is(lids, count):
    assert count_blinks(np.array(lids), 30) == count


@BOTH_RATES
def test_upper_dynamics_of_one_unit(rate):
    # A unit of weight w moves a vertex by w |d|: standard deviation std(w) |d|, that of a sine is height / sqrt(2).
    lengths = np.linalg.norm(face_regions().upper.deltas[BLENDSHAPES.index("browInnerUp")], axis=1)
    reference = clip_of(rate, 4, browInnerUp=wave(1, 0.5, 0.4))
    prediction = clip_of(rate, 4, browInnerUp=wave(1, 0.3, 0.1))
    by_hand = (0.4 - 0.1) / math.sqrt(2) * lengths.mean()
    assert by_hand > 0.1  # millimetres
    assert numbers(prediction, reference)["fdd"] == pytest.approx(by_hand, rel=0.001)
    assert numbers(reference, prediction)["fdd"] == pytest.approx(-by_hand, rel=0.001)
    assert numbers(prediction, reference[: rate * 2])["fdd"] == pytest.approx(by_hand, rel=0.001)


@pytest.mark.skipif(not hasattr(multimodal, "lip_vertex_error"), reason="torchmetrics before 1.8 has no lips")
def test_the_lip_error_is_torchmetrics():
    # torchmetrics squares, in the vertices' unit; we say millimetres. Of one frame, one is the other's square.
    rng, rig = np.random.default_rng(0), FaceRig.from_anny()
    frames = np.zeros((2, 3, len(CHANNELS)))
    frames[:, :, : len(BLENDSHAPES)] = rng.random((2, 3, len(BLENDSHAPES)))
    prediction, reference = (Clip(part, 30) for part in frames)
    shapes = [torch.from_numpy(1000 * rig.vertices(clip.units[:, :51])) for clip in (prediction, reference)]
    lips = face_regions().lips.vertices.tolist()
    squares = [multimodal.lip_vertex_error(*(shape[[row]] for shape in shapes), lips).item() for row in range(3)]
    assert numbers(prediction, reference)["lve"] == pytest.approx(np.sqrt(squares).mean(), rel=1e-5)


def test_the_regions_lie_where_they_should():
    neutral = FaceRig.from_anny().neutral
    lips, upper = (neutral[region.vertices] for region in face_regions())
    tip = neutral[np.argmax(np.where(np.abs(neutral[:, 0]) < 0.005, neutral[:, 2], -1))]  # of the nose
    assert lips[:, 1].max() < tip[1] < np.percentile(upper[:, 1], 5)
    assert np.abs(lips[:, 0]).max() < 0.03


def test_what_does_not_apply_is_not_a_number():
    clip = clip_of(30, 2, jawOpen=wave(1))
    assert [name for name, number in numbers(clip).items() if math.isnan(number)] == ["fdd", "lve"]
    assert math.isnan(numbers(clip, clip_of(30, 1))["lve"])
    assert math.isnan(numbers(clip, clip_of(60, 1))["lve"])
    few = (jerk(np.zeros((30, 1)), 19), jerk(np.zeros((6, 1)), 30), flicker(np.zeros((14, 1)), 30))
    assert np.isnan([*few, frozen_share(np.zeros((6, 1)), 30)]).all()


def test_a_batch_equals_its_parts_and_readings_are_calibrated():
    clips = [clip_of(30, 2, "reading", jawOpen=wave(1), browInnerUp=wave(2)), clip_of(60, 1, jawOpen=wave(2))]
    together = quality_numbers(clips, clips[::-1])
    for place, clip in enumerate(clips):
        alone = quality_numbers([clip], [clips[1 - place]])
        for name in QUALITIES:
            np.testing.assert_array_equal(together[name][[place]], alone[name])
    assert numbers(clips[0]) == pytest.approx(numbers(clips[0].to_weights()), nan_ok=True)
    assert together["fdd"][0] == pytest.approx(-together["fdd"][1])


def test_other_numbers_of_clips_are_refused():
    with pytest.raises(ValueError, match="expected clips to measure, got none"):
        quality_numbers([])
    with pytest.raises(ValueError, match="expected a reference of each of 1 clips, got 2"):
        quality_numbers([clip_of(30, 1)], [clip_of(30, 1)] * 2)
