"""The synthetic sample: determinism, ranges, balance, and that text, intensities, expression and face agree."""

import re
from collections import Counter

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS
from emo3d_lab.sample import ROWS, SPLITS, make_rows
from emo3d_lab.sample import lexicon as words
from sample_rows import assert_ranges


@pytest.fixture(scope="module")
def splits():
    return {split: make_rows(split) for split in SPLITS}


@pytest.fixture(scope="module")
def every(splits):
    return [row for split in SPLITS for row in splits[split]]


def at(row, name):
    return float(row.blendshapes[BLENDSHAPES.index(name)])


def test_size(splits):
    assert (
        {split: len(rows) for split, rows in splits.items()} == ROWS == {"train": 9000, "validation": 600, "test": 900}
    )


def test_same_seed_same_rows_and_another_seed_others():
    a, b, c = make_rows("train", 50, 7), make_rows("train", 80, 7), make_rows("train", 50, 8)
    assert [row.description for row in a] == [row.description for row in b[:50]] != [row.description for row in c]
    assert all(np.array_equal(x.blendshapes, y.blendshapes) for x, y in zip(a, b[:50], strict=True))


@pytest.mark.parametrize(("split", "n", "message"), [("dev", 3, "got 'dev'"), ("train", 0, "got n = 0")])
def test_bad_arguments(split, n, message):
    with pytest.raises(ValueError, match=message):
        make_rows(split, n)


def test_ranges(every):
    assert len(every) == 10500
    assert_ranges(every)


def test_emotions_are_balanced(splits):
    for rows in splits.values():
        felt = np.stack([row.intensities[1:] for row in rows])
        shares = np.bincount(felt.argmax(axis=1)[felt.max(axis=1) > 0.2], minlength=7) / len(rows)
        assert shares.min() > 0.09, dict(zip(EMOTIONS[1:], shares, strict=True))
        assert shares.max() < 0.18


def test_ids_and_descriptions_are_unique(every):
    assert len({row.sample_id for row in every}) == len(every)
    assert len({row.description for row in every}) == len(every)


def test_splits_share_no_description_at_other_sizes_and_seeds(splits):
    train = {row.description for row in splits["train"]}
    for seed in (1, 2):
        assert train.isdisjoint(row.description for row in make_rows("validation", 600, seed))
        assert train.isdisjoint(row.description for row in make_rows("test", 600, seed))


def lines(held_out):
    return [entry for entry in words.entries() if entry.held_out == held_out]


def test_held_out_words_are_in_no_line_that_train_uses():
    seen = "\n".join(form for entry in lines(False) for form in entry.forms)
    seen += "\n".join(template.text for template in words.templates()[0] if not template.held_out)
    seen += "\n".join([*words.ADVERBS, *words.AMOUNTS, *words.ABSOLUTE_ADVERBS, *words.ABSOLUTE_AMOUNTS])
    held = [form for entry in lines(True) if entry.kind == "word" for form in entry.forms if form]
    assert len(held) > 200
    assert [word for word in held if re.search(rf"\b{re.escape(word)}\b", seen, re.IGNORECASE)] == []


def test_held_out_words_are_in_no_train_or_validation_row(splits):
    text = "\n".join(row.description for split in ("train", "validation") for row in splits[split])
    held = [form for entry in lines(True) if entry.kind == "word" for form in entry.forms if form]
    assert [word for word in held if re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)] == []


def test_test_rows_use_no_line_that_train_uses(splits):
    text = "\n".join(row.description.lower() for row in splits["test"])
    seen = [e.forms[0].lower() for e in lines(False) if e.kind in ("situation", "quote", "body", "detail", "idiom")]
    plain = [line for line in seen if not re.search(r"they|their|them|are|have|\[|\+|side", line) and len(line) > 20]
    assert len(plain) > 100
    assert [line for line in plain if line in text] == []


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_emotion_has_words_to_show(emotion):
    counts = Counter()
    for entry in words.entries():
        if entry.shade.emotion == emotion:
            counts[entry.kind, entry.held_out] += sum(bool(form) for form in entry.forms)
    assert counts["word", False] >= 50
    assert counts["situation", False] >= 35
    assert counts["word", True] >= 10
    assert counts["situation", True] >= 8
    assert counts["idiom", True] >= 3
    assert counts["quote", True] >= 4


def test_templates():
    templates, weights = words.templates()
    held = [template for template in templates if template.held_out]
    assert len(templates) >= 100
    assert 0.15 < len(held) / len(templates) < 0.3
    for kind in weights:
        assert {template.held_out for template in templates if template.kind == kind} == {True, False}


# Sentences kept out of the grammar, so that a generator can be tried on them.
@pytest.mark.parametrize("pattern", ["lottery", "revolt", r"forgot.*birthday", r"heart.*racing", "just won the lot"])
def test_trial_sentences_are_beyond_the_grammar(every, pattern):
    assert [row.description for row in every if re.search(pattern, row.description, re.IGNORECASE)] == []


@pytest.mark.parametrize(
    ("person", "identity"),
    [
        ("elderly woman", "elderly-woman"),
        ("woman in her seventies", "elderly-woman"),
        ("old man", "elderly-man"),
        ("grandfather", "elderly-man"),
        ("little girl", "girl"),
        ("young boy", "boy"),
        ("young woman", "young-woman"),
        ("man in his twenties", "young-man"),
        ("middle-aged man", "middle-aged-man"),
        ("woman of fifty", "middle-aged-woman"),
        ("gentleman", "man"),
        ("lady", "woman"),
    ],
)
def test_the_face_is_of_the_person_described(every, person, identity):
    opening = rf"^(Show me|Imagine|The face of|A close-up of|The look of|A picture of) an? {person}\b(?! (in|of))"
    faces = {row.identity for row in every if re.search(opening, row.description)}
    assert faces == {identity}


def test_pronouns_agree_with_the_face(every):
    own = r"^(He|She|They) (looks?|could|feels?)\b|^(His|Her|Their) (left|right|nose|brows|lips|eyes|mouth)\b"
    gender = {"he": "male", "his": "male", "she": "female", "her": "female", "they": "none", "their": "none"}
    checked = 0
    for row in every:
        match = re.match(own, row.description)
        if match and match[0].split()[0] not in ("They", "Their"):
            female = row.identity.endswith(("woman", "girl"))
            assert gender[match[0].split()[0].lower()] == ("female" if female else "male"), row.description
            checked += 1
    assert checked > 50


# (what the text says with SIDE, blendshape of that side, which must exceed the other side's)
@pytest.mark.parametrize(
    ("says", "name"),
    [
        ("SIDE (brow|eyebrow)( is)? (raised|cocked|arched high)", "browOuterUpSIDE"),
        ("SIDE eye( is)? (winking|closed in a wink|shut with a knowing smile)", "eyeBlinkSIDE"),
        ("SIDE corner of the mouth( is)? (lifted|tightened)", "mouthDimpleSIDE"),
        ("upper lip( is)? curled on the SIDE", "mouthUpperUpSIDE"),
        ("jaw( is)? (shifted|slid) to the SIDE", "jawSIDE"),
        ("(mouth|lips)( is| are)? (drawn|twisted) to the SIDE", "mouthSIDE"),
        ("(eyes|gaze|pupils)( is| are)? (turned|drifting off|directed) to the SIDE", "eyeLookOutSIDE"),
    ],
)
def test_left_is_left(every, says, name):
    for side, other in (("left", "right"), ("right", "left")):
        pattern = re.compile(rf"\b{says.replace('SIDE', side)}\b", re.IGNORECASE)
        opposite = re.compile(rf"\b{says.replace('SIDE', other)}\b", re.IGNORECASE)
        rows = [r for r in every if pattern.search(r.description) and not opposite.search(r.description)]
        assert len(rows) >= 5, (says, side)
        for row in rows:
            difference = at(row, name.replace("SIDE", side.title())) - at(row, name.replace("SIDE", other.title()))
            assert difference > 0.3, row.description


def test_left_and_right_are_as_frequent(every):
    counts = Counter(side for row in every for side in re.findall(r"\b(left|right) (?:brow|eye)", row.description))
    assert 0.7 < counts["left"] / counts["right"] < 1.4


@pytest.mark.parametrize(
    ("emotion", "names", "least"),
    [
        ("happiness", "mouthSmileLeft mouthSmileRight", 0.5),
        ("surprise", "browInnerUp eyeWideLeft eyeWideRight", 0.45),
        ("sadness", "browInnerUp mouthFrownLeft", 0.4),
        ("anger", "browDownLeft browDownRight", 0.6),
        ("disgust", "noseSneerLeft noseSneerRight", 0.6),
        ("fear", "browInnerUp eyeWideLeft mouthStretchLeft", 0.45),
    ],
)
def test_a_strong_emotion_alone_shows(every, emotion, names, least):
    place = EMOTIONS.index(emotion)
    alone = [r for r in every if r.intensities[place] >= 0.8 and np.delete(r.intensities[1:], place - 1).max() <= 0.3]
    assert len(alone) > 300
    means = [np.mean([at(row, name) for name in names.split()]) for row in alone]
    assert np.quantile(means, 0.02) > least


def test_contempt_is_one_sided(every):
    alone = [r for r in every if r.intensities[-1] >= 0.8 and r.intensities[1:-1].max() <= 0.2]
    sided = [abs(at(row, "mouthDimpleLeft") - at(row, "mouthDimpleRight")) for row in alone]
    assert len(alone) > 300
    assert np.quantile(sided, 0.02) > 0.4


@pytest.mark.parametrize(
    ("weak", "strong"), [("slightly", "extremely"), ("a hint of", "intense"), ("somewhat", "incredibly")]
)
def test_weak_words_are_weaker_in_intensities_and_in_the_face(every, weak, strong):
    def mean(adverb, value):
        rows = [r for r in every if re.search(rf"\b{adverb}\b", r.description) and r.intensities[0] < 1]
        return np.mean([value(row) for row in rows])

    for value in (lambda r: r.intensities[1:].sum(), lambda r: r.blendshapes.sum()):
        assert mean(weak, value) < 0.95 * mean(strong, value)


def test_descriptions_are_well_formed(every):
    for row in every:
        text = row.description
        assert not re.search(
            r"[A-Z]{4}|\+|\[|\||\bSIT\b|  |\.\.|\ba (?!one)[aeio]|\b([Aa]n) [bcdfgjklmnpqrstvwxz]", text
        ), text
        assert text[0].isupper() or text[0] == '"', text
        assert text[-1] in '.!?"', text
