"""While the Hub fails, publishing goes through or stops with a message, and goes through on the next run.

A branch never holds but a whole version, and none is committed twice. EMO3D_FAULTS=all tries each failure, passing and
lasting, at each kind of call, or takes a number of runs at random.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hanging import HANGS

FAULTS = Path(__file__).with_name("hub_faults.py")
CALLS = (
    "whoami",
    "create",
    "info",
    "commits",
    "validate",
    "preupload",
    "batch",
    "PUT",
    "verify",
    "commit",
    "branch",
    "tag",
)


@pytest.mark.parametrize("runs", ["turn", "20", *os.environ.get("EMO3D_FAULTS", "").split()])
def test_faults(runs, record_property):
    command = [sys.executable, str(FAULTS), runs, "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    record_property("outcomes", found)
    assert found["wrong"] == []
    assert found["went through"] > 0
    assert [call for call in CALLS if not any(call in each for each in found["calls"])] == []
    if runs == "turn":  # one failure that passes is not even noticed
        assert found.get("stopped", 0) == 0
