"""What a living face does: switches, human rates, ranges, and what words ask of head and eyes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.clips import CHANNELS, Beat
from emo3d_lab.clips.motion import Motion
from emo3d_lab.clips.timeline import perform

OFF = {"blinks": False, "gaze": False, "head": False, "micro": False, "lead": False}
PLACE = {name: place for place, name in enumerate(CHANNELS)}
REST = np.zeros((1, 51))


def frames_of(
    text: str, seconds: float = 4.0, still: np.ndarray = REST, rate: float = 30, seed: int = 0, **motion: Any
):
    beats = [Beat(text, 0, seconds)]
    return perform(still, beats, rate=rate, seed=seed, motion=Motion(**(OFF | motion))).frames


def full(**weights: float) -> np.ndarray:
    return np.array([[weights.get(name, 0.0) for name in BLENDSHAPES]])


def blinks_of(frames: np.ndarray) -> int:
    shut = frames[:, PLACE["eyeBlinkLeft"]] > 0.6
    return int((np.diff(shut.astype(int)) == 1).sum())


@pytest.mark.parametrize(
    ("switch", "prefixes"),
    [
        ("blinks", ("eyeBlink", "eyeWide")),
        ("gaze", ("eyeLook", "leftEye", "rightEye")),
        ("head", ("head",)),
        ("micro", ("brow", "cheek", "jaw", "mouth", "nose", "eyeSquint", "eyeWide")),
        ("lead", ("cheek", "jaw", "mouth", "nose")),
    ],
)
def test_a_switch_moves_its_own_channels(switch: str, prefixes: tuple[str, ...]) -> None:
    still = np.random.default_rng(0).uniform(0.1, 0.9, (1, 51))
    still[0, [BLENDSHAPES.index(f"eyeBlink{side}") for side in ("Left", "Right")]] = 0
    change = np.abs(frames_of("x", 8, still, **{switch: True}) - frames_of("x", 8, still)).max(0)
    moved = {CHANNELS[place] for place in np.flatnonzero(change > 1e-6)}
    assert moved
    assert all(name.startswith(prefixes) for name in moved)


def test_no_draw_depends_on_another_switch() -> None:
    alone, together = (frames_of("x", 8, **motion) for motion in ({"head": True}, dict.fromkeys(OFF, True)))
    np.testing.assert_array_equal(alone[:, PLACE["headYaw"]], together[:, PLACE["headYaw"]])


def test_people_blink_17_times_a_minute_at_rest() -> None:
    # Bentivoglio et al. 1997 (Movement Disorders 12): 17 at rest; the interval is theirs, 15 to 20, for 40 minutes.
    counts = [blinks_of(frames_of("x", 600, blinks=True, seed=seed)) / 10 for seed in range(4)]
    assert 15 < np.mean(counts) < 20


def test_lids_close_faster_than_they_open() -> None:
    lid = frames_of("x", 60, rate=240, blinks=True)[:, PLACE["eyeBlinkLeft"]]
    moves = np.diff(lid)
    closing, opening = ((moves > 1e-6).sum(), (moves < -1e-6).sum())
    # VanderWerf et al. 2003 (J Neurophysiol 89): the down phase takes about 100 ms, the up phase about twice that.
    assert 1.7 < opening / closing < 2.5
    assert 0.08 < closing / 240 / blinks_of(frames_of("x", 60, rate=240, blinks=True)) < 0.12


def test_fear_blinks_less_and_nerves_more() -> None:
    fear = full(eyeWideLeft=0.9, eyeWideRight=0.9, browInnerUp=0.9, mouthStretchLeft=0.9, mouthStretchRight=0.9)
    counts = [
        blinks_of(frames_of(text, 300, still, blinks=True))
        for text, still in (("terrified", fear), ("x", REST), ("nervous", REST))
    ]
    assert counts[0] < 0.8 * counts[1] < 0.7 * counts[2]  # Harrigan and O'Connell 1996: the anxious blink more


def test_shut_eyes_do_not_blink() -> None:
    still = full(eyeBlinkLeft=0.8, eyeBlinkRight=0.8)
    lid = frames_of("asleep", 60, still, blinks=True)[:, PLACE["eyeBlinkLeft"]]
    assert lid[60:].max() == pytest.approx(0.8)


def test_no_blink_hides_an_expression_that_is_coming() -> None:
    still = full(eyeWideLeft=1, eyeWideRight=1, browInnerUp=1, jawOpen=0.8)
    beats = [Beat("x", 2 * k, 2 * k + 2) for k in range(30)]
    frames = perform(
        np.repeat(still, 30, 0) * np.resize([[0.2], [1]], (30, 1)), beats, motion=Motion(**OFF | {"blinks": True})
    ).frames
    lid = frames[:, PLACE["eyeBlinkLeft"]]
    windows = [lid[round(30 * beat.start) : round(30 * (beat.start + 0.7))].max() for beat in beats]
    assert max(windows) < 0.05
    assert lid.max() > 0.9


def test_eyes_turn_as_their_units_say() -> None:
    frames = frames_of("thinks about it", 10, gaze=True)
    of = {name: frames[:, PLACE[name]] for name in CHANNELS}
    # 0.35 radians sideways and 0.25 up or down at weight 1, fitted to the eyes of anny's head.
    np.testing.assert_allclose(of["leftEyeYaw"], 0.35 * (of["eyeLookOutLeft"] - of["eyeLookInLeft"]), atol=1e-6)
    np.testing.assert_allclose(of["rightEyeYaw"], 0.35 * (of["eyeLookInRight"] - of["eyeLookOutRight"]), atol=1e-6)
    np.testing.assert_allclose(of["leftEyePitch"], 0.25 * (of["eyeLookDownLeft"] - of["eyeLookUpLeft"]), atol=1e-6)
    np.testing.assert_allclose(of["leftEyeYaw"], of["rightEyeYaw"], atol=1e-6)
    assert of["leftEyeYaw"].std() > 0.005


@pytest.mark.parametrize(
    ("text", "channel", "low", "high"),
    [  # pitch is positive downwards, yaw and roll as in `emo3d.clips.ROTATIONS`
        ("he is ashamed", "headPitch", 0.1, 0.25),
        ("he is ashamed", "leftEyePitch", 0.05, 0.25),
        ("a proud woman", "headPitch", -0.25, -0.08),
        ("lowers her head", "headPitch", 0.12, 0.3),
        ("turns his head to the right", "headYaw", -0.35, -0.12),
        ("looks away", "headYaw", 0.12, 0.35),
        ("nothing much", "headPitch", -0.04, 0.04),
    ],
)
def test_words_move_head_and_eyes(text: str, channel: str, low: float, high: float) -> None:
    angle = frames_of(text, 4, head=True, gaze=True)[60:, PLACE[channel]].mean()
    assert low < angle < high


def test_heads_tilt_to_either_side() -> None:
    rolls = [frames_of("confused", seed=seed, head=True)[90, PLACE["headRoll"]] for seed in range(12)]
    assert min(np.abs(rolls)) > 0.08
    assert min(rolls) < 0 < max(rolls)


@pytest.mark.parametrize(("text", "axis", "other"), [("nods", "Pitch", "Yaw"), ("shakes her head", "Yaw", "Pitch")])
def test_nods_and_shakes_swing(text: str, axis: str, other: str) -> None:
    frames = frames_of(text, 2.5, rate=60, head=True)
    swing, rest = (np.ptp(frames[:, PLACE[f"head{name}"]]) for name in (axis, other))
    assert swing > 0.15
    assert rest < 0.06
    line = frames[:, PLACE[f"head{axis}"]]
    extremes = np.diff(np.sign(np.diff(line))) != 0
    assert 3 <= (extremes & (np.abs(line[1:-1]) > 0.06)).sum() <= 5  # twice there and back


def test_laughter_moves_jaw_and_head_about_five_times_a_second() -> None:  # Ruch and Ekman 2001
    still = full(mouthSmileLeft=0.9, mouthSmileRight=0.9, jawOpen=0.7)
    frames = frames_of("laughs", 6, still, rate=120, micro=True, head=True)[120:600]
    for name in ("jawOpen", "headPitch"):
        line = frames[:, PLACE[name]] - frames[:, PLACE[name]].mean()
        power = np.abs(np.fft.rfft(line * np.hanning(len(line))))
        rates = np.fft.rfftfreq(len(line), 1 / 120)
        assert 4 < rates[rates > 2][power[rates > 2].argmax()] < 6


def test_micro_movements_are_small_and_differ_between_sides() -> None:
    still = full(mouthSmileLeft=0.5, mouthSmileRight=0.5)
    frames = frames_of("x", 20, still, micro=True)[60:]
    plain = frames_of("x", 20, still)[60:]
    left, right = (
        frames[:, PLACE[f"mouthSmile{side}"]] - plain[:, PLACE[f"mouthSmile{side}"]] for side in ("Left", "Right")
    )
    assert 0.005 < left.std() < 0.05
    assert np.abs(left).max() < 0.12
    assert 0.8 < np.corrcoef(left, right)[0, 1] < 0.999


def test_a_seed_gives_its_motion_again() -> None:
    motion = dict.fromkeys(OFF, True)
    np.testing.assert_array_equal(frames_of("x", **motion), frames_of("x", **motion))
    assert (frames_of("x", **motion) != frames_of("x", seed=1, **motion)).any()
    assert (frames_of("x", **motion) != frames_of("y", **motion)).any()
