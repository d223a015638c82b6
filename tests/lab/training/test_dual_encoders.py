"""Training on a dual encoder, a tiny CLIP at random weights: from descriptions, from pictures, from both."""

import hashlib
import logging

import datasets
import numpy as np
import pytest
import torch
from datasets import load_dataset
from PIL import Image
from torch.nn.functional import mse_loss
from training_runs import TEXTS, assert_same_bits, kill_and_resume

from emo3d import load_generator
from emo3d.backbones import load_backbone
from emo3d.blendshapes import mirror
from emo3d.generation import ClipExpressionConfig, ClipExpressionModel, VaeClipConfig, VaeClipModel
from emo3d_lab.training import load_recipe
from emo3d_lab.training.data import prepare, read_pairs
from emo3d_lab.training.pictures import Pictures
from emo3d_lab.training.train import train

PLACES = [0, 0, 2, 3, 4, 5, 6, 7]  # row of the dataset of each pair
QUIET = ["training.use_cpu=true", "training.disable_tqdm=true", "score=null"]
ONE_EVALUATION = ["training.load_best_model_at_end=false"]
ONE_EVALUATION += [f"training.{what}_strategy=no" for what in ("eval", "save", "logging")]


@pytest.fixture
def rows_of(built):
    return lambda split="train": load_dataset(built, split=split)


def test_rows_of_a_built_release_become_pairs(rows_of, caplog):
    rows = rows_of()
    with caplog.at_level(logging.WARNING):
        pairs = read_pairs(rows, "built", pictures=True)
    assert pairs.descriptions == [TEXTS[0], "very sad", *TEXTS[2:]]
    assert "built: left out 1 of 8 rows without an expression" in caplog.text
    scores = np.array([rows[place]["blendshapes"] for place in PLACES], np.float32)
    assert np.array_equal(pairs.expressions, scores)
    assert np.array_equal(pairs.references()["intensities"], [rows[place]["intensities"] for place in PLACES])
    assert np.array_equal(pairs.pictures.read(1), np.asarray(rows[0]["image"]))
    both = pairs.mirrored()
    assert both.descriptions[8 + 4] == "a man winks the right eye"
    assert np.array_equal(both.expressions[8:], mirror(scores))
    assert np.array_equal(both.pictures.read(8 + 4), np.asarray(rows[4]["image"])[:, ::-1])
    assert len(set(both.pictures.keys())) == 14  # seven pictures, and each flipped


def test_pictures_are_named_by_their_bytes(rows_of):
    raw = rows_of().cast_column("image", datasets.Image(decode=False))
    keys = read_pairs(rows_of(), "built", pictures=True).pictures.keys()
    assert keys[2] == hashlib.sha256(raw[2]["image"]["bytes"]).hexdigest()


@pytest.mark.parametrize("inputs", ["descriptions", "pictures", "both"])
def test_the_clip_baseline_learns_a_few_rows_by_heart(built, rows_of, clip_folder, tmp_path, inputs):
    settings = [f"model.backbone={clip_folder}", "data.mirror=false", f"data.inputs={inputs}", *QUIET, *ONE_EVALUATION]
    settings += ["training.num_train_epochs=1500", "training.learning_rate=1e-2"]
    trained = train(load_recipe("clip", settings), built, tmp_path)
    assert trained.metrics["eval_loss"] < 1e-3
    model, row = load_generator(tmp_path), rows_of()[4]
    given = []
    if inputs != "pictures":
        given.append({"descriptions": row["descriptions"]})
    if inputs != "descriptions":
        given.append({"pictures": [row["image"]]})
    for source in given:
        assert np.square(model.generate(**source) - row["blendshapes"]).mean() < 1e-3


def test_embeddings_are_those_of_the_backbone(built, rows_of, clip_folder):
    pairs = read_pairs(rows_of(), built, pictures=True).mirrored()
    backbone = load_backbone(clip_folder)
    texts = backbone.encode_texts(pairs.descriptions, normalize=False).embeddings
    shown = [np.array(rows_of()[place]["image"]) for place in PLACES]
    shown += [np.array(Image.fromarray(picture).transpose(0)) for picture in shown]  # 0: flip left and right
    pictures = torch.cat([backbone.encode_pictures(picture[None], normalize=False) for picture in shown])
    clip = ClipExpressionModel(ClipExpressionConfig(backbone=clip_folder, embedding_size=8))
    vae = VaeClipModel(VaeClipConfig(backbone=clip_folder, embedding_size=8))
    for _ in range(2):  # computed, then from the cache
        both, _ = prepare(clip, pairs, "both")
        assert torch.allclose(both.datasets["embeddings"], torch.cat([texts, pictures]), atol=1e-5)
        assert np.array_equal(both.datasets["labels"], np.tile(pairs.expressions, (2, 1)))
        terms, _ = prepare(vae, pairs, "both")
        assert torch.allclose(terms.datasets["text_embeddings"], texts, atol=1e-5)
        assert torch.allclose(terms.datasets["picture_embeddings"], pictures, atol=1e-5)


def vae_settings(clip_folder, *more):
    return [f"model.backbone={clip_folder}", "data.mirror=false", "model.dropout=0", *QUIET, *more]


def test_vae_clip_learns_a_few_rows_by_heart(built, rows_of, clip_folder, tmp_path):
    # Latents follow embeddings in direction only; weights this high make them follow closely.
    strong = ["model.text_weight=1", "model.picture_weight=0", "data.inputs=descriptions"]
    more = ["training.num_train_epochs=1500", "training.learning_rate=3e-3", *strong, *ONE_EVALUATION]
    trained = train(load_recipe("vae-clip", vae_settings(clip_folder, *more)), built, tmp_path)
    scores = torch.from_numpy(read_pairs(rows_of(), built).expressions)
    assert mse_loss(trained.model(scores).expressions, scores) < 1e-3  # the autoencoder, in evaluation mode


@pytest.mark.parametrize("inputs", ["descriptions", "pictures", "both"])
def test_vae_clip_is_validated_by_what_it_answers(built, rows_of, clip_folder, tmp_path, inputs):
    settings = vae_settings(clip_folder, f"data.inputs={inputs}", "training.num_train_epochs=2")
    trained = train(load_recipe("vae-clip", settings), built, tmp_path)
    pairs = read_pairs(rows_of("validation"), built, pictures=True)
    pictures = [pairs.pictures.read(place) for place in range(8)]
    source = {"pictures": pictures} if inputs == "pictures" else {"descriptions": pairs.descriptions}
    answered = load_generator(tmp_path).generate(**source)
    assert trained.metrics["eval_loss"] == pytest.approx(np.square(answered - pairs.expressions).mean(), abs=1e-6)


def test_the_term_of_pictures_is_learned(built, clip_folder, tmp_path):
    runs = {}
    for inputs in ("descriptions", "both"):
        settings = vae_settings(clip_folder, f"data.inputs={inputs}", "training.num_train_epochs=1")
        train(load_recipe("vae-clip", settings), built, tmp_path / inputs)
        runs[inputs] = load_generator(tmp_path / inputs).fc_mu.weight
    assert not torch.equal(*runs.values())


@pytest.mark.parametrize(
    ("recipe", "more"), [("clip", ["data.inputs=pictures"]), ("vae-clip", ["data.inputs=both", "model.dropout=0.1"])]
)
def test_killed_and_resumed_gives_the_same_weights(built, clip_folder, tmp_path, recipe, more):
    settings = [f"model.backbone={clip_folder}", *QUIET, *more, "training.num_train_epochs=100"]
    settings += ["training.per_device_train_batch_size=4", "training.load_best_model_at_end=false"]
    assert_same_bits(*kill_and_resume(recipe, built, settings, tmp_path))


def test_datasets_without_pictures_are_refused(rows, clip_folder, tmp_path):
    with pytest.raises(ValueError, match=r"expected a column 'image' in the split train of .*, got description"):
        train(load_recipe("vae-clip", vae_settings(clip_folder)), rows, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (
            {"bytes": b"GIF89a", "path": None},
            "the picture in row 0: cannot identify image file, expected a JPEG, PNG or WebP",
        ),
        (None, "expected a picture in row 0, got none"),
    ],
)
def test_bad_pictures_are_named(picture, message):
    with pytest.raises(ValueError, match=message):
        Pictures([{"image": picture}], [(0, False)]).read(0)
