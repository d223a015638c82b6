"""`accelerate launch -m emo3d.cli score`: two processes give the numbers of one, whatever their shares are."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("accelerate", reason="needs the extra train")

from emo3d.cli import app
from emo3d.face.export import write_json
from emo3d.scoring import Emo3DResult, ScoreSettings, score
from emo3d_lab.corpus import score_launched
from hanging import HANGS

WORDS = "happy sad angry calm afraid smile frown".split()
REFERENCES = [
    {"description": f"a {word} face", "intensities": [0.1] * place + [0.9] + [0.1] * (7 - place)}
    for place, word in enumerate(WORDS)
]


def launch(folder, *arguments):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # `--multi_gpu` starts the processes without GPUs, too; with `--cpu`, accelerate 1.15 starts one.
    launcher = f"-m accelerate.commands.launch --multi_gpu --num_processes 2 --main_process_port {port} -m emo3d.cli"
    return subprocess.run(
        [sys.executable, *launcher.split(), "score", "faces.json", "--references", "references.parquet", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )


@pytest.mark.parametrize(("rows", "k"), [(7, 3), (1, 1)])  # shares of 3 and 4; of none and 1
def test_two_processes_score_as_one(rows, k, tmp_path):
    import datasets

    expressions = np.random.default_rng(0).random((rows, 51)).round(3) / 2
    write_json(tmp_path / "faces.json", expressions)
    datasets.Dataset.from_list(REFERENCES[:rows]).to_parquet(tmp_path / "references.parquet")
    done = launch(tmp_path, "--backbone", "quickstart", "--k", str(k), "--batch-size", "2", "--out", "out.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Emo3D, n = ") == done.stdout.count("wrote out.json") == 1  # the main process alone
    settings = ScoreSettings(backbone="quickstart", k=k)
    expected = score(expressions, REFERENCES[:rows], settings=settings, batch_size=2)
    result = Emo3DResult.load(tmp_path / "out.json")
    assert (result.signature, result.references, result.n) == (expected.signature, expected.references, rows)
    assert result.kl_divergence == pytest.approx(expected.kl_divergence, abs=1e-6)
    for name, ends in expected.intervals.items():
        assert result.intervals[name] == pytest.approx(ends, abs=1e-6)
    for name, values in expected.per_sample.items():
        assert result.per_sample[name] == pytest.approx(values, abs=1e-6)


def test_samples_are_for_other_engines(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = CliRunner().invoke(app, ["score", "faces.json", "--references", "sample", "--samples", "samples"])
    assert "expected no --samples from the processes of a launcher" in str(done.exception)


def test_pictures_in_one_process():
    pictures = np.random.default_rng(0).integers(256, size=(3, 32, 32, 3), dtype=np.uint8)
    settings = ScoreSettings(backbone="quickstart", k=2)
    expected = score(list(pictures), REFERENCES[:3], settings=settings)
    found = score_launched(list(pictures), REFERENCES[:3], settings=settings)
    assert found.signature == expected.signature
    assert found.per_sample["kl_divergence"] == pytest.approx(expected.per_sample["kl_divergence"], abs=1e-6)
