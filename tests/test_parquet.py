"""Parquet whose size in memory has nothing to do with its size on the disk."""

import io
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emo3d.parquet import _chunks, check_size, open_parquet, read_columns
from hanging import HANGS


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


def test_a_footer_is_read_as_pyarrow_reads_it(tmp_path):
    columns = {"a": [1.5] * 300, "b": ["x", None, "yy"] * 100, "c": [[0.5] * 3] * 300, "d": [{"e": True}] * 300}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=70, use_dictionary=["b"])
    with open_parquet(tmp_path / "t.parquet") as file:
        for group in range(5):
            footer = file.metadata.row_group(group)
            for index, chunk in enumerate(_chunks(file, list(columns), [group])):
                column = footer.column(index)
                dictionary = [column.dictionary_page_offset] if column.has_dictionary_page else []
                start = min([column.data_page_offset, *dictionary])
                assert (chunk.path, chunk.kind) == (column.path_in_schema, column.physical_type)
                assert (chunk.values, chunk.size) == (column.num_values, column.total_uncompressed_size)
                assert (chunk.start, chunk.end) == (start, start + column.total_compressed_size)


def test_statistics_that_contradict_the_schema_do_not_end_the_process(tmp_path):
    """A column said to be required, with a histogram of who has a value: PyArrow's `column` calls terminate."""
    path = written(tmp_path / "t.parquet", a=[1, None], b=[1, 2])
    optional, required = b"\x25\x02\x18\x01a", b"\x25\x00\x18\x01a"  # repetition_type, and the name, in Thrift
    content = path.read_bytes()
    assert content.count(optional) == 1
    path.write_bytes(content.replace(optional, required))
    code = """if True:
        import sys
        from emo3d.parquet import check_size, open_parquet, read_columns
        print(read_columns(sys.argv[1], ["b"])["b"].to_pylist())
        with open_parquet(sys.argv[1]) as file:
            check_size(file, ["a"])
        try:
            read_columns(sys.argv[1], ["a"])
        except ValueError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=HANGS, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    values, message = done.stdout.splitlines()
    assert values == "[1, 2]"
    assert message.startswith("expected a Parquet file, got a broken one")


def varint(number, length=0):
    """A number as Thrift writes it in a footer; longer than it need be, if so wanted, which readers allow."""
    number, code = number * 2, []
    while number or len(code) < length:
        code.append(number & 127 | 128)
        number >>= 7
    return bytes([*code[:-1], code[-1] & 127])


def test_a_footer_that_lies_about_its_pages(tmp_path):
    """6 kB: one page of 200 MB, of which the footer says that it has 10 values in 10 bytes."""
    rows = 50_000_000
    table, options = pa.table({"a": np.zeros(rows, np.float32)}), {"compression": "zstd", "use_dictionary": False}
    path, sizes = tmp_path / "t.parquet", {"data_page_size": 2**30, "write_batch_size": rows, "row_group_size": rows}
    pq.write_table(table, path, max_rows_per_page=rows, **options, **sizes)
    content = path.read_bytes()
    body, footer = (
        content[: -8 - int.from_bytes(content[-8:-4], "little")],
        content[-8 - int.from_bytes(content[-8:-4], "little") :],
    )
    for said in (pq.read_metadata(path).row_group(0).column(0).total_uncompressed_size, rows):
        footer = footer.replace(varint(said), varint(10, len(varint(said))))
    path.write_bytes(body + footer)
    assert len(body + footer) < 10_000
    assert pq.read_metadata(path).num_rows == 10
    with pytest.raises(ValueError, match="expected pages of 10 bytes in a, found more"):
        read_columns(path, ["a"])


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_honest_pages_of_every_kind(tmp_path, compression, version):
    values = {
        "number": np.arange(5000.0),
        "text": [f"text {row}" * (row % 7) for row in range(5000)],
        "vector": [[0.5] * 51] * 5000,
        "struct": [{"bytes": b"x" * 500, "path": None}] * 5000,
    }
    path = tmp_path / "t.parquet"
    for options in ({}, {"use_dictionary": False}, {"write_page_checksum": True, "row_group_size": 700}):
        sizes = {"data_page_size": 2000, "data_page_version": version, "compression": compression}
        pq.write_table(pa.table(values), path, **options, **sizes)
        assert read_columns(path, list(values)).to_pydict()["struct"][-1] == values["struct"][-1]
