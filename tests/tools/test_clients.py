"""What was published, through the clients that users have: from an empty cache, in fresh processes."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import evaluate
import pyarrow.parquet as pq
import pytest
from publisher import ROOT

import emo3d
from emo3d_lab.building.build import build
from hanging import HANGS
from hub import Hub

LEGACY = ROOT / ".venv-datasets" / "3.6" / "bin" / "python"
DESCRIPTIONS = ["She is overjoyed", "He is deeply sad", "Utterly revolted by the smell"]
REFERENCES = [
    {"description": text, "intensities": {emotion: 0.9}}
    for text, emotion in zip(DESCRIPTIONS, ("happiness", "sadness", "disgust"), strict=True)
]
SETTINGS = {"backbone": "quickstart", "k": 1, "n_bootstrap": 100}

READ = """
import json, sys
from datasets import load_dataset
found = {}
"""
DATASET = (
    READ
    + """
from datasets import get_dataset_config_names
try:  # first: of what is in the cache already, nothing would be said
    load_dataset("me/emo3d", revision="script")
except Exception as error:
    found["script"] = str(error)
found["configs"] = get_dataset_config_names("me/emo3d")
for name in (None, "sample"):
    rows = load_dataset("me/emo3d", name)
    found[str(name)] = {split: of["description"][:] for split, of in rows.items()}
found["blendshapes"] = rows["test"]["blendshapes"][:]
found["picture"] = rows["test"][0]["image"].size
streamed = load_dataset("me/emo3d", split="validation", streaming=True)
found["streamed"] = [row["description"] for row in streamed]
"""
)
SCRIPT = (
    READ
    + """
for name in ("pairs", "sample"):
    rows = load_dataset("me/emo3d", name, revision="script", trust_remote_code=True)
    found[name] = {split: of["description"][:] for split, of in rows.items()}
streamed = load_dataset("me/emo3d", "pairs", revision="script", trust_remote_code=True, streaming=True)
found["streamed"] = {split: [row["description"] for row in of] for split, of in streamed.items()}
"""
)
METRIC_AND_MODELS = """
import json, sys
from pathlib import Path
import evaluate
import numpy as np
import torch
from huggingface_hub import snapshot_download
from transformers import AutoModel, pipeline
from emo3d import load_generator
from emo3d.backbones.tower import load_tower

descriptions, references, settings = json.loads(sys.argv[1])
id, found = "me/emo3d-quickstart-generator", {}
model = load_generator(id)
found["generator"] = model.generate(descriptions).tolist()
found["auto"] = AutoModel.from_pretrained(id).eval().generate(descriptions).tolist()
found["pipeline"] = [[*each["scores"].values()] for each in pipeline("text-to-expression", model=id)(descriptions)]
tower = load_tower(Path(snapshot_download("me/emo3d-quickstart-backbone")))
found["tower"] = tower(torch.full((1, 3, 224, 224), 0.5)).tolist()
metric = evaluate.load("me/emo3d_score")
found["score"] = metric.compute(predictions=np.array(found["generator"]), references=references, **settings)
"""
WITHOUT = """
import json, sys

class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "emo3d":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from transformers import AutoModel, pipeline
id, (descriptions, *_) = "me/emo3d-quickstart-generator", json.loads(sys.argv[1])
model = AutoModel.from_pretrained(id, trust_remote_code=True).eval()
found = {"auto": model.generate(descriptions).tolist()}
piped = pipeline("text-to-expression", model=id, trust_remote_code=True)
found["pipeline"] = [[*each["scores"].values()] for each in piped(descriptions)]
"""
KEEP = """
import sys
from emo3d_lab.judging.answers import Answer, Answers
answers = Answers(sys.argv[1], "me/answers")
answers.add(Answer("an annotator", "task-1", agrees=True))
answers.add(Answer("an annotator", "task-2", better="second"))
answers.scheduler.trigger().result()
found = sorted([each.id, each.task] for each in answers.latest())
"""
GET = """
import sys
from emo3d_lab.judging.answers import Answers
found = sorted([each.id, each.task] for each in Answers(sys.argv[1], "me/answers").latest())
"""


def run(hub, home, code, *arguments, python=sys.executable, **variables):
    """Run code that fills `found`; what it found."""
    command = [python, "-W", "ignore", "-c", f"{code}\nimport json; print('FOUND', json.dumps(found))", *arguments]
    environment = hub.environment(home) | variables
    done = subprocess.run(
        list(map(str, command)), env=environment, cwd=home, capture_output=True, text=True, timeout=HANGS, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.rpartition("FOUND ")[2])


@pytest.fixture(scope="module")
def found(published, tmp_path_factory):
    """What each client found; two at a time, each with a cache of its own."""
    hub, _ = published
    given = json.dumps([DESCRIPTIONS, REFERENCES, SETTINGS])
    asked = {"dataset": [DATASET], "models": [METRIC_AND_MODELS, given], "without": [WITHOUT, given]}
    with ThreadPoolExecutor(2) as pool:
        waiting = {name: pool.submit(run, hub, tmp_path_factory.mktemp(name), *of) for name, of in asked.items()}
        return {name: answer.result() for name, answer in waiting.items()}


@pytest.fixture(scope="module")
def sample():
    folder = ROOT / "dataset_script" / "data" / "sample"
    return {path.stem: pq.read_table(path).to_pydict() for path in folder.glob("*.parquet")}


def test_the_dataset(found, sample):
    got, descriptions = found["dataset"], {split: rows["description"] for split, rows in sample.items()}
    assert got["configs"] == ["sample", "clips", "checklist"]
    assert got["None"] == got["sample"] == descriptions
    assert got["blendshapes"] == sample["test"]["blendshapes"]
    assert got["picture"] == [224, 224]
    assert got["streamed"] == descriptions["validation"]


def test_datasets_5_refuses_the_script_on_its_branch_only(found):
    assert "Dataset scripts are no longer supported" in found["dataset"]["script"]


@pytest.mark.skipif(not LEGACY.is_file(), reason="no datasets 3.6: `make environments`")
def test_the_script_on_its_branch(published, release, sample, tmp_path):
    """It reads the release from the Hub itself; the same rows as a build of it."""
    hub, _ = published
    got = run(hub, tmp_path, SCRIPT, python=LEGACY, PYTHONPATH=f"{ROOT}/tests/start:{ROOT}/src")
    build(release, tmp_path / "built", configs=["pairs"])
    pairs = {
        split: [text for path in paths for text in pq.read_table(path)["description"].to_pylist()]
        for split in sample
        if (paths := sorted((tmp_path / "built" / "data" / "pairs").glob(f"{split}-*.parquet")))
    }
    assert pairs["train"]
    assert got["pairs"] == got["streamed"] == pairs
    assert got["sample"] == {split: rows["description"] for split, rows in sample.items()}


def test_the_metric_gives_the_numbers_of_the_wheel(found):
    generated = emo3d.load_generator("quickstart").generate(DESCRIPTIONS)
    metric = evaluate.load(emo3d.metric_path(), keep_in_memory=True)
    expected = metric.compute(predictions=generated, references=REFERENCES, **SETTINGS)
    assert found["models"]["score"] == json.loads(json.dumps(expected))


def test_the_generator_in_every_way(found):
    expected = emo3d.load_generator("quickstart").generate(DESCRIPTIONS)
    for way in ("generator", "auto", "pipeline"):
        assert found["models"][way] == pytest.approx(expected, abs=1e-6)


def test_the_generator_where_emo3d_is_not_installed(found):
    expected = emo3d.load_generator("quickstart").generate(DESCRIPTIONS)
    for way in ("auto", "pipeline"):
        assert found["without"][way] == pytest.approx(expected, abs=1e-6)


def test_the_backbone(found):
    import torch

    from emo3d.backbones.tower import load_tower

    expected = load_tower()(torch.full((1, 3, 224, 224), 0.5)).detach().numpy()
    assert found["models"]["tower"] == pytest.approx(expected, abs=1e-6)


def test_answers_of_people_are_committed_and_read_back(tmp_path):
    with Hub() as hub:
        kept = run(hub, tmp_path, KEEP, tmp_path / "one")
        (tmp_path / "home").mkdir()
        assert len(kept) == 2
        assert run(hub, tmp_path / "home", GET, tmp_path / "two") == kept
        assert hub._repositories["datasets", "me/answers"].private
