"""The generator's model class, with tiny encoders at random weights where MiniLM is not the point."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel

from emo3d.blendshapes import BLENDSHAPES
from emo3d.encoders import EncoderUnavailableError
from emo3d.generation import ExpressionConfig, ExpressionModel, load_generator
from emo3d.generation.load import GeneratorUnavailableError

TEXTS = ["a sad man", "a happy woman smiles", "angry"]


@pytest.mark.parametrize("freeze", [True, False])
def test_round_trip(tiny_bert, tmp_path, freeze):
    model = ExpressionModel.from_encoder(tiny_bert, freeze_encoder=freeze, hidden_sizes=[8], space="reading").eval()
    model.save_pretrained(tmp_path)
    keys = {name.split(".")[0] for name in load_file(tmp_path / "model.safetensors")}
    assert keys == ({"head"} if freeze else {"head", "encoder"})
    for loaded in (ExpressionModel.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)):
        assert isinstance(loaded, ExpressionModel)
        assert loaded.config.space == "reading"
        assert np.array_equal(loaded.generate(TEXTS), model.generate(TEXTS))
    assert isinstance(AutoConfig.from_pretrained(tmp_path), ExpressionConfig)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "emo3d-expression"


def test_frozen_and_trained_encoders_agree_at_the_start(tiny_bert):
    frozen = ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8])
    trained = ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8], freeze_encoder=False)
    trained.head.load_state_dict(frozen.head.state_dict())
    assert np.allclose(frozen.generate(TEXTS), trained.generate(TEXTS), atol=1e-6)


@pytest.mark.parametrize("freeze", [True, False])
def test_gradients_reach_the_encoder_only_where_it_is_trained(tiny_bert, freeze):
    model = ExpressionModel.from_encoder(tiny_bert, freeze_encoder=freeze, hidden_sizes=[8])
    tokens = model.text_encoder().tokenize(TEXTS)
    output = model(**tokens, labels=torch.zeros(3, 51))
    output.loss.backward()
    assert output.expressions.shape == (3, 51)
    assert output.loss.item() == pytest.approx(output.expressions.square().mean().item())
    assert all((parameter.grad is not None) for parameter in model.head.parameters())
    reached = [parameter.grad is not None for parameter in model.text_encoder().model.parameters()]
    assert any(reached) is not freeze


def test_generate_batches_and_keeps_the_mode(tiny_bert):
    model = ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8]).train()
    expressions = model.generate(TEXTS, batch_size=2)
    assert model.training
    assert expressions.shape == (3, 51)
    assert expressions.dtype == np.float32
    assert ((expressions >= 0) & (expressions <= 1)).all()
    assert np.allclose(expressions, np.concatenate([model.generate([text]) for text in TEXTS]), atol=1e-6)


@pytest.mark.parametrize(("space", "expected"), [("weights", 0.2), ("reading", 0.9)])
def test_mouth_close_corrects_an_open_jaw_in_weights(tiny_bert, space, expected):
    model = ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[], space=space)
    scores = torch.full((51,), 0.5)
    scores[BLENDSHAPES.index("jawOpen")], scores[BLENDSHAPES.index("mouthClose")] = 0.2, 0.9
    with torch.no_grad():
        model.head[-1].weight.zero_()
        model.head[-1].bias.copy_(scores.logit())
    assert model.generate(["angry"])[0, BLENDSHAPES.index("mouthClose")] == pytest.approx(expected, abs=1e-6)


def test_bad_input(tiny_bert):
    model = ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8])
    for arguments in ({}, {"embeddings": torch.zeros(1, 16), "input_ids": torch.zeros(1, 2, dtype=torch.long)}):
        with pytest.raises(ValueError, match="either embeddings or input_ids"):
            model(**arguments)
    with pytest.raises(ValueError, match="embeddings of 16 numbers, got 5"):
        model(embeddings=torch.zeros(1, 5))
    with pytest.raises(ValueError, match="row 1"):
        model.generate(["fine", " "])
    with pytest.raises(ValueError, match=r"space of .* got 'texture'"):
        ExpressionConfig(space="texture")
    with pytest.raises(ValueError, match="from_encoder"):
        ExpressionModel(ExpressionConfig(freeze_encoder=False))


def test_load_generator_reads_a_folder_again_once_it_changed(tiny_bert, tmp_path):
    ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8]).save_pretrained(tmp_path)
    first = load_generator(tmp_path)
    assert load_generator(str(tmp_path)) is first
    ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[9]).save_pretrained(tmp_path)
    assert load_generator(tmp_path).config.hidden_sizes == [9]
    with pytest.raises(ValueError, match="no revisions"):
        load_generator(tmp_path, revision="main")


def test_what_is_no_generator_is_not_loaded(tiny_bert, tmp_path):
    with pytest.raises(ValueError, match=r"expected a generator of type emo3d-expression, .* is a bert model"):
        load_generator(tiny_bert)
    ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8]).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: weights[name] for name in weights if name != "head.2.bias"}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"lacks head\.2\.bias"):
        load_generator(tmp_path)


def test_an_unreachable_hub_is_an_error_that_names_quickstart():
    with pytest.raises(GeneratorUnavailableError, match=r"nobody/nothing at revision v1.*quickstart"):
        load_generator("nobody/nothing", revision="v1")


def test_a_missing_encoder_says_so(monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("emo3d.encoders.AutoTokenizer", SimpleNamespace(from_pretrained=unreachable))
    with pytest.raises(EncoderUnavailableError, match="nobody/encoder"):
        ExpressionModel.from_encoder("nobody/encoder")
