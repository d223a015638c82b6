"""Predictions that say whose faces they are: checked, and joined on request, through every door."""

import json
from dataclasses import replace

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import emo3d
from emo3d.cli import app
from emo3d.scoring import Emo3DResult, ScoreSettings, score
from emo3d.scoring.joining import order_of
from emo3d.scoring.references import read_references_file
from emo3d_lab.corpus import score_corpus
from emo3d_lab.opening import read_predictions_file

WORDS = "happy sad angry calm afraid smile".split()
TURNED = [3, 0, 5, 1, 4, 2]
EXPRESSIONS = np.random.default_rng(0).random((6, 51)).round(3) / 2
REFERENCES = [
    {
        "sample_id": 10 + place,
        "description": f"a {word} face",
        "intensities": [0.1] * place + [0.3 + place / 10] + [0.1] * (7 - place),
    }
    for place, word in enumerate(WORDS)
]
ROWS = [
    {"sample_id": REFERENCES[row]["sample_id"], "description": REFERENCES[row]["description"], "blendshapes": face}
    for row, face in ((row, EXPRESSIONS[row].tolist()) for row in TURNED)
]


@pytest.mark.parametrize(
    ("predictions", "join", "expected"),
    [
        ({"description": ["b", "a"]}, "description", [1, 0]),
        ({"sample_id": ["2", "1"]}, "sample_id", [1, 0]),
        ({"sample_id": [2.0, 1.0]}, "sample_id", [1, 0]),
        ({"sample_id": np.array([1, 2]), "description": ["a", "b"]}, None, None),
        ({"sample_id": [None, None], "description": ["a", "b"]}, None, None),
        ({"description": ["b", "a"], "sample_id": [2, 1]}, "sample_id,description", [1, 0]),
    ],
)
def test_rows_by_hand(predictions, join, expected):
    order = order_of(2, predictions, {"description": ["a", "b"], "sample_id": [1, 2]}, join)
    assert (order is None) if expected is None else order.tolist() == expected


@pytest.mark.parametrize(
    ("predictions", "join", "message"),
    [
        ({"description": ["a", "c"]}, None, "row 1 has the description 'c' and reference 1 has 'b': join them by it"),
        ({"sample_id": [1, 3]}, None, "row 1 has the sample_id '3' and reference 1 has '2'"),
        ({"description": ["a", "c"]}, "description", "a prediction for each reference to join by description, 1 have"),
        ({"description": ["a", "a"]}, "description", "once each in the predictions to join by it, rows 0 and 1"),
        ({"description": ["a", None]}, "description", "in every row of the predictions to join by it, row 1 lacks it"),
        ({"description": ["a", "b"]}, "sample_id", "expected 'sample_id' in the predictions to join by it"),
        ({"description": ["a", "b"]}, "colour", "expected 'colour' in the predictions to join by it"),
        ({}, "description", "they have of such columns: none"),
    ],
)
def test_mistakes_by_hand(predictions, join, message):
    with pytest.raises(ValueError, match=r"^expected") as error:
        order_of(2, predictions, {"description": ["a", "b"], "sample_id": [1, 2]}, join)
    assert message in str(error.value)


def test_what_is_left_over_is_no_join():
    with pytest.raises(ValueError, match="a reference for each prediction to join by description, 1 have none, the fi"):
        order_of(3, {"description": ["a", "c", "b"]}, {"description": ["a", "b"]}, "description")
    with pytest.raises(ValueError, match="once each in the references to join by it, rows 0 and 1 have 'a'; two col"):
        order_of(2, {"description": ["a", "b"]}, {"description": ["a", "a"], "sample_id": [1, 2]}, "description")


@pytest.mark.parametrize("join", ["description", "sample_id,description"])
def test_no_join_is_advised_where_none_works(join):
    """Emo3D has a description once for each picture of its row."""
    rows = {"description": ["a", "a"], "sample_id": [1, 1]}
    with pytest.raises(ValueError, match=r"rows 0 and 1 have .*; without a join, rows go by position"):
        order_of(2, rows, rows, join)


@pytest.fixture
def settings(clip_folder):
    return ScoreSettings(backbone=clip_folder, k=2, n_bootstrap=20)


@pytest.fixture
def expected(settings):
    return score(EXPRESSIONS, REFERENCES, settings=settings)


TABLES = {
    "rows": lambda rows: rows,
    "columns": lambda rows: pd.DataFrame(rows).to_dict("list"),
    "dataset": datasets.Dataset.from_list,
    "frame": pd.DataFrame,
    "arrow": pa.Table.from_pylist,
    "named": lambda rows: pd.DataFrame(
        [{**row, **dict(zip(emo3d.BLENDSHAPES, row["blendshapes"], strict=True))} for row in rows]
    ).drop(columns="blendshapes"),
}


@pytest.mark.parametrize("table", TABLES)
def test_tables_in_python(table, settings, expected):
    given = TABLES[table](ROWS)
    for join in ("description", "sample_id"):
        joined = score(given, REFERENCES, settings=settings, join=join)
        assert joined.per_sample["kl_divergence"] == pytest.approx(expected.per_sample["kl_divergence"], abs=1e-6)
    with pytest.raises(ValueError, match="row 0 has the sample_id '13' and reference 0 has '10'"):
        score(given, REFERENCES, settings=settings)
    in_order = TABLES[table]([ROWS[TURNED.index(row)] for row in range(6)])
    assert score(in_order, REFERENCES, settings=settings).kl_divergence == pytest.approx(expected.kl_divergence)


@pytest.fixture
def files(tmp_path):
    """The rows, turned, in each kind of file that has columns; and their references."""
    table = pa.Table.from_pylist(ROWS)
    parquet.write_table(table, tmp_path / "faces.parquet")
    (tmp_path / "faces.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    frame = TABLES["named"](ROWS)
    frame.to_csv(tmp_path / "faces.csv", index=False)
    parquet.write_table(pa.Table.from_pylist(REFERENCES), tmp_path / "references.parquet")
    return tmp_path


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv"])
def test_the_command(files, kind, settings, expected, clip_folder):
    arguments = ["score", files / f"faces.{kind}", "--references", files / "references.parquet", "--out", files / "o"]
    arguments = [*map(str, arguments), "--backbone", clip_folder, "--k", "2"]
    done = CliRunner().invoke(app, arguments)
    assert "expected the predictions in the order of the references, but row 0 has the sample_id" in str(done.exception)
    assert "--join sample_id" in str(done.exception)
    assert not (files / "o").exists()
    done = CliRunner().invoke(app, [*arguments, "--join", "sample_id"])
    assert done.exit_code == 0, done.output
    found = Emo3DResult.load(files / "o").per_sample["kl_divergence"]
    assert found == pytest.approx(expected.per_sample["kl_divergence"], abs=1e-5)


def test_a_corpus(files, settings, expected):
    given = (files / "faces.parquet", files / "references.parquet", files / "out")
    with pytest.raises(ValueError, match="row 0 has the sample_id '13'"):
        score_corpus(*given, settings=settings)
    joined = score_corpus(*given, settings=settings, join="description")
    assert joined.per_sample["kl_divergence"] == pytest.approx(expected.per_sample["kl_divergence"], abs=1e-5)


def test_the_metric_of_evaluate(expected, clip_folder):
    evaluate = pytest.importorskip("evaluate", reason="needs the extra [metric]")
    metric = evaluate.load(emo3d.metric_path(), keep_in_memory=True, backbone=clip_folder, k=2)
    for given in (ROWS, datasets.Dataset.from_list(ROWS)):
        with pytest.raises(ValueError, match="row 0 has the sample_id '13'"):
            metric.compute(predictions=given, references=REFERENCES)
        result = metric.compute(predictions=given, references=REFERENCES, join="description")
        assert result["kl_divergence"] == pytest.approx(expected.kl_divergence, abs=1e-6)


def test_predictions_without_columns_are_taken_in_order(files, settings, expected):
    np.save(files / "faces.npy", EXPRESSIONS)
    expressions, space, keys = read_predictions_file(files / "faces.npy")
    assert (space, keys) == (None, {})
    assert score(expressions, REFERENCES, settings=settings).kl_divergence == pytest.approx(expected.kl_divergence)


EMOTIONS = dict(zip(emo3d.EMOTIONS, [0.1, 0.2, 0, 0, 0, 0, 0, 0.9], strict=True))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", json.dumps({"description": "x", "intensities": list(EMOTIONS.values())})),
        ("a.jsonl", json.dumps({"description": "x", **EMOTIONS})),
        ("a.jsonl", json.dumps({"description": "x", "intensities": EMOTIONS})),
        ("a.csv", 'description,intensities\nx,"[0.1 0.2 0 0 0 0 0 0.9]"\n'),
        ("a.csv", f"{','.join(EMOTIONS)},description\n0.1,0.2,0,0,0,0,0,0.9,x\n"),
        ("a.csv", f"{';'.join(EMOTIONS)};description\r\n0.1;0.2;0;0;0;0;0;0.9;x\r\n"),
    ],
)
def test_references_from_a_file(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    read = read_references_file(tmp_path / name)
    assert (read.descriptions, read.intensities.tolist()) == (["x"], [list(EMOTIONS.values())])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text,intensities\nx,1\n", "a.csv: expected printed"),
        (
            "text,happiness\nx,1\n",
            "a.csv: expected references with 'description', got text, happiness; did you mean 'text'",
        ),
        ("description,mood\nx,1\n", "a.csv: expected references with 'intensities', got description, mood"),
        ("description,happiness\nx,much\n", "a.csv: expected a number for happiness in row 0, got 'much'"),
        ("", "a.csv: expected references with 'description', got no columns"),
    ],
)
def test_references_that_are_none(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=r"^a.csv: ") as error:
        read_references_file(tmp_path / "a.csv")
    assert message.replace("printed", "a printed array") in str(error.value)


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (
            {"predictions": [[0] * 51]},
            REFERENCES[:1],
            "got none for any among predictions; did you mean 'predictions'?",
        ),
        (EXPRESSIONS[:1], [{"text": "x", "intensities": [1] * 8}], "got text, intensities; did you mean 'text'?"),
        (EXPRESSIONS[:1], {"descriptions": [["x"]]}, 'the config "pairs" has a row for each description'),
        ("faces.csv", REFERENCES, "got the text 'faces.csv'; emo3d.expressions.read_expressions reads a file"),
        (EXPRESSIONS, "sample", "got the text 'sample'; emo3d.scoring.open_references reads a dataset by its name"),
    ],
)
def test_messages_name_what_is_there(predictions, references, message):
    with pytest.raises(ValueError, match="expected") as error:
        score(predictions, references, backbone="quickstart")
    assert message in str(error.value)


def test_keywords_and_frames(expected, clip_folder):
    keywords = score(EXPRESSIONS, pd.DataFrame(REFERENCES), backbone=clip_folder, k=2, n_bootstrap=20)
    assert keywords.signature == expected.signature
    assert keywords.kl_divergence == expected.kl_divergence
    assert replace(keywords, emo3d=0).n == 6
    with pytest.raises(TypeError, match="score\\(\\) takes no argument 'spcae'; did you mean 'space'\\?"):
        score(EXPRESSIONS, REFERENCES, spcae="reading")
