"""A clip's emotions over time: numbers by hand, a plot that says by whom it was read."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from emo3d.blendshapes import BLENDSHAPES
from emo3d.cli.app import app
from emo3d.clips import Beat, Clip
from emo3d.emotions import EMOTIONS
from emo3d_lab.cli import read  # noqa: F401
from emo3d_lab.clips import emotions as emotions_module
from emo3d_lab.clips.emotions import ClipEmotions, describe_emotions, emotions_over_time, write_emotions
from emo3d_lab.clips.files import write_clip
from emo3d_lab.clips.plotting import plot_emotions
from emo3d_lab.sample.prototypes import PROTOTYPES

FOLDER = Path(__file__).parents[3].parent / "shared" / "readers" / "face-api"
SVG = "{http://www.w3.org/2000/svg}"


def acted(*emotions, seconds=1.0, rate=10):
    """A clip that holds the prototype of one emotion after the other."""
    weights = [[PROTOTYPES[emotion].get(name, 0.0) for name in BLENDSHAPES] for emotion in emotions]
    beats = [Beat(emotion, place * seconds, (place + 1) * seconds) for place, emotion in enumerate(emotions)]
    return Clip.from_frames(np.repeat(weights, round(seconds * rate), axis=0), rate, beats=beats)


def shares(*rows, by="nobody"):
    table = np.array(rows, float)
    return ClipEmotions((np.arange(len(table)) + 0.5) / 2, table, EMOTIONS[: table.shape[1]], by)


def test_what_is_acted_is_read():
    emotions = emotions_over_time(acted("happiness", "anger", "neutral"), per_second=2)
    np.testing.assert_allclose(emotions.times, [0.25, 0.75, 1.25, 1.75, 2.25, 2.75])
    np.testing.assert_allclose(emotions.shares.sum(axis=1), 1)
    assert emotions.likeliest == ["happiness"] * 2 + ["anger"] * 2 + ["neutral"] * 2
    assert (emotions.emotions, emotions.by) == (EMOTIONS, "the quickstart backbone")


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the files of face-api are not here")
def test_an_emotion_reader_reads():
    emotions = emotions_over_time(acted("surprise", "sadness"), per_second=1, by=str(FOLDER))
    assert (emotions.likeliest, emotions.by) == (["surprise", "sadness"], "the emotion reader face-api")
    assert "contempt" not in emotions.emotions


def test_one_picture_of_a_still():
    assert emotions_over_time(Clip(np.zeros((1, 61)), 30), per_second=5).likeliest == ["neutral"]


def test_runs_of_an_emotion():
    emotions = shares([0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.6, 0.4])  # half a second each
    assert describe_emotions(emotions) == [(0, 1, "neutral"), (1, 1.5, "happiness"), (1.5, 2, "neutral")]
    assert describe_emotions(emotions, 0.6) == [(0, 1, "neutral")]
    assert describe_emotions(emotions, 1.5) == [(0, 2, "neutral")]  # no run is as long: of the means 0.625 and 0.375
    assert describe_emotions(shares([0.2, 0.8]), 2) == [(0, 0.5, "happiness")]


def test_numbers_as_a_table(tmp_path):
    write_emotions(tmp_path / "a.csv", shares([0.25, 0.75], [1, 0]))
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "time": "0.250", "neutral": "0.2500", "happiness": "0.7500", "likeliest": "happiness", "read by": "nobody",
    }  # fmt: skip
    assert len(rows) == 2


def test_a_plot_says_who_read_and_when(tmp_path):
    clip = acted("happiness", "anger")
    emotions = shares([0.2, 0.8], [0.3, 0.7], [1, 0], [0.9, 0.1], by="an <unknown> reader")
    plot_emotions(tmp_path / "a.svg", emotions, clip)
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = [text.text for text in root.iter(f"{SVG}text")]
    said = "Read by an <unknown> reader, 4 pictures: what it sees in this face, not what was felt. It does not know "
    assert said + "surprise, sadness, anger, disgust, fear, contempt." in texts
    assert {"happiness 40%", "neutral 60%", "100%", "2 s"} <= set(texts)  # means by hand
    assert len(list(root.iter(f"{SVG}image"))) == 10
    assert "prefers-color-scheme: dark" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    bands = [polygon.get("points").split() for polygon in root.iter(f"{SVG}polygon")]
    lowest, highest = [[float(point.split(",")[1]) for point in band] for band in bands if len(band) == 12]
    assert min(lowest) == min(highest)  # neutral is 100% at 1.25 s, and both end at the top there
    plot_emotions(tmp_path / "a.png", emotions, clip)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 2000


@pytest.mark.parametrize(
    ("per_second", "message"),
    [
        (0, "expected above 0 to the clip's 10 pictures per second, got 0"),
        (11, "expected above 0 to the clip's 10 pictures per second, got 11"),
        (float("nan"), "expected pictures per second as a finite number, got nan"),
    ],
)
def test_how_often_is_checked(per_second, message):
    with pytest.raises(ValueError, match=message):
        emotions_over_time(acted("fear"), per_second=per_second)


def test_what_is_not_plotted(tmp_path):
    emotions = shares([1, 0], [1, 0], [1, 0])
    with pytest.raises(ValueError, match=r"expected emotions of this clip of 1 s, got some at 1.25 s"):
        plot_emotions(tmp_path / "a.svg", emotions, acted("fear"))
    with pytest.raises(ValueError, match=r"\.svg, \.png, \.csv"):
        plot_emotions(tmp_path / "a.pdf", emotions, acted("fear"))


def invoke(*arguments):
    return CliRunner().invoke(app, ["read", *map(str, arguments)])


def test_the_command(tmp_path, caplog):
    emotions_module._backbone_and_bank.cache_clear()
    write_clip(tmp_path / "clip.json", acted("happiness", "sadness"))
    result = invoke(tmp_path / "clip.json", "--out", tmp_path / "a.svg", "--out", tmp_path / "a.csv")
    assert result.exit_code == 0, result.output
    assert "quickstart" in result.output
    assert "sadness" in result.output
    assert "descriptions are of words" not in caplog.text  # of our own bank
    assert (tmp_path / "a.svg").is_file()
    assert len((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()) == 11


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "frame|row|empty"),
        ([{"jawOpen": float("nan")}], "NaN|finite|JSON"),
        ({"names": ["jawOpen"], "frames": [{"weights": [0.1], "time": 1}, {"weights": [0.1], "time": 0}]}, "forward"),
    ],
)
def test_takes_that_are_refused(tmp_path, rows, message):
    (tmp_path / "take.json").write_text(json.dumps(rows), encoding="utf-8")
    result = invoke(tmp_path / "take.json")
    assert result.exit_code != 0
    assert isinstance(result.exception, ValueError)
    result.exception.args[0].encode()
    assert pytest.importorskip("re").search(message, str(result.exception))
