"""The examples under docs run as their heads say, and their numbers are those of plain `score`."""

import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import load_dataset

from emo3d import ScoreSettings, load_generator, score
from emo3d.dataset import sample_folder
from emo3d.scoring import Bank, Emo3DResult, load_backbone
from hanging import HANGS

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
QUICKSTART = ScoreSettings(backbone="quickstart")


@pytest.fixture(scope="module")
def sample():
    return load_dataset(str(sample_folder())).select_columns(["description", "intensities", "blendshapes"])


def test_training_with_the_score(sample, tmp_path):
    torch.manual_seed(1)
    model, history = runpy.run_path(str(EXAMPLES / "train_with_score.py"))["train"](epochs=2, out=str(tmp_path))
    assert [entry["epoch"] for entry in history] == [1, 2]
    best = min(history, key=lambda entry: entry["eval_emo3d"])
    validation = sample["validation"]
    with torch.inference_mode():
        embeddings = model.text_encoder().encode(list(validation["description"])).embeddings
        expressions = model.eval()(embeddings=embeddings).expressions.numpy()
    assert best["eval_mse"] == pytest.approx(np.square(expressions - validation["blendshapes"]).mean(), abs=1e-6)
    rows = [row for split in ("train", "validation") for row in sample[split]]
    columns = ([row[name] for row in rows] for name in ("description", "intensities"))
    bank = Bank.encode(*columns, load_backbone("quickstart"))
    result = score(expressions, validation, bank=bank, settings=QUICKSTART)
    assert best["eval_emo3d"] == pytest.approx(result.emo3d, abs=1e-6)
    assert best["eval_recall_at_k"] == pytest.approx(result.recall_at_k)


def test_two_processes_score_as_one(sample, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = f"-m accelerate.commands.launch --multi_gpu --num_processes 2 --main_process_port {port}".split()
    script = [str(EXAMPLES / "score_on_processes.py"), "--out", str(tmp_path / "result.json")]
    done = subprocess.run(
        [sys.executable, *launch, *script],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {line for line in done.stdout.splitlines() if line.startswith("process")} == {
        "process 0: 125 faces",
        "process 1: 125 faces",
    }
    test = sample["test"].remove_columns("blendshapes")
    expected = score(load_generator().generate(list(test["description"])), test, settings=QUICKSTART)
    result = Emo3DResult.load(tmp_path / "result.json")
    assert (result.signature, result.references) == (expected.signature, expected.references)
    assert result.kl_divergence == pytest.approx(expected.kl_divergence, abs=1e-6)
    assert result.intervals["emo3d"] == pytest.approx(expected.intervals["emo3d"], abs=1e-6)
    assert result.per_sample["kl_divergence"] == pytest.approx(expected.per_sample["kl_divergence"], abs=1e-6)
