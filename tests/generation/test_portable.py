"""Models with their code, where this package is not installed: in a fresh process that cannot import it."""

import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoConfig, AutoModel
from transformers.dynamic_module_utils import get_imports, get_relative_imports

from emo3d.generation import (
    ClipExpressionConfig,
    ClipExpressionModel,
    ExpressionModel,
    VaeClipConfig,
    VaeClipModel,
    load_generator,
)
from hanging import HANGS

TEXTS = ["a happy face", "a sad man", "angry"]
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 32, 3), dtype=np.uint8)
KINDS = ["frozen", "fine-tuned", "clip", "vae"]
OTHERS = {"PIL", "huggingface_hub", "numpy", "safetensors", "torch", "tqdm", "transformers"}

ELSEWHERE = """
import json, sys
from pathlib import Path

class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("emo3d", "emo3d_lab"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from transformers import AutoModel, pipeline

folders, texts, picture, again = json.loads(sys.argv[1])
answers = {}
for kind, folder in folders.items():
    model = AutoModel.from_pretrained(folder, trust_remote_code=True)
    answers[kind] = model.generate(texts).tolist()
    if kind in ("clip", "vae"):
        answers[kind + " from a picture"] = model.generate(pictures=[picture]).tolist()
    if kind == "vae":
        answers["samples"] = model.generate(texts, num_return_sequences=3, seed=4).tolist()
    model.save_pretrained(Path(again, kind))
    generated = pipeline(model=str(Path(again, kind)), trust_remote_code=True)(texts, batch_size=2)
    answers[kind + " again"] = [list(answer["scores"].values()) for answer in generated]
refused = []
for options in ({"space": "weights"}, {"return_glb": True}):
    try:
        pipeline("text-to-expression", model=folders["clip"], trust_remote_code=True)(texts, **options)
    except ImportError as error:
        refused.append(str(error))
assert not [name for name in sys.modules if name.partition(".")[0] in ("emo3d", "emo3d_lab")]
print("RESULT", json.dumps([answers, refused]))
"""

BOTH = """
import sys
from transformers import AutoModel
remote = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)
import emo3d.generation
packaged = AutoModel.from_pretrained(sys.argv[1])
print("RESULT", type(remote).__module__.partition(".")[0], type(packaged).__module__)
"""


def run(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition("RESULT ")[2]


@pytest.fixture(scope="module")
def folders(tiny_bert, clip_folder, tmp_path_factory):
    torch.manual_seed(0)
    backbone = {"backbone": clip_folder, "embedding_size": 8}
    models = [
        ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8]),
        ExpressionModel.from_encoder(tiny_bert, freeze_encoder=False, hidden_sizes=[8], pooling="cls"),
        ClipExpressionModel(ClipExpressionConfig(hidden_sizes=[16], **backbone)),
        VaeClipModel(VaeClipConfig(hidden_size=16, **backbone)),
    ]
    root = tmp_path_factory.mktemp("models")
    for kind, model in zip(KINDS, models, strict=True):
        model.save_pretrained(root / kind)
    return {kind: root / kind for kind in KINDS}


def test_they_answer_the_same_without_the_package(folders, tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "face.png")
    given = {kind: str(folder) for kind, folder in folders.items()}, TEXTS, str(tmp_path / "face.png"), str(tmp_path)
    answers, refused = json.loads(run(ELSEWHERE, json.dumps(given)))
    for kind, folder in folders.items():
        model = load_generator(folder)
        for name in (kind, f"{kind} again"):
            np.testing.assert_allclose(answers[name], model.generate(TEXTS), atol=1e-6)
        if kind in ("clip", "vae"):
            expected = model.generate(pictures=[PICTURE])
            np.testing.assert_allclose(answers[f"{kind} from a picture"], expected, atol=1e-6)
    expected = model.generate(TEXTS, num_return_sequences=3, seed=4)
    np.testing.assert_allclose(answers["samples"], expected, atol=1e-6)
    for message, module in zip(refused, ("emo3d.face.calibration", "emo3d.face"), strict=True):
        assert message == f"{module} is no part of the code that was saved with this model: `pip install emo3d`"


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_file_names_all_others(folders, kind):
    """transformers 4.44 copies from a local folder what the first file imports, and not what that imports in turn.

    It never ends where files name one another in a circle.
    """
    files = {file.stem: set(get_relative_imports(file)) for file in folders[kind].glob("*.py")}
    config = json.loads((folders[kind] / "config.json").read_text())
    model = config["auto_map"]["AutoModel"].partition(".")[0]
    assert {model, *files[model]} == files.keys()
    for reference in (config["auto_map"]["AutoConfig"], config["custom_pipelines"]["text-to-expression"]["impl"]):
        first = reference.partition(".")[0]
        assert all(files[named] <= files[first] for named in files[first])
    TopologicalSorter(files).prepare()  # raises CycleError


@pytest.mark.parametrize("kind", KINDS)
def test_the_code_asks_for_nothing_that_transformers_users_lack(folders, kind):
    files = sorted(folders[kind].glob("*.py"))
    assert len(files) > 5
    for file in files:
        needed = set(get_imports(file)) - sys.stdlib_module_names
        assert needed <= OTHERS - ({"PIL"} if kind in ("frozen", "fine-tuned") else set())
        assert "Apache-2.0" in file.read_text().splitlines()[0]


def test_with_the_package_the_code_is_not_run(folders, tmp_path):
    model = load_generator(folders["clip"])
    model.save_pretrained(tmp_path)
    for file in tmp_path.glob("*.py"):
        file.write_text("raise RuntimeError('this was run')")
    loaded = AutoModel.from_pretrained(tmp_path)
    assert type(loaded) is ClipExpressionModel
    np.testing.assert_array_equal(loaded.generate(TEXTS), model.generate(TEXTS))
    assert not hasattr(AutoConfig.from_pretrained(tmp_path), "custom_pipelines")


def test_the_package_can_be_imported_after_the_code_was_run(folders):
    assert run(BOTH, folders["frozen"]).split() == ["transformers_modules", "emo3d.generation.model"]


def test_a_second_save_replaces_the_code(folders, tmp_path):
    model = load_generator(folders["vae"])
    model.save_pretrained(tmp_path)
    written = {file.name: file.read_text() for file in tmp_path.glob("*.py")}
    Path(tmp_path, "emo3d_encoders.py").write_text("old")
    model.save_pretrained(tmp_path)
    assert {file.name: file.read_text() for file in tmp_path.glob("*.py")} == written
