"""Generators in half precision: loaded, used, saved and loaded again, by every door, without a change of dtype."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from emo3d.generation import ClipExpressionConfig, ClipExpressionModel, ExpressionModel, VaeClipConfig, VaeClipModel
from emo3d.generation.load import _AS_SAVED, load_generator
from hanging import HANGS

TEXTS = ["a happy man", "a sad woman smiles", "angry"]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
KINDS = ["frozen", "fine-tuned", "clip", "vae"]
(DTYPE,) = _AS_SAVED  # what this version of transformers calls the option

WITHOUT_THE_PACKAGE = """
import json, sys

class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "emo3d":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import torch
from transformers import AutoModel

folder, texts, option = json.loads(sys.argv[1])
answers = {}
for dtype in (torch.bfloat16, torch.float16):
    model = AutoModel.from_pretrained(folder, trust_remote_code=True, **{option: dtype})
    assert {tensor.dtype for tensor in model.parameters()} == {dtype}
    answers[str(dtype)] = model.generate(texts).tolist()
print("RESULT", json.dumps(answers))
"""


@pytest.fixture(scope="module")
def models(tiny_bert, clip_folder):
    torch.manual_seed(0)
    backbone = {"backbone": clip_folder, "embedding_size": 8}
    made = (
        ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8]),
        ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8], freeze_encoder=False),
        ClipExpressionModel(ClipExpressionConfig(hidden_sizes=[16], **backbone)),
        VaeClipModel(VaeClipConfig(hidden_size=16, **backbone)),
    )
    return dict(zip(KINDS, (model.eval() for model in made), strict=True))


def precisions(model):
    return {tensor.dtype for tensor in model.parameters()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_round_trip_keeps_the_dtype(models, kind, dtype, tmp_path):
    models[kind].save_pretrained(tmp_path / "whole")
    loaded = AutoModel.from_pretrained(tmp_path / "whole", **{DTYPE: dtype})
    assert precisions(loaded) == {dtype}
    answers = loaded.generate(TEXTS)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, models[kind].generate(TEXTS), atol=0.01)  # bfloat16 has 8 bits: 1/256
    loaded.save_pretrained(tmp_path / "saved")
    assert {tensor.dtype for tensor in load_file(tmp_path / "saved" / "model.safetensors").values()} == {dtype}
    again = load_generator(tmp_path / "saved")
    assert precisions(again) == {dtype}
    np.testing.assert_array_equal(again.generate(TEXTS), answers)


def test_a_configuration_that_names_the_encoders_old_dtype(models, tmp_path):
    """As those saved before have it: the encoder is built in the model's dtype all the same."""
    models["fine-tuned"].save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["encoder_config"] |= {"dtype": "float32", "torch_dtype": "float32"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert precisions(AutoModel.from_pretrained(tmp_path, **{DTYPE: torch.bfloat16})) == {torch.bfloat16}


def test_they_learn_in_bfloat16(models, tiny_bert):
    model = ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8], freeze_encoder=False).to(torch.bfloat16)
    loss = model(**model.text_encoder().tokenize(TEXTS), labels=torch.zeros(3, 51)).loss
    loss.backward()
    assert all(tensor.grad.isfinite().all() for tensor in model.parameters() if tensor.grad is not None)


def test_they_need_no_package(models, tmp_path):
    models["fine-tuned"].save_pretrained(tmp_path)
    command = [sys.executable, "-c", WITHOUT_THE_PACKAGE, json.dumps([str(tmp_path), TEXTS, DTYPE])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr
    for answers in json.loads(done.stdout.rpartition("RESULT ")[2]).values():
        np.testing.assert_allclose(answers, models["fine-tuned"].generate(TEXTS), atol=0.01)
