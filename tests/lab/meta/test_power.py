"""Power, against the textbook formula and by drawing studies."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="drawn studies are tested by scipy")

from scipy import stats

from emo3d_lab.meta import detectable_difference, needed_judgements


@pytest.mark.parametrize(
    ("difference", "ties", "expected"),
    [
        # n = (z.975 + z.8)^2 var / difference^2 = 7.849 (1 - ties - d^2) / d^2, and the t-test two to three more.
        (0.1, 0.0, 7.849 * 0.99 / 0.01),
        (0.2, 0.0, 7.849 * 0.96 / 0.04),
        (0.2, 0.3, 7.849 * 0.66 / 0.04),
        (0.4, 0.2, 7.849 * 0.64 / 0.16),
    ],
)
def test_independent_judgements_follow_the_normal_formula(difference, ties, expected):
    assert expected < needed_judgements(difference, ties=ties) < expected + 4


def test_clusters_cost_what_kish_says():
    single = needed_judgements(0.1, ties=0)
    # Five judgements of an item with a correlation of 0.25 within it are worth half: 1 + 4 x 0.25 = 2.
    assert needed_judgements(0.1, ties=0, per_item=5, item_correlation=0.25) == pytest.approx(2 * single, abs=5)
    # With J judges n = single (1 + (n / J - 1) r): for r = 0.02, J = 40, single = 780: 780 x 0.98 / (1 - 0.39) = 1253.
    assert single == pytest.approx(780, abs=1)
    assert needed_judgements(0.1, ties=0, judges=40) == pytest.approx(1253, abs=5)


def test_too_few_judges_are_told_how_many_it_takes():
    with pytest.raises(ValueError, match="expected at least 17 judges for a difference of"):
        needed_judgements(0.1, ties=0, judges=10)  # 780 x 0.02 = 15.6
    needed_judgements(0.1, ties=0, judges=17)


def test_drawn_studies_have_the_power():
    rng = np.random.default_rng(0)
    n = needed_judgements(0.25, ties=0.2)
    drawn = rng.choice([1, 0, -1], p=[0.525, 0.2, 0.275], size=(2000, n))
    shown = (stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean()
    assert shown == pytest.approx(0.8, abs=0.03)  # three standard errors of 2,000 draws


def test_what_can_be_detected_is_the_inverse():
    difference = detectable_difference(300, ties=0.1)
    assert needed_judgements(difference, ties=0.1) <= 300 < needed_judgements(difference - 0.002, ties=0.1)
    assert detectable_difference(10, ties=0.0, judges=1, judge_correlation=0.9) == float("inf")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"difference": 0}, "difference above 0"),
        ({"difference": 0.9, "ties": 0.2}, "up to 1 - ties = 0.8"),
        ({"difference": 0.1, "power": 1}, "power between 0 and 1"),
        ({"difference": 0.1, "judges": 0}, "judges of at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        needed_judgements(**arguments)
