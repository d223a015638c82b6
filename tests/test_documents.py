"""Text, JSON, CSV and NumPy files from strangers, as spreadsheets and accidents leave them."""

import io
import json

import numpy as np
import pytest

from emo3d.documents import parse_json, read_array, read_csv, read_json, read_text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deep"),
        ("{", "expected JSON, got something else"),
        ("[NaN]", "got NaN"),
        ("[-Infinity]", "got -Infinity"),
        ("[1e999]", "expected numbers up to 1.7e.308, got 1e999"),
        ("[" + "9" * 400 + ".0]", "expected numbers up to"),
        ("[9223372036854775808]", "expected integers of 64 bits, got one of 19 digits"),  # 2**63
        ("[18446744073709551616]", "expected integers of 64 bits, got one of 20 digits"),  # 2**64
        ("[" + "9" * 5000 + "]", "one of 5000 digits"),  # more than Python converts
        ('["\\ud800"]', "half a character"),
        ('{"\\udc00": 1}', "half a character"),
        (b'["\xff"]', "expected text in UTF-8, got other bytes at 2"),
        (b"\xff\xfe[", "expected text in UTF-8, got other bytes at 0"),  # UTF-16, cut off
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1e308, -9223372036854775808, 9223372036854775807]", [1e308, -(2**63), 2**63 - 1]),
        ('["\\ud83d\\ude00"]', ["\U0001f600"]),  # both halves
        (json.dumps({"é": [1, 2.5]}).encode("utf-16"), {"é": [1, 2.5]}),
        (json.dumps({"é": [1, 2.5]}).encode("utf-32"), {"é": [1, 2.5]}),
        ("\ufeff[]", []),
        (b"\xef\xbb\xbf[]", []),
    ],
)
def test_what_is_read(text, value):
    assert parse_json(text) == value


def test_a_message_begins_with_the_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xe9")
    for read in (read_json, read_text):
        with pytest.raises(ValueError, match=r"^a\.json: expected text in UTF-8"):
            read(path)
    monkeypatch.setattr("emo3d.documents.LARGEST", 0)
    with pytest.raises(ValueError, match=r"^a\.json: expected at most 0 MB"):
        read_json(path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "b.json")


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
