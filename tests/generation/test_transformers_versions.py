"""The lowest transformers that setup.cfg declares, in an environment of its own (`make environments`)."""

import configparser
import os
import subprocess
from pathlib import Path

import pytest

from hanging import HANGS

ROOT = Path(__file__).resolve().parents[2]
VERSION = "4.57"
PYTHON = ROOT / ".venv-transformers" / VERSION / "bin" / "python"
TESTS = ["tests/generation/test_precision.py", "tests/generation/test_pipeline.py", "tests/generation/test_portable.py"]


def test_it_is_the_lowest_that_is_declared():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert f"transformers>={VERSION},<6" in setup["options"]["install_requires"].split()


@pytest.mark.skipif(not PYTHON.exists(), reason="needs `make environments`")
def test_generators_pipelines_and_their_portable_code():
    command = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "start"), str(ROOT / "src")])}
    version = [PYTHON, "-c", "from importlib.metadata import version; print(version('transformers'))"]
    used = subprocess.run(version, capture_output=True, text=True, check=True).stdout
    assert used.startswith(f"{VERSION}.")
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HANGS, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
