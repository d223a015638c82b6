"""Text and JSON from strangers."""

import json

import pytest

from emo3d.documents import parse_json, read_json, read_json_lines, read_model_json, read_text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deep"),
        ("{", "expected JSON, got something else"),
        ("[NaN]", "got NaN"),
        ("[-Infinity]", "got -Infinity"),
        ("[1e999]", "expected numbers up to 1.7e.308, got 1e999"),
        ("[" + "9" * 400 + ".0]", "expected numbers up to"),
        ("[9223372036854775808]", "expected integers of 64 bits, got one of 19 digits"),  # 2**63
        ("[18446744073709551616]", "expected integers of 64 bits, got one of 20 digits"),  # 2**64
        ("[" + "9" * 5000 + "]", "one of 5000 digits"),  # more than Python converts
        ('["\\ud800"]', "half a character"),
        ('{"\\udc00": 1}', "half a character"),
        (b'["\xff"]', "expected text in UTF-8, got other bytes at 2"),
        (b"\xff\xfe[", "expected text in UTF-8, got other bytes at 0"),  # UTF-16, cut off
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1e308, -9223372036854775808, 9223372036854775807]", [1e308, -(2**63), 2**63 - 1]),
        ('["\\ud83d\\ude00"]', ["\U0001f600"]),  # both halves
        (json.dumps({"é": [1, 2.5]}).encode("utf-16"), {"é": [1, 2.5]}),
        (json.dumps({"é": [1, 2.5]}).encode("utf-32"), {"é": [1, 2.5]}),
        ("\ufeff[]", []),
        (b"\xef\xbb\xbf[]", []),
    ],
)
def test_what_is_read(text, value):
    assert parse_json(text) == value


def test_a_models_settings_may_hold_what_has_no_end(tmp_path):
    path = tmp_path / "tokenizer_config.json"
    path.write_text('{"model_max_length": 1000000000000000019884624838656, "id": 9223372036854775807, "n": -3}')
    assert read_model_json(path) == {"model_max_length": 1e30, "id": 2**63 - 1, "n": -3}
    with pytest.raises(ValueError, match="one of 31 digits"):
        read_json(path)
    path.write_text("[" + "9" * 400 + "]")
    with pytest.raises(ValueError, match=r"^tokenizer_config\.json: expected numbers up to"):
        read_model_json(path)


def test_lines(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "\u2028"}\n\n[1]\r\n', "utf-8")  # a separator of lines for str.splitlines, not for JSON
    assert read_json_lines(path) == [{"a": "\u2028"}, [1]]
    path.write_text("1\n{", "utf-8")
    with pytest.raises(ValueError, match=r"^rows\.jsonl, line 2: expected JSON"):
        read_json_lines(path)


def test_a_message_begins_with_the_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xe9")
    for read in (read_json, read_text, read_json_lines):
        with pytest.raises(ValueError, match=r"^a\.json: expected text in UTF-8"):
            read(path)
    monkeypatch.setattr("emo3d.documents.LARGEST", 0)
    with pytest.raises(ValueError, match=r"^a\.json: expected at most 0 MB"):
        read_json(path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "b.json")
