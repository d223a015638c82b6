"""Film strips on the page of an inspection."""

import pyarrow as pa
from pyarrow import parquet

from emo3d.dataset import sample_folder
from emo3d_lab.building.schema import parquet_schema
from emo3d_lab.inspect import inspect_dataset
from emo3d_lab.inspect.films import film_strips
from emo3d_lab.inspect.page import write_inspection

HOSTILE = "<img src=x onerror='ran'>"


def test_clips_are_shown_as_strips_and_broken_ones_in_words(tmp_path):
    rows = parquet.read_table(sample_folder("clips") / "test.parquet").slice(0, 3).to_pylist()
    rows[1]["length"] += 1
    rows[2]["description"] = HOSTILE
    path = tmp_path / "clips.parquet"
    parquet.write_table(pa.Table.from_pylist(rows, parquet_schema("clips", {})), path)
    inspection = inspect_dataset(str(path))
    films = film_strips(inspection)
    assert [bool(film.picture) for film in films] == [True, False, True]
    assert f"expected {rows[1]['length']} frames" in films[1].problem
    write_inspection(inspection, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg") == 2
    assert HOSTILE not in page


def test_stills_have_no_strips():
    assert film_strips(inspect_dataset("sample", splits=["test"])) == []
