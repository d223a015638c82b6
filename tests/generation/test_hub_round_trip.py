"""Every kind of generator pushed to a Hub on loopback and loaded from it by its id, each in a fresh process.

The encoders are pushed as well: nothing comes from a folder of this machine.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel, XLMRobertaTokenizer

from dual_encoders import save_clip
from emo3d.generation import (
    ClipExpressionConfig,
    ClipExpressionModel,
    ExpressionModel,
    VaeClipConfig,
    VaeClipModel,
)
from hanging import HANGS
from hub import Hub
from text_encoders import save_bert

TEXTS = ["a happy man", "a sad woman smiles", "angry"]
PICTURES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
SAMPLES = {"num_return_sequences": 3, "seed": 1}

PUSH = """
import sys
from pathlib import Path
from huggingface_hub import HfApi
from transformers import AutoTokenizer
from emo3d import load_generator

api, (encoders, models) = HfApi(), map(Path, sys.argv[1:])
for folder in encoders.iterdir():
    api.create_repo(f"me/{folder.name}")
    api.upload_folder(repo_id=f"me/{folder.name}", folder_path=folder)
for folder in models.iterdir():
    load_generator(folder).push_to_hub(f"me/{folder.name}")
AutoTokenizer.from_pretrained(encoders / "bert").push_to_hub("me/bert-fine-tuned")
"""
PULL = """
import json, sys
from functools import partial
import numpy as np

class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "emo3d":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

names, texts, pictures, samples, packaged = json.loads(sys.argv[1])
if packaged:
    from emo3d import load_generator
    first, trust = [load_generator], {}
else:
    sys.meta_path.insert(0, Absent())
    first, trust = [], {"trust_remote_code": True}
from transformers import AutoModel, pipeline
piped = lambda id: pipeline("text-to-expression", model=id, **trust).model
ways = [*first, partial(AutoModel.from_pretrained, **trust), piped]

def answers(load, name):
    model = load("me/" + name)
    found = [model.generate(texts).tolist()]
    if "clip" in name:
        found.append(model.generate(pictures=np.array(pictures, np.uint8)).tolist())
    if name == "vae-clip":
        found.append(model.generate(texts, **samples).tolist())
    return type(model).__name__, found

print("ANSWERS", json.dumps([{name: answers(load, name) for name in names} for load in ways]))
"""


def save_xlm_roberta(folder):
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *"▁a ▁sad ▁happy ▁man ▁woman ▁ s m i l e a n g r y".split(), "<mask>"]
    XLMRobertaTokenizer(vocab=[(piece, -float(rank)) for rank, piece in enumerate(pieces)]).save_pretrained(folder)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = XLMRobertaConfig(vocab_size=len(pieces), max_position_embeddings=14, pad_token_id=1, **size)
    XLMRobertaModel(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders")
    for name, save in {"bert": save_bert, "xlm-roberta": save_xlm_roberta, "clip": save_clip}.items():
        (folder / name).mkdir()
        save(folder / name)
    return folder


@pytest.fixture(scope="module")
def models(encoders):
    """Name -> model, with the encoders' folders."""
    torch.manual_seed(1)
    made = {}
    for encoder in ("bert", "xlm-roberta"):
        for kind, freeze in {"frozen": True, "fine-tuned": False}.items():
            settings = {"freeze_encoder": freeze, "hidden_sizes": [8], "space": "reading"}
            made[f"{encoder}-{kind}"] = ExpressionModel.from_encoder(str(encoders / encoder), **settings)
    backbone = {"backbone": str(encoders / "clip"), "embedding_size": 8}
    made["clip-head"] = ClipExpressionModel(ClipExpressionConfig(**backbone, hidden_sizes=[16]))
    made["vae-clip"] = VaeClipModel(VaeClipConfig(**backbone, hidden_size=16))
    return made


@pytest.fixture(scope="module")
def expected(models):
    """Class and answers of each, before it was ever saved."""

    def answers(name, model):
        yield model.generate(TEXTS)
        if "clip" in name:
            yield model.generate(pictures=PICTURES)
        if name == "vae-clip":
            yield model.generate(TEXTS, **SAMPLES)

    return {name: (type(model).__name__, list(answers(name, model))) for name, model in models.items()}


@pytest.fixture(scope="module")
def hub(models, expected, encoders, tmp_path_factory):
    """A Hub to which a process pushed the encoders and, once saved with their ids and loaded, the models."""
    folder = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        if "clip" in name:
            model.config.backbone = "me/clip"
        elif name == "bert-fine-tuned":  # whose tokenizer lies beside the model
            model.config.encoder = "me/nowhere"
        else:
            model.config.encoder = f"me/{name.rpartition('-f')[0]}"
        model.save_pretrained(folder / name)
    with Hub() as hub:
        run(hub, tmp_path_factory.mktemp("home"), PUSH, encoders, folder)
        yield hub


def run(hub, home, script, *arguments, **variables):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = hub.environment(home) | variables
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.rpartition("ANSWERS ")[2]


def check(hub, home, expected, ways, *, packaged, **variables):
    """Run PULL and compare what each way to load gives for each model."""
    given = json.dumps([list(expected), TEXTS, PICTURES.tolist(), SAMPLES, packaged])
    found = json.loads(run(hub, home, PULL, given, **variables))
    assert len(found) == ways
    for answers in found:
        for name, (kind, arrays) in expected.items():
            assert answers[name][0] == kind
            for answer, array in zip(answers[name][1], arrays, strict=True):
                np.testing.assert_allclose(answer, array, atol=1e-6, err_msg=name)


def test_from_an_empty_cache_and_then_without_a_network(hub, expected, tmp_path):
    """By load_generator, AutoModel and pipeline."""
    check(hub, tmp_path, expected, 3, packaged=True)
    hub.requests.clear()
    check(hub, tmp_path, expected, 3, packaged=True, HF_HUB_OFFLINE="1")
    assert hub.requests == []


def test_where_emo3d_is_not_installed(hub, expected, tmp_path):
    check(hub, tmp_path, expected, 2, packaged=False)


PINNED = """
import json, sys
from huggingface_hub import HfApi, upload_file
from emo3d import load_generator

texts = json.loads(sys.argv[1])
pinned = HfApi().model_info("me/bert-fine-tuned").sha
before = load_generator("me/bert-fine-tuned", pinned).generate(texts).tolist()
swapped = "[PAD] [UNK] [CLS] [SEP] [MASK] a happy angry sad woman man smiles".split()
for name in ("tokenizer.json", "vocab.txt"):
    try:
        HfApi().delete_file(name, "me/bert-fine-tuned")
    except OSError:
        pass
upload_file(path_or_fileobj="\\n".join(swapped).encode(), path_in_repo="vocab.txt", repo_id="me/bert-fine-tuned")
load_generator.__globals__["_from_hub"].cache_clear()
again = load_generator("me/bert-fine-tuned", pinned).generate(texts).tolist()
now = load_generator("me/bert-fine-tuned").generate(texts).tolist()
print("ANSWERS", json.dumps([before, again, now]))
"""


def test_a_pinned_revision_brings_its_own_tokenizer(hub, expected, tmp_path):
    """Last here, since it changes the repository: on main, words change their places in the vocabulary."""
    before, again, now = json.loads(run(hub, tmp_path, PINNED, json.dumps(TEXTS)))
    assert again == before
    np.testing.assert_allclose(before, expected["bert-fine-tuned"][1][0], atol=1e-6)
    assert np.abs(np.subtract(now, before)).max() > 1e-4
