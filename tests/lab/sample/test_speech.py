"""The training grammar: what it may not say, and that meaning follows words, degrees and denial, not persons."""

import re
from collections import Counter

import numpy as np
import pytest

from emo3d.emotions import EMOTIONS
from emo3d_lab.sample import lexicon, make_rows
from emo3d_lab.sample.guard import COMMON, is_reserved
from emo3d_lab.sample.phrases import texts
from emo3d_lab.sample.sentences import Voice, tidy
from emo3d_lab.sample.speech import speak
from emo3d_lab.sample.training import expression_at, make_training_rows
from sample_rows import assert_ranges


@pytest.fixture(scope="module")
def rows():
    return make_training_rows(20_000)


@pytest.fixture(scope="module")
def validation():
    return make_training_rows(3000, held_out=True)


def tokens(row):
    return re.findall(r"[a-z]+(?:['’-][a-z]+)*", row.description.lower())


def test_same_seed_same_rows_and_another_seed_others():
    a, b, c = make_training_rows(60, 7), make_training_rows(90, 7), make_training_rows(60, 8)
    assert [row.description for row in a] == [row.description for row in b[:60]] != [row.description for row in c]
    assert all(np.array_equal(x.blendshapes, y.blendshapes) for x, y in zip(a, b[:60], strict=True))


def test_no_rows():
    with pytest.raises(ValueError, match="got n = 0"):
        make_training_rows(0)


def test_ranges(rows):
    assert len(rows) == 20_000
    assert_ranges(rows)


def test_rows_are_many_and_varied(rows):
    assert len({row.description for row in rows}) == len(rows) == len({row.sample_id for row in rows})
    assert len({token for row in rows for token in tokens(row)}) > 5000


def test_no_slot_is_left_open(rows, validation):
    slots = re.compile(r"THEY|THEIR|THEM|WHO\b|\bA?D[JV]J?\d?\b|NOUN|\bSIT\b|\+s\b|\w//?\w|[\[\]<>|{}\x00-\x1f]")
    shouted = [row.description for row in [*rows, *validation] if not row.description.isupper()]
    allowed = re.compile(r"\d+/\d+|(?<= )/s\b|\w+/10\b")
    assert [text for text in shouted if slots.search(allowed.sub("", text))] == []


def test_nothing_held_out_occurs(rows, validation):
    forms = {form.lower() for e in lexicon.entries() if e.held_out and e.kind == "word" for form in e.forms if form}
    words = {form for form in forms if " " not in form} - COMMON
    phrases = [f" {form} " for form in forms if " " in form]
    assert len(words) > 200
    for row in [*rows, *validation]:
        said = tokens(row)
        assert words.isdisjoint(said), row.description
        line = f" {' '.join(said)} "
        assert not any(phrase in line for phrase in phrases), row.description
    held_out = {row.description for row in make_rows("test", 900)}
    assert held_out.isdisjoint(row.description for row in rows)


def test_guard_sees_held_out_sentences_and_lets_others_pass():
    reserved = [is_reserved(row.description) for row in make_rows("test", 400)]
    assert np.mean(reserved) > 0.97
    passing = [is_reserved(row.description) for row in make_rows("train", 400)]
    assert np.mean(passing) < 0.05


def test_every_construction_occurs(rows, validation):
    trained, held_out = texts(False), texts(True)
    assert {row.construction for row in rows} == {"sample", *trained.patterns}
    assert {row.construction for row in validation} == set(held_out.patterns)
    assert set(held_out.patterns) - set(trained.patterns) == {"answer"}


def test_enough_is_held_out():
    trained, held_out = texts(False), texts(True)
    situations = [
        sum(len({p.text for p in pool.phrases["SIT", e]}) for e in EMOTIONS[1:]) for pool in (held_out, trained)
    ]
    assert situations[0] / sum(situations) >= 0.15
    templates = [sum(len(set(p.text for p in ps)) for ps in pool.patterns.values()) for pool in (held_out, trained)]
    assert templates[0] / sum(templates) >= 0.2


def test_validation_shares_no_situation_word_or_name_with_training():
    trained, held_out = texts(False), texts(True)
    for kind in ("ADJ", "SIT", "QUOTE", "TEXT", "EMOJI", "LOOK"):
        for emotion in EMOTIONS:
            assert held_out.phrases[kind, emotion], (kind, emotion)
            ours = {phrase.text for phrase in trained.phrases[kind, emotion]}
            assert ours.isdisjoint(phrase.text for phrase in held_out.phrases[kind, emotion])
    assert {p.text for p in trained.people}.isdisjoint(p.text for p in held_out.people)


def test_words_are_denied_as_often_as_said():
    rng = np.random.default_rng(0)
    said, denied = Counter(), Counter()
    for construction in ("negation", "contrast", "sequence"):
        for _ in range(8000):
            scene = speak(rng, construction=construction)[0]
            said.update(scene.affirmed)
            denied.update(scene.denied)
    common = [word for word in denied if said[word] + denied[word] >= 40]
    shares = np.array([denied[word] / (said[word] + denied[word]) for word in common])
    assert len(common) > 100
    assert abs(shares.mean() - 0.5) < 0.04
    assert np.mean(abs(shares - 0.5) < 0.25) > 0.98


def test_what_is_denied_is_not_shown():
    rng = np.random.default_rng(1)
    feelings = {p.text: p.shade.emotion for (kind, _), ps in texts(False).phrases.items() if kind == "ADJ" for p in ps}
    checked = 0
    for _ in range(3000):
        scene = speak(rng, construction="negation")[0]
        emotions = {feelings.get(text) for text in scene.denied} - {None, "neutral"}
        if emotions and not scene.affirmed:
            checked += 1
            assert all(scene.intensities.get(emotion, 0) <= 0.1 for emotion in emotions), scene
            assert max([0.0, *(scene.intensities.get(emotion, 0) for emotion in EMOTIONS[1:])]) <= 0.7, scene
    assert checked > 500


def test_series_order_their_intensities(rows):
    series = {}
    for row in rows:
        if row.series >= 0:
            series.setdefault(row.series, []).append(row)
    ratios = []
    for group in list(series.values())[:-1]:  # the last may be cut
        loud = [1 - float(row.intensities[0]) for row in group]
        peaks = [float(row.intensities[1:].max()) for row in group]
        assert 3 <= len(group) <= 5
        assert peaks == sorted(peaks), [row.description for row in group]
        if loud[-1] > 0.5:
            ratios.append(np.linalg.norm(group[0].blendshapes) / np.linalg.norm(group[-1].blendshapes))
    assert len(ratios) > 200
    assert np.median(ratios) < 0.6


def test_persons_say_nothing_of_emotions():
    rng = np.random.default_rng(2)
    names = sorted(p.text for p in texts(False).people if p.name)
    counts = np.zeros((len(names), len(EMOTIONS)))
    children = np.zeros((2, len(EMOTIONS)))
    for _ in range(40_000):
        scene = speak(rng, construction="situation")[0]
        emotion = max(range(1, 8), key=lambda place: scene.intensities.get(EMOTIONS[place], 0))
        emotion = emotion if scene.intensities.get(EMOTIONS[emotion]) else 0
        children[int(scene.identity in ("girl", "boy")), emotion] += 1
        if scene.person in names:
            counts[names.index(scene.person), emotion] += 1
    for table in (counts, children):
        table = table[:, table.sum(0) > 0]
        expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
        chi_square = ((table - expected) ** 2 / expected).sum()
        freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
        assert chi_square < freedom + 4 * np.sqrt(2 * freedom)


@pytest.mark.parametrize(
    ("text", "name", "pronoun", "tense", "expected"),
    [
        ("THEY open/opened THEIR bag.", "", "I", "present", "I open my bag."),
        ("THEY open/opened THEIR bag.", "Mei", "she", "present", "Mei opens her bag."),
        ("THEY open/opened THEIR bag.", "the nurse", "they", "past", "The nurse opened their bag."),
        ("THEY carry/carried it.", "", "he", "present", "He carries it."),
        ("THEY carry/carried it.", "", "he", "future", "He will carry it."),
        ("the dog barks//barked at THEM", "Tom", "he", "past", "The dog barked at Tom"),
        ("THEIR dog has bitten THEM.", "Tom", "he", "past", "Tom's dog has bitten him."),
        ("WHO knows what THEY HAVE.", "Kim", "they", "present", "Kim knows what they have."),
        ("Why ARE THEY sad?", "Ana", "she", "present", "Why is Ana sad?"),
        ("THEY AREN'T here", "", "I", "present", "I am not here"),
        ("A WHO waits.", "the old man", "he", "present", "An old man waits."),
    ],
)
def test_agreement(text, name, pronoun, tense, expected):
    assert tidy(Voice(name, pronoun, tense).speak(text, introduced=False)) == expected


def test_strength_scales_the_face(rows):
    strengths = (0.0, 0.25, 0.5, 1.0, 1.5)
    for row in [row for row in rows if row.intensities[0] < 0.4][:60]:
        faces = [expression_at(row, s, np.random.default_rng(0)) for s in strengths]
        sums = [float(face.sum()) for face in faces]
        assert sums == sorted(sums)
        assert faces[0].max() < 0.2
        assert all(0 <= face.min() <= face.max() <= 1 for face in faces)
        assert np.abs(faces[3] - row.blendshapes).mean() < 0.05  # but for the variation
    with pytest.raises(ValueError, match=r"got 1\.6"):
        expression_at(rows[0], 1.6, np.random.default_rng(0))
