"""Descriptions in sixteen languages: their files, and the rows that are made of them."""

import re
import unicodedata

import numpy as np
import pytest

from emo3d.descriptions import is_of_sixteen
from emo3d.emotions import EMOTIONS
from emo3d_lab.sample import languages
from emo3d_lab.sample.languages import LANGUAGES, make_multilingual_rows, read_language

# The language list of universal-sentence-encoder-multilingual on TensorFlow Hub.
TAUGHT = "ar zh zh-Hant en fr de it ja ko nl pl pt es th tr ru".split()
SCRIPTS = {"ar": "ARABIC", "zh": "CJK", "zh-Hant": "CJK", "ko": "HANGUL", "th": "THAI", "ru": "CYRILLIC"}


def of(code, *, slot=None, held_out=None):
    return [
        word
        for word in read_language(code).words
        if slot in (None, word.slot) and held_out in (None, word.held_out) and word.slot != "situation"
    ]


def test_the_languages_are_those_of_the_encoder():
    assert sorted(LANGUAGES) == sorted(TAUGHT)


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_language_has_words_of_every_emotion_and_sentences(code):
    language = read_language(code)
    for emotion in EMOTIONS:
        words = [word for word in of(code) if word.emotion == emotion]
        assert len(words) >= 8, emotion
        assert len({(word.slot, word.forms) for word in words}) == len(words), emotion
        for held_out in (False, True):
            slots = {word.slot for word in words if word.held_out == held_out}
            assert slots & {s.slot for s in language.sentences if s.held_out == held_out}, emotion
    assert len(language.sentences) >= 10
    assert sum(word.slot == "situation" for word in language.words) == 24
    assert 30 <= sum(word.held_out for word in language.words) < 0.25 * len(language.words)
    assert len({sentence.text for sentence in language.sentences}) == len(language.sentences)


@pytest.mark.parametrize("code", LANGUAGES)
def test_words_are_in_the_script_of_their_language(code):
    for word in read_language(code).words:
        for letter in filter(str.isalpha, "".join(word.forms)):
            name = unicodedata.name(letter)
            expected = ("HIRAGANA", "KATAKANA", "CJK", "IDEOGRAPHIC") if code == "ja" else SCRIPTS.get(code, "LATIN")
            assert name.startswith(expected), (word.forms, letter)


@pytest.mark.parametrize("code", LANGUAGES)
def test_degrees_are_ordered(code):
    factors = [factor for factor, _ in read_language(code).degrees]
    assert min(factors) < 0.7
    assert max(factors) > 1.2
    assert factors.count(1.0) == 1


@pytest.mark.parametrize(
    ("code", "weak", "strong"),
    [
        ("de", "ein bisschen ", "äußerst "),
        ("es", "un poco ", "sumamente "),
        ("tr", "biraz ", "son derece "),
        ("ja", "少し", "ものすごく"),
        ("zh", "有点", "极其"),
        ("ar", " قليلا", " للغاية"),
        ("th", "เล็กน้อย", "มากที่สุด"),
    ],
)
def test_a_strong_degree_makes_a_stronger_face(code, weak, strong):
    rows = make_multilingual_rows(800, 0, languages=[code])
    lengths = [[np.linalg.norm(r.blendshapes) for r in rows if degree in r.description] for degree in (weak, strong)]
    assert min(map(len, lengths)) > 10
    assert np.median(lengths[0]) < 0.8 * np.median(lengths[1])


def test_french_agrees_with_the_person_and_denies():
    rows = make_multilingual_rows(2500, 1, languages=["fr"])
    furious = [row for row in rows if "furieu" in row.description]
    assert {row.identity for row in furious} >= {"man", "woman"}
    for row in furious:
        assert ("furieuse" in row.description) is (row.identity in ("woman", "girl")), row.description
        assert row.intensities[EMOTIONS.index("anger")] == 1
    sad = [row for row in rows if re.search(r"(est|semble|paraît|a l'air) triste\b", row.description)]
    assert sad
    assert all(row.intensities.tolist() == [0, 0, 0, np.float32(0.8), 0, 0, 0, 0] for row in sad)
    denials = [row for row in rows if "n'est pas" in row.description]
    assert len(denials) > 5
    assert all(row.intensities.tolist() == [1, *[0] * 7] and np.linalg.norm(row.blendshapes) < 0.3 for row in denials)


def test_held_out_rows_share_no_word_with_the_others():
    for code in LANGUAGES:
        rows = make_multilingual_rows(40, 0, held_out=True, languages=[code])
        others = {row.description for row in make_multilingual_rows(400, 0, languages=[code])}
        assert not others & {row.description for row in rows}
        allowed = [form for word in of(code, held_out=True) for form in word.forms]
        assert not {*allowed} & {form for word in of(code, held_out=False) for form in word.forms}, code
        allowed += [word.forms[0] for word in read_language(code).words if word.slot == "situation" and word.held_out]
        assert all(any(form in row.description for form in allowed) for row in rows), code


def test_rows_take_turns_and_are_the_same_again():
    rows = make_multilingual_rows(800, 3)
    assert [row.description for row in make_multilingual_rows(80, 3)] == [row.description for row in rows[:80]]
    assert len({row.description for row in rows}) == 800
    assert all(re.search("[\u3040-\u30ff]", row.description) for row in rows[LANGUAGES.index("ja") :: 16][:20])
    assert not [row.description for row in rows if re.search("ADJ|NOUN|VERB|[~/*]", row.description)]
    assert not [row.description for row in rows if not is_of_sixteen(row.description)]
    weights = np.stack([row.blendshapes for row in rows])
    assert weights.shape == (800, 51)
    assert weights.dtype == np.float32
    assert 0 <= weights.min() < weights.max() <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "expected at least one row"),
        ({"n": 1, "languages": ["fa"]}, "expected languages of ar, de, .*, got 'fa'"),
        ({"n": 5000, "held_out": True, "languages": ["ar"]}, "ar has no more than about"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_multilingual_rows(**arguments)


def test_a_bad_line_is_named(monkeypatch, tmp_path):
    (tmp_path / "xx.txt").write_text("= anger 0.8 purple\n")
    monkeypatch.setattr(languages, "_FILES", tmp_path)
    with pytest.raises(ValueError, match=r"xx.txt: cannot read '= anger 0.8 purple': no variant 'purple' of anger"):
        read_language("xx")
