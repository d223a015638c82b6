"""The inspect-ai task, in an environment of its own (`make environments`), where inspect_task.py is run."""

import configparser
import os
import subprocess
from pathlib import Path

import pytest

from hanging import HANGS

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-inspect" / "0.3" / "bin" / "python"


@pytest.fixture
def installed(tmp_path):
    """The packages where inspect takes them for installed ones."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folder = tmp_path / "site-packages"
    info = folder / "emo3d-0.dist-info"
    info.mkdir(parents=True)
    for package in ("emo3d", "emo3d_lab", "emo3d_demo"):
        (folder / package).symlink_to((ROOT / "src" / package).resolve())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: emo3d\nVersion: 0\n")
    points = setup["options.entry_points"].items()
    (info / "entry_points.txt").write_text("".join(f"[{group}]{names}\n" for group, names in points))
    return folder


@pytest.mark.skipif(not PYTHON.exists(), reason="needs `make environments`")
def test_language_models_act_under_inspect(installed, tmp_path):
    command = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0"]
    command += ["-o", "addopts=", "tests/lab/inspect_task.py"]  # which a run of all tests leaves out
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "start"), str(installed)])}
    environment["INSPECT_LOG_DIR"] = str(tmp_path / "logs")
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HANGS, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
