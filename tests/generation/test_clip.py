"""The CLIP baseline's model class, on a small CLIP with random weights."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer

from emo3d.face.calibration import to_weights
from emo3d.generation import ClipExpressionConfig, ClipExpressionModel, load_generator

TEXTS = ["a happy face", "a very sad man with wide eyes", "calm", "the angry woman"]
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def model(clip_folder):
    torch.manual_seed(0)
    return ClipExpressionModel(ClipExpressionConfig(backbone=clip_folder, embedding_size=8, hidden_sizes=[16]))


def published(model, embeddings):
    """The baseline as FACTS.md section 3 writes it, with torch's own layers."""
    layers = [torch.nn.functional.linear(embeddings, model.network[0].weight, model.network[0].bias).relu()]
    layers.append(torch.nn.functional.linear(layers[-1], model.network[2].weight, model.network[2].bias).sigmoid())
    return layers[-1].detach().numpy()


def test_generates_from_the_embeddings_that_clip_itself_gives(model, clip_folder):
    clip = AutoModel.from_pretrained(clip_folder)
    tokenizer, processor = AutoTokenizer.from_pretrained(clip_folder), AutoImageProcessor.from_pretrained(clip_folder)
    texts = [clip.get_text_features(**tokenizer(text, return_tensors="pt")) for text in TEXTS]
    pictures = clip.get_image_features(**processor(images=list(PICTURES), return_tensors="pt"))
    unwrapped = [one if torch.is_tensor(one) else one.pooler_output for one in (*texts, pictures)]
    expected = [published(model, embeddings) for embeddings in unwrapped]
    np.testing.assert_allclose(model.generate(TEXTS, batch_size=3), np.concatenate(expected[:-1]), atol=1e-6)
    np.testing.assert_allclose(model.generate(pictures=PICTURES, batch_size=2), expected[-1], atol=1e-6)


def test_pictures_of_any_kind_and_size(model, clip_folder, tmp_path):
    sizes = [(40, 32), (64, 70), (32, 32)]
    pictures = [np.random.default_rng(size[0]).integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    clip, processor = AutoModel.from_pretrained(clip_folder), AutoImageProcessor.from_pretrained(clip_folder)
    features = [clip.get_image_features(**processor(images=one, return_tensors="pt")) for one in pictures]
    expected = [published(model, one if torch.is_tensor(one) else one.pooler_output)[0] for one in features]
    Image.fromarray(pictures[0]).save(tmp_path / "face.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be shown turned clockwise
    Image.fromarray(np.rot90(pictures[1])).save(tmp_path / "turned.png", exif=exif)
    given = [str(tmp_path / "face.png"), tmp_path / "turned.png", Image.fromarray(pictures[2])]
    np.testing.assert_allclose(model.generate(pictures=pictures, batch_size=2), expected, atol=1e-5)
    np.testing.assert_allclose(model.generate(pictures=given, batch_size=2), expected, atol=1e-5)
    (tmp_path / "face.png").write_text("no picture")
    with pytest.raises(ValueError, match="cannot read the picture in row 2: cannot identify image file"):
        model.generate(pictures=[*given[1:], tmp_path / "face.png"])


def test_the_space_that_is_asked_for(model):
    readings = model.generate(TEXTS)
    np.testing.assert_array_equal(model.generate(TEXTS, space="weights"), to_weights(readings))


def test_unit_length_is_a_choice(model, clip_folder):
    model.config.normalize = True
    torch.testing.assert_close(model.embed(TEXTS).norm(dim=1), torch.ones(4))
    quickstart = ClipExpressionConfig(backbone="quickstart", normalize=True, embedding_size=392)
    assert ClipExpressionModel(quickstart).generate(pictures=PICTURES).shape == (3, 51)
    with pytest.raises(ValueError, match="unit length: expected normalize=True"):
        ClipExpressionConfig(backbone="quickstart")


def test_round_trip(model, clip_folder, tmp_path):
    model.save_pretrained(tmp_path)
    for loaded in (
        ClipExpressionModel.from_pretrained(tmp_path),
        AutoModel.from_pretrained(tmp_path),
        load_generator(tmp_path),
    ):
        assert isinstance(loaded, ClipExpressionModel)
        np.testing.assert_array_equal(loaded.generate(TEXTS), model.generate(TEXTS))
    config = AutoConfig.from_pretrained(tmp_path)
    assert (config.backbone, config.space, config.normalize) == (clip_folder, "reading", False)


def test_overfits_eight_rows(model):
    torch.manual_seed(0)
    embeddings = model.embed([*TEXTS, "a man", "a woman", "smile", "frown"])
    labels = torch.rand(8, 51)
    model = ClipExpressionModel(ClipExpressionConfig(embedding_size=8, hidden_sizes=[64])).train()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(400):
        loss = model(embeddings, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1e-3


def test_a_description_that_loses_its_end_is_reported(model, caplog):
    model.generate(["a man", "a sad man with very wide eyes one two three one two three"])
    assert "1 of 2 descriptions were longer" in caplog.text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either descriptions or pictures"),
        ({"descriptions": TEXTS, "pictures": PICTURES}, "either descriptions or pictures"),
        ({"descriptions": ["fine", " "]}, "row 1"),
        ({"descriptions": TEXTS, "space": "texture"}, "expected a space"),
        ({"pictures": []}, "at least one picture"),
        ({"pictures": PICTURES[0]}, "a list of pictures, got one"),
        ({"pictures": "face.png"}, "a list of pictures, got one"),
        ({"pictures": ["no.png"]}, "cannot read the picture in row 0"),
        ({"pictures": [PICTURES[0], Image.new("L", (32, 32))]}, "RGB picture in row 1, got mode L"),
        ({"pictures": PICTURES / 255}, "uint8 in row 0, got float64"),
    ],
)
def test_bad_input(model, given, message):
    with pytest.raises(ValueError, match=message):
        model.generate(**given)


def test_embeddings_of_a_wrong_width(model):
    with pytest.raises(ValueError, match="embeddings of 8 numbers, got 5"):
        model(torch.zeros(1, 5))
