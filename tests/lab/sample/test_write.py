"""The sample as Parquet: same bytes for the same seed, typed, with pictures that show the rows."""

import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emo3d.dataset import sample_folder
from emo3d.face import RenderSettings
from emo3d_lab.landmarker import FaceReader
from emo3d_lab.sample import make_rows
from emo3d_lab.sample.write import render_rows, write_sample


def test_same_seed_same_bytes(tmp_path):
    rows = {"train": 4, "test": 2}
    first = write_sample(tmp_path / "a", rows=rows, seed=3)
    second = write_sample(tmp_path / "b", rows=rows, seed=3)
    other = write_sample(tmp_path / "c", rows=rows, seed=4)
    for split in rows:
        assert first[split].read_bytes() == second[split].read_bytes() != other[split].read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["test.parquet", "train.parquet"]


def test_columns_are_those_of_the_rows(tmp_path):
    settings = RenderSettings(size=96)
    path = write_sample(tmp_path, rows={"validation": 3}, settings=settings)["validation"]
    table = pq.read_table(path)
    rows = make_rows("validation", 3)
    assert table.column_names == [
        "sample_id",
        "description",
        "intensities",
        "blendshapes",
        "image",
        "identity",
        "readings",
    ]
    assert table["description"].to_pylist() == [row.description for row in rows]
    assert np.array_equal(np.array(table["blendshapes"].to_pylist(), np.float32), [row.blendshapes for row in rows])
    pictures = [Image.open(io.BytesIO(cell["bytes"])) for cell in table["image"].to_pylist()]
    assert [picture.size for picture in pictures] == [(96, 96)] * 3
    drawn = render_rows(rows, settings)
    assert np.abs(np.asarray(pictures[1], int) - drawn[1]).mean() < 4  # JPEG
    metadata = table.schema.metadata
    assert metadata[b"space"] == b"weights"
    assert "portrait" in metadata[b"emo3d"].decode()
    features = json.loads(metadata[b"huggingface"])["info"]["features"]
    assert features["blendshapes"] == {
        "feature": {"dtype": "float32", "_type": "Value"},
        "length": 51,
        "_type": "Sequence",  # datasets 2 and 3 know no List
    }


def test_readings_are_the_instrument_s_of_the_pictures():
    """The packaged ones, read again: the same numbers on the same versions, near them on others."""
    pytest.importorskip("mediapipe", reason="reading faces needs the extra extract")
    rows = pq.read_table(sample_folder() / "validation.parquet").slice(0, 12).to_pylist()
    with FaceReader() as reader:
        pictures = [np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in rows]
        again = np.stack([reader.read(picture) for picture in pictures])
    readings, weights = (np.array([row[name] for row in rows], np.float32) for name in ("readings", "blendshapes"))
    assert np.abs(again - readings).max() < 0.02
    # Readings are not weights: FACTS.md, section 8, has 0.0413 between the two on a trial's faces.
    assert ((readings - weights) ** 2).mean() > 0.02


def test_readings_are_made_on_request(tmp_path):
    without = pq.read_table(write_sample(tmp_path / "a", rows={"test": 2})["test"])
    assert without["readings"].null_count == 2
    pytest.importorskip("mediapipe", reason="reading faces needs the extra extract")
    read = pq.read_table(write_sample(tmp_path / "b", rows={"test": 2}, readings=True)["test"])
    assert [len(scores) for scores in read["readings"].to_pylist()] == [51, 51]
    assert read.drop_columns(["readings"]).equals(without.drop_columns(["readings"]))


def test_pictures_come_in_the_order_of_the_rows():
    rows = make_rows("train", 6)
    settings = RenderSettings(size=64)
    together = render_rows(rows, settings)
    assert together.shape == (6, 64, 64, 3)
    for row, picture in zip(rows, together, strict=True):
        assert np.array_equal(render_rows([row], settings)[0], picture)


@pytest.mark.parametrize(("split", "count"), [("train", 200), ("validation", 50), ("test", 250)])
def test_the_embedded_sample_is_what_the_code_makes(split, count):
    table = pq.read_table(sample_folder() / f"{split}.parquet")
    rows = make_rows(split, count)
    assert table["description"].to_pylist() == [row.description for row in rows]
    assert table["identity"].to_pylist() == [row.identity for row in rows]
    for name in ("intensities", "blendshapes"):
        assert np.array(table[name].to_pylist()) == pytest.approx(np.stack([getattr(row, name) for row in rows]))
    cells = table["image"].to_pylist()
    for place in (0, count - 1):
        shown = np.asarray(Image.open(io.BytesIO(cells[place]["bytes"])), int)
        assert np.abs(shown - render_rows([rows[place]])[0]).mean() < 6


def test_the_embedded_sample_is_small():
    assert sum(path.stat().st_size for path in sample_folder().glob("*.parquet")) < 4_000_000
