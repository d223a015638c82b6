"""What visitors name, at any depth, on a Hub that sees whether a token was sent; each case in a fresh process."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dual_encoders import save_clip
from emo3d.generation import ClipExpressionConfig, ClipExpressionModel, ExpressionModel
from hanging import HANGS
from hub import Hub
from text_encoders import save_bert

TEXTS = ["a happy man", "a sad woman smiles"]
LOAD = """
import json, resource, sys, time
from emo3d_lab import visitors
visitors.packaged_minilm()
memory = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
start, answers, before = time.monotonic(), {}, memory()
for id in json.loads(sys.argv[1]):
    try:
        answers[id] = visitors.load_public_generator(id).generate(json.loads(sys.argv[2])).tolist()
    except (ValueError, OSError) as error:
        answers[id] = f"{type(error).__name__}: {error}"
print("ANSWERS", json.dumps([answers, time.monotonic() - start, memory() - before]))
"""


def changed(folder, to, **fields):
    """A copy of a model's folder whose configuration says something else."""
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    config = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps(config | fields))
    return to


@pytest.fixture(scope="module")
def expected():
    return {}


@pytest.fixture(scope="module")
def hub(tmp_path_factory, expected):
    folder = tmp_path_factory.mktemp("repositories")
    for name, save in {"bert": save_bert, "clip": save_clip}.items():
        (folder / name).mkdir()
        save(folder / name)
    torch.manual_seed(0)
    models = {
        "good": ExpressionModel.from_encoder(str(folder / "bert"), hidden_sizes=[8]),
        "tuned": ExpressionModel.from_encoder(str(folder / "bert"), hidden_sizes=[8], freeze_encoder=False),
        "clip-head": ClipExpressionModel(ClipExpressionConfig(backbone=str(folder / "clip"), embedding_size=8)),
    }
    for name, model in models.items():
        expected[f"me/{name}"] = model.generate(TEXTS)
        model.config.encoder = "me/bert"
        model.config.backbone = "me/clip"
        model.save_pretrained(folder / name)
    own = json.loads((folder / "tuned" / "config.json").read_text())["encoder_config"]
    for name, fields in {
        "on-secret": {"encoder": "me/secret"},
        "on-a-path": {"encoder": str(folder / "bert")},
        "on-a-relative-path": {"encoder": "../bert"},
        "on-a-list": {"encoder": ["me/bert"]},
        "on-nothing": {"encoder": "me/nothing"},
        "on-a-revision": {"encoder": "me/bert", "encoder_revision": "../secret"},
        "on-large": {"encoder": "me/bert-large"},
        "on-gpt": {"encoder": "me/gpt"},
        "on-code": {"encoder": "me/bert-code"},
        "wide": {"hidden_sizes": [1_000_000, 1_000_000]},
        "wider": {"hidden_sizes": [10**12]},
        "deep": {"hidden_sizes": [8] * 100_000},
    }.items():
        changed(folder / "good", folder / name, **fields)
    changed(folder / "clip-head", folder / "clip-on-a-path", backbone=str(folder / "clip"))
    changed(folder / "clip-head", folder / "clip-on-secret", backbone="me/secret")
    changed(folder / "tuned", folder / "tuned-large", encoder_config=own | {"num_hidden_layers": 10**6})
    changed(
        folder / "tuned", folder / "tuned-wide", encoder_config=own | {"vocab_size": 2_000_000, "hidden_size": 4096}
    )
    changed(folder / "bert", folder / "bert-large", hidden_size=10**6, intermediate_size=10**6)
    changed(folder / "bert", folder / "bert-code", auto_map={"AutoModel": "other/repo--code.Model"})
    changed(folder / "bert", folder / "gpt", model_type="gpt2")
    (folder / "pickled").mkdir()
    (folder / "pickled" / "config.json").write_bytes((folder / "good" / "config.json").read_bytes())
    torch.save({}, folder / "pickled" / "pytorch_model.bin")
    changed(folder / "good", folder / "heavy")
    save_file({"x": torch.zeros(2_000)}, folder / "heavy" / "model-00001-of-00001.safetensors")
    changed(folder / "bert", folder / "secret")
    repositories = {(f"me/{path.name}", "main"): path for path in folder.iterdir()}
    with Hub(repositories) as hub:
        hub._repositories["models", "me/secret"].private = True
        hub.folder = folder
        yield hub


def load(hub, home, ids, before=""):
    """What each id gives, seconds of all of them, and by how much memory rose at most, in GB."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            LOAD.replace("start, answers", f"{before}\nstart, answers"),
            json.dumps(ids),
            json.dumps(TEXTS),
        ],
        env=hub.environment(home),
        cwd=hub.folder,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.rpartition("ANSWERS ")[2])


def test_a_public_generator_is_loaded_with_all_it_stands_on_and_no_token_is_sent(hub, expected, tmp_path):
    hub.told.clear()
    answers, _, _ = load(hub, tmp_path, list(expected))
    for id, answer in answers.items():
        assert not isinstance(answer, str), answer
        np.testing.assert_allclose(answer, expected[id], atol=1e-6)
    assert hub.requests
    assert hub.told == []


REFUSED = {
    "me/secret": "OSError: The Hub has no model me/secret, or it is not public",
    "me/on-secret": "OSError: The Hub has no model me/secret, or it is not public",
    "me/clip-on-secret": "OSError: The Hub has no model me/secret, or it is not public",
    "me/on-nothing": "OSError: The Hub has no model me/nothing, or it is not public",
    "me/on-a-path": "ValueError: Expected me/on-a-path to stand on an encoder on the Hub, as in namespace/name",
    "me/clip-on-a-path": "on the Hub, as in namespace/name",
    "me/on-a-relative-path": "on the Hub, as in namespace/name",
    "me/on-a-list": "ValueError: Expected the name of an encoder in the configuration of me/on-a-list",
    "me/on-a-revision": "OSError: The Hub has no model me/bert at ../secret",
    "me/on-large": "ValueError: Expected at most 500 million parameters, me/bert-large has",
    "me/on-gpt": "ValueError: Expected a model of type albert",
    "me/on-code": "ValueError: Expected a model that needs no code of its own",
    "me/wide": "ValueError: Expected at most 500 million parameters, me/wide has",
    "me/wider": "ValueError: Expected at most 2,000,000 as hidden_sizes here",
    "me/deep": "ValueError: Expected lists of at most",
    "me/tuned-large": "ValueError: Expected at most 64 as num_hidden_layers here",
    "me/tuned-wide": "ValueError: Expected at most 500 million parameters",
    "me/pickled": "ValueError: Expected a model with config.json and safetensors, me/pickled has no such files",
    "me/bert": "ValueError: Expected a generator of type",
    "good": "on the Hub, as in namespace/name",
    "/etc": "on the Hub, as in namespace/name",
}


def test_what_is_private_a_path_or_large_is_refused_in_a_sentence_before_it_is_built(hub, tmp_path):
    hub.told.clear()
    answers, seconds, rise = load(hub, tmp_path, list(REFUSED))
    for id, message in REFUSED.items():
        assert message in answers[id], (id, answers[id])
    assert hub.told == []
    assert not [path for _, path, _ in hub.requests if path.startswith("/me/secret/")]
    assert seconds < 60
    print(f"{rise:.2f} GB more")
    assert rise < 1


def test_a_repository_beyond_the_limit_is_not_fetched(hub, tmp_path):
    before = len(hub.requests)
    answers, _, _ = load(hub, tmp_path, ["me/heavy"], before="visitors.LARGEST_MODEL = 8_000")
    assert "ValueError: Expected a model of at most" in answers["me/heavy"]
    assert not [path for _, path, _ in hub.requests[before:] if "/resolve/" in path]
