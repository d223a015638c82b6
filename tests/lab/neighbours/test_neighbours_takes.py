"""Imports of takes in the layouts as they are publicly described; docs/neighbours.md has the sources."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from imports import COLUMNS, accounted, problems, rows_of, write_take

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS
from emo3d.face.export import write_livelink_csv
from emo3d_lab.neighbours import import_dataset

JAW = BLENDSHAPES.index("jawOpen")


def test_what_our_own_writer_writes_comes_back(tmp_path):
    expressions = np.random.default_rng(0).random((40, 51))
    write_livelink_csv(tmp_path / "take.csv", expressions, fps=25)
    out = tmp_path / "out"
    report = import_dataset("livelink", tmp_path / "take.csv", out, description="She laughs.", emotion="happy")
    rows = load_dataset(str(out), "pairs", split="train")
    np.testing.assert_allclose(np.array(rows["blendshapes"]), expressions, atol=1e-7)
    assert rows[0]["description"] == "She laughs."
    assert rows[0]["prompt_type"] == "livelink"
    assert rows["sample_id"][:] == list(range(40))
    assert set(rows["variant"][:]) == {1}
    assert dict(zip(EMOTIONS, rows[7]["intensities"], strict=True))["happiness"] == 1.0
    frames = list(csv.DictReader((out / "frames.csv").open()))
    timecode = "00:00:01:02.400"  # 26 / 25 seconds: 2.4 sixtieths above one
    assert frames[26] == {"sample_id": "26", "take": "take.csv", "row": "26", "timecode": timecode}
    assert pq.read_schema(out / "data/pairs/train-00000-of-00001.parquet").metadata[b"space"] == b"weights"
    assert accounted(report)
    assert not report["problems"]


# Some versions of the app write Apple's own spelling, and another order: converters between the two are public.
OTHER = [
    "Timecode",
    "BlendshapeCount",
    *sorted(COLUMNS[2:54], key=lambda name: (name != "JawOpen", name)),
    *COLUMNS[54:],
]
OTHER[2:54] = [name[0].lower() + name[1:] for name in OTHER[2:54]]


@pytest.mark.parametrize("columns", [COLUMNS, OTHER], ids=["public takes", "other"])
def test_a_take_is_read_by_its_columns_names(tmp_path, columns):
    frames = [{"JawOpen": 0.5, "MouthLeft": 0.25, "JawRight": 0.75}, {"EyeBlinkRight": "0.9999"}]
    write_take(tmp_path / "take.csv", frames, columns)
    import_dataset("livelink", tmp_path / "take.csv", tmp_path / "out", description="A yawn")
    first, second = (dict(zip(BLENDSHAPES, row["blendshapes"], strict=True)) for row in rows_of(tmp_path / "out"))
    assert {name: score for name, score in first.items() if score} == {
        "jawOpen": 0.5,
        "mouthLeft": 0.25,
        "jawRight": 0.75,
    }
    assert second["eyeBlinkRight"] == np.float32(0.9999)
    assert sum(map(bool, second.values())) == 1


def test_every_fault_of_a_take_is_told_and_the_rest_is_kept(tmp_path):
    take = tmp_path / "take.csv"
    write_take(
        take,
        [
            {"JawOpen": 0.1},
            {"TongueOut": 0.3},
            {"TongueOut": 0.00002},
            {"CheekPuff": 1.2},
            {"CheekPuff": -0.1},
            {"BrowInnerUp": ""},
            {"BrowInnerUp": "nan"},
            {"JawOpen": 0.7, "TongueOut": 0.1},
        ],
    )
    take.write_text(take.read_text() + "12:27:47:59.000,61,0.5\n\n")
    report = import_dataset("livelink", take, tmp_path / "out", description="x")
    assert [row["sample_id"] for row in rows_of(tmp_path / "out")] == [0]
    assert problems(report) == [
        ("tongueOut", "take.csv", 1, "TongueOut", 3),
        ("out of range", "take.csv", 3, "CheekPuff", 2),
        ("no number", "take.csv", 5, "BrowInnerUp", 1),
        ("out of range", "take.csv", 6, "BrowInnerUp", 1),
        ("row", "take.csv", 8, "", 1),
    ]
    assert "(rows 1-2, 7)" in report["problems"][0]["message"]
    assert "got 1.2" in report["problems"][1]["message"]
    assert accounted(report)
    assert report["splits"]["pairs"]["train"]["rows_in"] == 9
    frames = (tmp_path / "out/frames.csv").read_text().splitlines()
    assert len(frames) == 10
    assert frames[9] == "8,take.csv,8,12:27:47:59.000"

    kept = import_dataset("livelink", take, tmp_path / "kept", description="x", drop=["tongueOut"])
    assert [row["sample_id"] for row in rows_of(tmp_path / "kept")] == [0, 1, 2, 7]
    assert kept["splits"]["pairs"]["train"]["dropped_tongueOut"] == 3
    assert kept["splits"]["pairs"]["train"]["without_emotion"] == 4
    assert rows_of(tmp_path / "kept")[0]["intensities"] == [0.0] * 8

    with pytest.raises(ValueError, match=r"take.csv row 1, TongueOut: expected 0, .* --drop tongueOut"):
        import_dataset("livelink", take, tmp_path / "strict", description="x", strict=True)


CASES = Path(__file__).parents[4] / "shared" / "cases"


@pytest.mark.skipif(not CASES.is_dir(), reason="the files of the trials are not beside this checkout")
def test_takes_of_the_trials_are_kept_whole(tmp_path, caplog):
    """As `render` and `score` keep them: see tests/test_expressions.py for where the numbers come from."""
    clipped = {"r05": 1, "take_over": 5, "take_neg": 5}
    for name in ("r05", "r06", "take_LR", "take_bom", "take_lower", "take_no_tongue", "take_norot", "take_semicolon",
                 "take_upper", *clipped):  # fmt: skip
        out = tmp_path / name
        report = import_dataset("livelink", CASES / f"{name}.csv", out, description="x", drop=["tongueOut"])
        assert (len(rows_of(out)), report["problems"]) == ({"r06": 2}.get(name, 5), [])
        assert report["splits"]["pairs"]["train"].get("clipped", 0) == clipped.get(name, 0)
        assert ("scores outside 0..1 clipped" in (out / "README.md").read_text()) == (name in clipped)
        if name.startswith("take") and name not in clipped:
            first = dict(zip(BLENDSHAPES, rows_of(out)[0]["blendshapes"], strict=True))
            assert first["eyeBlinkLeft"] == pytest.approx(0.1236470118)
            assert first["jawRight"] == pytest.approx(0.0185036063)
    assert "r05.csv: clipped 1 scores; the furthest was EyeBlinkRight = 1.00334 in row 2" in caplog.text


def test_beyond_the_tolerance_a_row_is_refused_or_clipped_and_percent_is_asked_about(tmp_path, caplog):
    take = tmp_path / "take.csv"
    write_take(take, [{"JawOpen": 1.5}, {"JawOpen": 1.02}, {"JawOpen": -0.3}, {"JawOpen": 0.5}])
    report = import_dataset("livelink", take, tmp_path / "out", description="x")
    assert [row["blendshapes"][JAW] for row in rows_of(tmp_path / "out")] == [1.0, 0.5]
    assert [p["message"] for p in report["problems"]] == [
        "expected a value in 0..1, got 1.5; clip=True (--clip) clips it (rows 0, 2)"
    ]
    report = import_dataset("livelink", take, tmp_path / "clipped", description="x", clip=True)
    assert [row["blendshapes"][JAW] for row in rows_of(tmp_path / "clipped")] == [1.0, 1.0, 0.0, 0.5]
    assert report["splits"]["pairs"]["train"]["clipped"] == 3
    assert "take.csv: clipped 3 scores; the furthest was JawOpen = 1.5 in row 0" in caplog.text

    write_take(take, [{"JawOpen": 50, "CheekPuff": 25}])
    with pytest.raises(ValueError, match=r"if they are percent, pass scale=100 \(--scale 100\)"):
        import_dataset("livelink", take, tmp_path / "percent", description="x", clip=True)
    import_dataset("livelink", take, tmp_path / "scaled", description="x", scale=100)
    assert rows_of(tmp_path / "scaled")[0]["blendshapes"][JAW] == 0.5


def test_names_of_ones_own_and_doubled_columns(tmp_path):
    take = tmp_path / "take.csv"
    write_take(take, [{"Mund_Auf": 0.5}], ["Mund_Auf" if name == "JawOpen" else name for name in COLUMNS])
    with pytest.raises(ValueError, match=r"lacks some: expected a column for each of the 51 .* got none for jawOpen"):
        import_dataset("livelink", take, tmp_path / "out", description="x")
    import_dataset("livelink", take, tmp_path / "out", description="x", names={"Mund_Auf": "jawOpen"})
    assert rows_of(tmp_path / "out")[0]["blendshapes"][JAW] == 0.5
    write_take(take, [{}], [*COLUMNS, "jaw_open"])
    with pytest.raises(ValueError, match="lacks some: names jawOpen twice, as 'JawOpen' and 'jaw_open'"):
        import_dataset("livelink", take, tmp_path / "twice", description="x")
    import_dataset("livelink", take, tmp_path / "once", description="x", names={"jaw_open": None})


# The files of a calibrated take as the app leaves them: NAME_raw.csv, NAME_cal.csv, NAME_neutral.csv, frame_log.csv.
def test_a_folder_of_takes(tmp_path):
    takes = tmp_path / "takes"
    write_take(takes / "a" / "MySlate_1_iPhone.csv", [{"JawOpen": 0.1}, {"JawOpen": 0.2}])
    for version, jaw in (("raw", 0.3), ("cal", 0.4), ("neutral", 0.5)):
        write_take(takes / "b" / f"MySlate_2_iPhone_{version}.csv", [{"JawOpen": jaw}])
    (takes / "b" / "frame_log.csv").write_text("kind,index\nV,0\n")
    with pytest.raises(ValueError, match="pass --takes raw or --takes cal"):
        import_dataset("livelink", takes, tmp_path / "out", description="x")
    report = import_dataset("livelink", takes, tmp_path / "out", description="x", takes="cal")
    rows = rows_of(tmp_path / "out")
    assert [(row["sample_id"], round(row["blendshapes"][JAW], 6)) for row in rows] == [(0, 0.1), (1, 0.2), (2, 0.4)]
    assert sorted(report["source"]["not_read"]) == [
        "b/MySlate_2_iPhone_neutral.csv",
        "b/MySlate_2_iPhone_raw.csv",
        "b/frame_log.csv",
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="expected takes of Live Link Face in empty, found none"):
        import_dataset("livelink", tmp_path / "empty", tmp_path / "none", description="x")


# Express4D, as the code at https://github.com/jaron1990/Express4D reads it: utils/arkit_utils.py writes the 61 values
# of a CSV as data/NAME.npy, a line of text as texts/NAME.txt; data_loaders/humanml reads `caption#tokens` from there.


@pytest.fixture
def express4d(tmp_path):
    root = tmp_path / "Express4D"
    names = [f"MySlate_{n}_iPhone_cal" for n in range(1, 7)]
    write_take(root / "data" / f"{names[0]}.csv", [{"JawOpen": 0.1, "TongueOut": 0.001}, {"JawOpen": 0.2}])
    array = np.zeros((3, 61), np.float32)
    array[:, COLUMNS.index("JawRight") - 2] = 0.5
    array[:, COLUMNS.index("HeadYaw") - 2] = -0.5
    np.save(root / "data" / f"{names[1]}.npy", array)
    np.save(root / "data" / f"{names[2]}.npy", array)
    np.save(root / "data" / f"{names[4]}.npy", array)
    (root / "texts").mkdir()
    (root / "texts" / f"{names[0]}.txt").write_text("smile, then frown#smile/VERB then/ADV#0.0#0.0\nbe moody\n\n")
    (root / "texts" / f"{names[1]}.txt").write_text("Shift your jaw to the right")
    (root / "data" / f"{names[5]}.npy").write_bytes(b"\x93NUMPY cut off")
    (root / "texts" / f"{names[5]}.txt").write_text("wink")
    (root / "train.txt").write_text(f"{names[0]}\n{names[2]}\n{names[3]}\n../secret")
    (root / "test.txt").write_text(f"{names[1]}\n{names[5]}\n")
    np.save(root / "secret.npy", array)
    return root


def test_express4d(express4d, tmp_path):
    out = tmp_path / "out"
    report = import_dataset("express4d", express4d, out, drop=["tongueOut"], num_proc=2)
    splits = load_dataset(str(out), "pairs")
    assert [(row["sample_id"], row["description"]) for row in splits["train"]] == [
        (0, "smile, then frown"),
        (0, "be moody"),
        (1, "smile, then frown"),
        (1, "be moody"),
    ]
    test = splits["test"][0]
    assert (test["sample_id"], test["description"]) == (5, "Shift your jaw to the right")
    assert {n: s for n, s in zip(BLENDSHAPES, test["blendshapes"], strict=True) if s} == {"jawRight": 0.5}
    assert problems(report) == [
        ("description", "data/MySlate_3_iPhone_cal.npy", None, "", 3),
        ("missing take", "MySlate_4_iPhone_cal", None, "", 0),
        ("missing take", "../secret", None, "", 0),
        ("take", "data/MySlate_6_iPhone_cal.npy", None, "", 0),
    ]
    assert list(report["source"]["not_read"]) == ["data/MySlate_5_iPhone_cal.npy"]
    assert report["splits"]["pairs"]["train"]["dropped_tongueOut"] == 2
    assert accounted(report, "train")
    assert accounted(report, "test")
    frames = (out / "frames.csv").read_text().splitlines()
    assert frames[1] == "0,data/MySlate_1_iPhone_cal.csv,0,12:27:47:00.169"
    assert frames[-1] == "7,data/MySlate_2_iPhone_cal.npy,2,"
    (express4d / "test.txt").unlink()
    with pytest.raises(ValueError, match=r"found no test.txt"):
        import_dataset("express4d", express4d, tmp_path / "other")
