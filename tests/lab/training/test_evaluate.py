"""`emo3d evaluate`: what it writes is the score of what the model generates, and its card says so."""

import json
import shutil
import subprocess
import sys
import urllib.request

import datasets
import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from pyarrow import parquet
from typer.testing import CliRunner

from emo3d import ScoreSettings, load_generator, score
from emo3d.cli import app
from emo3d.generation import ClipExpressionConfig, ClipExpressionModel
from emo3d.scoring import Emo3DResult
from emo3d_lab.training import Evaluation, evaluate_model, update_card
from hanging import HANGS
from hub import Hub

WORDS = "happy sad angry calm afraid smile".split()
ROWS = {
    "description": [
        f"a {word} {who}" for who in ("face", "person") for word in WORDS
    ],  # of fewer than 10, no intervals
    "intensities": np.tile(np.eye(8)[:6] * 0.5 + 0.1, (2, 1)).tolist(),
    "blendshapes": np.random.default_rng(0).random((12, 51)).round(3).tolist(),
}
CARD = "---\nlicense: mit\ntags:\n- mine\n---\n\n# A face\r\n\n| a table |\n|---|\n\nNo line end"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A dataset in the space of weights, as `emo3d` writes them."""
    file = tmp_path_factory.mktemp("rows") / "rows.parquet"
    parquet.write_table(pa.table(ROWS).replace_schema_metadata({"space": "weights"}), file)
    return str(file)


def save_model(folder, backbone, space):
    torch.manual_seed(0)
    ClipExpressionModel(ClipExpressionConfig(backbone=backbone, embedding_size=8, space=space)).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def model(tmp_path, clip_folder):
    return save_model(tmp_path / "tiny-model", clip_folder, "weights")


def emo3d(command, **options):
    arguments = [str(text) for name, value in options.items() for text in (f"--{name.replace('_', '-')}", value)]
    return CliRunner().invoke(app, [command, *arguments])


def test_the_command(tmp_path, model, dataset, clip_folder):
    card, out = tmp_path / "tiny-model" / "README.md", tmp_path / "out.json"
    card.write_text(CARD, newline="")
    given = {"model": model, "dataset": dataset, "backbone": clip_folder, "k": 3, "variant": "release", "out": out}
    done = emo3d("evaluate", **given)
    assert done.exit_code == 0, done.output

    generated = load_generator(model).generate(ROWS["description"])
    rows = [dict(zip(ROWS, values, strict=True)) for values in zip(*ROWS.values(), strict=True)]
    expected = score(generated, rows, settings=ScoreSettings(backbone=clip_folder, k=3, variant="release"))
    assert f"{expected.kl_divergence:.4f}" in done.output
    assert expected.signature in done.output
    found = Evaluation.load(out)
    assert (found.model, found.dataset, found.split, found.config) == (model, dataset, "test", None)
    assert found.result.signature == expected.signature == Emo3DResult.load(out).signature
    assert found.result.kl_divergence == pytest.approx(expected.kl_divergence, abs=1e-6)
    squares = (generated.astype(float) - np.array(ROWS["blendshapes"])) ** 2
    assert found.result.mse == pytest.approx(squares.mean(), abs=1e-7)
    assert json.loads(out.read_text())["per_sample"]["mse"] == pytest.approx(squares.mean(axis=1), abs=1e-7)

    # The header as the Hub reads it, without huggingface_hub; the text to the byte.
    _, header, text = card.read_bytes().decode().split("---\n", 2)
    assert text == CARD.split("---\n", 2)[2]
    header = yaml.safe_load(header)
    assert (header["license"], header["tags"]) == ("mit", ["mine"])
    (index,) = header["model-index"]
    (entry,) = index["results"]
    assert index["name"] == "tiny-model"
    assert entry["task"]["type"] == "text-to-expression"
    assert entry["dataset"] == {"name": "rows.parquet", "type": "rows.parquet", "split": "test"}
    metrics = {metric["type"]: metric for metric in entry["metrics"]}
    assert set(metrics) == {"emo3d", "kl_divergence", "recall_at_k", "mse", "mae", "amplitude"}
    assert metrics["amplitude"]["value"] == pytest.approx(expected.amplitude, abs=1e-6)
    assert metrics["emo3d"]["value"] == pytest.approx(expected.emo3d, abs=1e-6)
    assert metrics["recall_at_k"]["name"] == "recall@3"
    assert metrics["emo3d"]["args"]["signature"] == expected.signature
    assert metrics["emo3d"]["args"]["date"] == found.date
    assert metrics["emo3d"]["args"]["interval"] == pytest.approx(expected.intervals["emo3d"], abs=1e-6)
    assert metrics["emo3d"]["args"]["n"] == 12


def test_figures_are_replaced_under_one_signature_and_kept_beside_another(tmp_path, model, dataset, clip_folder):
    evaluation = evaluate_model(model, dataset, settings=ScoreSettings(backbone=clip_folder, k=3))
    other = evaluate_model(model, dataset, settings=ScoreSettings(backbone=clip_folder, k=2))
    card = tmp_path / "README.md"
    card.write_text(CARD)
    update_card(card, evaluation)
    once = card.read_text()
    update_card(card, evaluation)
    assert card.read_text() == once
    update_card(card, other)
    names = [result.metric_name for result in ModelCard.load(card).data.eval_results]
    assert len(names) == 12
    assert {"recall@2", "recall@3"} <= set(names)


def test_figures_of_others_and_the_name_stay(tmp_path, model, dataset, clip_folder):
    theirs = {
        "name": "Their Name",
        "results": [
            {
                "task": {"type": "text-to-expression"},
                "dataset": {"name": "Other", "type": "other/set", "revision": "abc"},
                "metrics": [{"type": "emo3d", "value": 0.7, "args": ["a", "list"]}],
            }
        ],
    }
    card = tmp_path / "README.md"
    card.write_text("---\n" + yaml.safe_dump({"model-index": [theirs]}) + "---\nText\n")
    update_card(card, evaluate_model(model, dataset, settings=ScoreSettings(backbone=clip_folder, k=3)))
    (index,) = yaml.safe_load(card.read_text().split("---\n")[1])["model-index"]
    assert index["name"] == "Their Name"
    assert theirs["results"][0] in index["results"]
    assert len(index["results"]) == 2


def test_spaces(tmp_path, model, dataset, clip_folder, caplog):
    """Errors are those of one space; which one a dataset is in, it says itself, or the user."""
    settings = ScoreSettings(backbone=clip_folder, k=3)
    readings = save_model(tmp_path / "readings", clip_folder, "reading")
    result = evaluate_model(readings, dataset, settings=settings).result
    assert (result.mse, result.mae) == (None, None)
    assert "|space:reading|" in result.signature
    assert "no MSE, MAE and amplitude" in caplog.text

    datasets.Dataset.from_dict(ROWS).to_parquet(tmp_path / "silent.parquet")
    silent = str(tmp_path / "silent.parquet")
    assert evaluate_model(model, silent, settings=settings).result.mse is not None
    assert "does not say the space of its blendshapes: they are compared as weights" in caplog.text
    assert evaluate_model(model, silent, settings=settings, space="reading").result.mse is None
    with pytest.raises(ValueError, match=r"says that its space is weights, got reading$"):
        evaluate_model(model, dataset, settings=settings, space="reading")


def test_a_model_in_hand(model, dataset, clip_folder):
    settings = ScoreSettings(backbone=clip_folder, k=3)
    by_name = evaluate_model(model, dataset, settings=settings)
    in_hand = evaluate_model(load_generator(model), dataset, settings=settings)
    assert in_hand.model == model
    assert in_hand.result.kl_divergence == by_name.result.kl_divergence
    torch.manual_seed(0)
    unnamed = ClipExpressionModel(ClipExpressionConfig(backbone=clip_folder, embedding_size=8, space="weights"))
    assert evaluate_model(unnamed, dataset, settings=settings).model == "ClipExpressionModel"


RECIPE = """
model: {{type: clip, backbone: {backbone}, hidden_sizes: [256, 128]}}
data: {{mirror: true}}
"""


def test_a_trained_folder_gets_its_card(tmp_path, model, dataset, clip_folder):
    """Training leaves a recipe; the card is made of it, and says what was measured, and no machine's paths."""
    (tmp_path / "tiny-model" / "recipe.yaml").write_text(RECIPE.format(backbone=clip_folder))
    given = {"model": model, "dataset": dataset, "backbone": clip_folder, "k": 3, "out": tmp_path / "out.json"}
    assert emo3d("evaluate", **given).exit_code == 0
    readme = tmp_path / "tiny-model" / "README.md"
    card = ModelCard.load(readme)
    assert {result.metric_type for result in card.data.eval_results} >= {"emo3d", "mse"}
    assert card.data.base_model is None  # a folder is none
    assert 'load_generator("tiny-model")' in card.text
    assert "without weights" not in card.text
    assert "No published figures" not in card.text
    assert "Measured: none" not in card.text
    assert emo3d("evaluate", **given | {"k": 2}).exit_code == 0  # now there is one
    assert len(ModelCard.load(readme).data.eval_results) == 12

    arguments = [str(tmp_path / "tiny-model" / "recipe.yaml"), str(readme), "--results", str(tmp_path / "out.json")]
    assert emo3d("evaluate", **given).exit_code == 0
    done = CliRunner().invoke(app, ["card", *arguments, "--picture", "faces.jpg"])
    assert done.exit_code == 0, done.output
    card, result = ModelCard.load(readme), Evaluation.load(tmp_path / "out.json").result
    assert len(card.data.eval_results) == 6
    assert f"| tiny-model | {result.emo3d:.3f} [" in card.text
    assert model not in readme.read_text()
    assert f"`{result.signature}`" in card.text
    assert "Measured with `emo3d evaluate` on `rows.parquet`, `test`" in card.text
    assert "Measured: none" not in card.text
    assert "](faces.jpg)" in card.text

    (tmp_path / "bare.yaml").write_text("model: {type: vae-clip}")  # all else is the configuration's own
    assert CliRunner().invoke(app, ["card", str(tmp_path / "bare.yaml"), str(tmp_path / "bare.md")]).exit_code == 0
    assert ModelCard.load(tmp_path / "bare.md").data.base_model == "openai/clip-vit-base-patch32"
    assert "expected a .md file" in str(CliRunner().invoke(app, ["card", "bert", "card.txt"]).exception)
    assert "expected a recipe of" in str(CliRunner().invoke(app, ["card", "nosuch", "card.md"]).exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "nowhere/at-all"}, "the generator nowhere/at-all could not be loaded"),
        ({"split": "nosuch", "dataset": "sample"}, "nosuch"),
        ({"variant": "best"}, "expected a variant of paper, release, got 'best'"),
        ({"space": "cloud"}, "cloud"),
        ({"card": "no/README.md"}, "there is no no/README.md"),
        ({"out": "no/such/out.json"}, "the folder no/such does not exist"),
    ],
)
def test_mistakes(model, dataset, clip_folder, options, message):
    done = emo3d("evaluate", **{"model": model, "dataset": dataset, "backbone": clip_folder, "k": 3} | options)
    assert isinstance(done.exception, (ValueError, OSError))  # which `main` prints as one sentence, see test_cli.py
    assert message in str(done.exception)


def test_model_and_dataset_from_a_hub(tmp_path, dataset, clip_folder):
    save_model(tmp_path / "model", "ns/clip", "weights")
    (tmp_path / "rows").mkdir()
    shutil.copy(dataset, tmp_path / "rows" / "test.parquet")
    repositories = {
        ("ns/clip", "main"): clip_folder,
        ("ns/model", "main"): tmp_path / "model",
        ("datasets/ns/rows", "main"): tmp_path / "rows",
    }
    command = "evaluate --model ns/model --dataset ns/rows --backbone ns/clip --k 3 --out out.json"
    with Hub(repositories) as hub:
        done = subprocess.run(
            [sys.executable, "-m", "emo3d", *command.split()],
            env=hub.environment(tmp_path / "home"),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANGS,
            check=False,
        )
        with urllib.request.urlopen(f"{hub.url}/api/models/ns/model") as answer:
            commit = json.load(answer)["sha"]
    assert done.returncode == 0, done.stderr
    assert "ns/rows does not say the space of its blendshapes: they are compared as weights" in done.stderr
    found = Evaluation.load(tmp_path / "out.json")
    assert (found.model, found.revision, found.dataset, found.split) == ("ns/model", commit, "ns/rows", "test")
    here = evaluate_model(
        save_model(tmp_path / "here", clip_folder, "weights"),
        dataset,
        settings=ScoreSettings(backbone=clip_folder, k=3),
    )
    assert found.result.kl_divergence == pytest.approx(here.result.kl_divergence, abs=1e-6)
    assert found.result.mse == pytest.approx(here.result.mse, abs=1e-6)
    assert found.result.references == here.result.references


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("---\n- a list\n---\n", "card metadata block should be a dict"),
        ("---\na: [\n---\n", "while parsing"),
        ("---\nmodel-index:\n- name: x\n---\n", "'results'"),
        ("---\ntags: true\n---\n", "'bool' object is not iterable"),
    ],
)
def test_a_card_that_is_none(tmp_path, model, dataset, clip_folder, text, message):
    evaluation = evaluate_model(model, dataset, settings=ScoreSettings(backbone=clip_folder, k=3))
    card = tmp_path / "README.md"
    card.write_text(text)
    with pytest.raises(ValueError, match=r"^expected a model card, .*README.md is none: ") as error:
        update_card(card, evaluation)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert card.read_text() == text


def test_the_headline_and_an_entry(tmp_path, clip_folder, dataset):
    """Under another backbone than the task's the headline is printed, and no entry is made."""
    model = save_model(tmp_path / "m", clip_folder, "weights")
    entry = tmp_path / "entry.yaml"
    options = {"model": model, "dataset": dataset, "backbone": clip_folder, "k": 2, "entry": entry}
    done = emo3d("evaluate", **options)
    assert done.exit_code == 0, done.output
    assert " of 100" in done.output
    assert "--dataset-id and --task say which task" in " ".join(done.output.split())
    done = emo3d("evaluate", **options, dataset_id="me/emo3d", task="pairs")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "no benchmark entry: expected the settings of the task pairs" in said
    assert "those of --protocol emo3d-2026: k 10 (got 2)" in said
    assert not entry.exists()
    done = emo3d("evaluate", **options, dataset_id="me/emo3d", task="pear")
    assert done.exit_code != 0
