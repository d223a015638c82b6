"""Sentinels, worked out by hand on a bank of three texts, k = 1 and epsilon 0.01.

Texts 0, 1 and 2 have the embeddings (1, 0), (0.8, 0.6) and (0, 1), and are happiness, sadness and anger. A face that
retrieves its own text has a divergence of ln(1 / 1.01), one that retrieves another ln(1 / 0.01).
"""

from math import log

import numpy as np
import pytest

from emo3d.emotions import EMOTIONS
from emo3d.face import RenderSettings, render
from emo3d.scoring import Bank, Emo3DResult, ScoreSettings, read_references
from emo3d_lab.readers import EmotionReader
from emo3d_lab.sentinels import (
    LEVEL,
    NEUTRAL,
    PICTURE_BLIND,
    PRIOR,
    SENTINELS,
    SHUFFLED,
    TEXT_ONLY,
    Reading,
    compare_sentinels,
    derangement,
    save_beside,
    score_beside_sentinels,
    verdict_of,
)
from emo3d_lab.training import Evaluation, rank, to_markdown
from fakes import FakeBackbone, pictures

EMBEDDINGS = [[1, 0], [0.8, 0.6], [0, 1]]
SHOWN = np.eye(8)[[EMOTIONS.index(name) for name in ("happiness", "sadness", "anger")]]
OWN, OTHER = log(1 / 1.01), log(1 / 0.01)
K1 = ScoreSettings(k=1)


def rows(intensities=SHOWN, texts=None):
    texts = texts or [f"text {place}" for place in range(len(intensities))]
    return [{"description": text, "intensities": row} for text, row in zip(texts, intensities, strict=True)]


def score_pictures(answers, references, embeddings=EMBEDDINGS, settings=K1, **options):
    """A system whose face i looks like text `answers[i]`."""
    backbone = FakeBackbone(embeddings, embeddings)
    return score_beside_sentinels(pictures(answers), references, settings=settings, backbone=backbone, **options)


def test_by_hand():
    result, sentinels = score_pictures([0, 1, 2], rows())
    assert result.kl_divergence == pytest.approx(OWN)
    kl = {name: sentinel.per_sample["kl_divergence"].tolist() for name, sentinel in sentinels.items()}
    assert list(kl) == [PRIOR, SHUFFLED, TEXT_ONLY, PICTURE_BLIND]  # of pictures, nothing is at rest
    assert kl[PRIOR] == pytest.approx([log(1 / (1 / 3 + 0.01))] * 3)
    assert kl[SHUFFLED] == pytest.approx([OTHER] * 3)
    assert kl[TEXT_ONLY] == pytest.approx([OTHER] * 3)
    # Text 0 is most like text 1 (0.8), text 1 like text 0 (0.8, and 0.6), and text 2 like text 1 (0.6).
    np.testing.assert_array_equal(sentinels[TEXT_ONLY].per_sample["distribution"], SHOWN[[1, 0, 1]])
    # The mean face (0.6, 0.533) has products of 0.6, 0.8 and 0.533 with the texts.
    assert kl[PICTURE_BLIND] == pytest.approx([OTHER, OWN, OTHER])
    assert {sentinel.signature for sentinel in sentinels.values()} == {result.signature}


def test_the_prior_is_that_of_training_rows():
    training = read_references(rows(SHOWN[[0, 0, 1, 2]]))
    _, sentinels = score_pictures([0, 1, 2], rows(), training=training)
    kl = sentinels[PRIOR].per_sample["kl_divergence"]
    assert kl == pytest.approx([log(1 / 0.51), log(1 / 0.26), log(1 / 0.26)])


def test_release_variant_by_hand():
    """Each of k = 2 rows is held against p: the prior's thirds are halved, and 2 ln(1 / (1/6 + 0.01)) comes out."""
    settings = ScoreSettings(k=2, variant="release")
    _, sentinels = score_pictures([0, 1, 2], rows(), settings=settings)
    assert sentinels[PRIOR].kl_divergence == pytest.approx(2 * log(1 / (1 / 6 + 0.01)))
    # Both others, neither of them right: 2 ln(1 / 0.01).
    assert sentinels[TEXT_ONLY].kl_divergence == pytest.approx(2 * OTHER)


class AtRest(FakeBackbone):
    """Sees text 1 in the face at rest of a size of 64, and text 0 in any other."""

    image_size = 64
    rest = None

    def encode_pictures(self, pictures):
        if self.rest is None:
            self.rest = render(np.zeros((1, 51)), settings=RenderSettings(size=64))[0]
        return self.texts[[int((picture == self.rest).all()) for picture in pictures]]


@pytest.mark.parametrize("space", ["weights", "reading"])
def test_neutral_is_the_face_at_rest_whatever_the_space(space):
    faces, settings = np.full((3, 51), 0.5), ScoreSettings(k=1, space=space)
    result, sentinels = score_beside_sentinels(
        faces, rows(), settings=settings, backbone=AtRest(EMBEDDINGS, EMBEDDINGS), batch_size=2
    )
    assert list(sentinels) == list(SENTINELS)
    assert result.per_sample["kl_divergence"] == pytest.approx([OWN, OTHER, OTHER])
    assert sentinels[NEUTRAL].per_sample["kl_divergence"] == pytest.approx([OTHER, OWN, OTHER])


def test_equal_texts_are_left_out_and_fewer_rows_than_k_are_retrieved():
    references = rows(SHOWN[[0, 0, 2]], ["text 0", "text 0", "text 2"])
    _, sentinels = score_pictures([0, 0, 2], references, settings=ScoreSettings(k=2))
    # Beside text 0 there is one other row, so one is retrieved of all.
    np.testing.assert_array_equal(sentinels[TEXT_ONLY].per_sample["distribution"], SHOWN[[2, 2, 0]])
    # Two of three faces are of one text: one of them has no other description to go to.
    assert (sentinels[SHUFFLED].per_sample["kl_divergence"] > 0).sum() == 2


def test_of_one_text_there_is_no_other():
    _, sentinels = score_pictures([0, 0], rows(SHOWN[[0, 0]], ["text 0"] * 2))
    assert TEXT_ONLY not in sentinels


def test_a_bank_that_lacks_the_descriptions():
    """They are embedded: text 0 is most like text 1 of the bank, and its own entry is none of the bank's."""
    backbone = FakeBackbone(EMBEDDINGS, EMBEDDINGS)
    bank = Bank.encode(["text 1", "text 2"], SHOWN[1:], backbone)
    _, sentinels = score_beside_sentinels(pictures([0, 2]), rows()[::2], settings=K1, backbone=backbone, bank=bank)
    # Text 2 is in the bank, so it is left out, and text 1 remains.
    np.testing.assert_array_equal(sentinels[TEXT_ONLY].per_sample["distribution"], SHOWN[[1, 1]])


def emotions(count):
    """As many references as `count`, of eight emotions in turn, and the embeddings of their texts: one by emotion."""
    described = np.eye(8)[np.arange(count) % 8]
    return rows(described), described


def test_a_good_system_beats_what_does_not_listen():
    references, embeddings = emotions(40)
    result, sentinels = score_pictures(range(40), references, embeddings)
    said = verdict_of(result.kl_divergence, compare_sentinels(result, sentinels))
    assert [sentence.split(" (")[0] for sentence in said] == ["not better than text-only"]  # four texts are like each
    assert said == ["not better than text-only (KL -0.01 against -0.01, p = 1.00)"]


def test_a_shuffled_system_does_not_beat_shuffled():
    references, embeddings = emotions(40)
    result, sentinels = score_pictures(np.random.default_rng(1).permutation(40), references, embeddings)
    shuffled = compare_sentinels(result, sentinels)[1]
    assert shuffled.name == SHUFFLED
    assert shuffled.p_value >= LEVEL
    assert any(
        sentence.startswith("not better than shuffled (KL ")
        for sentence in verdict_of(result.kl_divergence, compare_sentinels(result, sentinels))
    )


def test_a_system_of_one_face_is_its_own_shuffled_and_picture_blind():
    """Of 40 answers 35 are wrong: (5 ln(1 / 1.01) + 35 ln(1 / 0.01)) / 40 = 4.03; the prior ln(1 / 0.135) = 2.00."""
    references, embeddings = emotions(40)
    result, sentinels = score_pictures([3] * 40, references, embeddings)
    assert verdict_of(result.kl_divergence, compare_sentinels(result, sentinels)) == [
        "worse than constant prior (KL 4.03 against 2.00, p < 0.001)",
        "not better than shuffled (KL 4.03 against 4.03, p = 1.00)",
        "worse than text-only (KL 4.03 against -0.01, p < 0.001)",
        "not better than picture-blind (KL 4.03 against 4.03, p = 1.00)",
    ]


def test_three_references_prove_nothing():
    """All three differ one way: of eight swaps two are as far apart, and p is 2 / 8."""
    result, sentinels = score_pictures([0, 1, 2], rows())
    assert compare_sentinels(result, sentinels)[1].p_value == pytest.approx(0.25, abs=0.02)
    assert len(verdict_of(result.kl_divergence, compare_sentinels(result, sentinels))) == 4


def test_faces_of_one_reference_are_swapped_together():
    """Ten faces of each of three references are three cases, not thirty."""
    result, sentinels = score_pictures([0, 1, 2] * 10, rows() * 10)
    assert compare_sentinels(result, sentinels)[0].p_value == pytest.approx(0.25, abs=0.02)


def test_the_order_of_the_faces_makes_no_difference():
    references, embeddings = emotions(40)
    order = np.random.default_rng(2).permutation(40)
    answers = np.arange(40) // 2
    _, sentinels = score_pictures(answers, references, embeddings)
    _, others = score_pictures(answers[order], [references[row] for row in order], embeddings)
    for name, sentinel in sentinels.items():
        np.testing.assert_array_equal(
            sentinel.per_sample["kl_divergence"][order], others[name].per_sample["kl_divergence"]
        )


class ByPixels(FakeBackbone):
    """Sees text 0 or 1 in a picture, as its pixels say."""

    image_size = 32

    def encode_pictures(self, pictures):
        return self.texts[[int(picture.sum(dtype=np.int64)) % 97 % 2 for picture in pictures]]


class PixelReader(EmotionReader):
    """Knows happiness and sadness, and answers as the pixels say."""

    name, signature, emotions = "pixels", "pixels:1", ("happiness", "sadness")

    def _read(self, pictures, boxes):
        shares = np.array([picture.sum(dtype=np.int64) % 97 / 97 for picture in pictures])
        return np.stack([shares, 1 - shares], axis=1)


def test_the_order_of_several_faces_of_one_description_makes_no_difference():
    """Five faces for each of four references; two of these have one text, with other intensities."""
    references = rows(SHOWN[[0, 2, 1, 2] * 5], ["text 0", "text 0", "text 1", "text 2"] * 5)
    faces = np.random.default_rng(5).random((20, 51)).astype(np.float32)

    def figures(order):
        backbone, moved = ByPixels(EMBEDDINGS, EMBEDDINGS), [references[row] for row in order]
        options = {"settings": K1, "backbone": backbone, "readers": [PixelReader()]}
        return compare_sentinels(*score_beside_sentinels(faces[order], moved, **options))

    first = figures(np.arange(20))
    assert [sentinel.name for sentinel in first] == list(SENTINELS)
    for seed in range(3):
        assert figures(np.random.default_rng(seed).permutation(20)) == first


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("groups", "kept"),
    [
        (range(2), 0),
        (range(101), 0),
        ([5, 5, 5, 7, 7, 7], 0),
        ([0, 0, 1, 2, 2, 3, 3, 3], 0),
        ([0, 0, 0, 1], 2),  # more than half: one goes, one comes, and two of three keep to their group
        ([4], 1),
    ],
)
def test_derangement(groups, kept, seed):
    groups = np.array(groups)
    moved = derangement(groups, seed)
    assert sorted(moved) == list(range(len(groups)))
    assert (groups[moved] == groups).sum() == kept
    np.testing.assert_array_equal(moved, derangement(groups, seed))


def test_seeds_give_other_derangements():
    assert len({tuple(derangement(np.arange(50), seed)) for seed in range(10)}) == 10


class InTurns(FakeBackbone):
    """Sees text 0 in every face of the first of two identities, text 1 in those of the second."""

    def encode_pictures(self, pictures):
        self.batches.append(len(pictures))
        return self.texts[[(len(self.batches) - 1) % 2] * len(pictures)]


def test_each_identity_looks_up_its_own_and_the_mean_counts():
    settings = ScoreSettings(k=1, identities=2)
    backbone = InTurns(EMBEDDINGS, EMBEDDINGS)
    _, sentinels = score_beside_sentinels(np.zeros((3, 51)), rows(), settings=settings, backbone=backbone)
    for name in (NEUTRAL, SHUFFLED, PICTURE_BLIND):
        expected = [(OWN + OTHER) / 2, (OTHER + OWN) / 2, OTHER]
        assert sentinels[name].per_sample["kl_divergence"] == pytest.approx(expected)


class Recorded(EmotionReader):
    """Knows happiness and sadness; gives answers for three faces, and another one for a face alone."""

    name, signature, emotions = "recorded", "recorded:1", ("happiness", "sadness")
    answers = ((0.9, 0.1), (0.2, 0.8), (0.5, 0.5))

    def _read(self, pictures, boxes):
        return np.array(self.answers if len(pictures) == 3 else [(0.6, 0.4)])


def test_what_a_reader_says_of_sentinels_by_hand():
    """Of the three texts it can judge two; epsilon 0.01 is added to its answers."""
    settings, backbone = ScoreSettings(k=1), AtRest(EMBEDDINGS, EMBEDDINGS)
    faces, references = np.full((3, 51), 0.5), rows()
    result, sentinels = score_beside_sentinels(
        faces, references, settings=settings, backbone=backbone, readers=[Recorded()]
    )
    by_reader = {name: sentinel.readers["recorded"] for name, sentinel in sentinels.items()}
    kl = {name: reading.per_sample["kl_divergence"].tolist() for name, reading in by_reader.items()}
    assert result.readers["recorded"].per_sample["kl_divergence"][:2] == pytest.approx([log(1 / 0.91), log(1 / 0.81)])
    assert kl[PRIOR][:2] == pytest.approx([log(1 / 0.51)] * 2)  # a third each of three, of which it knows two
    assert kl[NEUTRAL][:2] == pytest.approx([log(1 / 0.61), log(1 / 0.41)])
    # Round in threes: each answer goes to the next, or to the one before.
    assert kl[SHUFFLED][:2] in (
        pytest.approx([log(1 / 0.21), log(1 / 0.51)]),
        pytest.approx([log(1 / 0.51), log(1 / 0.11)]),
    )
    assert kl[TEXT_ONLY][:2] == pytest.approx([OTHER] * 2)  # happiness for sadness, and the other way round
    assert kl[PICTURE_BLIND][:2] == pytest.approx([log(1 / (1.6 / 3 + 0.01)), log(1 / (1.4 / 3 + 0.01))])
    assert {(reading.n, len(reading.per_sample["top1"])) for reading in by_reader.values()} == {(2, 3)}
    assert (by_reader[NEUTRAL].top1, by_reader[TEXT_ONLY].top1) == (0.5, 0)
    figures = compare_sentinels(result, sentinels)[1].readings
    p = pytest.approx(0.5, abs=0.05)  # of two faces: one sign of two is as far
    assert figures == (Reading("recorded", by_reader[NEUTRAL].kl_divergence, 0.5, p),)


def test_files_hold_sentinels_and_leaderboards_name_those_not_beaten(tmp_path):
    references, embeddings = emotions(40)
    result, sentinels = score_pictures([3] * 40, references, embeddings)
    save_beside(tmp_path / "same face.json", result, compare_sentinels(result, sentinels))
    assert Emo3DResult.load(tmp_path / "same face.json").kl_divergence == result.kl_divergence
    evaluation = Evaluation.load(tmp_path / "same face.json")
    assert evaluation.sentinels == compare_sentinels(result, sentinels)
    said = "same face: worse than constant prior (KL 4.03 against 2.00, p < 0.001); not better than shuffled"
    assert said in to_markdown(rank([evaluation])).replace("&lt;", "<")
    evaluation.save(tmp_path / "again.json")
    assert Evaluation.load(tmp_path / "again.json").sentinels == evaluation.sentinels
    result.save(tmp_path / "bare.json")
    assert Evaluation.load(tmp_path / "bare.json").sentinels == ()
