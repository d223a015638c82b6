"""CSV and NumPy files as spreadsheets and accidents leave them."""

import io

import numpy as np
import pytest

from emo3d.containers import read_array, read_csv

ROWS = [["name", "a", "b"], ["é", "0.5", "-1"], ["x, y", "1e-3", ""]]
PLAIN = 'name,a,b\né,0.5,-1\n"x, y",1e-3,\n'


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", ",\n").encode(),
        PLAIN.replace("\n", ",,,\n").encode(),
        PLAIN.replace("-1\n", "-1,,\n\n").encode(),
        'name;a;b\né;0,5;-1\n"x, y";1e-3;\n'.encode(),
        'name;a;b;\né;0.5;-1;\n"x, y";1e-3;;\n'.encode(),
        "name\ta\tb\né\t0.5\t-1\nx, y\t1e-3\t\n".encode(),
    ],
)
def test_one_table_in_every_dress(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    assert list(read_csv(tmp_path / "table.csv")) == ROWS


def test_lines_that_are_no_csv_and_bytes_that_are_no_text(tmp_path):
    (tmp_path / "table.csv").write_bytes(b"a,b\n" + b"x" * 200_000 + b",1\n\xff,2\n")
    assert list(read_csv(tmp_path / "table.csv")) == [["a", "b"], [], ["\udcff", "2"]]
    (tmp_path / "table.csv").write_bytes(b"")
    assert list(read_csv(tmp_path / "table.csv")) == []


def saved(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


GOOD = saved(np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a NumPy array, got an empty file"),
        (b"PK\3\4 no zip", "expected a NumPy array"),
        (GOOD[:40], "expected a NumPy array"),
        (GOOD[:-8], "expected a NumPy array"),
        (GOOD.replace(b"(2, 3)", b"(2**9"), "expected a NumPy array"),
        (GOOD.replace(b"(2, 3), ", b"(10**99,"), "expected a NumPy array"),
        (GOOD.replace(b"(2, 3)", b"(9, 9)"), "expected a NumPy array"),
        (GOOD.replace(b"'<f8'", b"'<q8'"), "expected a NumPy array"),
        (saved(np.array([{}], object)), "got something else: Python objects, in a pickle"),
        (saved(np.array(["x"])), "expected an array of numbers, got one of <U1"),
        (saved(np.zeros(3, complex)), "expected an array of numbers, got one of complex128"),
        (saved(np.zeros(3, [("jawOpen", "f4")])), "expected an array of numbers"),
    ],
)
def test_arrays_that_are_none(tmp_path, content, message):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_array(tmp_path / "a.npy")


def test_arrays_come_as_they_are(tmp_path):
    for array in (
        np.arange(6, dtype=">i2").reshape(2, 3),
        np.asfortranarray(np.eye(3)),
        np.zeros((0, 51)),
        np.array(5.0),
    ):
        (tmp_path / "a.npy").write_bytes(saved(array))
        np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), array)
