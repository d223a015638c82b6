"""Sentinels of clips, by hand: k = 1, two beats of one emotion each, see `scored_clips`."""

from math import log

import numpy as np
import pytest
from scored_clips import OWN, WRONG, scorer_of

from emo3d_lab.clips.scoring.sentinels import CLIP_SENTINELS, make_clip_sentinels
from emo3d_lab.sentinels import compare_sentinels, verdict_of

PAIR, BACK = ("happiness", "anger"), ("anger", "happiness")


@pytest.fixture(scope="module")
def system():
    scorer = scorer_of([(PAIR, PAIR), (BACK, BACK)])
    return scorer, scorer.compute(), make_clip_sentinels(scorer)


def test_by_hand(system):
    _, result, sentinels = system
    kl = {name: sentinel.per_sample["kl_divergence"] for name, sentinel in sentinels.items()}
    assert list(kl) == list(CLIP_SENTINELS)
    assert result.per_sample["kl_divergence"] == pytest.approx([OWN] * 2)
    assert kl["reversed"] == pytest.approx([WRONG] * 2)
    assert kl["shuffled"] == pytest.approx([WRONG] * 2)  # the other clip is this one backwards
    assert kl["constant prior"] == pytest.approx([log(1 / (0.5 + 0.01))] * 2)
    # One face for the whole clip shows one of two beats, whichever it retrieves.
    assert kl["neutral"] == pytest.approx([(OWN + log(100)) / 2] * 2)
    assert kl["frozen"] == pytest.approx([(OWN + log(100)) / 2] * 2)
    assert (kl["flicker"] > OWN + 0.5).all()


def test_they_are_comparable_and_worse(system):
    _, result, sentinels = system
    assert {sentinel.signature for sentinel in sentinels.values()} == {result.signature}
    assert {sentinel.references for sentinel in sentinels.values()} == {result.references}
    figures = compare_sentinels(result, sentinels)
    assert all(figure.kl_divergence > result.kl_divergence for figure in figures)
    assert len(verdict_of(result.kl_divergence, figures)) == len(figures)  # of two clips nothing is certain


def test_a_system_that_ignores_order_does_not_beat_its_reverse():
    scorer = scorer_of([(BACK, PAIR), (PAIR, BACK)])
    result, sentinels = scorer.compute(), make_clip_sentinels(scorer)
    assert sentinels["reversed"].kl_divergence < result.kl_divergence
    assert sentinels["shuffled"].kl_divergence < result.kl_divergence


def test_neither_place_nor_company_moves_a_clip(system):
    _, _, sentinels = system
    longer = make_clip_sentinels(scorer_of([(PAIR, PAIR), (BACK, BACK)], batch_size=7))
    for name in ("flicker", "frozen", "reversed"):
        np.testing.assert_allclose(
            longer[name].per_sample["kl_divergence"], sentinels[name].per_sample["kl_divergence"]
        )
    turned = make_clip_sentinels(scorer_of([(BACK, BACK), (PAIR, PAIR)]))
    for name, sentinel in sentinels.items():
        there = turned[name].per_sample["kl_divergence"][::-1]
        np.testing.assert_allclose(there, sentinel.per_sample["kl_divergence"])


def test_single_beats_have_no_order():
    names = list(make_clip_sentinels(scorer_of([(("anger",), ("anger",)), (("happiness",), ("happiness",))])))
    assert names == ["constant prior", "neutral", "frozen", "shuffled"]
