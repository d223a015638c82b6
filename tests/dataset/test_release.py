"""The published layout. Row 0's numbers are typed from the published CSV; bad files are made here."""

import csv
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from emo3d.blendshapes import BLENDSHAPES
from emo3d.dataset.release import as_pairs, is_release, read_release
from emo3d.dataset.tables import COLUMNS
from real_slice import REAL, ROW_0, real


@real
@pytest.mark.parametrize("folder", [REAL, REAL / "data", str(REAL)])
def test_real_rows(folder):
    rows = list(read_release(folder))
    assert [row.sample_id for row in rows] == [0, 10000, 10001, 10002]
    assert [len(row.pictures) for row in rows] == [1, 4, 4, 4]
    assert [row.prompt_type for row in rows] == ["prompt1", "prompt2", "prompt2", "prompt2"]
    assert [len(row.descriptions) for row in rows] == [2, 3, 3, 3]
    assert rows[0].descriptions[0] == "This elderly female is showing intense despair in her face."
    assert rows[0].intensities.tolist() == [0.2, 0, 0, 0.9, 0, 0, 0, 0.1]
    assert rows[3].intensities.tolist() == [0.5, 0, 0.7, 0.2, 0, 0, 0.3, 0]
    pictures = [picture for row in rows for picture in row.pictures]
    assert sum(picture.expression is not None for picture in pictures) == 13
    assert all(picture.image.startswith(b"\xff\xd8\xff") for picture in pictures)
    assert pictures[0].name == "prompt1_images_0_1000/0_0.jpeg"


@real
def test_scores_of_row_0_come_back_exactly():
    expression = next(read_release(REAL)).pictures[0].expression
    assert expression.tolist() == np.array(ROW_0.split()[1:], np.float32).tolist()
    assert expression[BLENDSHAPES.index("browDownLeft")] == np.float32(0.271)
    assert expression[BLENDSHAPES.index("mouthPucker")] == np.float32(0.672)


@real
def test_pairs_are_descriptions_times_expressions():
    pairs = list(as_pairs(read_release(REAL)))
    assert len(pairs) == 2 * 1 + 3 * 4 + 3 * 4 + 3 * 4
    assert set(pairs[0]) == {"sample_id", "description", "intensities", "blendshapes", "image", "name"}
    assert pairs[0]["intensities"] == [0.2, 0, 0, 0.9, 0, 0, 0, 0.1]
    assert pairs[0]["blendshapes"].shape == (51,)


def jpeg():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "pink").save(buffer, "JPEG")
    return buffer.getvalue()


PICTURE = jpeg()


def make(folder, *, archive="prompt1_images_0_1000", member="0_0.jpeg", header=COLUMNS, **cells):
    """A release of one row in `folder`; cells replace those of a good row."""
    row = dict.fromkeys(COLUMNS, "")
    row |= {"sample_id": "0", "prompt_type": "prompt1", "text_1": "A sad man.", "sadness": "0.9"}
    row |= {name: "0" for name in ("neutral", "happiness", "surprise", "anger", "disgust", "fear", "contempt")}
    row |= {"img_1": "prompt1_images_0_1000/0_0.jpeg", "blenshape_score_1": f"[{ROW_0}]"}
    row |= cells
    table = io.StringIO()
    writer = csv.DictWriter(table, header, extrasaction="ignore")
    writer.writeheader()
    writer.writerow({name: row.get(name, "") for name in header})
    (folder / "data").mkdir()
    (folder / "data" / "train_data.csv").write_text(table.getvalue(), "utf-8", newline="")
    if archive:
        with zipfile.ZipFile(folder / "data" / f"{archive}.zip", "w") as file:
            file.writestr(member, PICTURE)
    return folder


@pytest.mark.parametrize(
    ("member", "archive", "image"),
    [
        ("0_0.jpeg", "prompt1_images_0_1000", PICTURE),
        ("prompt1_images_0_1000/0_0.jpeg", "prompt1_images_0_1000", PICTURE),
        ("some/other/folder/0_0.jpeg", "prompt1_images_0_1000", PICTURE),
        ("0_0.jpeg", None, None),  # the archive was not downloaded
    ],
)
def test_members_with_and_without_a_folder(tmp_path, member, archive, image):
    (row,) = read_release(make(tmp_path, member=member, archive=archive))
    assert row.pictures[0].image == image
    assert row.pictures[0].expression.shape == (51,)


def test_no_face_is_no_expression(tmp_path):
    (row,) = read_release(make(tmp_path, blenshape_score_1=""))
    assert row.pictures[0].expression is None
    assert row.pictures[0].image == PICTURE
    assert list(as_pairs([row])) == []


def test_a_name_never_becomes_a_path(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (row,) = read_release(make(tmp_path, img_1="../secret"))
    assert row.pictures[0].image is None


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"blenshape_score_1": "[" + "0. " * 51 + "]"}, "expected the 52 scores of layout 'mediapipe'"),
        ({"blenshape_score_1": "[" + "0. " * 51 + "x]"}, "got 'x'"),
        ({"blenshape_score_1": "[" + "0. " * 51 + "1.5]"}, "noseSneerRight = 1.5"),
        ({"blenshape_score_1": "[0. ... 0.]"}, "got '...'"),
        ({"sadness": "much"}, "sadness: expected an intensity in 0..1, got 'much'"),
        ({"sadness": ""}, "sadness: expected an intensity in 0..1, got ''"),
        ({"sadness": "1.1"}, "sadness: expected an intensity in 0..1, got '1.1'"),
        ({"sample_id": "first"}, "sample_id: expected a whole number, got 'first'"),
        ({"img_1": "prompt1_images_0_1000/9_9.jpeg"}, "expected '9_9.jpeg' in prompt1_images_0_1000.zip"),
    ],
)
def test_a_bad_row_is_named(tmp_path, cells, message):
    with pytest.raises(ValueError, match=r"^train_data\.csv row 0") as error:
        list(read_release(make(tmp_path, **cells)))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ((*COLUMNS, "mood"), "train_data.csv, mood: expected the columns of the release"),
        (tuple(name for name in COLUMNS if name != "img_4"), "missing ['img_4']"),
    ],
)
def test_other_columns(tmp_path, header, message):
    with pytest.raises(ValueError, match=r"^train_data\.csv.*: expected the columns") as error:
        list(read_release(make(tmp_path, header=header)))
    assert message in str(error.value)


def test_a_broken_archive_is_named(tmp_path):
    folder = make(tmp_path, archive=None)
    (folder / "data" / "prompt1_images_0_1000.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"row 0, img_1: cannot open prompt1_images_0_1000.zip"):
        list(read_release(folder))


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected CSV files"):
        list(read_release(tmp_path))
    with pytest.raises(FileNotFoundError, match="found nothing"):
        list(read_release(tmp_path / "no"))


def test_a_release_is_known_by_its_columns(tmp_path):
    assert not is_release(tmp_path)
    assert not is_release(tmp_path / "absent")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "other.csv").write_text("a,b\n1,2\n")
    assert not is_release(tmp_path)
    (tmp_path / "data" / "rows.csv").write_text("sample_id,blenshape_score_1\n")
    assert is_release(tmp_path)
    assert is_release(str(tmp_path / "data"))
