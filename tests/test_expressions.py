"""Files of expressions: every format gives the same faces back."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES, as_dicts
from emo3d.expressions import read_capture, read_expressions
from emo3d.face.export import write_json, write_livelink_csv

FACES = np.random.default_rng(0).random((3, 51)).astype(np.float32).round(4)


def named(path):
    rows = as_dicts(FACES)
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif path.suffix == ".csv":
        lines = [",".join(BLENDSHAPES), *(",".join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([{"id": k, **row} for k, row in enumerate(rows)]), path)
    else:
        np.save(path, FACES)


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".parquet", ".npy"])
def test_every_format(tmp_path, suffix):
    path = tmp_path / f"faces{suffix}"
    named(path)
    read, space = read_expressions(path)
    assert read == pytest.approx(FACES, abs=1e-6)
    assert space is None


def test_lines_of_json_end_with_line_feeds_alone(tmp_path):
    """As JSON Lines has it: U+2028, which ends a line for `str.splitlines`, may stand in a string of JSON."""
    (tmp_path / "faces.jsonl").write_text('{"jawOpen": 0.25, "note": "a\u2028b"}\r\n\n{"jawOpen": 0.75}', "utf-8")
    read, _ = read_expressions(tmp_path / "faces.jsonl")
    assert read[:, BLENDSHAPES.index("jawOpen")].tolist() == [0.25, 0.75]


def test_a_column_of_vectors_with_its_space(tmp_path):
    table = pa.table({"blendshapes": FACES.tolist()}).replace_schema_metadata({"space": "reading"})
    pq.write_table(table, tmp_path / "faces.parquet")
    read, space = read_expressions(tmp_path / "faces.parquet")
    assert read == pytest.approx(FACES, abs=1e-6)
    assert space == "reading"


def test_what_we_write_comes_back(tmp_path):
    write_json(tmp_path / "faces.json", FACES, space="reading")
    write_livelink_csv(tmp_path / "faces.csv", FACES)
    assert read_expressions(tmp_path / "faces.json")[1] == "reading"
    assert read_expressions(tmp_path / "faces.csv")[1] == "weights"
    for name in ("faces.json", "faces.csv"):
        assert read_expressions(tmp_path / name)[0] == pytest.approx(FACES, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("faces.xlsx", "", "expected a file of .json, .jsonl, .csv, .parquet, .npy, .txt, got faces.xlsx"),
        ("faces.csv", "jawOpen\n0.5\n", "faces.csv: expected a column for each of the 51 blendshapes, got none for"),
        ("faces.json", "null", "faces.json: expected a list of expressions, got NoneType"),
        ("faces.json", "[]", "faces.json: expected at least one expression, got an empty batch"),
        (
            "faces.json",
            '[{"jawOpen": 0.5}, {"jawOpen": 1.5}]',
            "faces.json: expected scores in 0..1, got jawOpen = 1.5",
        ),
        ("faces.json", '{"space": "raw", "expressions": []}', "'reading' or 'weights', got 'raw'"),
        ("faces.jsonl", '{"jawOpen": 0.5}\nnot json', "faces.jsonl, line 2: expected JSON"),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=r"^.*$") as error:
        read_expressions(tmp_path / name)
    assert message in str(error.value)


def test_a_number_is_no_array(tmp_path):
    np.save(tmp_path / "faces.npy", 5.0)
    with pytest.raises(ValueError, match=r"faces\.npy: expected 51 or 52 scores in row 0, got 1"):
        read_expressions(tmp_path / "faces.npy")


def test_pickled_arrays_are_refused(tmp_path):
    np.save(tmp_path / "faces.npy", np.array([{"jawOpen": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"faces\.npy: .*pickle"):
        read_expressions(tmp_path / "faces.npy")


CASES = Path(__file__).parents[2] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the files of the trials are not beside this checkout")


def named_scores(row):
    return {name: round(float(score), 8) for name, score in zip(BLENDSHAPES, row, strict=True) if score}


# The first frame of the capture behind a2f, beat, mediapipe_*, pascal, with_head and r06, as r06.csv has it in print.
FIRST = {"eyeBlinkLeft": 0.0041966378, "jawRight": 0.104044348, "mouthSmileLeft": 0.2865217924, "jawLeft": 0.0}
LAST = {"noseSneerRight": 0.0421696119, "cheekSquintLeft": 0.1495654881, "browDownLeft": 0.021199055}


@needs_cases
@pytest.mark.parametrize(
    ("name", "frames", "space", "fps"),
    [
        ("a2f.json", 5, "weights", 60.0),
        ("beat.json", 5, "weights", 60.0),
        ("mediapipe_py.json", 5, "reading", None),
        ("mediapipe_list.json", 1, "reading", None),
        ("pascal.json", 5, None, None),
        ("with_head.json", 5, None, None),
        ("r06.csv", 2, "weights", 59.88),  # 1.002 sixtieths a frame: 35.273, 36.275
    ],
)
def test_one_capture_from_every_program(name, frames, space, fps, caplog):
    capture = read_capture(CASES / name)
    assert (len(capture.scores), capture.space) == (frames, space)
    assert capture.fps == pytest.approx(fps, abs=0.01)
    assert caplog.text.count("left out") == (name == "with_head.json")
    if name == "with_head.json":
        assert "left out what is no blendshape: headPitch, headRoll, headYaw" in caplog.text
    if name != "r06.csv":
        assert {key: named_scores(capture.scores[0]).get(key, 0.0) for key in LAST} == pytest.approx(LAST, abs=1e-7)
    assert {key: named_scores(capture.scores[0]).get(key, 0.0) for key in FIRST} == pytest.approx(FIRST, abs=1e-7)


@needs_cases
def test_51_bare_numbers_of_arkit_are_asked_about(caplog, tmp_path):
    with pytest.raises(ValueError, match=r'bare51_arkit.json: expected layout="arkit" \(--layout arkit\) for the 51'):
        read_expressions(CASES / "bare51_arkit.json")
    scores, _ = read_expressions(CASES / "bare51_arkit.json", "arkit")
    # Places counted in Apple's order. (beat.json has the same numbers but names jawRight before jawLeft, as Live Link.)
    first = named_scores(scores[0])
    assert len(scores) == 5
    assert {name: first[name] for name in ("eyeBlinkLeft", "jawLeft", "mouthSmileLeft", "noseSneerRight")} == {
        "eyeBlinkLeft": pytest.approx(0.0041966378),
        "jawLeft": pytest.approx(0.104044348),
        "mouthSmileLeft": pytest.approx(0.2865217924),
        "noseSneerRight": pytest.approx(0.0421696119),
    }
    assert not caplog.text
    (tmp_path / "mine.json").write_bytes((CASES / "bare51_arkit.json").read_bytes())
    read_expressions(tmp_path / "mine.json")
    assert "mine.json: 51 bare numbers are read in MediaPipe's order (layout emo3d)" in caplog.text


@needs_cases
def test_one_take_in_every_dress(caplog):
    """Its numbers were copied from the first and last line of take_bom.csv by hand."""
    for name in ("LR", "bom", "lower", "no_tongue", "norot", "semicolon", "upper"):
        scores, space = read_expressions(CASES / f"take_{name}.csv")
        assert (scores.shape, space) == ((5, 51), "weights")
        assert named_scores(scores[0])["eyeBlinkLeft"] == pytest.approx(0.1236470118)
        assert named_scores(scores[0])["jawRight"] == pytest.approx(0.0185036063)
        assert named_scores(scores[0])["noseSneerRight"] == pytest.approx(0.0559526607)
        assert named_scores(scores[4])["eyeBlinkRight"] == pytest.approx(0.1244064569)
    assert not caplog.text
    with pytest.raises(ValueError, match=r"take_percent.csv: .* pass scale=100 \(--scale 100\)"):
        read_expressions(CASES / "take_percent.csv", clip=True)
    percent, _ = read_expressions(CASES / "take_percent.csv", scale=100)
    np.testing.assert_allclose(percent, read_expressions(CASES / "take_bom.csv")[0], atol=1e-6)


@needs_cases
def test_takes_just_out_of_range(caplog):
    for name, frames, said in [
        ("r05.csv", 5, "clipped 1 scores of 1 rows to 0..1; the furthest was eyeBlinkRight = 1.00334 in row 2"),
        ("take_over.csv", 5, "clipped 5 scores of 5 rows to 0..1; the furthest was eyeBlinkLeft = 1.0001 in row 0"),
        ("take_neg.csv", 5, "clipped 5 scores of 5 rows to 0..1; the furthest was eyeBlinkLeft = -1e-09 in row 0"),
    ]:
        caplog.clear()
        assert len(read_expressions(CASES / name)[0]) == frames
        assert said in caplog.text


HEAD = "Timecode,BlendShapeCount," + ",".join(name[0].upper() + name[1:] for name in ARKIT_BLENDSHAPES)
LINE = "00:00:00:00.000,61," + ",".join(str(place / 100) for place in range(52))
LINES = [HEAD, LINE, LINE.replace("0:00.000", "0:03.000")]


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(LINES).encode(),
        "\n".join(LINES).encode("utf-16"),
        "\r".join(LINES).encode("utf-8-sig"),
        "\n".join(LINES)
        .replace(",", ";")
        .replace(".", ",")
        .replace(":00,000", ":00.000")
        .replace(":03,000", ":03.000")
        .encode(),
        "".join(f"{line},,\n" for line in LINES).encode(),
        "".join(f"{line},\n" if place else f"{line}\n" for place, line in enumerate(LINES)).encode(),
        "\n".join([HEAD.upper(), *LINES[1:]]).encode(),
    ],
    ids=["plain", "utf-16", "cr", "semicolons", "commas", "some commas", "capitals"],
)
def test_takes_as_spreadsheets_leave_them(tmp_path, content):
    (tmp_path / "take.csv").write_bytes(content)
    scores, space, fps = read_capture(tmp_path / "take.csv")
    assert (scores.shape, space, fps) == ((2, 51), "weights", 20.0)  # three sixtieths from one frame to the next
    expected = {name: place / 100 for place, name in enumerate(ARKIT_BLENDSHAPES[:51]) if place}
    assert named_scores(scores[1]) == pytest.approx(expected)


def test_a_doubled_column_and_short_lines_are_named(tmp_path):
    for content, message in [
        (f"{HEAD},JawOpen\n{LINE},0.5", "take.csv: names jawOpen twice, as 'JawOpen' and 'JawOpen'"),
        (f"{HEAD}\n{LINE}\n{LINE[:-5]}", "take.csv: expected 54 cells in row 1, got 53"),
        (f"{HEAD}\n{LINE.replace('0.17', 'much')}", "take.csv: expected a number for JawOpen in row 0, got 'much'"),
        (HEAD, "take.csv: expected at least one expression, got an empty table"),
    ]:
        (tmp_path / "take.csv").write_text(content)
        with pytest.raises(ValueError, match=message):
            read_expressions(tmp_path / "take.csv")


PY = [{"index": 0, "score": 0.0, "category_name": "_neutral"}, {"index": 25, "score": 0.5, "category_name": "jawOpen"}]
JS = [{"index": c["index"], "score": c["score"], "categoryName": c["category_name"], "displayName": ""} for c in PY]
HEADED = {"categories": JS, "headIndex": -1, "headName": ""}


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        (PY, 1),
        ([PY, PY], 2),
        ([JS], 1),
        ({"faceLandmarks": [], "faceBlendshapes": [HEADED, HEADED]}, 2),
        ([{"faceBlendshapes": [HEADED]}, {"faceBlendshapes": [HEADED]}], 2),
        ({"face_landmarks": [], "face_blendshapes": [PY]}, 1),
        ([HEADED, HEADED, HEADED], 3),
    ],
)
def test_results_of_mediapipe_as_python_and_javascript_dump_them(tmp_path, document, rows):
    (tmp_path / "faces.json").write_text(json.dumps(document))
    scores, space = read_expressions(tmp_path / "faces.json")
    assert (len(scores), space) == (rows, "reading")
    assert all(named_scores(row) == {"jawOpen": 0.5} for row in scores)


# A datagram as open receivers of iFacialMocap quote it, shortened.
DATAGRAM = "mouthSmile_R-0|mouthUpperUp_L-11|mouthClose-8|browDown_R-100|jawForward&3|hapihapi-0|=head#-21.48,-6.02,0|"


def test_lines_of_ifacialmocap(tmp_path, caplog):
    (tmp_path / "faces.txt").write_text(f"{DATAGRAM}leftEye#6.0,-1.6,-0.1|\n\ntrackingStatus-1|jawOpen-25|\n")
    scores, space = read_expressions(tmp_path / "faces.txt")
    assert space == "weights"
    first = {"mouthUpperUpLeft": 0.11, "mouthClose": 0.08, "browDownRight": 1.0, "jawForward": 0.03}
    assert [named_scores(row) for row in scores] == [pytest.approx(first), {"jawOpen": 0.25}]
    assert "left out what is no blendshape: hapihapi, trackingStatus" in caplog.text
    for text, message in [
        ("jawOpen: 5", "faces.txt: expected lines of iFacialMocap"),
        ("jawOpen-1|jawOpen-2", "twice"),
    ]:
        (tmp_path / "faces.txt").write_text(text)
        with pytest.raises(ValueError, match=message):
            read_expressions(tmp_path / "faces.txt")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([{"faceBlendshapes": []}], "results of MediaPipe with one face each, got one with 0"),
        ([{"faceBlendshapes": [PY, PY]}], "results of MediaPipe with one face each, got one with 2"),
        ([[*PY, PY[1]]], "names jawOpen twice"),
        ({"facsNames": ["jawOpen"], "weightMat": [[0.5], [0.5, 0.5]]}, "expected 1 weights in row 1, got 2"),
        ({"facsNames": ["jawOpen"] * 2, "weightMat": [[0.5, 0.5]]}, "names jawOpen twice"),
        ({"names": ["jawOpen"], "frames": [{"time": 0}]}, "expected 1 weights in row 0, got None"),
        ({"names": "jawOpen", "frames": []}, "expected a list of names"),
        ([[{"index": i, "score": 0.0} for i in range(52)]], "52 scores are MediaPipe's layout or ARKit's"),
    ],
)
def test_broken_captures_are_said(tmp_path, document, message):
    (tmp_path / "faces.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=f"faces.json: .*{message}"):
        read_expressions(tmp_path / "faces.json")


def test_names_of_ones_own(tmp_path):
    theirs = {name: f"face_{place:02}" for place, name in enumerate(BLENDSHAPES)}
    table = pa.table(
        {**{theirs[name]: FACES[:, place] for place, name in enumerate(BLENDSHAPES)}, "jawOpen": [9.0] * 3}
    )
    pq.write_table(table, tmp_path / "faces.parquet")
    mapping = {column: name for name, column in theirs.items()}
    with pytest.raises(ValueError, match="names jawOpen twice, as 'face_24' and 'jawOpen'"):
        read_expressions(tmp_path / "faces.parquet", names=mapping)
    (tmp_path / "names.json").write_text(json.dumps({**mapping, "jawOpen": None}))
    scores, _ = read_expressions(tmp_path / "faces.parquet", names=tmp_path / "names.json")
    np.testing.assert_allclose(scores, FACES, atol=1e-6)


def test_only_the_columns_that_are_read_count(tmp_path):
    """48 kB that would be 1.6 GB: two columns of one value each, which no expression needs."""
    rows = 100_000
    columns = {name: pa.array(np.zeros(rows, np.float32)) for name in BLENDSHAPES}
    wide = pa.array(["x" * 1000] * rows).dictionary_encode()
    pq.write_table(pa.table({**columns, "text": wide}), tmp_path / "faces.parquet")
    pool, before = pa.proxy_memory_pool(pa.system_memory_pool()), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        assert read_expressions(tmp_path / "faces.parquet")[0].shape == (rows, 51)
    finally:
        pa.set_memory_pool(before)
    assert pool.max_memory() < 64 * 2**20  # the 51 columns have 20 MB, the text would have 100
