"""What each version of `datasets` returns goes into the metric as it comes, and gives the same numbers.

`make environments` makes an environment for each; its packages are put before those of this one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hanging import HANGS

pytest.importorskip("evaluate", reason="needs the extra [metric]")

ENVIRONMENTS = Path(__file__).parents[2] / ".venv-datasets"
PYTHON = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
WORDS = "happy sad calm angry".split()

CLIENT = """
import json
import sys

import datasets
import emo3d
import evaluate

rows, settings = json.loads(sys.argv[1])
rows = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image())
metric = evaluate.load(emo3d.metric_path(), per_sample=True, **settings)
plain = {name: rows[name] for name in ("description", "intensities", "blendshapes")}
undecoded = rows.cast_column("image", datasets.Image(decode=False))
found = {"version": datasets.__version__}
for name, predictions, references in [
    ("expressions", rows["blendshapes"], rows.remove_columns("image")),
    ("expressions, columns", rows[:]["blendshapes"], plain),
    ("expressions, formatted", rows.with_format("numpy")["blendshapes"], plain),
    ("pictures", rows["image"], rows.remove_columns("image")),
    ("pictures, columns", undecoded["image"], plain),
    ("pictures, formatted", rows.with_format("numpy")["image"], plain),
]:
    found[name] = metric.compute(predictions=predictions, references=references)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory, clip_folder):
    """Run the client with packages put before these; what it found."""
    folder = tmp_path_factory.mktemp("rows")
    rng = np.random.default_rng(0)
    rows = []
    for word in WORDS:
        path = folder / f"{word}.png"
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(path)
        numbers = {"intensities": rng.random(8).tolist(), "blendshapes": (rng.random(51) / 2).round(3).tolist()}
        rows.append({"description": f"a {word} face", "image": str(path), **numbers})
    given = json.dumps([rows, {"backbone": clip_folder, "k": 2}])

    def in_environment(packages=None):
        home = tmp_path_factory.mktemp("home")
        folders = os.pathsep.join([*([str(packages)] if packages else []), os.environ["PYTHONPATH"]])
        environment = os.environ | {"HF_HOME": str(home), "PYTHONPATH": folders}
        command = [sys.executable, "-c", CLIENT, given]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return in_environment


@pytest.fixture(scope="module")
def newest(run):
    return run()


def test_columns_are_one_thing(newest):
    """Two kinds of predictions, three kinds of columns of each."""
    results = [result for name, result in newest.items() if name != "version"]
    assert results == [results[0]] * 3 + [results[3]] * 3
    assert [results[0]["mse"], results[3]["mse"]] == [0, None]  # the references' own expressions, and pictures


@pytest.mark.parametrize("version", ["2.19", "3.6", "4"])
def test_columns_of_every_version(run, newest, version):
    packages = ENVIRONMENTS / version / PYTHON
    if not packages.is_dir():
        pytest.skip(f"no datasets {version} for this Python: `make environments`")
    found = run(packages)
    assert found.pop("version").startswith(version)
    for name, result in found.items():
        for number in (
            "emo3d",
            "kl_divergence",
            "recall_at_k",
            "mse",
            "amplitude",
        ):  # another NumPy may round otherwise
            assert result[number] == pytest.approx(newest[name][number], abs=1e-9)
        assert (result["signature"], result["references"]) == (newest[name]["signature"], newest[name]["references"])
        np.testing.assert_allclose(result["per_sample"]["distribution"], newest[name]["per_sample"]["distribution"])
