"""Parquet whose size in memory has nothing to do with its size on the disk."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emo3d.parquet import check_size, open_parquet, read_columns


def written(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def test_the_columns_asked_for_and_their_metadata(tmp_path):
    table = pa.table({"a": [1, 2], "b": ["x", None], "c": [[0.5], [0.25]]}).replace_schema_metadata(
        {"space": "reading"}
    )
    pq.write_table(table, tmp_path / "t.parquet")
    read = read_columns(tmp_path / "t.parquet", ["c", "b"])
    assert read.to_pydict() == {"c": [[0.5], [0.25]], "b": ["x", None]}
    assert read.schema.metadata[b"space"] == b"reading"
    picked = read_columns(io.BytesIO((tmp_path / "t.parquet").read_bytes()), lambda names: names[:1])
    assert picked.to_pydict() == {"a": [1, 2]}
    assert read_columns(written(tmp_path / "e.parquet", a=pa.array([], "string")), ["a"]).num_rows == 0


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.zeros(40_000_000, np.float32), "float"),  # 160 MB as one run of a dictionary's index
        (["x" * 2**20] * 400, "string"),  # 400 MB as 400 times the same megabyte
        ([{"bytes": b"x" * 2**20}] * 400, pa.struct([("bytes", pa.binary())])),
    ],
    ids=["numbers", "texts", "structs"],
)
def test_what_becomes_large_is_refused_and_never_becomes_it(tmp_path, values, kind):
    path = written(tmp_path / "t.parquet", big=pa.array(values, kind), small=[1] * len(values))
    del values
    assert path.stat().st_size < 3 * 2**20
    pool, before = pa.proxy_memory_pool(pa.system_memory_pool()), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        with pytest.raises(ValueError, match="expected at most 100 MB in the columns that are read"):
            read_columns(path, ["big"], largest=100 * 2**20)
    finally:
        pa.set_memory_pool(before)
    # A batch within the limit, and its copies, may be there when the next one goes beyond it.
    assert pool.max_memory() < 256 * 2**20
    assert read_columns(path, ["small"], largest=2**30)["small"].to_pylist()[:2] == [1, 1]


def test_the_size_of_row_groups(tmp_path):
    pq.write_table(
        pa.table({"a": np.random.default_rng(0).random(300_000)}), tmp_path / "t.parquet", row_group_size=100_000
    )
    with open_parquet(tmp_path / "t.parquet") as file:
        check_size(file, ["a"], [1], largest=2**20)  # 0.8 MB
        with pytest.raises(ValueError, match="at most 1 MB"):
            check_size(file, ["a"], largest=2**20)  # 2.4 MB


def test_what_is_no_parquet_is_said(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match="expected a Parquet file, got a broken one"):
        read_columns(tmp_path / "t.parquet", ["a"])
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_columns(tmp_path / "absent.parquet", ["a"])
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, tmp_path / "twice.parquet")
    for name, message in (("a", "found 2 among a, a"), ("b", "found none among a, a")):
        with pytest.raises(ValueError, match=message):
            read_columns(tmp_path / "twice.parquet", [name])
