"""Expressions for all descriptions of a dataset: the rows of `generate`, resumed after a kill to the same bytes."""

import json
import re
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import commands
from emo3d import load_generator
from emo3d.cli import app
from emo3d.dataset import sample_folder
from emo3d.expressions import read_expressions
from emo3d.scoring import ScoreSettings
from emo3d_lab.training import evaluate_model, write_predictions
from emo3d_lab.training.predictions import read_descriptions
from hanging import HANGS, wait_until

SAMPLE = sample_folder() / "test.parquet"


def descriptions(count=None):
    return pq.read_table(SAMPLE)["description"].to_pylist()[:count]


def command(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_the_sample_by_command(tmp_path):
    out = tmp_path / "predictions.parquet"
    assert "wrote 250 expressions" in command("generate", "--dataset", "sample", "--split", "test", "--out", out)
    table = pq.read_table(out)
    assert table.column_names == ["sample_id", "description", "blendshapes"]
    assert table["description"].to_pylist() == descriptions()
    assert table["sample_id"].to_pylist() == pq.read_table(SAMPLE)["sample_id"].to_pylist()
    expressions, space = read_expressions(out)
    assert space == "weights"
    np.testing.assert_allclose(expressions, load_generator().generate(descriptions()), atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.parquet"]
    scored = command("score", out, "--references", "sample", "--backbone", "quickstart")
    emo3d = float(re.search(r"emo3d\W+([0-9.]+)", scored)[1])
    assert emo3d == pytest.approx(0.672, abs=5e-4)  # README's table of the quickstart run


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_descriptions_of_a_file(tmp_path, suffix):
    texts = ['She laughs, then "cries"', "fear"]
    path = tmp_path / f"texts{suffix}"
    if suffix == ".csv":
        path.write_text('id,description\n1,"She laughs, then ""cries"""\n2,fear\n')
    else:
        path.write_text("".join(json.dumps({"id": 1, "description": text}) + "\n" for text in texts))
    assert write_predictions("quickstart", path, tmp_path / "out.parquet") == 2
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["description", "blendshapes"]
    assert table["description"].to_pylist() == texts


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"sample_id,description\n1,fear\n12,5\n", {"sample_id": [1, 12], "description": ["fear", "5"]}),
        (b"sample_id,description\r007,fear\r", {"sample_id": ["007"], "description": ["fear"]}),
        ("sample_id,description\n1,é\n".encode("utf-16"), {"sample_id": [1], "description": ["é"]}),
        ("\ufeffsample_id;description\n1;fear\n".encode(), {"sample_id": [1], "description": ["fear"]}),
        (b"sample_id,description\n99999999999999999999,fear\n", {"sample_id": ["9" * 20], "description": ["fear"]}),
    ],
    ids=["numbers", "text, and carriage returns", "UTF-16", "semicolons", "20 digits"],
)
def test_a_table_of_descriptions_is_read_as_references_are(tmp_path, content, expected):
    (tmp_path / "texts.csv").write_bytes(content)
    assert read_descriptions(tmp_path / "texts.csv") == expected


def test_what_is_refused_before_anything_is_generated(tmp_path):
    (tmp_path / "texts.csv").write_text("text\nfear\n")
    (tmp_path / "blank.csv").write_text("description,b\nfear,1\n ,2\n")
    (tmp_path / "bytes.csv").write_bytes(b"\x80sample_id,description\n1,fear\n")
    (tmp_path / "list.jsonl").write_text("[1]\n")
    cases = {
        ("texts.csv", "out.parquet"): "expected a column 'description' in .*, got text",
        ("blank.csv", "out.parquet"): "row 1",
        ("nothing.csv", "out.parquet"): "no such file",
        ("bytes.csv", "out.parquet"): r"bytes\.csv: expected a CSV file in UTF-8 or UTF-16, got other bytes in line 1",
        ("list.jsonl", "out.parquet"): r"list\.jsonl: expected an object in row 0, got list",
        ("texts.csv", "out.csv"): r"expected a file of \.parquet, got out\.csv",
        ("texts.csv", "nodir/out.parquet"): "the folder .*nodir does not exist",
    }
    for (name, out), message in cases.items():
        with pytest.raises((ValueError, OSError), match=message):
            write_predictions("quickstart", tmp_path / name, tmp_path / out)
    with pytest.raises(ValueError, match=r"expected --out FILE\.parquet with --dataset"):
        command("generate", "--dataset", "sample")
    with pytest.raises(ValueError, match="with --dataset, which gives the descriptions"):
        command("generate", "happy", "--dataset", "sample", "--out", tmp_path / "x.parquet")


KILLED = """
import sys, time
from emo3d_lab.training import write_predictions
from emo3d.generation import ExpressionModel
if sys.argv[3] == "slowly":
    generate = ExpressionModel.generate
    ExpressionModel.generate = lambda *a, **k: (time.sleep(0.5), generate(*a, **k))[1]
write_predictions("quickstart", sys.argv[1], sys.argv[2], block_size=10)
"""


def test_killed_and_run_again_it_has_the_same_bytes(tmp_path):
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps({"description": text}) + "\n" for text in descriptions(60)))

    def start(out, how):
        return commands.Started(KILLED, texts, out, how, out=tmp_path / "log")

    assert start(tmp_path / "whole.parquet", "at once").wait(HANGS) == 0
    process = start(tmp_path / "killed.parquet", "slowly")
    wait_until(lambda: len(list(tmp_path.glob(".killed.parquet.*/*.parquet"))) >= 2, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob(".killed.parquet.*/[0-9]*.parquet")}
    assert kept
    assert not (tmp_path / "killed.parquet").exists()
    assert start(tmp_path / "killed.parquet", "at once").wait(HANGS) == 0
    assert (tmp_path / "killed.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert not list(tmp_path.glob(".killed*"))


def test_an_evaluation_keeps_its_expressions(tmp_path):
    out = tmp_path / "kept.parquet"
    settings = ScoreSettings(backbone="quickstart")
    evaluation = evaluate_model("quickstart", str(SAMPLE), settings=settings, predictions=out)
    expressions, space = read_expressions(out)
    assert space == "weights"
    assert pq.read_table(out)["description"].to_pylist() == descriptions()
    truth = np.array(pq.read_table(SAMPLE)["blendshapes"].to_pylist())
    assert evaluation.result.mse == pytest.approx(((expressions - truth) ** 2).mean(), abs=1e-6)
