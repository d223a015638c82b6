"""Every door that takes a stranger's file, with damaged ones: a quick seeded run here, a long one by the marker.

`EMO3D_FUZZ=50000 pytest -m fuzz tests/fuzz` shares 50,000 examples among the doors.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_DOORS = sorted(path.stem for path in (_HERE / "doors").glob("[a-z]*.py"))
_SILENT = 40  # seconds without a heartbeat: a hang that no alarm ends


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
    command = [sys.executable, _HERE / "attack.py", door, str(examples), str(seed), heartbeat]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    with output.open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process:
        started = time.time()
        while process.poll() is None:
            time.sleep(0.1)
            if time.time() - max(heartbeat.stat().st_mtime, started + 60) > _SILENT:
                process.kill()
    assert process.returncode == 0, output.read_text()[-6000:]
