"""The dataset artifact, as a user loads it: offline, from a cache that has never seen it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "dataset_script"

LOAD = """
import json, sys
from datasets import load_dataset
data = load_dataset(sys.argv[1], "sample")
row = data["test"][0]
arrays = data["test"].with_format("numpy")
expressions = arrays[:3]["blendshapes"]
tensors = data["train"].with_format("torch")[:4]
streamed = next(iter(load_dataset(sys.argv[1], "sample", split="validation", streaming=True)))
print(json.dumps({
    "rows": {split: len(data[split]) for split in data},
    "columns": data["train"].column_names,
    "lengths": [data["train"].features[name].length for name in ("intensities", "blendshapes")],
    "kinds": [type(data["train"].features[name]).__name__ for name in ("image", "description", "sample_id")],
    "picture": [row["image"].mode, *row["image"].size],
    "numpy": [list(expressions.shape), str(expressions.dtype), list(arrays[0]["image"].shape)],
    "torch": [list(tensors["blendshapes"].shape), str(tensors["blendshapes"].dtype), list(tensors["image"].shape)],
    "streamed": sorted(streamed),
}))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    offline = {"HF_HOME": str(tmp_path_factory.mktemp("home")), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", LOAD, str(FOLDER)]
    done = subprocess.run(command, env=os.environ | offline, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


COLUMNS = ["sample_id", "description", "intensities", "blendshapes", "image", "identity"]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("rows", {"train": 200, "validation": 50, "test": 250}),
        ("columns", COLUMNS),
        ("lengths", [8, 51]),
        ("kinds", ["Image", "Value", "Value"]),
        ("picture", ["RGB", 224, 224]),
        ("numpy", [[3, 51], "float32", [224, 224, 3]]),
        ("torch", [[4, 51], "torch.float32", [4, 3, 224, 224]]),
        ("streamed", sorted(COLUMNS)),
    ],
)
def test_load_dataset(loaded, what, expected):
    assert loaded[what] == expected


def test_the_card_says_synthetic():
    card = (FOLDER / "README.md").read_text("utf-8")
    assert card.startswith("---\n")
    assert "synthetic" in card.split("---")[2].lower().split("\n\n")[1]
    for word in ("mouthClose", "EMFACS", "held out", "Limits", "Apache-2.0", "Citation"):
        assert word in card
