"""Every door that takes a stranger's file, with damaged ones: a quick seeded run here, a long one by the marker.

`EMO3D_FUZZ=50000 pytest -m fuzz tests/fuzz` shares 50,000 examples among the doors.
"""

import gc
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from forks import FORKS

_HERE = Path(__file__).parent
_DOORS = sorted(path.stem for path in (_HERE / "doors").glob("[a-z]*.py"))
_SILENT = 300  # seconds without a heartbeat: a hang that no alarm ends


@pytest.mark.parametrize("door", _DOORS)
def test_whatever_comes_in_is_read_or_refused_in_a_sentence(door, tmp_path):
    _attack(door, 40, 0, tmp_path)


@pytest.mark.fuzz
@pytest.mark.parametrize("door", _DOORS)
def test_for_long(door, tmp_path):
    _attack(door, int(os.environ.get("EMO3D_FUZZ", 50_000)) // len(_DOORS) + 1, 1, tmp_path)


def _attack(door, examples, seed, tmp_path):
    heartbeat, output = tmp_path / "heartbeat", tmp_path / "output"
    heartbeat.touch()
    process = FORKS.Process(target=_enter, args=(door, examples, seed, heartbeat, output))
    process.start()
    started = time.time()
    while process.is_alive():
        process.join(0.1)
        if time.time() - max(heartbeat.stat().st_mtime, started + 60) > _SILENT:
            process.kill()
    assert process.exitcode == 0, output.read_text()[-6000:]
    print(output.read_text().splitlines()[-1])


def _enter(door, examples, seed, heartbeat, output):
    """What the forked process does; all that it says, also from C, goes to a file."""
    gc.freeze()  # hypothesis collects garbage, and what was imported is none
    file = os.open(output, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    tempfile.tempdir = str(heartbeat.parent)
    sys.path.insert(0, str(_HERE))
    from attack import attack

    attack(door, examples, seed, heartbeat)
