"""Names, order and table of a folder of pictures. Nothing is opened, so the pictures here are empty files."""

import csv
import json
import os

import pytest

from emo3d.emotions import EMOTIONS
from emo3d_lab.extract.annotations import Annotation
from emo3d_lab.extract.imagefolder import read_image_folder

SAD = {**dict.fromkeys(EMOTIONS, 0), "sadness": 0.9, "neutral": 0.2}
SAD_8 = (0.2, 0, 0, 0.9, 0, 0, 0, 0)  # order of FACTS, section 1: neutral, happiness, surprise, sadness, ...


def make(folder, names=("a.jpg", "b.jpg"), rows=None, kind="csv"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    if rows and kind == "csv":
        with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif rows:
        (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def names(folder):
    return [(picture.name, picture.sample_id) for picture in read_image_folder(folder).pictures]


def problems(folder):
    return [(p.kind, p.file, p.row, p.column, p.count) for p in read_image_folder(folder).problems]


def test_pictures_by_name_at_any_depth(tmp_path, caplog):
    make(tmp_path, ["b.JPG", "a b.png", "ü/☺.webp", "c.jpeg", "notes.txt", ".hidden.jpg", ".trash/d.jpg", "sub/a.jpg"])
    assert names(tmp_path) == [("a b.png", 0), ("b.JPG", 1), ("c.jpeg", 2), ("sub/a.jpg", 3), ("ü/☺.webp", 4)]
    assert problems(tmp_path) == []
    assert "left out: {'.txt': 1}" in caplog.text
    assert {picture.annotation for picture in read_image_folder(tmp_path).pictures} == {Annotation()}


def test_linked_folders_are_followed_and_circles_refused(tmp_path):
    make(tmp_path / "elsewhere")
    make(tmp_path / "images", ["z.jpg"])
    (tmp_path / "images" / "linked").symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path / "images") == [("linked/a.jpg", 0), ("linked/b.jpg", 1), ("z.jpg", 2)]
    (tmp_path / "images" / "loop").symlink_to(tmp_path / "images")
    with pytest.raises(ValueError, match="loop is a link to a folder that is read already"):
        read_image_folder(tmp_path / "images")


def test_what_is_no_file(tmp_path):
    make(tmp_path)
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / os.fsdecode(b"\xff.jpg")).write_bytes(b"")
    assert names(tmp_path) == [("a.jpg", 0), ("b.jpg", 1)]
    assert [file for _, file, *_ in problems(tmp_path)] == ["gone.jpg", "pipe.jpg", "\\udcff.jpg"]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([{"file_name": "./b.jpg", "description": " A sad man. ", **SAD}], "csv"),
        ([{"file_name": "b.jpg", "text_1": "A sad man.", "text_2": "", "text_3": "", **SAD}], "csv"),
        ([{"file_name": "b.jpg", "descriptions": '["A sad man."]', **SAD}], "csv"),
        ([{"file_name": "b.jpg", "descriptions": ["A sad man."], **SAD}], "jsonl"),
        ([{"file_name": "b.jpg", "text_2": "A sad man.", "text_1": None, **SAD}], "jsonl"),
    ],
)
def test_descriptions_in_each_way(tmp_path, rows, kind):
    (picture,) = read_image_folder(make(tmp_path, ["b.jpg"], rows, kind)).pictures
    assert picture.annotation == Annotation(descriptions=("A sad man.",), intensities=SAD_8)


def test_numbers_of_the_table(tmp_path):
    rows = [
        {"file_name": "b.jpg", "sample_id": "7", "variant": "", "prompt_type": "mine"},
        {"file_name": "a.jpg", "sample_id": "7", "variant": "2", "prompt_type": ""},
    ]
    a, b = read_image_folder(make(tmp_path, rows=rows)).pictures
    assert (a.name, a.sample_id, a.annotation.variant, a.annotation.prompt_type) == ("a.jpg", 7, 2, "extract")
    assert (b.name, b.sample_id, b.annotation.variant, b.annotation.prompt_type) == ("b.jpg", 7, 1, "mine")
    assert b.annotation.intensities is None


def test_rows_and_pictures_that_do_not_meet(tmp_path):
    rows = [{"file_name": name} for name in ("b.jpg", "gone.jpg", "../secret.jpg", "", "b.jpg")]
    folder = make(tmp_path / "images", ["a.jpg", "b.jpg"], rows)
    make(tmp_path, ["secret.jpg"])
    assert names(folder) == [("b.jpg", 1)]
    assert problems(folder) == [
        ("missing picture", "metadata.csv", 1, "file_name", 1),
        ("missing picture", "metadata.csv", 2, "file_name", 1),
        ("missing picture", "metadata.csv", 3, "file_name", 1),
        ("repeated picture", "metadata.csv", 4, "file_name", 1),
        ("unnamed picture", "a.jpg", None, "", 1),
    ]


@pytest.mark.parametrize(
    ("cells", "column", "message"),
    [
        ({"sadness": "much"}, "sadness", "expected an intensity in 0..1, got 'much'"),
        ({"sadness": 1.1}, "sadness", "got 1.1"),
        ({"sadness": float("nan")}, "sadness", "got nan"),
        ({"sadness": True}, "sadness", "got True"),
        ({"sadness": None}, "sadness", "got None"),  # the other seven are there
        ({"sample_id": 1.5}, "sample_id", "expected a whole number, got 1.5"),
        ({"sample_id": "first"}, "sample_id", "got 'first'"),
        ({"sample_id": None}, "sample_id", "got None"),
        ({"sample_id": 2**63}, "sample_id", "got 9223372036854775808"),
        ({"variant": 5}, "variant", "expected 1 to 4, got 5"),
        ({"descriptions": "A sad man."}, "descriptions", "expected a list of at most three texts"),
        ({"descriptions": ["a", "b", "c", "d"]}, "descriptions", "at most three"),
        ({"descriptions": [1]}, "descriptions", "expected a text, got 1"),
        ({"prompt_type": "\ud800"}, "prompt_type", "expected a text"),
    ],
)
def test_a_bad_cell_costs_its_picture_only(tmp_path, cells, column, message):
    rows = [{"file_name": "a.jpg", **SAD, **cells}, {"file_name": "b.jpg", **SAD}]
    make(tmp_path, rows=rows, kind="jsonl")
    (problem,) = [problem for problem in read_image_folder(tmp_path).problems if problem.row == 0]
    assert (problem.file, problem.column, problem.count) == ("metadata.jsonl", column, 1)
    assert message in problem.message
    assert "a.jpg" not in dict(names(tmp_path))


def test_rows_that_are_none(tmp_path):
    make(tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,description\na.jpg,One\n\nb.jpg\n", "utf-8")
    assert problems(tmp_path) == [("row", "metadata.csv", 1, "", 1), ("unnamed picture", "b.jpg", None, "", 1)]
    (tmp_path / "metadata.csv").unlink()
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.jpg"}\n[1]\n{"file\n', "utf-8")
    assert [kind for kind, *_ in problems(tmp_path)] == ["row", "row", "unnamed picture"]


def test_the_same_number_twice(tmp_path):
    make(tmp_path, rows=[{"file_name": "a.jpg", "sample_id": 3}, {"file_name": "b.jpg", "sample_id": 3}])
    assert names(tmp_path) == [("a.jpg", 3)]
    (problem,) = read_image_folder(tmp_path).problems
    assert str(problem) == "b.jpg: sample_id 3, variant 1 is a.jpg, got it once more"


def test_other_columns_are_named_and_not_used(tmp_path, caplog):
    make(tmp_path, ["a.jpg"], [{"file_name": "a.jpg", "mood": "blue", "label": "1"}])
    assert problems(tmp_path) == [("column", "metadata.csv", None, name, 0) for name in ("mood", "label")]
    assert "columns that are not used: mood, label" in caplog.text


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("metadata.csv", "image\na.jpg\n", "expected a column file_name"),
        ("metadata.csv", "", "expected a column file_name"),
        ("metadata.csv", "file_name,description,description\na.jpg,x,y\n", r"twice \['description'\]"),
        ("metadata.csv", "file_name,sadness,anger\na.jpg,1,0\n", "all of the eight emotions or none, got no neutral"),
        ("metadata.csv", "file_name,description,text_1\na.jpg,x,y\n", "got description and text_1"),
        ("metadata.csv", b"file_name\n\xff.jpg\n", "expected a table in UTF-8"),
        ("metadata.jsonl", b"\xff", "expected a table in UTF-8"),
        ("sub/metadata.csv", "file_name\na.jpg\n", "at the top of the folder, got sub/metadata.csv"),
        ("metadata.parquet", "", "expected one table, metadata.csv or metadata.jsonl"),
    ],
)
def test_a_table_that_cannot_be_understood(tmp_path, table, text, message):
    make(tmp_path, ["a.jpg", "sub/b.jpg"])
    (tmp_path / table).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        read_image_folder(tmp_path)


def test_nothing_to_read(tmp_path):
    with pytest.raises(ValueError, match="expected pictures"):
        read_image_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read_image_folder(tmp_path / "absent")
    make(tmp_path, rows=[{"file_name": "a.jpg"}])
    make(tmp_path, rows=[{"file_name": "a.jpg"}], kind="jsonl")
    with pytest.raises(ValueError, match=r"got metadata.csv, metadata.jsonl"):
        read_image_folder(tmp_path)
