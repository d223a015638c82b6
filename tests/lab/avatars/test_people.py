"""Words to people; what a word should say was written down before the table was."""

from dataclasses import replace

import pytest

from emo3d.face import IDENTITIES
from emo3d.face.heads import packed_heads
from emo3d.face.identities import HAIR_STYLES, SKIN_TONES
from emo3d_lab.avatars.people import CLOTHES, LONGEST, _lexicon, named_person, read_person


@pytest.mark.parametrize(
    ("description", "phenotype", "looks"),
    [
        ("a tired old fisherman", {"gender": 0, "age": 1}, {"hair_style": "receding"}),
        ("An elderly woman", {"gender": 1, "age": 1}, {"hair_style": "waves"}),
        ("a skinny teenage girl with long black hair", {"gender": 1, "weight": 0.25}, {"hair": (34, 28, 27)}),
        ("a man in his fifties", {"gender": 0, "age": 0.83}, {}),
        ("a bald, muscular man", {"gender": 0, "muscle": 0.85}, {"hair_style": "none"}),
        ("a bearded man", {"gender": 0}, {"beard": 0.9}),
        ("grandmother with blue eyes", {"gender": 1, "age": 1}, {"iris": (88, 110, 132)}),
        ("a blue-eyed boy", {"gender": 0, "age": 0.36}, {"iris": (88, 110, 132)}),
        ("an African woman with red hair", {"african": 1, "asian": 0}, {"hair": (140, 74, 44), "skin": (96, 65, 52)}),
        ("a tall child", {"gender": 0.5, "age": 0.36, "height": 0.52}, {}),
    ],
)
def test_words_decide_who_it_is(description, phenotype, looks):
    identity = read_person(description).identity
    assert {name: identity.phenotype[name] for name in phenotype} == phenotype
    assert {name: getattr(identity, name) for name in looks} == looks


def test_clothes_have_the_colors_that_are_said():
    person = read_person("a young woman in a red shirt, white trousers and black boots")
    assert person.clothes == {"shirt": (140, 44, 42), "trousers": (214, 212, 206), "shoes": (38, 38, 42)}
    assert read_person("a young woman").clothes == CLOTHES


def test_it_says_which_words_decided_and_which_did_not():
    person = read_person("A tired old fisherman with a fat cat")
    assert set(person.reasons) == {"old", "fisherman", "fat"}
    assert person.silent == ("tired", "cat")


def test_of_two_words_the_first_counts():
    assert read_person("a young man and his old mother").identity.phenotype["age"] == 0.6
    assert read_person("a young man and his old mother").identity.phenotype["gender"] == 0


@pytest.mark.parametrize("description", ["ein müder alter Fischer", "疲れた漁師", "Ωραία ημέρα", "tired", "1234 !?"])
def test_unknown_words_leave_the_default_adult(description):
    person = read_person(description)
    adult = IDENTITIES["adult"]
    assert person.identity == replace(adult, phenotype={**adult.phenotype, "height": 0.37})
    assert person.reasons == {}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: read_person(" \n"), "got a blank one"),
        (lambda: read_person("x" * (LONGEST + 1)), "at most 2,000 characters of description, got 2,001"),
        (lambda: named_person("elderly-mann"), "did you mean 'elderly-man'"),
        (lambda: named_person("man").shaped({"heigth": 0.5}), "did you mean 'height'"),
        (lambda: named_person("man").shaped({"age": 1.5}), "expected phenotypes in 0..1, got age = 1.5"),
        (lambda: named_person("man").shaped({"age": float("nan")}), "expected phenotypes in 0..1, got age = nan"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_named_and_shaped_people():
    assert named_person("elderly-man").identity is IDENTITIES["elderly-man"]
    assert named_person("elderly-man").shaped({"age": 0.8}).identity.phenotype == {"gender": 0.0, "age": 0.8}


def test_every_word_of_the_table_means_something_that_exists():
    lexicon = _lexicon()
    palettes = {**dict.fromkeys(CLOTHES, lexicon.colors["cloth"]), **lexicon.colors}
    for word, meaning in lexicon.words.items():
        for name, value in meaning.items():
            if name in packed_heads().phenotypes or name == "beard":
                assert 0 <= value <= 1, word
            else:
                assert value in (HAIR_STYLES if name == "hair_style" else palettes[name]), word
    assert all(tone in SKIN_TONES for tone in lexicon.colors["skin"].values() if isinstance(tone, str))
