"""Recipes: all packaged ones are whole, overrides override, mistakes are named."""

import pytest

from emo3d_lab.training import RECIPES, load_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_packaged_recipes(name, tmp_path):
    recipe = load_recipe(name)
    assert recipe.training["load_best_model_at_end"]
    assert isinstance(recipe.training["learning_rate"], float)
    recipe.write(tmp_path / "copy.yaml")
    assert load_recipe(tmp_path / "copy.yaml") == recipe


def test_each_published_baseline_has_one():
    assert {"bert", "xlm-roberta", "glot500", "emotion-xlm", "clip", "vae-clip"} <= {*RECIPES}


def test_settings_override():
    recipe = load_recipe("bert", ["training.bf16=true", "training.learning_rate=1e-4", "score=null", "score.k=3"])
    assert recipe.training["bf16"] is True
    assert recipe.training["learning_rate"] == 1e-4
    assert recipe.score == {"k": 3}
    assert load_recipe("bert", ["score=null"]).score is None


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("gpt", "score=null", "expected a recipe of bert, .*, got gpt"),
        ("bert", "learning_rate", "expected a setting like training.learning_rate=1e-4, got 'learning_rate'"),
        ("bert", "training=1", "expected a setting like"),
        ("bert", "training.rate=1", "the recipe's training has 'rate', expected one of"),
        ("bert", "model.type=gan", "expected a model type of expression, clip, vae-clip, clip-model, got 'gan'"),
        ("clip", "model.encoder=bert", "the recipe's model has 'encoder', expected one of backbone, "),
        ("bert", "data.inputs=both", "expected data.inputs of descriptions for a model of type expression, got 'both'"),
        ("clip", "data.inputs=faces", "expected data.inputs of descriptions, pictures, both .*, got 'faces'"),
        ("bert", "model.layers=1", "the recipe's model has 'layers'"),
        ("bert", "score.space=reading", "the recipe's score has 'space'"),
        ("bert", "score=3", "expected fields with values in the recipe's score, got 3"),
        ("bert", "training.seed=[", "expected YAML in training.seed="),
    ],
)
def test_mistakes_are_named(name, setting, message):
    with pytest.raises(ValueError, match=message):
        load_recipe(name, [setting])


@pytest.mark.parametrize(
    ("setting", "difference"),
    [
        ("training.seed=1", "training.seed is 1 instead of 0"),
        ("model.pooling=cls", "model.pooling is 'cls' instead of 'mean'"),
        ("training.bf16=true", "training.bf16 is True instead of None"),
        ("score=null", "score.backbone is None instead of 'openai/clip-vit-base-patch32'"),
        ("training.seed=0", None),
    ],
)
def test_differences(setting, difference):
    assert load_recipe("bert", [setting]).difference(load_recipe("bert")) == difference


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "got list"),
        ("optimizer: {}", "got optimizer"),
        ("model: 3", "recipe's model, got 3"),
        ("data:", "recipe's data, got None"),
    ],
)
def test_files_that_are_no_recipes(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_recipe(tmp_path / "mine.yaml")
