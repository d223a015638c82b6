"""The synthetic release against the published layout (file names and columns typed from its public listing)."""

import csv
import hashlib
import io
import re
import zipfile
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emo3d.dataset.release import read_release
from emo3d_lab.sample.mock import print_scores, write_release
from real_slice import REAL

COLUMNS = """sample_id prompt_type text_1 text_2 text_3 neutral happiness surprise sadness anger disgust fear contempt
    img_1 img_2 img_3 img_4 blenshape_score_1 blenshape_score_2 blenshape_score_3 blenshape_score_4""".split()
TABLES = ["train_data.csv", "val_data.csv", "test_data.csv"]
ARCHIVES = """anger_images contempt_images disgust_images fear_images sadness_images primitive_emotions
    prompt1_images_0_1000 prompt1_images_1000_2000 prompt1_images_2000_3000 prompt1_images_3000_4000
    prompt1_images_4000_5000 prompt1_images_5000_6000 prompt1_images_6000_7000 prompt1_images_7000_9000
    prompt1_images_9000_10000 prompt2_images_0_1000 prompt2_images_1000_2000 prompt2_images_2000_3000
    prompt2_images_3000_4000 prompt2_images_4000_5000 prompt2_images_5000_6000""".split()
FORMS = {  # of the cells, in the published rows as in these
    "sample_id": r"\d+",
    "prompt_type": r"prompt[12]",
    "text_1": r".+",
    "sadness": r"0|1|0\.\d",
    "img_1": r"prompt[12]_images_\d+_\d+/\d+_0\.jpeg|(anger|contempt|disgust|fear|sadness)_images/\d+_0\.jpeg",
    "img_4": r"|(\w+)/\d+_3\.jpeg",
    "blenshape_score_1": r"|\[(0|1)\.(\d| |\n |0\.|1\.)+\]",
}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("release"), rows=200)


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def all_rows(release):
    return [row for name in TABLES for row in table(release / "data" / name)]


def digest(folder):
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}
    assert len(found) == len(ARCHIVES) + len(TABLES) + 3
    return found


def test_files_are_the_published_ones(release):
    names = {path.name for path in (release / "data").iterdir()}
    assert names == {f"{n}.zip" for n in ARCHIVES} | {*TABLES, "primitive_emotions.csv", "emo3d_data.parquet"}
    assert "synthetic" in (release / "SYNTHETIC.md").read_text("utf-8").lower()


@pytest.mark.parametrize("path", [*TABLES, "primitive_emotions.csv", pytest.param(REAL, id="real")])
def test_cells_have_the_published_form(release, path):
    if path == REAL and not REAL.is_dir():
        pytest.skip("the real slice of Emo3D is not beside the checkout")
    rows = table(REAL / "data" / "emo3d_rows.csv" if path == REAL else release / "data" / path)
    assert list(rows[0]) == COLUMNS
    for row in rows:
        for name, form in FORMS.items():
            if path != "primitive_emotions.csv" or name not in ("prompt_type", "img_1"):
                assert re.fullmatch(form, row[name]), row[name]


def test_parquet_holds_the_rows_of_the_three_splits(release):
    stored = pq.read_table(release / "data" / "emo3d_data.parquet")
    types = [str(field.type) for field in stored.schema]
    assert types == ["int64", *["string"] * 4, *["double"] * 8, *["string"] * 8]
    rows = {int(row["sample_id"]): row for row in all_rows(release)}
    assert [len(table(release / "data" / name)) for name in TABLES] == [160, 20, 20]
    assert sorted(rows) == stored["sample_id"].to_pylist() == [n * 100 for n in range(200)]
    for row in stored.to_pylist():
        strings = {k: v or "" for k, v in row.items() if not isinstance(v, (int, float))}
        assert strings.items() <= rows[row["sample_id"]].items()
        assert row["sadness"] == float(rows[row["sample_id"]]["sadness"])


def test_counts_and_nulls(release):
    rows = all_rows(release)
    texts = [row[f"text_{n}"] for row in rows for n in (1, 2, 3) if row[f"text_{n}"]]
    assert len(set(texts)) == len(texts)  # nothing said twice, so nothing leaks between splits
    assert set(Counter(sum(bool(row[f"text_{n}"]) for n in (1, 2, 3)) for row in rows)) == {1, 2, 3}
    pictures = [sum(bool(row[f"img_{n}"]) for n in (1, 2, 3, 4)) for row in rows]
    assert set(pictures) == {1, 3, 4}
    scores = [row[f"blenshape_score_{n}"] for row in rows for n in (1, 2, 3, 4)]
    assert 0.9 * sum(pictures) < sum(map(bool, scores)) < sum(pictures)


def test_every_picture_is_a_jpeg_of_its_own(release):
    pictures = [picture for row in read_release(release) for picture in row.pictures]
    contents = {picture.image for picture in pictures}
    assert len(contents) == len(pictures) > 400
    for content in list(contents)[:20]:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            assert (picture.format, picture.size) == ("JPEG", (32, 32))


def test_archives_differ_as_the_published_ones_may(release):
    kinds = set()
    for name in ARCHIVES:
        with zipfile.ZipFile(release / "data" / f"{name}.zip") as archive:
            info = archive.infolist()[0]
            kinds.add((info.compress_type, info.filename.rpartition("/")[0].replace(name, "its own")))
    folders = ("", "its own", "content/images")
    assert kinds == {(method, folder) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for folder in folders}


@pytest.mark.parametrize(("size", "side"), [(1000, 32), (20_000, 512), (160_000, 1024), (70_000, 1024)])
def test_pictures_of_a_size(tmp_path, size, side):
    write_release(tmp_path, rows=10, picture_bytes=size)
    for path in tmp_path.glob("data/prompt1*.zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                content = archive.read(info)
                assert len(content) == size
                with Image.open(io.BytesIO(content)) as picture:
                    picture.load()
                    assert picture.size == (side, side)


def test_seed_decides_every_byte(tmp_path, release):
    again = write_release(tmp_path / "again", rows=200)
    assert digest(again) == digest(release)
    other = digest(write_release(tmp_path / "other", rows=200, seed=1))
    assert not set(other.values()) & set(digest(release).values())


@pytest.mark.parametrize("size", [1, 7, 12, 13, 51, 52])
def test_scores_are_printed_as_numpy_prints_them(size):
    rng = np.random.default_rng(size)
    for decimals in (3, 2, 1, 0):
        for _ in range(20):
            scores = np.round(rng.random(size) ** 3, decimals)
            assert print_scores(scores) == str(scores)


def test_refusals(tmp_path, release):
    with pytest.raises(FileExistsError, match="expected nothing in"):
        write_release(release, rows=10)
    with pytest.raises(ValueError, match="at least 10 rows for three splits, got 9"):
        write_release(tmp_path, rows=9)
    with pytest.raises(ValueError, match="at least 1000 bytes, got 10"):
        write_release(tmp_path, rows=10, picture_bytes=10)
    assert not any(tmp_path.iterdir())
