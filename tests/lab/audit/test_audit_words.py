"""Swaps by a table of cases written by hand; what the rules get wrong is in the table, too."""

import pytest

from emo3d_lab.audit.words import AGE, CONTROLS, GENDER, SWAPS, any_word
from emo3d_lab.sample.lexicon import PEOPLE

GENDERS, AGES = SWAPS
FULL_STOP, SAME_PERSON = CONTROLS
CASES = [
    (GENDERS, "She smiles.", "He smiles.", -1),
    (GENDERS, "HE SMILES", "SHE SMILES", 1),
    (GENDERS, "he's sad; she isn't", "she's sad; he isn't", 0),  # both ways at once
    (GENDERS, "His brother lost his keys.", "Her sister lost her keys.", 1),
    (GENDERS, "The fault was his.", "The fault was hers.", 1),
    (GENDERS, "The fault was his and hers", "The fault was hers and his", 0),
    (GENDERS, "Her eyes fill with tears", "His eyes fill with tears", -1),
    (GENDERS, "They told her.", "They told him.", -1),
    (GENDERS, "They told her that it is over", "They told him that it is over", -1),
    (GENDERS, "It makes her smile", "It makes his smile", -1),  # the rule's limit: the next word looks like a noun
    (GENDERS, "A man and an uncle", "A woman and an aunt", 1),
    (GENDERS, "An actor", "An actress", 1),
    (GENDERS, "a waiter beside himself", "a waitress beside herself", 1),
    (GENDERS, "The man-made theme is there", "The man-made theme is there", 0),  # whole words only
    (AGES, "An elderly woman", "A young woman", -1),
    (AGES, "a young man", "an elderly man", 1),
    (AGES, "Young men", "Elderly men", 1),
    (AGES, "the woman in her twenties", "the woman in her seventies", 1),
    (AGES, "an old  man with an old photograph", "a young man with an old photograph", -1),
    (AGES, "a little girl", "an elderly woman", 1),
    (AGES, "a middle-aged man", "a middle-aged man", 0),
    (FULL_STOP, "She smiles.", "She smiles", 0),
    (FULL_STOP, "She smiles", "She smiles.", 0),
    (SAME_PERSON, "A lady and an individual", "A woman and a person", 0),
    (SAME_PERSON, "a person", "an individual", 0),
]


@pytest.mark.parametrize(("swap", "text", "expected", "way"), CASES)
def test_swaps(swap, text, expected, way):
    assert swap.apply(text) == (expected, way)


@pytest.mark.parametrize("swap", [*SWAPS, *CONTROLS])
def test_a_text_without_such_words_stays(swap):
    text = "Nothing but dread"
    assert swap is FULL_STOP or swap.apply(text) == (text, 0)


@pytest.mark.parametrize(
    ("text", "ages", "genders"),
    [
        ("A BOY and his grandfather", {"child", "elderly"}, {"male"}),
        ("the middle-aged lady", {"middle-aged"}, {"female"}),
        ("an old  woman", {"elderly"}, {"female"}),
        ("an old photograph of heroes", set(), set()),
        ("a young man told her", {"young"}, {"male", "female"}),
    ],
)
def test_what_a_description_any_word(text, ages, genders):
    assert {name for name, words in AGE.items() if any_word(words).search(text)} == ages
    assert {name for name, words in GENDER.items() if any_word(words).search(text)} == genders


GROUPS = ("elderly", "middle-aged", "young")


@pytest.mark.parametrize("identity", [name for name in PEOPLE if name.startswith(GROUPS)])
def test_people_of_the_sample_are_known_by_their_words(identity):
    """The sample calls people of an identity by these words; they were written down before the lists here."""
    group = next(group for group in GROUPS if identity.startswith(group))
    for text in PEOPLE[identity]:
        assert any_word(AGE[group]).search(text)
        assert any_word(GENDER["female" if identity.endswith("woman") else "male"]).search(text) or "fellow" in text
        assert GENDERS.apply(text)[0] != text or "fellow" in text


def test_swaps_and_lists_know_the_same_words():
    """Every word that a swap takes for female is in the list of female words, and so on."""
    for words, group in ((GENDERS.forward, "male"), (GENDERS.backward, "female")):
        assert [word for word in words if not any_word(GENDER[group]).fullmatch(word)] == []
    assert [word for word in AGES.backward if not any_word(AGE["elderly"]).fullmatch(word)] == []
