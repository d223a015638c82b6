"""Imports of tables with the fields that papers name; docs/neighbours.md has the sources."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from imports import accounted, problems, rows_of, write_take
from typer.testing import CliRunner

from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES, MEDIAPIPE_BLENDSHAPES
from emo3d.emotions import EMOTIONS
from emo3d_lab.neighbours import import_dataset
from emo3d_lab.neighbours.tags import TAGS

SMILE = BLENDSHAPES.index("mouthSmileLeft")
JAW = BLENDSHAPES.index("jawOpen")


def write_mapping(path, **keys):
    path.write_text(json.dumps(keys))
    return path


def arkit(**scores):
    return [scores.get(name, 0.0) for name in ARKIT_BLENDSHAPES]


# The fields of a sample of TEAD: text, emotion tag, action units, blendshape weights (arXiv 2308.14448). The names of
# the keys are ours, since no file is public.
def test_tead_prefers_blendshapes_to_action_units_and_reports_the_rest(tmp_path):
    samples = [
        {"text": "a big smile", "tag": "happy", "aus": ["AU6", "AU12"], "bs": arkit(mouthSmileLeft=0.75)},
        {"text": "a jaw drops", "tag": "Surprised", "aus": ["AU1", "AU2", "AU26"], "bs": None},
        {"text": "tongue", "tag": "happy", "aus": [], "bs": arkit(tongueOut=0.5)},
        {"text": "who knows", "tag": "excited", "aus": ["AU12"], "bs": None},
        {"text": "flaring nostrils", "tag": "angry", "aus": ["AU4", "AU38"], "bs": None},
        {"text": "nothing", "tag": "neutral", "aus": None, "bs": None},
        {"text": "too short", "tag": "sad", "aus": None, "bs": [0.0] * 50},
        {"text": "too much", "tag": "sad", "aus": None, "bs": arkit(jawOpen=1.5)},
        {"text": "words", "tag": "sad", "aus": None, "bs": ["x"] * 52},
        {"text": "", "tag": "sad", "aus": ["AU1"], "bs": None},
        {"text": "empty tag", "tag": None, "aus": ["AU1"], "bs": None},
        {"text": "no unit", "tag": "sad", "aus": ["frown"], "bs": None},
        {"text": 7, "tag": "sad", "aus": ["AU1"], "bs": None},
    ]
    table = tmp_path / "tead.jsonl"
    table.write_text("\n".join(map(json.dumps, samples)) + "\n{broken\n[1]\n")
    keys = {"description": "text", "emotion": "tag", "action_units": "aus", "blendshapes": "bs", "layout": "arkit"}
    mapping = write_mapping(tmp_path / "mapping.json", **keys)
    report = import_dataset("tead", table, tmp_path / "out", columns=mapping)
    rows = rows_of(tmp_path / "out")
    assert [row["description"] for row in rows] == ["a big smile", "a jaw drops"]
    assert rows[0]["blendshapes"][SMILE] == 0.75
    assert sum(rows[0]["blendshapes"]) == 0.75
    assert rows[1]["blendshapes"][JAW] == 1.0
    assert rows[1]["intensities"][EMOTIONS.index("surprise")] == 1.0
    assert problems(report) == [
        ("tongueOut", "tead.jsonl", 2, "bs.tongueOut", 1),
        ("emotion", "tead.jsonl", 3, "tag", 1),
        ("action units", "tead.jsonl", 4, "aus", 1),
        ("no expression", "tead.jsonl", 5, "aus", 1),
        ("scores", "tead.jsonl", 6, "bs", 1),
        ("out of range", "tead.jsonl", 7, "bs.jawOpen", 1),
        ("no number", "tead.jsonl", 8, "bs.eyeBlinkLeft", 1),
        ("description", "tead.jsonl", 9, "text", 1),
        ("emotion", "tead.jsonl", 10, "tag", 1),
        ("action units", "tead.jsonl", 11, "aus", 1),
        ("description", "tead.jsonl", 12, "text", 1),
        ("row", "tead.jsonl", 13, "", 1),
        ("row", "tead.jsonl", 14, "", 1),
    ]
    assert accounted(report)
    counts = report["splits"]["pairs"]["train"]
    assert (counts["from_blendshapes"], counts["from_action_units"]) == (1, 1)
    assert "- blendshapes made of action units: 1 rows" in (tmp_path / "out/README.md").read_text()

    mapping = write_mapping(mapping, **keys, emotions={"Excited": {"happiness": 0.8, "surprise": 0.4}})
    kept = import_dataset("tead", table, tmp_path / "kept", columns=mapping, drop=["tongueOut", "AU38"])
    rows = {row["description"]: row for row in rows_of(tmp_path / "kept")}
    assert rows["who knows"]["intensities"] == pytest.approx([0, 0.8, 0.4, 0, 0, 0, 0, 0])
    assert rows["flaring nostrils"]["blendshapes"][BLENDSHAPES.index("browDownLeft")] == 1.0
    assert sum(rows["tongue"]["blendshapes"]) == 0.0
    counts = kept["splits"]["pairs"]["train"]
    assert (counts["dropped_tongueOut"], counts["dropped_AU38"]) == (1, 1)


# The fields of TA-MEAD: description, emotion, intensity level, action units (arXiv 2304.00334). Labels and levels 1 to
# 3 are MEAD's (https://github.com/uniBruce/Mead), spelt as in its folders.
def test_ta_mead_scales_by_the_level(tmp_path):
    table = tmp_path / "ta-mead.csv"
    table.write_text(
        "caption,label,level,units\n"
        "a hint of anger,angry,level_1,4+7\n"
        '"angry, and how",angry,3,"4+7B"\n'
        "calm,neutral,level_1,0\n"
        "off the scale,sad,4,1+15\n"
        "too few cells,sad\n"
        f"{'x' * 200_000},sad,1,4\n"
        "after all this,sad,3,4\n"
    )
    keys = {"description": "caption", "emotion": "label", "level": "level", "action_units": "units"}
    mapping = write_mapping(tmp_path / "mapping.json", **keys)
    report = import_dataset("ta-mead", table, tmp_path / "out", columns=mapping, split="validation")
    hint, fury, calm, after = rows_of(tmp_path / "out", "validation")
    anger, brow, lid = EMOTIONS.index("anger"), BLENDSHAPES.index("browDownRight"), BLENDSHAPES.index("eyeSquintLeft")
    assert hint["intensities"][anger] == pytest.approx(1 / 3)
    assert hint["blendshapes"][brow] == pytest.approx(1 / 3)
    assert fury["intensities"][anger] == 1.0
    assert fury["blendshapes"][brow] == 1.0
    assert fury["blendshapes"][lid] == pytest.approx(0.4)  # B: 2 of 5
    assert calm["intensities"] == [1.0] + [0.0] * 7
    assert sum(calm["blendshapes"]) == 0.0
    assert [p[:4] for p in problems(report)] == [
        ("level", "ta-mead.csv", 3, "level"),
        ("row", "ta-mead.csv", 4, ""),
        ("row", "ta-mead.csv", 5, ""),  # longer than Python's csv module reads
    ]
    assert after["description"] == "after all this"
    assert accounted(report, "validation")


def test_the_tags_of_mead_are_all_known():
    assert {"angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised"} <= set(TAGS)
    assert set(TAGS.values()) == set(EMOTIONS)


def test_a_table_with_a_column_per_score_and_two_descriptions(tmp_path):
    header = ["one", "two", *(f"bs_{n}" for n in range(51)), *EMOTIONS]
    scores, intensities = np.arange(51) / 100, [0.2, 0, 0, 0.9, 0, 0, 0, 0.1]
    lines = [["A man", "Someone", *scores, *intensities], ["A woman", "", *scores, *intensities[:-1], 1.1]]
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    mapping = write_mapping(
        tmp_path / "mapping.json",
        description=["one", "two"],
        blendshapes=header[2:53],
        intensities=list(EMOTIONS),
        space="weights",
    )
    report = import_dataset("table", tmp_path / "table.csv", tmp_path / "out", columns=mapping)
    rows = rows_of(tmp_path / "out")
    assert [(row["sample_id"], row["description"]) for row in rows] == [(0, "A man"), (0, "Someone")]
    np.testing.assert_allclose(rows[0]["blendshapes"], scores, atol=1e-7)
    np.testing.assert_allclose(rows[0]["intensities"], intensities, atol=1e-7)
    assert problems(report) == [("out of range", "table.csv", 1, "contempt", 1)]
    assert accounted(report)


@pytest.mark.parametrize("kind", ["list", "printed", "mapping", "struct"])
def test_a_column_of_readings_in_any_form(tmp_path, kind):
    vector = [0.0, *(np.arange(51) / 100)]
    named = dict(zip(MEDIAPIPE_BLENDSHAPES, vector, strict=True))
    value = {"list": vector, "printed": str(np.array(vector)), "mapping": json.dumps(named), "struct": named}[kind]
    pq.write_table(pa.Table.from_pylist([{"text": "x", "bs": value}] * 2), tmp_path / "table.parquet")
    mapping = write_mapping(
        tmp_path / "m.json", description="text", blendshapes="bs", layout="mediapipe", space="reading"
    )
    import_dataset("table", tmp_path / "table.parquet", tmp_path / "out", columns=mapping, emotion="fear")
    np.testing.assert_allclose(rows_of(tmp_path / "out")[1]["blendshapes"], vector[1:], atol=1e-7)
    schema = pq.read_schema(tmp_path / "out/data/pairs/train-00000-of-00001.parquet")
    assert schema.metadata[b"space"] == b"reading"


def test_52_scores_without_a_layout_are_refused(tmp_path):
    (tmp_path / "table.json").write_text(json.dumps([{"bs": [0.0] * 52}, {"bs": {"jawOpen": 0.5}}, {"bs": {"jaw": 1}}]))
    mapping = write_mapping(tmp_path / "m.json", blendshapes="bs", space="weights")
    report = import_dataset("table", tmp_path / "table.json", tmp_path / "out", columns=mapping, description="x")
    assert [row["sample_id"] for row in rows_of(tmp_path / "out")] == [1]
    first, second = (problem["message"] for problem in report["problems"])
    assert "mediapipe or arkit" in first
    assert "'jaw'" in second
    again = import_dataset(
        "table", tmp_path / "table.json", tmp_path / "again", columns=mapping, description="x", layout="arkit"
    )
    assert [p["row"] for p in again["problems"]] == [2]


def test_units_in_columns_of_their_own(tmp_path):
    """As OpenFace writes them: AU12_r from 0 to 5."""
    (tmp_path / "table.csv").write_text("AU04_r,AU12_r\n0,2.5\n0,\n0,7\n")
    mapping = write_mapping(tmp_path / "m.json", action_units={"4": "AU04_r", "12": "AU12_r"}, scale="0-5")
    report = import_dataset("table", tmp_path / "table.csv", tmp_path / "out", columns=mapping, description="x")
    assert [row["blendshapes"][SMILE] for row in rows_of(tmp_path / "out")] == [0.5]
    assert [(p["kind"], p["row"]) for p in report["problems"]] == [("action units", 1), ("action units", 2)]


TABLE = {"description": "text", "blendshapes": "bs", "space": "weights"}


@pytest.mark.parametrize(
    ("kind", "keys", "arguments", "message"),
    [
        ("emoava", None, {}, "coefficients of FLAME"),
        ("mmhead", None, {}, "--clips imports it"),
        ("mmhea", None, {}, "expected a kind of tead, .*, got .mmhea."),
        ("tead", None, {}, "no file layout of tead is public: pass --columns"),
        ("ta-mead", None, {}, "no file layout of ta-mead is public: pass --columns"),
        ("table", None, {}, "called anything: pass --columns"),
        ("livelink", None, {}, "pass --description"),
        ("livelink", TABLE, {"description": "x"}, "--columns has no meaning for livelink"),
        ("express4d", None, {"split": "test"}, "--split has no meaning for express4d"),
        ("tead", TABLE, {}, "expected the key 'emotion', which tead has"),
        ("ta-mead", {**TABLE, "emotion": "text"}, {}, "expected the key 'level', which ta-mead has"),
        ("table", TABLE, {"takes": "raw"}, "--takes has no meaning for table"),
        ("table", TABLE, {"split": "dev"}, "expected a split of train, validation, test, got 'dev'"),
        ("table", TABLE, {"layout": "apple"}, "expected a layout of emo3d, mediapipe, arkit, got 'apple'"),
        ("table", TABLE, {"drop": ["tongue"]}, "or a unit such as AU38, got 'tongue'"),
        ("table", TABLE, {"description": "x"}, "a description column or --description, got both"),
        ("table", {**TABLE, "emotion": "text"}, {"emotion": "sad"}, "one of emotion, intensities and --emotion"),
        ("table", TABLE, {"emotion": "hangry"}, "expected an emotion tag of neutral, .* got 'hangry'"),
        ("table", {"blendshapes": "bs", "space": "weights"}, {}, "--description, got neither"),
        ("table", {"description": "text"}, {}, "the key 'blendshapes' or 'action_units', found neither"),
        ("table", {"description": "text", "blendshapes": "bs"}, {}, "expected the key 'space'"),
        ("table", {**TABLE, "space": "reading", "action_units": "bs"}, {}, "cannot stand beside readings"),
        ("table", {**TABLE, "caption": "text"}, {}, "expected the keys description, .*, got 'caption'"),
        ("table", {**TABLE, "space": "pixels"}, {}, "as space, got .pixels."),
        ("table", {**TABLE, "layout": "arkit"}, {"layout": "mediapipe"}, "'arkit' here, but 'mediapipe' was passed"),
        ("table", {**TABLE, "blendshapes": ["a"] * 52}, {}, "say which as layout"),
        ("table", {**TABLE, "blendshapes": ["a"] * 50}, {}, "expected 51 columns as blendshapes, got 50"),
        ("table", {**TABLE, "blendshapes": {"jawOpen": "a"}}, {}, "got none for browDownLeft"),
        ("table", {**TABLE, "blendshapes": 3}, {}, "expected a column, or columns as blendshapes, got 3"),
        ("table", {**TABLE, "intensities": {"joy": "a"}}, {}, "expected intensities of neutral, .*; got 'joy'"),
        ("table", {**TABLE, "emotions": {"wow": {"joy": 1}}}, {}, "in 0..1 for 'wow'"),
        (
            "table",
            {**TABLE, "description": "txt"},
            {},
            r"expected one column 'txt' \(mapped as description\), found text",
        ),
        ("table", {**TABLE, "emotion": ""}, {}, "expected a column as emotion, got ''"),
        ("table", {**TABLE, "layout": []}, {}, r"as layout, got \[\]"),
        ("table", [1], {}, "expected a JSON object, got a list"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_a_sentence(tmp_path, kind, keys, arguments, message):
    (tmp_path / "table.csv").write_text("text,bs\nx,y\n")
    if keys is not None:
        (tmp_path / "m.json").write_text(json.dumps(keys))
        arguments = {**arguments, "columns": tmp_path / "m.json"}
    with pytest.raises(ValueError, match=message):
        import_dataset(kind, tmp_path / "table.csv", tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_files_that_are_no_tables_or_takes_are_refused(tmp_path):
    mapping = write_mapping(tmp_path / "m.json", **TABLE)
    (tmp_path / "table.csv").write_text("text,bs\nx,y\n")
    (tmp_path / "table.json").write_text('{"text": 1}')
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    for name, kind, message in [
        ("table.csv", "livelink", "as columns of a take, table.csv lacks some"),
        ("table.json", "table", "table.json: expected a JSON list of objects, got a dict"),
        ("table.xlsx", "table", "expected a table of .csv, .jsonl, .json, .parquet, got table.xlsx"),
    ]:
        columns = {"columns": mapping} if kind == "table" else {"description": "x"}
        with pytest.raises(ValueError, match=message):
            import_dataset(kind, tmp_path / name, tmp_path / "out", **columns)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        import_dataset("livelink", tmp_path / "absent", tmp_path / "out", description="x")


def test_the_same_again_is_left_alone_and_another_needs_force(tmp_path):
    write_take(tmp_path / "take.csv", [{"JawOpen": 0.5}])
    arguments = ("livelink", tmp_path / "take.csv", tmp_path / "out")
    import_dataset(*arguments, description="x")
    before = (tmp_path / "out/build_report.json").stat().st_mtime_ns
    import_dataset(*arguments, description="x")
    assert (tmp_path / "out/build_report.json").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="force replaces it"):
        import_dataset(*arguments, description="x", split="test")
    import_dataset(*arguments, description="x", split="test", force=True)
    assert len(rows_of(tmp_path / "out", "test")) == 1
    assert not list(tmp_path.glob("out/data/pairs/train*"))


def test_the_command_says_what_was_left_out(tmp_path):
    from emo3d.cli import app

    write_take(tmp_path / "take.csv", [{"JawOpen": 0.5}, {"TongueOut": 0.1}])
    arguments = ["import", "livelink", str(tmp_path / "take.csv"), str(tmp_path / "out"), "--description", "x"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "tongueOut, 1 x; the first: take.csv row 1, TongueOut: expected 0" in result.output
    assert "build_report.json" in result.output


def test_a_column_of_mappings_in_any_spelling_and_51_in_arkits_order(tmp_path, caplog):
    rows = [
        {"bs": {"JawOpen": 0.5, "mouth_smile_l": 1.004, "timestamp": 3}},
        {"bs": [0.25 if name == "jawOpen" else 0.0 for name in ARKIT_BLENDSHAPES[:51]]},
        {"bs": {"jawOpne": 1, "jawLeft": 0}},
        {"bs": {"jawOpen": 1, "JawOpen": 1}},
    ]
    (tmp_path / "table.json").write_text(json.dumps(rows))
    mapping = write_mapping(tmp_path / "m.json", blendshapes="bs", space="weights", layout="arkit")
    report = import_dataset("table", tmp_path / "table.json", tmp_path / "out", columns=mapping, description="x")
    first, second = rows_of(tmp_path / "out")
    assert (first["blendshapes"][JAW], first["blendshapes"][SMILE]) == (0.5, 1.0)
    assert second["blendshapes"][JAW] == sum(second["blendshapes"]) == 0.25
    assert "table.json: left out what is no blendshape: timestamp" in caplog.text
    assert "table.json: clipped 1 scores; the furthest was bs.mouthSmileLeft = 1.004 in row 0" in caplog.text
    typed, twice = (problem["message"] for problem in report["problems"])
    assert typed == "expected ARKit blendshape names, got 'jawOpne'; did you mean jawOpen?"
    assert "names jawOpen twice, as 'jawOpen' and 'JawOpen'" in twice


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_as_spreadsheets_leave_them(tmp_path, encoding):
    (tmp_path / "table.csv").write_text("caption;AU12;\nÄrger, süß;2,5;\n", encoding=encoding)
    mapping = write_mapping(
        tmp_path / "m.json", description="caption", action_units={"12": "AU12"}, scale="0-5", space="weights"
    )
    import_dataset("table", tmp_path / "table.csv", tmp_path / "out", columns=mapping)
    (row,) = rows_of(tmp_path / "out")
    assert (row["description"], row["blendshapes"][SMILE]) == ("Ärger, süß", 0.5)
