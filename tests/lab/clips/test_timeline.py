"""Stills at beats become a clip: shapes of onset and offset, joins, decay, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES, limit_mouth_close
from emo3d.clips import CHANNELS, Beat
from emo3d_lab.clips.motion import Motion, minimum_jerk
from emo3d_lab.clips.timeline import Timing, emotion_timing, leading_emotions, perform
from emo3d_lab.sample.prototypes import PROTOTYPES

STILL = Motion(blinks=False, gaze=False, head=False, micro=False, lead=False)
PLAIN = Timing(onset=0.5, offset=1.0, apex=10.0)
SMILE = CHANNELS.index("mouthSmileLeft")
FROWN = CHANNELS.index("mouthFrownLeft")


def face(**weights: float) -> np.ndarray:
    return np.array([weights.get(name, 0.0) for name in BLENDSHAPES])


def test_minimum_jerk_is_the_polynomial_of_flash_and_hogan() -> None:
    # 10x^3 - 15x^4 + 6x^5 by hand: at 1/4 it is 10/64 - 15/256 + 6/1024.
    values = minimum_jerk(np.array([-1, 0, 0.25, 0.5, 0.75, 1, 2]))
    np.testing.assert_allclose(values, [0, 0, 0.103515625, 0.5, 0.896484375, 1, 1], atol=1e-12)


def test_a_still_is_reached_after_its_onset_and_held() -> None:
    clip = perform([face(mouthSmileLeft=0.8)], [Beat("smiles", 0, 2)], rate=100, timings=[PLAIN], motion=STILL)
    line = clip.frames[:, SMILE]
    assert line[0] == 0
    assert line[25] == pytest.approx(0.4)  # half of the onset is half of the way
    np.testing.assert_allclose(line[50:], 0.8, rtol=1e-6)
    assert not np.delete(clip.frames, SMILE, axis=1).any()


def test_onsets_are_faster_than_offsets() -> None:
    beats = [Beat("smiles", 0, 2)]
    line = perform([face(mouthSmileLeft=1)], beats, rate=240, timings=[PLAIN], motion=STILL, duration=4).frames[
        :, SMILE
    ]
    rise, fall = (((part > 0.1) & (part < 0.9)).sum() / 240 for part in (line[:480], line[480:]))
    # From 10% to 90% of minimum jerk: x = 0.2466 to 0.7534 (roots of the polynomial, by numpy.roots).
    assert rise == pytest.approx(0.5067 * 0.5, abs=0.01)
    assert fall == pytest.approx(0.5067 * 1.0, abs=0.01)
    assert line[-1] == 0


def test_stills_join_without_passing_rest() -> None:
    stills = [face(mouthSmileLeft=0.6, jawOpen=0.5), face(mouthSmileLeft=0.8, mouthFrownLeft=0.4)]
    frames = perform(stills, [Beat("a", 0, 2), Beat("b", 2, 4)], rate=60, timings=[PLAIN] * 2, motion=STILL).frames
    assert frames[60:, SMILE].min() == pytest.approx(0.6)
    np.testing.assert_allclose(frames[-1, : len(BLENDSHAPES)], stills[1], atol=1e-6)


def test_a_beat_within_another_interrupts_it() -> None:
    beats = [Beat("smiles", 0, 6), Beat("frowns", 2, 4)]
    stills = [face(mouthSmileLeft=0.9), face(mouthFrownLeft=0.7)]
    frames = perform(stills, beats, rate=30, timings=[PLAIN] * 2, motion=STILL).frames
    np.testing.assert_allclose(frames[[59, 119, 179]][:, [SMILE, FROWN]], [[0.9, 0], [0, 0.7], [0.9, 0]], atol=1e-6)


def test_between_beats_a_face_is_at_rest() -> None:
    beats = [Beat("a", 0, 1), Beat("b", 3, 4)]
    frames = perform([face(jawOpen=1)] * 2, beats, rate=30, timings=[PLAIN] * 2, motion=STILL, duration=6).frames
    jaw = frames[:, CHANNELS.index("jawOpen")]
    assert min(jaw[29], jaw[119]) > 0.99
    assert max(jaw[85], jaw[-1]) == 0


def test_a_held_expression_fades_but_shut_eyes_stay_shut() -> None:
    timing = Timing(onset=0.5, offset=1, apex=1, sustain=0.7, decay=2)
    still = face(mouthSmileLeft=1, eyeBlinkLeft=1)
    frames = perform([still], [Beat("sleeps", 0, 6)], timings=[timing], motion=STILL).frames
    assert frames[45, SMILE] == pytest.approx(1)  # 1.5 s: the end of the apex
    assert frames[75, SMILE] == pytest.approx(0.85)  # half of the decay
    assert frames[-1, SMILE] == pytest.approx(0.7)
    assert frames[-1, CHANNELS.index("eyeBlinkLeft")] == pytest.approx(1)


def test_motion_is_smooth() -> None:
    stills = np.eye(51)[[3, 9, 3, 20]]
    beats = [Beat("x", start, start + 1.5) for start in (0, 1.5, 3, 4.5)]
    frames = perform(stills, beats, rate=240, timings=[PLAIN] * 4, motion=STILL).frames
    # A minimum-jerk step of length d has an acceleration of at most 10/sqrt(3)/d^2 (Flash and Hogan 1985); d is 0.5 s.
    assert np.abs(np.diff(frames, 2, axis=0)).max() * 240**2 < 1.02 * 10 / np.sqrt(3) / 0.5**2


def test_the_mouth_comes_after_the_brows() -> None:
    motion = Motion(blinks=False, gaze=False, head=False, micro=False)
    still = face(browInnerUp=1, mouthSmileLeft=1)
    frames = perform([still], [Beat("x", 0, 3)], rate=240, timings=[PLAIN], motion=motion).frames
    brow, mouth = (
        int((frames[:, CHANNELS.index(name)] < 0.5).sum()) / 240 for name in ("browInnerUp", "mouthSmileLeft")
    )
    assert 0.045 < mouth - brow < 0.105


@pytest.mark.parametrize("seed", range(6))
def test_scores_stay_in_range_and_lips_do_not_cross(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stills = rng.random((9, 51)).astype(np.float32).round()
    limit_mouth_close(stills)
    starts = np.sort(rng.uniform(0, 8, 9))
    beats = [Beat("he laughs and nods", start, start + rng.uniform(0.05, 4)) for start in starts]
    frames = perform(stills, beats, rate=60, seed=seed, duration=14).frames
    assert frames[:, :52].min() >= 0
    assert frames[:, :52].max() <= 1
    assert (frames[:, CHANNELS.index("mouthClose")] <= frames[:, CHANNELS.index("jawOpen")] + 1e-6).all()
    assert np.abs(frames[:, 52:]).max() < 0.4


@pytest.mark.parametrize("seed", range(3))
def test_another_rate_is_the_same_motion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    beats = [Beat("she is nervous", 0, 3), Beat("she laughs", 3, 7.5)]
    options = {"stills": rng.random((2, 52)), "beats": beats, "seed": seed}
    fast, slow = (perform(rate=rate, **options).frames for rate in (60, 30))
    # Whether an eye is open enough to blink is looked up between frames; all else is a function of time.
    np.testing.assert_allclose(fast[::2], slow, atol=1e-6)


def test_the_tongue_is_kept() -> None:
    still = np.zeros((1, 52))
    still[0, 51] = 0.6
    assert perform(still, [Beat("x", 0, 2)], motion=STILL).frames[-1, 51] == pytest.approx(0.6)


def test_prototypes_lead_with_their_emotion() -> None:
    stills = np.array([[weights.get(name, 0.0) for name in BLENDSHAPES] for weights in PROTOTYPES.values()])
    assert leading_emotions(stills) == list(PROTOTYPES)


def test_surprise_is_the_quickest_and_sadness_the_slowest() -> None:  # Ekman and Friesen 1975
    onsets = {emotion: emotion_timing(emotion).onset for emotion in PROTOTYPES if emotion != "neutral"}
    assert min(onsets, key=onsets.__getitem__) == "surprise"
    assert max(onsets, key=onsets.__getitem__) == "sadness"
    assert all(emotion_timing(emotion).offset > emotion_timing(emotion).onset for emotion in PROTOTYPES)


def test_the_table_of_the_documentation_is_the_one_in_use() -> None:
    text = (Path(__file__).parents[3] / "docs" / "clips.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    table = {row[0]: row[1:6] for row in rows if row[0] in PROTOTYPES}
    fields = ("onset", "apex", "offset", "sustain", "decay")
    assert table == {
        emotion: [f"{getattr(emotion_timing(emotion), field):g}" for field in fields] for emotion in PROTOTYPES
    }


ONE = [Beat("x", 0, 1)]


@pytest.mark.parametrize(
    ("stills", "beats", "options", "message"),
    [
        ([], [], {}, "expected at least one beat, got none"),
        ([face()], [*ONE, Beat("y", 1, 2)], {}, "a still of 51 or 52 weights for each of 2 beats"),
        ([[0.5] * 50], ONE, {}, "a still of 51 or 52 weights"),
        ([face(jawOpen=1.2)], ONE, {}, "expected weights in 0..1, got jawOpen = 1.2 in still 0"),
        ([face(jawOpen=np.nan)], ONE, {}, "expected weights in 0..1, got jawOpen = nan"),
        ([face()] * 2, [Beat("y", 1, 2), *ONE], {}, "in the order of their starts"),
        ([face()], ONE, {"timings": []}, "a timing for each of 1 beats, got 0"),
        ([face()], ONE, {"duration": 0}, "expected a duration above 0"),
        ([face()], ONE, {"duration": 0.5}, "expected a duration above 0 that no beat exceeds"),
        ([face()], ONE, {"rate": 0}, "expected 1 to 240 frames per second"),
        ([face()], ONE, {"rate": 1000}, "expected 1 to 240 frames per second"),
        ([face()], ONE, {"seed": 0.5}, "expected seed as a whole number"),
        ([face()], ONE, {"seed": -1}, "expected a seed of 0 or more"),
    ],
)
def test_what_is_refused(stills: list, beats: list, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        perform(stills, beats, **options)


@pytest.mark.parametrize("fields", [{"onset": 0}, {"offset": -1}, {"apex": -0.1}, {"sustain": 1.1}, {"decay": np.nan}])
def test_timings_out_of_range_are_refused(fields: dict) -> None:
    with pytest.raises(ValueError, match=f"expected {next(iter(fields))}"):
        Timing(**{"onset": 0.5, "offset": 1.0, **fields})
