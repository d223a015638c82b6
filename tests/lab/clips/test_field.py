"""The field's numbers against scipy's matrix square root, closed forms of normal distributions, spaces made by hand."""

import logging
import math

import numpy as np
import pytest

from emo3d.clips import CHANNELS, Clip
from emo3d_lab.clips.scoring.field import (
    embedding_numbers,
    fid_numbers,
    field_numbers,
    frechet_distance,
    retrieval_ranks,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def texts_of(count):
    return [f"text {number}" for number in range(count)]


def test_the_frechet_distance_is_scipys(rng):
    linalg = pytest.importorskip("scipy.linalg")
    first, second = rng.normal(size=(300, 8)), rng.normal(0.3, 2, (200, 8)) @ rng.normal(size=(8, 8))
    covariances = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    means = np.square(first.mean(0) - second.mean(0)).sum()
    expected = means + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(("shift", "factor"), [(3.0, 1.0), (0.0, 2.0), (1.0, 3.0)])
def test_the_frechet_distance_of_a_shift_and_a_stretch(rng, shift, factor):
    # y = factor x + shift: |(factor - 1) m + shift|^2 + (factor - 1)^2 tr(C).
    first = rng.normal(size=(50, 5))
    second = factor * first + shift
    means = np.square((factor - 1) * first.mean(0) + shift).sum()
    spread = (factor - 1) ** 2 * first.var(axis=0, ddof=1).sum()
    assert frechet_distance(first, second) == pytest.approx(means + spread, rel=1e-6)


def test_the_frechet_distance_needs_more_clips_than_dimensions(rng):
    assert math.isnan(frechet_distance(rng.normal(size=(8, 8)), rng.normal(size=(99, 8))))
    assert not math.isnan(frechet_distance(rng.normal(size=(9, 8)), rng.normal(size=(99, 8))))
    assert math.isnan(fid_numbers(rng.normal(size=(16, 8)), rng.normal(size=(99, 8)), rng)[1])


def test_fid_infinity_takes_the_bias_of_few_clips_away(rng):
    # Both sides are one distribution, so that the distance is 0: what is there is bias, as 1 / n.
    draws = [fid_numbers(rng.normal(size=(200, 16)), rng.normal(size=(200, 16)), rng) for _ in range(10)]
    fid, infinity = np.mean(draws, axis=0)
    assert fid > 0.5
    assert abs(infinity) < 0.2 * fid


def test_ranks_of_a_space_on_a_line():
    # Clip i lies at its text i but for clip 0, which lies between texts 1 and 2: two texts are nearer or as near.
    told = np.arange(32.0)[:, None]
    shown = told.copy()
    shown[0] = 1.5
    ranks = retrieval_ranks(shown, told, texts_of(32), np.random.default_rng(0))
    assert ranks.tolist() == [3, *[0] * 31]  # texts 1, 2 and 3 (as near as its own) of all 31 others
    numbers = embedding_numbers(shown, shown, told, texts_of(32))
    assert [numbers[f"r_precision_{top}"] for top in (1, 2, 3)] == [31 / 32] * 3
    assert numbers["mm_distance"] == 1.5 / 32


def test_a_space_of_one_point_finds_nothing():
    numbers = embedding_numbers(*[np.ones((40, 2))] * 3, texts_of(40))
    assert numbers["r_precision_3"] == 0
    assert numbers["diversity"] == 0


def test_chance_is_one_of_32(rng):
    numbers = embedding_numbers(*rng.normal(size=(3, 4000, 4)), texts_of(4000))
    # Own text first of 32 at random: 1 / 32 each, standard error 0.003 to 0.005 of 4,000.
    assert [numbers[f"r_precision_{top}"] for top in (1, 2, 3)] == pytest.approx([1 / 32, 2 / 32, 3 / 32], abs=0.015)


def test_texts_that_come_twice_are_no_rivals(rng):
    told = np.repeat(10 * rng.normal(size=(32, 4)), 2, axis=0)
    texts = [text for text in texts_of(32) for _ in range(2)]
    shown = told + np.tile([[0.0], [0.3]], (32, 4))  # two clips of each text, 0.6 apart
    numbers = embedding_numbers(shown, shown, told, texts)
    assert numbers["r_precision_1"] == 1
    assert numbers["multimodality"] == pytest.approx(0.6)
    assert numbers["diversity"] == pytest.approx(numbers["diversity_references"])


def test_the_mean_distance_of_pairs():
    # A square of side 3: four sides and two diagonals.
    square = 3 * np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]])
    numbers = embedding_numbers(square, square[:2], square, texts_of(4))
    assert numbers["diversity"] == pytest.approx((4 * 3 + 2 * 3 * math.sqrt(2)) / 6)
    assert numbers["diversity_references"] == 3
    assert numbers["n"] == 4
    assert numbers["n_references"] == 2


def test_what_cannot_be_told_is_said(caplog, rng):
    with caplog.at_level(logging.WARNING):
        numbers = embedding_numbers(*rng.normal(size=(3, 20, 64)), texts_of(20))
    assert np.isnan([numbers[name] for name in ("fid", "fid_infinity", "r_precision_1", "multimodality")]).all()
    assert caplog.messages == [
        "R-precision is NaN: it needs 32 distinct texts or more, got 20",
        "FID is NaN: it needs more than 64 clips on both sides, got 20",
    ]


class Means:
    """An embedder of one's own: mean of jawOpen and mouthClose; the text says both."""

    def encode_clips(self, clips):
        columns = [CHANNELS.index(name) for name in ("jawOpen", "mouthClose")]
        return np.array([clip.frames[:, columns].mean(axis=0) for clip in clips])

    def encode_texts(self, texts):
        return np.array([[float(word) for word in text.split()] for text in texts])


def test_an_embedder_of_ones_own(rng):
    values = rng.random((40, 2)).round(3)
    clips = []
    for row in values:
        frames = np.zeros((3, len(CHANNELS)))
        frames[:, [CHANNELS.index("jawOpen"), CHANNELS.index("mouthClose")]] = row
        clips.append(Clip(frames, 30))
    texts = [f"{jaw} {lips}" for jaw, lips in values]
    numbers = field_numbers(clips, clips, texts, embedder=Means())
    np.testing.assert_equal(numbers, field_numbers(clips, clips, texts, embedder=Means()))
    assert numbers["r_precision_1"] == 1
    assert numbers["fid"] == pytest.approx(0, abs=1e-9)
    assert field_numbers(clips[::-1], clips, texts, embedder=Means())["r_precision_1"] < 0.3
    with pytest.raises(ValueError, match="expected a text of each of 40 clips, got 39"):
        field_numbers(clips, clips, texts[1:], embedder=Means())
    with pytest.raises(ValueError, match="expected clips and references, got 40 and 0"):
        field_numbers(clips, [], texts, embedder=Means())


def test_embeddings_of_other_shapes_are_refused(rng):
    with pytest.raises(ValueError, match=r"expected embeddings \(N, D\), \(M, D\) and \(N, D\) for 3 texts"):
        embedding_numbers(rng.normal(size=(3, 4)), rng.normal(size=(3, 5)), rng.normal(size=(3, 4)), texts_of(3))
