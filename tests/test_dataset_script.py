"""The dataset artifact, as a user loads it: offline, from a cache that has never seen it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

from hanging import HANGS

FOLDER = Path(__file__).parents[1] / "dataset_script"
CARD = DatasetCard.load(FOLDER / "README.md")

LOAD = """
import json, sys
from datasets import load_dataset
data = load_dataset(sys.argv[1], "sample")
row = data["test"][0]
arrays = data["test"].with_format("numpy")
expressions = arrays[:3]["blendshapes"]
tensors = data["train"].with_format("torch")[:4]
# To its end: Arrow may abort a process that leaves Parquet half streamed, apache/arrow#45214
streamed, *_ = load_dataset(sys.argv[1], "sample", split="validation", streaming=True)
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
    done = subprocess.run(command, env=os.environ | offline, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


COLUMNS = ["sample_id", "description", "intensities", "blendshapes", "image", "identity", "readings"]


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


MISSING = """
import sys
from datasets import load_dataset
try:
    load_dataset(sys.argv[1])
except ValueError as error:
    print(error)
"""


def test_what_is_not_there_is_said(tmp_path):
    """The configs that `emo3d build` makes; the card quotes this sentence."""
    command = [sys.executable, "-c", MISSING, str(FOLDER)]
    done = subprocess.run(
        command, env=os.environ | {"HF_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=HANGS
    )
    assert "all the data_files are invalid" in done.stdout
    assert "all the data_files are invalid" in " ".join(CARD.text.split())


def test_configs_of_the_card():
    configs = {config["config_name"]: config for config in CARD.data.configs}
    # `datasets` looks for the files of the first config, whichever is asked for: these are always there
    assert list(configs) == ["sample", "clips", "checklist", "default", "pairs", "primitive"]
    assert [name for name, config in configs.items() if config.get("default")] == ["default"]
    for name, config in configs.items():
        ending = (
            ".parquet" if name in ("sample", "clips", "checklist") else "-*.parquet"
        )  # as in `emo3d_lab.building.shards.Shard.path`
        splits = {"primitive": ["train"], "checklist": ["test"]}.get(name, ["train", "validation", "test"])
        assert config["data_files"] == [{"split": of, "path": f"data/{name}/{of}{ending}"} for of in splits]


def test_figures_of_the_card():
    """What the card says of the sample and the clips, counted in its files."""
    paths = [FOLDER / "data/clips" / f"{split}.parquet" for split in ("train", "validation", "test")]
    tables = [pq.read_table(path, columns=["length", "rate", "beats"]) for path in paths]
    counts = ", ".join(str(len(table)) for table in tables)
    seconds = sum(sum(row["length"] / row["rate"] for row in table.to_pylist()) for table in tables)
    beats = sum(len(row) for table in tables for row in table["beats"].to_pylist())
    said = f"{counts} clips (train, validation, test) of {seconds / 60:.0f} minutes and {beats} beats"
    assert said in " ".join(CARD.text.split())
    tables = [pq.read_table(path, columns=["intensities"]) for path in (FOLDER / "data" / "sample").glob("*.parquet")]
    intensities = np.concatenate([np.array(table["intensities"].to_pylist()) for table in tables])
    off = int((np.abs(intensities.sum(axis=1) - 1) > 1e-6).sum())
    assert f"In {off} of the {len(intensities)} rows they do not sum to one." in " ".join(CARD.text.split())


def test_the_card_names_licences_and_what_is_synthetic():
    assert CARD.data.license == ["mit", "apache-2.0"]
    sample = CARD.text.partition("## The synthetic sample")[2].partition("\n## ")[0]
    for word in ("synthetic", "EMFACS", "held out", "mouthClose", "**weights**"):
        assert word in sample
    for word in ("81%", "MIT, © 2025 Mahshid Dehghani", "do not sum to one", "is null where", "not known to us"):
        assert word in CARD.text


def test_links_of_the_card():
    """Those within the card and within the repository."""
    headings = {line[3:].lower().replace(" ", "-") for line in CARD.text.splitlines() if line.startswith("## ")}
    for link in re.findall(r"\]\(([^)]*)\)", CARD.text):
        if link.startswith("#"):
            assert link[1:] in headings
        elif not link.startswith("https://"):
            assert (FOLDER / link).is_file(), link
