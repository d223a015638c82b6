"""Lip-sync of other tools, from files made to their published descriptions."""

import json
import logging

import numpy as np
import pytest
from typer.testing import CliRunner

from emo3d.cli.app import app
from emo3d.clips import CHANNELS, Clip
from emo3d_lab.avatars.shapes import COMPOSED
from emo3d_lab.cli import speak  # noqa: F401
from emo3d_lab.clips.files import read_clip, write_clip
from emo3d_lab.clips.visemes import VISEMES, Cue, read_speech, speech_of_cues, speech_of_weights
from livelink import LIVELINK_HEADER

# Rhubarb Lip Sync 1.13, README, "JSON" and "TSV": its own example, cut after four cues.
RHUBARB = {
    "metadata": {"soundFile": "C:\\...\\input.wav", "duration": 0.47},
    "mouthCues": [
        {"start": 0.00, "end": 0.05, "value": "X"},
        {"start": 0.05, "end": 0.27, "value": "D"},
        {"start": 0.27, "end": 0.31, "value": "C"},
        {"start": 0.31, "end": 0.47, "value": "B"},
    ],
}
RHUBARB_TSV = "0.00\tX\n0.05\tD\n0.27\tC\n0.31\tB\n0.47\tX\n"
# TalkingHead's speakAudio: names of visemes, start times and durations in milliseconds.
TALKING_HEAD = {"visemes": ["PP", "aa", "sil"], "vtimes": [0, 100, 300], "vdurations": [100, 200, 100]}


def shape(name):
    return COMPOSED[f"viseme_{name}"].astype(np.float32)


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_every_cue_is_reached_and_lips_rest_elsewhere():
    clip = speech_of_cues([Cue(0.2, 0.4, "aa"), Cue(0.4, 0.6, "PP"), Cue(0.8, 1.0, "O")], 100)
    for middle, name in ((30, "aa"), (50, "PP"), (90, "O"), (70, "sil"), (5, "sil")):
        np.testing.assert_allclose(clip.units[middle], shape(name), atol=1e-6, err_msg=name)
    np.testing.assert_allclose(clip.units[40], (shape("aa") + shape("PP")) / 2, atol=1e-6)  # half of both between


@pytest.mark.parametrize("rate", [24, 25, 30])
def test_closures_shorter_than_a_frame_are_kept(rate):
    """A /b/ may close for 20 ms, and a frame lasts for 33."""
    for start in np.arange(0.30, 0.36, 0.007):
        cues = [Cue(0.2, start, "aa"), Cue(start, start + 0.02, "PP"), Cue(start + 0.02, 0.5, "aa")]
        clip = speech_of_cues(cues, rate)
        assert np.abs(clip.units - shape("PP")).max(axis=1).min() < 1e-6


def test_rhubarb_and_talking_head(tmp_path):
    by_json = read_speech(write(tmp_path / "a.json", RHUBARB), rate=100)
    by_tsv = read_speech(write(tmp_path / "a.tsv", RHUBARB_TSV), rate=100)
    np.testing.assert_array_equal(by_json.frames, by_tsv.frames)
    np.testing.assert_allclose(by_json.units[16], shape("aa"), atol=1e-6)  # D: wide open
    clip = read_speech(write(tmp_path / "b.json", TALKING_HEAD), rate=100)
    assert clip.duration == pytest.approx(0.4)
    np.testing.assert_allclose(clip.units[[5, 20, 35]], [shape("PP"), shape("aa"), shape("sil")], atol=1e-6)
    listed = [{"time": 0.0, "duration": 0.1, "viseme": "viseme_PP"}, {"start": 0.1, "end": 0.3, "viseme": "aa"}]
    again = read_speech(write(tmp_path / "c.json", [*listed, {"start": 0.3, "end": 0.4, "viseme": "sil"}]), rate=100)
    bare = read_speech(write(tmp_path / "d.json", [[0, 0.1, "PP"], [0.1, 0.2, "aa"], [0.3, 0.1, "sil"]]), rate=100)
    np.testing.assert_allclose(again.frames, clip.frames, atol=1e-5)
    np.testing.assert_allclose(bare.frames, clip.frames, atol=1e-5)


def test_visemes_over_time(tmp_path):
    rows = "time,viseme_aa,viseme_PP\n0,0,1\n0.04,0.5,0\n0.08,0.5,0.25\n"
    clip = read_speech(write(tmp_path / "a.csv", rows))
    assert (len(clip), clip.rate) == (3, 25)
    expected = [shape("PP"), 0.5 * shape("aa"), 0.5 * shape("aa") + 0.25 * shape("PP")]
    np.testing.assert_allclose(clip.units, expected, atol=1e-6)
    document = {"fps": 25, "frames": [{"aa": 0, "PP": 1}, {"aa": 0.5, "PP": 0}, {"aa": 0.5, "PP": 0.25}]}
    np.testing.assert_allclose(read_speech(write(tmp_path / "b.json", document)).frames, clip.frames, atol=1e-6)


def test_a_gap_is_named(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        clip = read_speech(write(tmp_path / "a.csv", "time,aa,PP\n0,0,0\n0.1,1,0\n0.2,1,0\n1.2,0,0\n"))
    assert "a gap of 1.000 s between frames of visemes" in caplog.text
    assert len(clip) == 13


@pytest.mark.parametrize("rate", [24, 25, 30, 50, 60])
@pytest.mark.parametrize("count", [3, 40])
def test_times_in_milliseconds_are_frames_of_whole_rates(tmp_path, rate, count):
    """Steps of 60 a second are 16 and 17 ms; no frame may fall between two others, or closed lips would open."""
    lines = [f"{frame / rate:.3f},{frame % 2},{1 - frame % 2}" for frame in range(count)]
    clip = read_speech(write(tmp_path / "a.csv", "\n".join(["time,aa,PP", *lines])))
    assert (len(clip), clip.rate) == (count, rate)
    np.testing.assert_allclose(clip.units[::2], np.tile(shape("PP"), ((count + 1) // 2, 1)), atol=1e-6)


def test_a_viseme_may_come_in_late_and_time_has_any_case(tmp_path):
    rows = [{"time": 0, "PP": 0}, {"time": 0.04, "PP": 0, "aa": 1}]
    with pytest.raises(ValueError, match="expected a finite number as aa in row 0, got 'None'"):
        read_speech(write(tmp_path / "a.json", rows))
    clip = read_speech(write(tmp_path / "a.csv", "Time,PP,aa\n0,1,0\n0.5,1,0\n"))
    assert (len(clip), clip.rate) == (2, 2)


def test_lips_rest_until_the_first_row(tmp_path):
    clip = read_speech(write(tmp_path / "a.csv", "time,aa,PP\n5,1,0\n5.04,0,1\n"))
    assert (len(clip), clip.rate) == (127, 25)
    np.testing.assert_array_equal(clip.frames[:125], 0)
    np.testing.assert_allclose(clip.units[125:], [shape("aa"), shape("PP")], atol=1e-6)


def test_a_take_and_a_clip_are_speech_too(tmp_path):
    row = ",".join(["0.25"] * 52 + ["0"] * 9)
    take = write(tmp_path / "a.csv", f"{LIVELINK_HEADER}\n00:00:00:00.000,61,{row}\n00:00:00:01.000,61,{row}\n")
    clip = read_speech(take)
    assert (len(clip), clip.rate) == (2, 60)
    np.testing.assert_allclose(clip.units, 0.25)
    write_clip(tmp_path / "b.npz", clip)
    np.testing.assert_array_equal(read_speech(tmp_path / "b.npz").frames, clip.frames)


def test_weights_that_exceed_one_together_share_it():
    weights = np.zeros((1, 15))
    weights[0, [VISEMES.index("aa"), VISEMES.index("O")]] = 1
    np.testing.assert_allclose(speech_of_weights(weights, 30).units[0], (shape("aa") + shape("O")) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", {"mouthCues": []}, "a.json: expected cues of visemes, got none"),
        ("a.json", {"mouthCues": [{"start": 0, "end": 1, "value": "Q"}]}, "of A, B, C, .* in cue 0, got 'Q'"),
        ("a.json", {"mouthCues": [{"start": 0, "value": "A"}]}, "expected a start and an end or a duration in cue 0"),
        ("a.json", {"mouthCues": [{"start": "x", "end": 1, "value": "A"}]}, "expected a time of cue 0 as a finite"),
        ("a.json", TALKING_HEAD | {"vtimes": [0]}, "expected as many visemes as vtimes and vdurations, got 3, 1 and 3"),
        ("a.json", TALKING_HEAD | {"vtimes": [300, 100, 0]}, "expected cues that follow each other, got 0.1 to 0.3 s"),
        ("a.json", [[0, 0.2, "PP"], [0.1, 0.2, "aa"]], "got 0.1 to 0.3 s in cue 1 after 0.2 s"),
        ("a.json", [[0, 0, "PP"]], "got 0 to 0 s in cue 0"),
        ("a.json", [[0, 9000, "PP"]], "expected cues within 3600 s, got 9000 s in cue 0: are they milliseconds"),
        ("a.json", [{"aa": 1, "PP": 0}], r"expected a column time \(seconds\), or frames per second"),
        ("a.tsv", "0.0 X\n", "expected a time, a tab and a shape A to H or X in line 1"),
        ("a.tsv", "0.0\tA\nnan\tX\n", "expected a finite number as the time in line 2, got 'nan'"),
        ("a.tsv", "", "expected cues of visemes, got none"),
        ("a.csv", "time,aa,PP\n0,nan,0\n", "expected a finite number as aa in row 0, got 'nan'"),
        ("a.csv", "time,aa,PP\n0,3,0\n", "expected weights in 0..1, got aa = 3 in row 0"),
        ("a.csv", "time,aa,PP\n0.1,0,0\n0,0,0\n", "expected times that go forward, got 0 s after 0.1 s"),
        ("a.csv", "time,aa,PP\n0,0,0\n0.0001,0,0\n", "expected 1 to 240 frames per second, got 10000"),
        ("a.csv", "time,aa,PP,jawOpen\n0,0,0,0\n", "expected columns of visemes and time, got jawOpen besides"),
        ("a.csv", "time,aa,viseme_aa\n0,0,0\n", "expected each viseme, and time, in one column"),
        ("a.csv", "time,PP,PP\n0,0,1\n", "expected each viseme in one column, got 'PP' in 2"),
        ("a.csv", "time,Time,aa,PP\n0,0,1,0\n", "expected each viseme, and time, in one column"),
        ("a.csv", "time,aa,PP\n0,0,0\n0.04,0\n", "expected 3 cells in row 1, got 2"),
        ("a.csv", "time,aa,PP\n0,0,0\n20000,0,0\n", "expected times within 0 to 3600 s, got 0 to 20000 s"),
        ("a.csv", "time,aa,PP\n-1,0,0\n0,0,0\n", "expected times within 0 to 3600 s, got -1 to 0 s"),
        ("a.json", {}, "a.json: expected scores of blendshapes, found none in any row"),
        ("a.json", [{}, {}], "a.json: expected scores of blendshapes, found none in any row"),
        ("a.csv", "time,aa,PP\n", "a.csv: "),
    ],
)
def test_what_is_refused(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message):
        read_speech(write(tmp_path / name, content))


def test_settings_that_are_refused():
    with pytest.raises(ValueError, match="expected a strength above 0 to 1, got 0"):
        speech_of_cues([Cue(0, 1, "aa")], strength=0)
    with pytest.raises(ValueError, match=r"expected a viseme of sil, PP, .* in cue 0, got 'A'"):
        speech_of_cues([Cue(0, 1, "A")])
    with pytest.raises(ValueError, match=r"expected weights of 15 visemes \(T, 15\), got an array of shape \(0, 15\)"):
        speech_of_weights(np.zeros((0, 15)), 30)
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_speech("nothing.csv")


def test_the_command(tmp_path):
    track, out = write(tmp_path / "a.json", RHUBARB), tmp_path / "clip.json"
    result = CliRunner().invoke(app, ["speak", str(track), "delighted", "--out", str(out), "--still"])
    assert result.exit_code == 0, result.output
    clip = read_clip(out)
    assert (len(clip), clip.rate, clip.description) == (15, 30, "delighted")
    assert clip.frames[8, CHANNELS.index("mouthSmileLeft")] > 0.3
    write_clip(tmp_path / "felt.npz", Clip(np.zeros((9, 61)), 30))
    short = CliRunner().invoke(app, ["speak", str(track), str(tmp_path / "felt.npz"), "--out", str(out)])
    assert "as long as the speech, 15 frames" in str(short.exception)


def test_a_file_of_the_emotion_has_the_options_of_files(tmp_path):
    track, felt, out = write(tmp_path / "a.json", RHUBARB), tmp_path / "felt.json", tmp_path / "clip.json"
    write(felt, [{"smile": value / 100, "brow": 0.5} for value in range(29)])
    names = write(tmp_path / "names.json", {"smile": "mouthSmileLeft", "brow": "browInnerUp"})
    arguments = ["speak", str(track), str(felt), "--out", str(out), "--names", str(names), "--fps", "60"]
    for more, message in (
        ([], "got the speech's 30 frames per second, the emotion's 60: pass --rate 60 to read both at it"),
        (["--still"], "expected a description for --still, got the file felt.json"),
        (["--seed", "1"], "expected a description for --seed"),
        (["--strength", "0.5"], "expected a description for --strength"),
        (["--model", "minilm"], "expected a description for --model"),
    ):
        assert message in str(CliRunner().invoke(app, [*arguments, *more]).exception)
    result = CliRunner().invoke(app, [*arguments, "--rate", "60"])
    assert result.exit_code == 0, result.output
    clip = read_clip(out)
    assert (len(clip), clip.rate) == (29, 60)  # 0.47 s, the last frame begun
    np.testing.assert_allclose(clip.frames[:, CHANNELS.index("browInnerUp")], 0.5, atol=0.01)
