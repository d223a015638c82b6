"""Requests: what the schemas say is what is checked, and what is wrong is one sentence."""

import pytest
from jsonschema import Draft202012Validator

from emo3d_lab.serving.checks import check_input, parse_input
from emo3d_lab.serving.tools import ACT, EXPRESS, READ_PICTURE, RENDER, SCORE, TOOLS

ROW = {"description": "happy", "intensities": {"happiness": 1}}
BAD = [  # tool, request, the sentence, written by hand from the schema
    (EXPRESS, [1], "expected the request to be a JSON object, got [1]"),
    (EXPRESS, {"text": 7}, "expected text to be a text, got 7"),
    (EXPRESS, {"text": ""}, "expected text to have at least 1 characters, got 0"),
    (EXPRESS, {"text": "x" * 2001}, "expected text to have at most 2,000 characters, got 2,001"),
    (EXPRESS, {"texts": ["a"] * 33}, "expected texts to have at most 32 entries, got 33"),
    (EXPRESS, {"texts": ["a", ""]}, "expected texts.1 to have at least 1 characters, got 0"),
    (EXPRESS, {"text": "a", "strength": 1.6}, "expected strength to be a number of 0 to 1.5, got 1.6"),
    (EXPRESS, {"text": "a", "strength": True}, "expected strength to be a number, got True"),
    (EXPRESS, {"text": "a", "seed": 1.5}, "expected seed to be a whole number, got 1.5"),
    (
        EXPRESS,
        {"txt": "a"},
        "expected the fields text, texts, strength, seed in the request, got 'txt'; did you mean 'text'?",
    ),
    (ACT, {"context": "a"}, "expected a field 'line' in the request, got context"),
    (ACT, {"line": "a", "state": "b"}, "expected state to be a JSON object, got 'b'"),
    (RENDER, {"weights": {"jawOpen": 1.01}}, "expected weights.jawOpen to be a number of 0 to 1, got 1.01"),
    (RENDER, {"weights": {}, "size": 63}, "expected size to be a number of 64 to 1,024, got 63"),
    (SCORE, {"predictions": [], "references": [ROW]}, "expected predictions to have at least 1 entries, got 0"),
    (
        SCORE,
        {"predictions": [{}], "references": [{"description": "a"}]},
        "expected a field 'intensities' in references.0, got description",
    ),
]


@pytest.mark.parametrize(("tool", "request_", "sentence"), BAD)
def test_says_what_is_wrong_in_one_sentence(tool, request_, sentence):
    with pytest.raises(ValueError, match=r".") as raised:
        check_input(tool, request_)
    assert str(raised.value) == sentence


def test_names_the_nearest_of_a_mistyped_blendshape():
    with pytest.raises(ValueError, match=r"did you mean 'jawOpen'\?"):
        check_input(RENDER, {"weights": {"jawOpn": 1}})


def test_fills_in_defaults_and_takes_null_for_what_may_be_left_out():
    assert check_input(ACT, {"line": "a", "state": None, "context": None}) == {"line": "a", "strength": 1}


def test_refuses_a_number_beyond_floats():
    with pytest.raises(ValueError, match="1e999"):
        parse_input(EXPRESS, b'{"text": "a", "strength": 1e999}')


def test_refuses_a_name_twice():
    with pytest.raises(ValueError, match="expected each name once in a JSON object, got 'jawOpen' twice"):
        parse_input(RENDER, b'{"weights": {"jawOpen": 0, "jawOpen": 1}}')


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_schemas_are_schemas(tool):
    Draft202012Validator.check_schema(tool.schema)
    Draft202012Validator.check_schema(tool.answer_schema or {})
    assert set(tool.required) <= set(tool.fields)
    assert all("description" in field for field in tool.fields.values())
    assert READ_PICTURE.fields["picture"]["contentEncoding"] == "base64"
