"""Gaps, effect sizes, Holm's correction and variances, on arrays small enough to be calculated by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import t as student

from emo3d.emotions import EMOTIONS
from emo3d.face import PANEL
from emo3d.scoring import References
from emo3d_lab.audit.faces import summarise
from emo3d_lab.audit.figures import Estimate, Gap
from emo3d_lab.audit.slices import group_rows, slice_scores, strength_scores
from emo3d_lab.audit.statistics import Bootstrap, holm, variance_shares

BOOTSTRAP = Bootstrap()
ONES = np.tile([0.0, 2.0], 16)  # 32 values: mean 1, variance 32 / 31
TWOS = np.tile([1.0, 1.0, 2.0, 4.0], 10)  # 40 values: mean 2, squares (1 + 1 + 0 + 4) * 10 = 60, variance 60 / 39


def rows(descriptions, **intensities):
    columns = [np.broadcast_to(intensities.get(name, 0.0), len(descriptions)) for name in EMOTIONS]
    return References(list(descriptions), np.stack(columns, axis=1).astype(float))


def test_other_rows_by_hand():
    """Welch: t = 1 / sqrt(v1/32 + v2/40), degrees of freedom by Satterthwaite; d by the pooled variance."""
    gap = Bootstrap(n_bootstrap=20_000).between(TWOS, ONES)
    a, b = 60 / 39 / 40, 32 / 31 / 32
    t, freedom = 1 / np.sqrt(a + b), (a + b) ** 2 / (a**2 / 39 + b**2 / 31)
    assert gap.difference.value == 1.0
    assert gap.effect == pytest.approx(1 / np.sqrt((60 + 32) / 70))
    assert gap.p_value == pytest.approx(2 * student.sf(t, freedom))
    assert gap.difference.low == pytest.approx(1 - 1.96 * np.sqrt(a + b), abs=0.06)  # the normal one
    assert gap.difference.high == pytest.approx(1 + 1.96 * np.sqrt(a + b), abs=0.06)


def test_the_same_rows_by_hand():
    """d_z = mean / standard deviation, t = d_z sqrt(n)."""
    (gap,) = BOOTSTRAP.paired(ONES[:, None])
    effect = 1 / np.sqrt(32 / 31)
    assert gap.difference.value == 1.0
    assert gap.effect == pytest.approx(effect)
    assert gap.p_value == pytest.approx(2 * student.sf(effect * np.sqrt(32), 31))


def test_few_rows_make_no_claim():
    assert BOOTSTRAP.between(ONES[:29], TWOS) is None
    assert BOOTSTRAP.between(TWOS, ONES[:29]) is None
    assert BOOTSTRAP.between(ONES[:30], TWOS[:30]).p_value is not None
    (gap,) = BOOTSTRAP.paired(ONES[:29, None])
    assert gap.p_value is None
    assert not gap.is_claim


@pytest.mark.parametrize(("difference", "p_value"), [(0.0, 1.0), (0.1, 0.0)])
def test_where_nothing_varies(difference, p_value):
    (gap,) = BOOTSTRAP.paired(np.full((40, 1), difference))
    assert (gap.effect, gap.p_value) == (None, p_value)
    apart = BOOTSTRAP.between(np.full(40, 1 + difference), np.full(40, 1.0))
    assert (apart.effect, apart.p_value) == (None, p_value)


@dataclass(frozen=True)
class Item:
    gap: Gap | None


def test_holm_by_hand():
    """0.01 x 3, then the larger of that and 0.03 x 2, then of that and 0.04 x 1; those without stay without."""
    raw = [0.04, None, 0.01, 0.03]
    gaps = [Gap(Estimate(1, 0, 2), 1.0, p_value) for p_value in raw]
    corrected = holm([Item(None), *map(Item, gaps)])
    assert corrected[0].gap is None
    assert [item.gap.p_value for item in corrected[1:]] == pytest.approx([0.06, None, 0.03, 0.06])
    assert holm([]) == ()


def test_shares_of_variance_by_hand():
    """Mean 3; rows 1.5 and 4.5: 2 (1.5^2 + 1.5^2) = 9; columns 2 and 4: 2 (1 + 1) = 4; total 4 + 1 + 0 + 9 = 14."""
    shares = variance_shares(np.array([[1.0, 2.0], [3.0, 6.0]]))
    assert shares == pytest.approx({"expression": 9 / 14, "identity": 4 / 14, "rest": 1 / 14})


def test_a_slice_that_is_worse_is_found_and_no_other():
    """Descriptions of elderly people are made worse by half a nat, in noise of as much; other factors are crossed."""
    people = ["An elderly man", "A woman", "A young woman", "Someone"]
    described = rows([people[row % 4] for row in range(800)], happiness=1.0)
    kl = np.random.default_rng(0).normal(1, 0.5, 800)
    prompts = ["a" if row % 8 < 4 else "b" for row in range(800)]
    fair = slice_scores(kl, described, prompts, 1.0, BOOTSTRAP)
    assert [one.name for one in fair if one.gap and one.gap.is_claim] == []
    kl[::4] += 0.5
    found = {(one.factor, one.name): one for one in slice_scores(kl, described, prompts, 1.0, BOOTSTRAP)}
    worse = {key for key, one in found.items() if one.gap and one.gap.is_claim and one.gap.difference.value > 0}
    assert worse == {("age words", "elderly"), ("gender words", "male")}  # all men are old here
    elderly = found["age words", "elderly"]
    assert (elderly.n, elderly.others) == (200, 600)
    assert elderly.gap.difference.value == pytest.approx(0.5, abs=0.1)
    assert elderly.emo3d.value == pytest.approx(1 / (1 + np.exp(-elderly.kl.value)))
    assert found["strongest emotion", "happiness"].gap is None  # there is no rest


def test_groups_by_hand():
    described = rows(
        ["She", "he and she", "A boy and an elderly man", "one two three four five six"],
        happiness=np.float32([0.4, 0.2, 0.0, 0.1]),
        fear=np.float32([0.2, 0.1, 0.0, 0.0]),
        neutral=np.float32([0.0, 0.9, 0.2, 0.6]),
    )
    groups = {
        (factor, name): np.flatnonzero(chosen).tolist()
        for factor, named in group_rows(described, None).items()
        for name, chosen in named.items()
        if chosen.any()
    }
    assert groups == {
        ("age words", "child"): [2],
        ("age words", "elderly"): [2],  # a row with words of two groups is in both
        ("age words", "none"): [0, 1, 3],
        ("gender words", "female"): [0],
        ("gender words", "male"): [2],
        ("gender words", "both"): [1],
        ("gender words", "none"): [3],
        ("strongest emotion", "neutral"): [1, 2, 3],
        ("strongest emotion", "happiness"): [0],
        ("blend", "a blend"): [0],
        ("blend", "one emotion"): [1],
        ("blend", "neutral"): [2, 3],
        ("words", "1 to 5"): [0, 1],
        ("words", "6 to 10"): [2, 3],
        ("strongest intensity", "0.2-0.4"): [2],
        ("strongest intensity", "0.4-0.6"): [0],
        ("strongest intensity", "0.6-0.8"): [3],
        ("strongest intensity", "0.8-1.0"): [1],
    }


def test_weak_and_strong_by_hand():
    """Edges belong to weak and strong, also as float32, whose 0.4 is a little more; amplitude falls with intensity.

    Neutral is stronger than what is weak, and does not count.
    """
    intensity = np.tile(np.float32([0.4, 0.6, 0.8]), 40)
    kl = np.tile([2.0, 0.0, 1.0], 40) + np.tile([-0.5, -0.5, -0.5, 0.5, 0.5, 0.5], 20)
    found = strength_scores(
        kl, rows(["a"] * 120, fear=intensity, neutral=1 - intensity), -intensity.astype(float), BOOTSTRAP
    )
    assert [one.emotion for one in found] == list(EMOTIONS[1:])
    fear = found[EMOTIONS.index("fear") - 1]
    assert (fear.n, fear.weak.n, fear.strong.n) == (120, 40, 40)
    assert (fear.weak.kl.value, fear.strong.kl.value) == (2.0, 1.0)
    assert fear.gap.difference.value == -1.0
    assert fear.gap.is_claim
    assert fear.correlation == pytest.approx(-1.0)
    assert found[0].weak.kl is None


def measured(off=lambda name: 0.0, n=200, noise=0.3):
    """Divergences of n expressions on the panel: each expression's own, a face's `off`, and noise."""
    rng = np.random.default_rng(1)
    own = rng.normal(1, 0.5, n)
    faces = [own + off(name) + rng.normal(0, noise, n) for name in PANEL]
    return summarise([("panel", name) for name in PANEL], own, faces, BOOTSTRAP)


def test_faces_that_do_not_matter_make_no_claim():
    found = measured()
    assert not any(one.gap.is_claim for one in (*found.conditions, *found.effects, found.worst))
    assert found.shares["identity"] < 0.01
    assert found.pairs == 66
    still = measured(noise=0)
    assert {one.gap.effect for one in still.conditions} == {None}
    assert still.shares["expression"] == pytest.approx(1.0)


def test_what_faces_differ_in_is_told_apart():
    """Women add 0.4, the darkest tone 0.8. Two of six women and two of six old faces have it, but one of six men and
    one of six young ones: plain means would give the women 0.13 more, and age 0.13, which does nothing.
    """
    dark = PANEL["old-caucasian-man"].skin
    found = measured(lambda name: 0.4 * name.endswith("-woman") + 0.8 * (PANEL[name].skin == dark))
    effects = {(one.first, one.second): one.gap for one in found.effects}
    for pair, truth in {
        ("woman", "man"): 0.4,
        ("old", "young"): 0.0,
        ("african", "asian"): 0.0,
        ("asian", "caucasian"): 0.0,
        ("monk-8", "monk-6"): 0.8,
        ("monk-8", "monk-2"): 0.8,
        ("monk-6", "monk-5"): 0.0,
    }.items():
        assert effects[pair].difference.value == pytest.approx(truth, abs=0.05)
        assert effects[pair].is_claim == (truth > 0)


def test_the_worst_pair_and_what_one_face_costs():
    special = "old-asian-woman"
    found = measured(lambda name: 0.6 * (name == special))
    assert found.worst.first == special
    assert found.worst.gap.difference.value == pytest.approx(0.6, abs=0.1)
    assert found.worst.gap.is_claim
    costs = {one.faces: one.off.value for one in found.costs}
    assert costs["adult"] == pytest.approx(-0.05, abs=0.03)  # 0.6 / 12
    assert costs[special] == pytest.approx(0.55, abs=0.05)
    assert special not in list(PANEL)[:6]
    assert costs["panel-2/6"] == pytest.approx(-0.05, abs=0.05)
