"""What the tests here share: a few texts, and training as a command, undisturbed, or killed and resumed."""

import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

import commands
from hanging import wait_until

TEXTS = [
    "a sad man",
    "a happy woman",
    "a very angry man",
    "the calm woman",
    "a man winks the left eye",
    "a woman winks the right eye",
    "a very happy man",
    "very very sad",
]
NO_KILL = "expected a run that is killed before its end"


def command(*arguments):
    return [sys.executable, "-m", "emo3d", "train", *arguments]


def train(*arguments):
    done = commands.run("train", *arguments)
    assert done.returncode == 0, done.stderr


def kill_and_resume(recipe, rows, settings, folder, *others):
    """Train twice, the second time with a SIGKILL after the first checkpoint; both folders."""
    options = [part for setting in settings for part in ("--set", setting)]
    arguments = ["--model", recipe, "--dataset", str(rows), *options, *others, "--output"]
    undisturbed, disturbed = folder / "undisturbed", folder / "disturbed"
    train(*arguments, undisturbed)

    log = folder / "disturbed.log"
    process = commands.Started(commands.EMO3D, "train", *arguments, disturbed, out=log)
    wait_until(lambda: list(disturbed.glob("checkpoint-*/trainer_state.json")), process, log)
    process.kill()
    assert process.wait() == -signal.SIGKILL, NO_KILL
    assert not (disturbed / "model.safetensors").exists(), NO_KILL
    (disturbed / "checkpoint-9999").mkdir()  # a checkpoint that a kill cut short
    train(*arguments, disturbed, "--resume")
    return undisturbed, disturbed


def assert_same_bits(one, other):
    one, other = (load_file(Path(folder) / "model.safetensors") for folder in (one, other))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
