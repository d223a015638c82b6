"""VAE-CLIP, on a small CLIP with random weights."""

import numpy as np
import pytest
import torch
from torch.nn.functional import linear
from transformers import AutoModel

from emo3d.blendshapes import BLENDSHAPES
from emo3d.generation import VaeClipConfig, VaeClipModel, load_generator

TEXTS = ["a happy face", "a very sad man with wide eyes", "calm", "the angry woman"]
PICTURES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def model(clip_folder):
    torch.manual_seed(0)
    return VaeClipModel(VaeClipConfig(backbone=clip_folder, embedding_size=8, hidden_size=16)).eval()


def test_the_loss_by_hand():
    """FACTS.md section 3: MSE + 0.004 (1 - cos(z, text)) + 0.002 (1 - cos(z, picture))."""
    model = VaeClipModel(VaeClipConfig(embedding_size=2)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.fc_mu.bias.copy_(torch.tensor([3.0, 4.0]))
    output = model(torch.zeros(1, 51), torch.tensor([[5.0, 0.0]]), torch.tensor([[0.0, -1.0]]))
    assert torch.equal(output.latent, torch.tensor([[3.0, 4.0]]))
    # All weights are 0, so every score is sigmoid(0) = 0.5 and MSE is 0.25; the cosines are 3/5 and -4/5.
    assert output.terms["mse"].item() == pytest.approx(0.25)
    assert output.terms["text"].item() == pytest.approx(0.4)
    assert output.terms["picture"].item() == pytest.approx(1.8)
    assert output.loss.item() == pytest.approx(0.25 + 0.004 * 0.4 + 0.002 * 1.8)
    assert model(torch.zeros(1, 51)).loss.item() == pytest.approx(0.25)


def test_the_term_of_decoded_embeddings_by_hand():
    model = VaeClipModel(VaeClipConfig(embedding_size=1, hidden_size=1, embedding_scale=3.0, decoded_weight=0.5)).eval()
    first, _, _, last, _ = model.decoder
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        first.weight.fill_(1.0)
        last.weight.fill_(1.0)
    # Latents are 0, so sigmoid(0) = 0.5 is decoded from them; from the embeddings sigmoid(3 * 2) and, below 0, 0.5.
    output = model(torch.ones(1, 51), torch.tensor([[2.0]]), torch.tensor([[-1.0]]))
    text = (1 - 1 / (1 + np.exp(-6.0))) ** 2
    assert output.terms["text_decoded"].item() == pytest.approx(text, rel=1e-3)
    assert output.terms["picture_decoded"].item() == pytest.approx(0.25)
    # The cosine with a latent of 0 is 0.
    assert output.loss.item() == pytest.approx(0.25 + 0.004 + 0.002 + 0.5 * (text + 0.25))


def test_latents_are_sampled_in_training_only():
    model = VaeClipModel(VaeClipConfig(embedding_size=4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.fc_mu.bias.fill_(1.0)
        model.fc_logvar.bias.fill_(2 * np.log(3.0))
    torch.manual_seed(0)
    latent = model.train()(torch.zeros(5000, 51)).latent
    assert latent.mean().item() == pytest.approx(1, abs=0.1)
    assert latent.std().item() == pytest.approx(3, rel=0.05)
    assert (model.eval()(torch.zeros(2, 51)).latent == 1).all()


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("given", [{"descriptions": TEXTS}, {"pictures": PICTURES}])
def test_one_sample_decodes_the_embedding_without_noise(model, given, scale):
    model.config.embedding_scale = scale
    first, _, _, last, _ = model.decoder
    hidden = linear(scale * model.embed(**given), first.weight, first.bias).relu()
    expected = linear(hidden, last.weight, last.bias).sigmoid().detach()
    np.testing.assert_allclose(model.train().generate(**given), expected, atol=1e-6)
    assert model.training


def test_several_samples(model):
    samples = model.generate(TEXTS, num_return_sequences=5, seed=3)
    assert samples.shape == (4, 5, 51)
    np.testing.assert_allclose(samples[:, 0], model.generate(TEXTS), atol=1e-6)
    assert (np.ptp(samples, axis=1).max(axis=1) > 0).all()
    np.testing.assert_array_equal(samples, model.generate(TEXTS, num_return_sequences=5, seed=3))
    assert not np.allclose(samples[:, 1:], model.generate(TEXTS, num_return_sequences=5, seed=4)[:, 1:])
    alone = model.generate(TEXTS[2:3], num_return_sequences=5, seed=3)
    np.testing.assert_allclose(samples[2:3], alone, atol=1e-6)
    still = model.generate(TEXTS, num_return_sequences=5, temperature=0)
    np.testing.assert_allclose(still, np.repeat(still[:, :1], 5, axis=1), atol=1e-6)


def test_samples_in_weights_close_no_mouth_that_is_not_open(model):
    model.config.space = "weights"
    with torch.no_grad():
        model.decoder[3].bias[BLENDSHAPES.index("mouthClose")] = 5.0
    samples = model.generate(TEXTS, num_return_sequences=3)
    jaw_open = samples[..., BLENDSHAPES.index("jawOpen")]
    np.testing.assert_array_equal(samples[..., BLENDSHAPES.index("mouthClose")], jaw_open)


def test_round_trip(model, tmp_path):
    model.save_pretrained(tmp_path)
    for loaded in (AutoModel.from_pretrained(tmp_path), load_generator(tmp_path)):
        assert isinstance(loaded, VaeClipModel)
        np.testing.assert_array_equal(loaded.generate(TEXTS), model.generate(TEXTS))


def test_overfits_eight_rows(model):
    torch.manual_seed(0)
    texts = model.embed([*TEXTS, "a man", "a woman", "smile", "frown"])
    labels = torch.rand(8, 51)
    model = VaeClipModel(VaeClipConfig(embedding_size=8, hidden_size=64, dropout=0.0)).train()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(1000):
        loss = model(labels, texts).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    output = model.eval()(labels, texts)
    assert output.terms["mse"] < 1e-3
    assert output.terms["text"] < 0.1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either descriptions or pictures"),
        ({"descriptions": TEXTS, "num_return_sequences": 0}, "num_return_sequences of 1 or more, got 0"),
        ({"descriptions": TEXTS, "temperature": -1.0}, "temperature of 0 or more, got -1"),
    ],
)
def test_bad_input(model, given, message):
    with pytest.raises(ValueError, match=message):
        model.generate(**given)


def test_embeddings_of_a_wrong_width(model, clip_folder):
    with pytest.raises(ValueError, match="embeddings of 8 numbers, got 5"):
        model(torch.zeros(1, 51), torch.zeros(1, 5))
    with pytest.raises(ValueError, match="embeddings of 512 numbers, got 8"):
        VaeClipModel(VaeClipConfig(backbone=clip_folder)).generate(TEXTS)
