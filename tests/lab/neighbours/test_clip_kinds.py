"""Clips imported from files made to each dataset's published description; docs/neighbours.md has the sources."""

import json
import multiprocessing
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from imports import write_take
from typer.testing import CliRunner

from emo3d.clips import CHANNELS
from emo3d.emotions import EMOTIONS
from emo3d_lab.building.shards import Run
from emo3d_lab.clips.rows import clip_of_row
from emo3d_lab.neighbours import import_clips
from emo3d_lab.neighbours.beat import emotion_of
from emo3d_lab.neighbours.flame_map import euler_angles
from livelink import LIVELINK_HEADER

JAW, BROW, TONGUE, YAW = (CHANNELS.index(name) for name in ("jawOpen", "browInnerUp", "tongueOut", "headYaw"))
HAPPINESS, ANGER, SADNESS = (EMOTIONS.index(name) for name in ("happiness", "anger", "sadness"))


def clips_of(out, split="train"):
    return load_dataset(str(out), "clips", split=split).to_list()


def messages(report):
    return {problem["file"]: problem["message"] for problem in report["problems"]}


def accounted(report):
    lost = Counter()
    for problem in report["problems"]:
        lost[problem["split"]] += problem["count"]
    return all(counts["rows_in"] == counts["rows"] + lost[split] for split, counts in report["splits"]["clips"].items())


def timed(path, frames, fps=60, start=0, skip=()):
    """A take of Live Link Face whose timecodes (HH:MM:SS:FF of sixtieths) follow the frames; `skip` are lost ones."""
    write_take(path, frames)
    lines = path.read_text().splitlines()
    times = [number for number in range(start, start + len(frames) + len(skip)) if number not in skip]
    for row, number in enumerate(times, 1):
        sixtieths = number * 60 // fps
        code = f"10:00:{sixtieths // 60:02}:{sixtieths % 60:02}.000"
        lines[row] = ",".join([code, *lines[row].split(",")[1:]])
    path.write_text("\n".join(lines) + "\n")


# --- Live Link folders -----------------------------------------------------------------------------------------------
def test_a_folder_of_takes_with_a_table_of_texts(tmp_path):
    folder = tmp_path / "takes"
    timed(folder / "day1/a.csv", [{"JawOpen": value, "TongueOut": 0.5} for value in (0, 0.25, 0.5, 0.25)])
    timed(folder / "b.csv", [{"BrowInnerUp": 1, "HeadYaw": 0.125}] * 3, fps=30)
    timed(folder / "silent.csv", [{}] * 2)
    beats = [
        {"description": "a yawn", "start": 0, "end": 0.05, "emotion": "sad"},
        {"description": "over", "start": 0.05, "end": 0.0625, "intensities": {"happiness": 0.5}},
    ]
    rows = [
        {"file": "day1/a.csv", "description": "She yawns.", "beats": beats},
        {"file": "b", "description": "Brows up"},
        {"file": "b.csv", "description": "He wonders"},
        {"file": "c.csv", "description": "not there"},
        {"file": "notes.csv", "description": "no take"},
    ]
    (folder / "notes.csv").write_text("a,b\n1,2\n")
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = import_clips("livelink", folder, tmp_path / "out", texts=tmp_path / "texts.jsonl")
    assert messages(report) == {
        "silent.csv": "expected its text in texts.jsonl, found none",
        "texts.jsonl row 3": "expected a take called 'c.csv', found none",
        "texts.jsonl row 4": "expected a take called 'notes.csv', not a take: expected one column Timecode, found none",
    }
    assert accounted(report)
    table = {row["description"]: row for row in clips_of(tmp_path / "out")}
    assert set(table) == {"She yawns.", "Brows up", "He wonders"}
    assert sorted(row["clip_id"] for row in table.values()) == [0, 1, 2]
    yawn = clip_of_row(table["She yawns."])
    assert (yawn.rate, yawn.space, len(yawn)) == (60, "weights", 4)
    np.testing.assert_array_equal(yawn.frames[:, JAW], [0, 0.25, 0.5, 0.25])
    np.testing.assert_array_equal(yawn.frames[:, TONGUE], 0.5)
    np.testing.assert_array_equal(yawn.frames[:, YAW], -0.25)  # what `write_take` writes where nothing is said
    assert [(beat.description, beat.start, beat.end) for beat in yawn.beats] == [
        ("a yawn", 0, 0.05),
        ("over", 0.05, 0.0625),
    ]
    assert yawn.beats[0].intensities[SADNESS] == 1
    assert yawn.beats[1].intensities[HAPPINESS] == 0.5
    wonder = clip_of_row(table["He wonders"])
    assert (wonder.rate, len(wonder), wonder.beats) == (30, 3, ())
    np.testing.assert_array_equal(wonder.frames[:, [BROW, YAW]], [[1, 0.125]] * 3)


def test_a_csv_of_texts_has_its_beats_as_json(tmp_path):
    timed(tmp_path / "t/a.csv", [{"JawOpen": 0.5}] * 30)
    beats = json.dumps([{"description": "x", "start": 0, "end": 0.25}]).replace('"', '""')
    (tmp_path / "texts.csv").write_text(f'file,description,beats\na,Talks,"{beats}"\n')
    import_clips("livelink", tmp_path / "t", tmp_path / "out", texts=tmp_path / "texts.csv")
    (row,) = clips_of(tmp_path / "out")
    assert row["beats"] == [{"description": "x", "start": 0.0, "end": 0.25, "intensities": None}]
    assert row["source"] == "livelink: a.csv"


def test_a_bad_row_of_texts_loses_itself_alone(tmp_path):
    for name in ("a.csv", "b.CSV", "c.csv"):
        timed(tmp_path / "t" / name, [{"JawOpen": 0.5}] * 6)
    rows = [("a", "good"), ("b", "b"), ("a", " "), ("a.csv", "good, too"), ("c", "")]
    lines = [json.dumps({"file": file, "description": text}) for file, text in rows]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    report = import_clips("livelink", tmp_path / "t", tmp_path / "out", texts=tmp_path / "texts.jsonl")
    assert [(problem["file"], problem["message"]) for problem in report["problems"]] == [
        ("a.csv", "texts.jsonl row 2: expected a description of a.csv, got ' '"),
        ("c.csv", "texts.jsonl row 4: expected a description of c.csv, got ''"),
    ]
    assert report["splits"]["clips"]["train"]["rows_in"] == 5
    assert accounted(report)
    assert [row["description"] for row in clips_of(tmp_path / "out")] == ["good", "good, too", "b"]


BAD_BEATS = {
    "an empty text": ([{"description": " ", "start": 0, "end": 1}], "expected a description of every beat"),
    "times backwards": ([{"description": "x", "start": 1, "end": 0.5}], "ends after it starts"),
    "no end": ([{"description": "x", "start": 1}], "expected a beat with end"),
    "an unknown key": ([{"description": "x", "start": 0, "end": 1, "mood": "sad"}], "got the key 'mood'"),
    "an unknown tag": ([{"description": "x", "start": 0, "end": 1, "emotion": "meh"}], "expected an emotion tag"),
    "no list": ({"description": "x"}, "expected a list of beats"),
    "a word as an intensity": (
        [{"description": "x", "start": 0, "end": 1, "intensities": {"anger": "x"}}],
        "expected the intensity of anger as a finite number, got 'x'",
    ),
    "beyond the take": ([{"description": "x", "start": 0, "end": 9}], "'x' ends at 9 s"),
}


@pytest.mark.parametrize(("beats", "message"), BAD_BEATS.values(), ids=BAD_BEATS)
def test_beats_that_cannot_be(tmp_path, beats, message):
    for name in "ab":
        timed(tmp_path / f"t/{name}.csv", [{}] * 6)
    rows = [{"file": "a", "description": "bad", "beats": beats}, {"file": "b", "description": "good"}]
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = import_clips("livelink", tmp_path / "t", tmp_path / "out", texts=tmp_path / "texts.jsonl")
    assert list(messages(report)) == ["a.csv"]
    assert message in messages(report)["a.csv"]
    assert [row["description"] for row in clips_of(tmp_path / "out")] == ["good"]
    assert accounted(report)


def test_takes_that_cannot_be(tmp_path):
    folder = tmp_path / "t"
    timed(folder / "whole.csv", [{"JawOpen": 0.5}] * 8)
    timed(folder / "short gap.csv", [{"JawOpen": value / 8} for value in (0, 1, 5, 6)], skip=(2, 3, 4))
    timed(folder / "long gap.csv", [{}] * 6, skip=range(3, 33))
    timed(folder / "nan.csv", [{}, {"JawOpen": "nan"}])
    timed(folder / "back.csv", [{}] * 3)
    lines = (folder / "back.csv").read_text().splitlines()
    (folder / "back.csv").write_text("\n".join([lines[0], lines[1], lines[3], lines[2]]))
    timed(folder / "turned.csv", [{"HeadYaw": 4.0}] * 2)  # degrees, perhaps
    report = import_clips("livelink", folder, tmp_path / "out", description="x")
    said = messages(report)
    assert "expected no gap of more than 0.25 s between frames, got 0.517 s after frame 2" in said["long gap.csv"]
    assert said["short gap.csv"] == "bridged 1 gaps by straight lines, the longest of 0.067 s after frame 1"
    assert "jawOpen = nan" in said["nan.csv"]
    assert "expected times that go forward" in said["back.csv"]
    assert "expected headYaw in -pi..pi (radians), got 4 in frame 0" in said["turned.csv"]
    table = {row["source"]: row["frames"] for row in clips_of(tmp_path / "out")}
    assert set(table) == {"livelink: whole.csv", "livelink: short gap.csv"}
    bridged = np.array(table["livelink: short gap.csv"])[:, JAW]  # 1/8 at frame 1, 5/8 at frame 5: a line
    np.testing.assert_allclose(bridged, np.arange(7) / 8, atol=1e-6)
    assert accounted(report)
    with pytest.raises(ValueError, match="expected"):
        import_clips("livelink", folder, tmp_path / "strict", description="x", run=Run(strict=True))


# --- Express4D -------------------------------------------------------------------------------------------------------
def test_express4d_names_that_are_listed_again(tmp_path):
    root = tmp_path / "Express4D"
    for name in ("one", "two"):
        timed(root / f"data/{name}.CSV", [{"JawOpen": 0.5}] * 3)
        (root / f"texts/{name}.TXT").parent.mkdir(exist_ok=True)
        (root / f"texts/{name}.TXT").write_text(name)
    (root / "train.txt").write_text("one\ntwo\none\n")
    (root / "test.txt").write_text("two\n")
    report = import_clips("express4d", root, tmp_path / "out")
    assert [(problem["kind"], problem["file"], problem["message"]) for problem in report["problems"]] == [
        ("note", "data/one.CSV", "named 2 times in train, read once"),
        ("note", "data/two.CSV", "named in test, too: it is in the rows of each"),
        ("note", "data/two.CSV", "named in train, too: it is in the rows of each"),
    ]
    assert [row["description"] for row in clips_of(tmp_path / "out")] == ["one", "two"]
    assert [row["description"] for row in clips_of(tmp_path / "out", "test")] == ["two"]


def test_express4d(tmp_path):
    root = tmp_path / "Express4D"
    for folder in ("data", "texts"):
        (root / folder).mkdir(parents=True)
    frames = np.zeros((5, 61), np.float32)
    names = [name[0].lower() + name[1:] for name in LIVELINK_HEADER.split(",")[2:]]
    frames[:, names.index("jawOpen")] = [0, 0.25, 0.5, 0.75, 1]
    frames[:, names.index("headYaw")] = -0.5
    np.save(root / "data/one.npy", frames)
    timed(root / "data/two.csv", [{"BrowInnerUp": 0.5}] * 3)
    np.save(root / "data/mute.npy", frames)
    np.save(root / "data/wide.npy", frames[:, :60])
    np.save(root / "data/loud.npy", frames * 1.5)
    (root / "texts/one.txt").write_text("A yawn#a/DET yawn/NOUN#0.0#0.0\nHe opens his mouth#x\n")
    for name in ("two", "wide", "loud", "gone"):
        (root / f"texts/{name}.txt").write_text(f"{name}#x\n")
    (root / "train.txt").write_text("one\nmute\nwide\nloud\ngone\n")
    (root / "test.txt").write_text("two\n")
    report = import_clips("express4d", root, tmp_path / "out")
    assert messages(report) == {
        "data/mute.npy": "expected a description of the take, found none",
        "data/wide.npy": "expected an array of 61 numbers a frame, got one of shape (5, 60)",
        "data/loud.npy": "expected jawOpen in 0..1, got 1.125 in frame 3; clip=True (--clip) clips it",
        "gone": "expected its CSV or NPY file, found none",
    }
    assert accounted(report)
    first, second = clips_of(tmp_path / "out")
    assert (first["description"], second["description"]) == ("A yawn", "He opens his mouth")
    assert (first["clip_id"], second["clip_id"]) == (0, 1)
    assert first["frames"] == second["frames"]
    clip = clip_of_row(first)
    assert clip.rate == 60
    np.testing.assert_array_equal(clip.frames[:, JAW], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(clip.frames[:, YAW], -0.5)
    assert clip.frames.astype(bool).sum() == 4 + 5
    (test,) = clips_of(tmp_path / "out", "test")
    np.testing.assert_array_equal(np.array(test["frames"])[:, BROW], 0.5)


# --- KeyframeFace ----------------------------------------------------------------------------------------------------
# The words around the numbers are those of example.jsonl and example_result.jsonl of the authors' repository.
PROMPT = (
    "Keyframe Description Sequence:\n- Keyframe One: The gaze is lowered.\n- Keyframe Two: The mouth opens.\n\n"
    "Background: A student waits.\nEmotion: Anxiety.\n\n"
)
ARKIT_KEYS = LIVELINK_HEADER.split(",")[2:]


def chat(number, numbers, prompt=PROMPT, **more):
    answer = {f"Keyframe_{number}": dict.fromkeys(ARKIT_KEYS, 0.0) | numbers | more}
    content = f"{prompt}Task Instruction: Generate the facial expression parameters for Keyframe {number.title()}."
    messages = [{"role": "system", "content": "..."}, {"role": "user", "content": content}]
    return {"messages": messages, "response": json.dumps(answer)}


def test_keyframes_become_frames_on_straight_lines(tmp_path):
    second = chat("two", {"JawOpen": 1.0, "LeftEyePitch": -0.5})
    second["messages"].append({"role": "assistant", "content": second.pop("response")})  # the other place of answers
    lines = [second, chat("one", {"BrowInnerUp": 0.5})]
    (tmp_path / "k.jsonl").write_text("\n".join(map(json.dumps, lines)))
    report = import_clips("keyframeface", tmp_path / "k.jsonl", tmp_path / "out", fps=4)
    assert not report["problems"]
    context, shown = clips_of(tmp_path / "out")
    assert context["description"] == "A student waits. Anxiety."
    assert shown["description"] == "The gaze is lowered. The mouth opens."
    assert [(b["description"], b["start"], b["end"]) for b in shown["beats"]] == [
        ("The gaze is lowered.", 0, 1),
        ("The mouth opens.", 1, 2),
    ]
    clip = clip_of_row(shown)
    assert (clip.rate, len(clip)) == (4, 8)
    # frames lie at 1/8, 3/8, ... s; the keyframes at 1/2 and 3/2 s, so the line between them rises by 1/4 a frame
    np.testing.assert_allclose(clip.frames[:, JAW], [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1], atol=1e-6)
    np.testing.assert_allclose(clip.frames[:, BROW], [0.5, 0.5, 0.4375, 0.3125, 0.1875, 0.0625, 0, 0], atol=1e-6)
    assert clip.frames[-1, CHANNELS.index("leftEyePitch")] == -0.5


BAD_CHATS = {
    "one is missing": ([chat("one", {})], "expected one answer for each described keyframe (one, two), got one"),
    "one is there twice": ([chat("one", {})] * 2, "(one, two), got one, one"),
    "one too many": ([chat(n, {}) for n in ("one", "two", "three")], "(one, two), got one, two, three"),
    "a score of 2": ([chat("one", {"JawOpen": 2}), chat("two", {})], "expected jawOpen in 0..1, got 2 in keyframe 0"),
    "degrees": ([chat("one", {"HeadYaw": -30}), chat("two", {})], "expected headYaw in -1..1, got -30 in keyframe 0"),
    "a text for a number": ([chat("one", {"JawOpen": "wide"}), chat("two", {})], "a number for JawOpen"),
    "another name": ([chat("one", {}, Smirk=1), chat("two", {})], "not so 'smirk'"),
    "no answer": ([{**chat("one", {}), "response": ""}, chat("two", {})], "expected an answer"),
    "prose": ([{**chat("one", {}), "response": "Sure! {}"}, chat("two", {})], "expected"),
    "no prompt": ([{"response": chat("one", {})["response"]}], "expected a message of the user"),
}


@pytest.mark.parametrize(("lines", "message"), BAD_CHATS.values(), ids=BAD_CHATS)
def test_keyframes_that_are_laid_out_otherwise(tmp_path, lines, message):
    other = PROMPT.replace("student", "teacher")
    lines = [*lines, chat("one", {}, other), chat("two", {}, other)]
    (tmp_path / "k.jsonl").write_text("\n".join(map(json.dumps, lines)))
    report = import_clips("keyframeface", tmp_path / "k.jsonl", tmp_path / "out")
    assert list(messages(report)) == ["k.jsonl row 0"]
    assert message in messages(report)["k.jsonl row 0"]
    assert clips_of(tmp_path / "out")[0]["description"] == "A teacher waits. Anxiety."


def test_keyframes_in_percent_and_beyond(tmp_path):
    """0..100 is --scale 100's; what is out by up to 0.02 is clipped and noted, by more only with --clip."""
    for name, lips, options in (("percent", 50, {"scale": 100}), ("near", 1.01, {}), ("far", 1.5, {"clip": True})):
        lines = [chat("one", {"JawOpen": lips, "MouthSmileLeft": lips}), chat("two", {})]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
        report = import_clips("keyframeface", tmp_path / f"{name}.jsonl", tmp_path / name, **options)
        assert clips_of(tmp_path / name)[0]["frames"][0][JAW] == (0.5 if name == "percent" else 1)
        assert list(messages(report).values()) == ([] if name == "percent" else ["clipped 2 scores to 0..1"])


# --- BEAT ------------------------------------------------------------------------------------------------------------
TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 2
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1
            text = "hello"
        intervals [3]:
            xmin = 1
            xmax = 2
            text = "there"
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 2
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2
            text = "HH"
"""


def beat_take(path, jaw, step=1 / 60):
    names = ["jawOpen", "browInnerUp"]
    frames = [{"weights": [value, 0.25], "time": row * step, "rotation": []} for row, value in enumerate(jaw)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"names": names, "frames": frames}))


def test_beat(tmp_path):
    root = tmp_path / "beat_english_v0.2.1"
    for name, jaw in {"1_wayne_0_73_73": [0, 0.5, 1], "2_scott_1_3_3": [1, 1], "1_wayne_0_119_119": [0.5]}.items():
        beat_take(root / name[0] / f"{name}.json", jaw)
        (root / name[0] / f"{name}.TextGrid").write_text(TEXTGRID)
    beat_take(root / "1/1_wayne_0_1_1.json", [0])
    (root / "1/notes.json").write_text("{}")
    report = import_clips("beat", root, tmp_path / "out")
    assert list(messages(report)) == ["1/1_wayne_0_1_1.json"]
    assert "expected its words in 1_wayne_0_1_1.TextGrid, found none" in messages(report)["1/1_wayne_0_1_1.json"]
    assert report["source"]["not_read"]["1/notes.json"].startswith("not named as takes are")
    rows = {row["source"]: row for row in clips_of(tmp_path / "out")}
    angry, talk, unknown = (
        rows[f"beat: {name}.json"] for name in ("1/1_wayne_0_73_73", "2/2_scott_1_3_3", "1/1_wayne_0_119_119")
    )
    assert {row["description"] for row in rows.values()} == {"hello there"}
    assert (angry["rate"], angry["length"]) == (60, 3)
    np.testing.assert_array_equal(np.array(angry["frames"])[:, [JAW, BROW]], [[0, 0.25], [0.5, 0.25], [1, 0.25]])
    assert angry["beats"][0]["intensities"][ANGER] == sum(angry["beats"][0]["intensities"]) == 1
    assert talk["beats"][0]["intensities"][0] == 1  # neutral, as conversation is labelled
    assert unknown["beats"] == []


def test_emotions_of_beat_are_those_of_the_authors_table():
    # PantoMatrix, dataloaders: labels 0..7 by the number of a speech's text, in this order.
    order = "neutral happiness anger sadness contempt surprise fear disgust".split()
    edges = (1, 64), (65, 72), (73, 80), (81, 86), (87, 94), (95, 102), (103, 110), (111, 118)
    assert [tuple(emotion_of(0, number) for number in pair) for pair in edges] == [(name, name) for name in order]
    assert [emotion_of(kind, 70) for kind in range(8)] == ["happiness", "neutral"] * 4
    assert emotion_of(0, 0) is emotion_of(0, 119) is None


# --- FLAME -----------------------------------------------------------------------------------------------------------
def basis(path, components=None):
    """A map in which the first component opens the jaw by half, and the jaw's pose about x by all of it."""
    components = components or {"#0": {"jawOpen": 0.5, "browInnerUp": -0.25}, "#50": {"jawOpen": 2.0}}
    path.write_text(json.dumps({"format": "emo3d-basis-1", "units": {}, "components": components}))
    return path


def mmhead(root):
    for kind in ("action", "emotion", "detail_expression", "detail_head_pose", "emotion_scenario"):
        (root / "text_annotations" / kind).mkdir(parents=True)
        (root / "text_annotations" / kind / "A_0.txt").write_text(f"{kind} text.\n")
    (root / "facial_motion").mkdir()
    motion = np.zeros((3, 56))
    motion[:, 0] = [0, 1, -1]  # expression
    motion[:, 51] = 0.25  # neck, about y
    motion[:, 53] = [0, 0.25, 0.75]  # jaw, about x
    np.save(root / "facial_motion/A_0.npy", motion)
    (root / "t2m_subset.json").write_text(json.dumps({"train": ["A_0", "B_0"], "val": [], "test": []}))
    (root / "talking_subset.json").write_text("{}")
    return motion


def test_mmhead_is_kept_and_mapped_where_a_map_is_given(tmp_path):
    motion = mmhead(tmp_path / "MMHead")
    report = import_clips("mmhead", tmp_path / "MMHead", tmp_path / "kept", fps=25)
    assert messages(report) == {"B_0": "expected facial_motion/NAME.npy of this name, found none"}
    assert set(report["source"]["not_read"]) == {"text_annotations/emotion_scenario"}
    (row,) = clips_of(tmp_path / "kept")
    assert row["description"] == "action text. emotion text. detail_expression text. detail_head_pose text."
    assert (row["frames"], row["length"], row["rate"]) == (None, 3, 25)
    np.testing.assert_array_equal(np.array(row["flame"], np.float32), motion.astype(np.float32))
    with pytest.raises(ValueError, match="clip 0: expected frames, got none"):
        clip_of_row(row)
    report = import_clips("mmhead", tmp_path / "MMHead", tmp_path / "mapped", fps=25, map=basis(tmp_path / "map.json"))
    (row,) = clips_of(tmp_path / "mapped")
    clip = clip_of_row(row)
    np.testing.assert_allclose(clip.frames[:, JAW], [0, 1, 1], atol=1e-6)  # 0.5 + 0.5; -0.5 + 1.5
    np.testing.assert_allclose(clip.frames[:, BROW], [0, 0, 0.25], atol=1e-6)  # -0.25 is cut off
    np.testing.assert_allclose(clip.frames[:, YAW], 0.25, atol=1e-6)
    assert report["splits"]["clips"]["train"]["cut_by_map"] == 1
    assert "went beyond 0..1 in 1 scores" in (tmp_path / "mapped/README.md").read_text()
    np.testing.assert_array_equal(np.array(row["flame"], np.float32), motion.astype(np.float32))


def test_both_lists_of_mmhead_are_read(tmp_path):
    root = tmp_path / "MMHead"
    motion = mmhead(root)
    for name in ("T_0", "T_1"):
        np.save(root / f"facial_motion/{name}.npy", motion)
        (root / f"text_annotations/action/{name}.txt").write_text(f"{name} talks.")
    (root / "t2m_subset.json").write_text(json.dumps({"train": ["A_0"], "val": [], "test": ["A_0"]}))
    (root / "talking_subset.json").write_text(json.dumps({"train": ["T_0.pkl", "A_0"], "test": []}))
    report = import_clips("mmhead", root, tmp_path / "out", fps=25)
    notes = [problem["message"] for problem in report["problems"]]
    assert notes == [
        "named 2 times in train, read once; named in test, too: it is in the rows of each",
        "named in train, too: it is in the rows of each",
    ]
    assert report["source"]["not_read"]["facial_motion/T_1.npy"] == "not in t2m_subset.json or talking_subset.json"
    assert [row["source"] for row in clips_of(tmp_path / "out")] == ["mmhead: A_0", "mmhead: T_0"]
    assert accounted(report)


def test_coefficients_beyond_float32_are_refused(tmp_path):
    motion = mmhead(tmp_path / "MMHead")
    motion[1, 2] = 1e39
    np.save(tmp_path / "MMHead/facial_motion/A_0.npy", motion)
    with pytest.raises(ValueError, match="in the range of float32, got 1e\\+39 in frame 1, column 2"):
        import_clips("mmhead", tmp_path / "MMHead", tmp_path / "out", fps=25)


def test_turns_are_scipys():
    rotation = pytest.importorskip("scipy.spatial.transform").Rotation
    vectors = np.random.default_rng(0).uniform(-0.8, 0.8, (20, 3))
    np.testing.assert_allclose(euler_angles(vectors), rotation.from_rotvec(vectors).as_euler("YXZ"), atol=1e-9)
    np.testing.assert_array_equal(euler_angles(np.zeros((1, 3))), 0)


def test_emoava(tmp_path):
    exps = [np.full((length, 53), value) for length, value in ((2, 0.25), (3, 0.5))]
    np.savez(tmp_path / "test_stage1_exps.npz", *exps)
    (tmp_path / "test_stage1_text.json").write_text(json.dumps(["You should throw this out.", " "]))
    report = import_clips("emoava", tmp_path, tmp_path / "out", fps=25)
    assert messages(report) == {"test 1": "expected a description of the take, found none"}
    (row,) = clips_of(tmp_path / "out", "test")
    assert (row["description"], row["length"]) == ("You should throw this out.", 2)
    np.testing.assert_array_equal(row["flame"], exps[0])


def test_emoava_has_val_and_dev(tmp_path):
    for name, count in (("val", 2), ("dev", 3)):
        np.savez(tmp_path / f"{name}_stage1_exps.npz", *np.zeros((count, 2, 53)))
        (tmp_path / f"{name}_stage1_text.json").write_text(json.dumps([f"{name} {row}" for row in range(count)]))
    import_clips("emoava", tmp_path, tmp_path / "out", fps=25)
    texts = [row["description"] for row in clips_of(tmp_path / "out", "validation")]
    assert texts == ["val 0", "val 1", "dev 0", "dev 1", "dev 2"]


# --- what is laid out otherwise ---------------------------------------------------------------------------------------
def _pickles(root, names):
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).write_bytes(b"\x80\x04N.")
    return root


def test_pickles_are_refused_and_never_opened(tmp_path):
    root = tmp_path / "MMHead"
    mmhead(root)
    (root / "facial_motion/A_0.npy").unlink()
    _pickles(root / "facial_motion", ["A_0.pkl"])
    with pytest.raises(ValueError, match=r"pickles can run code .* numpy.save"):
        import_clips("mmhead", root, tmp_path / "out", fps=25)
    with pytest.raises(ValueError, match=r"found test_stage1_exps.pkl: pickles can run code"):
        import_clips("emoava", _pickles(tmp_path / "E", ["test_stage1_exps.pkl"]), tmp_path / "out", fps=25)
    np.savez(tmp_path / "E/test_stage1_exps.npz", np.array([{}], object))
    (tmp_path / "E/test_stage1_text.json").write_text('["x"]')
    with pytest.raises(
        ValueError, match=r"expected rows for clips, none could be read: .*expected an array of numbers"
    ):
        import_clips("emoava", tmp_path / "E", tmp_path / "out", fps=25)


REFUSED = {
    "an unknown kind": ("voca", {}, "expected a kind of livelink, .* for clips, got 'voca'"),
    "no rate": ("emoava", {}, "do not say how many frames a second"),
    "a rate of 0": ("emoava", {"fps": 0}, "expected 1 to 240 frames per second, got 0"),
    "a rate of 1000": ("emoava", {"fps": 1000}, "expected 1 to 240 frames per second, got 1000"),
    "other lengths": ("emoava", {"fps": 25}, "a text for each sequence, got 3 in .* and 2 in"),
    "a map for a take": ("livelink", {"map": "m.json"}, "--map has no meaning for clips of livelink"),
    "names of keyframes": ("keyframeface", {"names": "cc4"}, "--names has no meaning for clips of keyframeface"),
    "a scale of FLAME": ("emoava", {"fps": 25, "scale": 100}, "--scale has no meaning for clips of emoava"),
    "clipped FLAME": ("mmhead", {"fps": 25, "clip": True}, "--clip has no meaning for clips of mmhead"),
    "no text": ("livelink", {}, "expected --texts or --description, got neither"),
    "both texts": ("livelink", {"texts": "t.csv", "description": "x"}, "got both"),
    "raw or cal": ("livelink", {"takes": "best", "description": "x"}, "expected takes of raw, cal, got 'best'"),
    "no takes": ("beat", {}, "expected takes named as 1_wayne_0_1_1.json"),
    "no lines": ("keyframeface", {}, "expected lines of JSON"),
    "no folder": ("mmhead", {"fps": 25}, "expected t2m_subset.json or talking_subset.json"),
}


@pytest.mark.parametrize(("kind", "arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_arguments_and_folders_that_do_not_fit(tmp_path, kind, arguments, message):
    root = tmp_path / "root"
    root.mkdir()
    np.savez(root / "test_stage1_exps.npz", *[np.zeros((2, 53))] * 2)
    (root / "test_stage1_text.json").write_text('["a", "b", "c"]')
    with pytest.raises(ValueError, match=message):
        import_clips(kind, root, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


BAD_MAPS = {
    "a map of targets": ({"format": "emo3d-map-1", "units": {}}, "expected a basis map"),
    "one component more": ({"#0": {}, "#53": {"jawOpen": 1}}, "got '#53'"),
    "another unit": ({"#50": {"jawOpenn": 1}}, "expected units of ARKit's 52, got 'jawOpenn'"),
    "no jaw": ({"#0": {"jawOpen": 1}}, "components of the jaw's pose"),
    "no number": ({"#50": {"jawOpen": "1"}}, "as a finite number"),
}


@pytest.mark.parametrize(("components", "message"), BAD_MAPS.values(), ids=BAD_MAPS)
def test_maps_that_are_not_of_flame(tmp_path, components, message):
    mmhead(tmp_path / "MMHead")
    path = basis(tmp_path / "map.json", components)
    if "format" in components:
        path.write_text(json.dumps(components))
    with pytest.raises(ValueError, match=message):
        import_clips("mmhead", tmp_path / "MMHead", tmp_path / "out", fps=25, map=path)


# --- long runs --------------------------------------------------------------------------------------------------------
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    import emo3d_lab.neighbours.livelink as livelink

    for number in range(6):
        timed(tmp_path / f"t/{number}.csv", [{"JawOpen": number / 8}] * 4)
    monkeypatch.setattr(livelink, "_SHARD", 1)  # a file for each take
    whole = import_clips("livelink", tmp_path / "t", tmp_path / "whole", description="x")
    assert len(whole["files"]) == 6
    code = multiprocessing.get_context("fork").Process(target=_killed, args=(tmp_path,))
    code.start()
    code.join()
    assert code.exitcode == 9
    state = tmp_path / "out/.emo3d-build"
    before = {path.name: path.stat().st_mtime_ns for path in state.glob("*.record")}
    assert len(before) == 3
    report = import_clips("livelink", tmp_path / "t", tmp_path / "out", description="x")
    assert report["files"] == whole["files"]
    assert not state.exists()
    assert [row["clip_id"] for row in clips_of(tmp_path / "out")] == list(range(6))


def _killed(folder):
    """Import, and stop as a kill does before the fourth file."""
    import os

    from emo3d_lab.building import shards

    write = shards._write

    def write_three(state, index, shard, strict):
        if index == 3:
            os._exit(9)
        return write(state, index, shard, strict)

    shards._write = write_three
    import_clips("livelink", folder / "t", folder / "out", description="x")


def test_rows_are_streamed_and_typed(tmp_path):
    timed(tmp_path / "a.csv", [{"JawOpen": 0.5}] * 4)
    import_clips("livelink", tmp_path / "a.csv", tmp_path / "out", description="x")
    (row,) = load_dataset(str(tmp_path / "out"), "clips", split="train", streaming=True)
    assert len(clip_of_row(row)) == 4
    schema = pq.read_schema(tmp_path / "out/data/clips/train-00000-of-00001.parquet")
    assert str(schema.field("frames").type) == "list<element: fixed_size_list<element: float>[61]>"
    assert schema.metadata[b"space"] == b"weights"


def test_the_command_says_what_was_left_out(tmp_path):
    from emo3d.cli import app

    timed(tmp_path / "t/a.csv", [{"JawOpen": 0.5}] * 4)
    timed(tmp_path / "t/b.csv", [{}] * 4)
    (tmp_path / "texts.csv").write_text("file,description\na,Talks\n")
    arguments = ["import", "livelink", str(tmp_path / "t"), str(tmp_path / "out"), "--num-proc", "1", "--texts"]
    result = CliRunner().invoke(app, [*arguments, str(tmp_path / "texts.csv"), "--clips"])
    assert result.exit_code == 0, result.output
    assert "clip, 1 x; the first: b.csv: expected its text in texts.csv, found none" in result.output
    for more, message in (
        ([], "--texts has no meaning without --clips"),
        (["--clips", "--emotion", "sad"], "--emotion"),
    ):
        result = CliRunner().invoke(app, [*arguments, str(tmp_path / "texts.csv"), *more])
        assert message in str(result.exception)
