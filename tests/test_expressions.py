"""Files of expressions: every format gives the same faces back."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emo3d.blendshapes import BLENDSHAPES, as_dicts
from emo3d.expressions import read_expressions
from emo3d.face.export import write_json, write_livelink_csv

FACES = np.random.default_rng(0).random((3, 51)).astype(np.float32).round(4)


def named(path):
    rows = as_dicts(FACES)
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif path.suffix == ".csv":
        lines = [",".join(BLENDSHAPES), *(",".join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([{"id": k, **row} for k, row in enumerate(rows)]), path)
    else:
        np.save(path, FACES)


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".parquet", ".npy"])
def test_every_format(tmp_path, suffix):
    path = tmp_path / f"faces{suffix}"
    named(path)
    read, space = read_expressions(path)
    assert read == pytest.approx(FACES, abs=1e-6)
    assert space is None


def test_a_column_of_vectors_with_its_space(tmp_path):
    table = pa.table({"blendshapes": FACES.tolist()}).replace_schema_metadata({"space": "reading"})
    pq.write_table(table, tmp_path / "faces.parquet")
    read, space = read_expressions(tmp_path / "faces.parquet")
    assert read == pytest.approx(FACES, abs=1e-6)
    assert space == "reading"


def test_what_we_write_comes_back(tmp_path):
    write_json(tmp_path / "faces.json", FACES, space="reading")
    write_livelink_csv(tmp_path / "faces.csv", FACES)
    assert read_expressions(tmp_path / "faces.json")[1] == "reading"
    assert read_expressions(tmp_path / "faces.csv")[1] == "weights"
    for name in ("faces.json", "faces.csv"):
        assert read_expressions(tmp_path / name)[0] == pytest.approx(FACES, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("faces.txt", "", "expected a file of .json, .jsonl, .csv, .parquet, .npy, got faces.txt"),
        ("faces.csv", "jawOpen\n0.5\n", "faces.csv: expected a column for each of the 51 blendshapes, got none for"),
        ("faces.json", "null", "faces.json: expected a list of expressions, got NoneType"),
        ("faces.json", "[]", "faces.json: expected at least one expression, got an empty batch"),
        (
            "faces.json",
            '[{"jawOpen": 0.5}, {"jawOpen": 1.5}]',
            "faces.json: expected scores in 0..1, got jawOpen = 1.5",
        ),
        ("faces.json", '{"space": "raw", "expressions": []}', "'reading' or 'weights', got 'raw'"),
        ("faces.jsonl", "not json", "faces.jsonl: "),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=r"^.*$") as error:
        read_expressions(tmp_path / name)
    assert message in str(error.value)


def test_a_number_is_no_array(tmp_path):
    np.save(tmp_path / "faces.npy", 5.0)
    with pytest.raises(ValueError, match=r"faces\.npy: expected 51 or 52 scores in row 0, got 1"):
        read_expressions(tmp_path / "faces.npy")


def test_pickled_arrays_are_refused(tmp_path):
    np.save(tmp_path / "faces.npy", np.array([{"jawOpen": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"faces\.npy: .*pickle"):
        read_expressions(tmp_path / "faces.npy")
