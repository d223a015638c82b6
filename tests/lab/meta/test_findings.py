"""What the page of an agreement says first."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("statsmodels", reason="meta needs the extra [audit]")

from emo3d_lab.meta import Judgements, MetricValues, measure_metrics
from emo3d_lab.meta.figures import Estimate
from emo3d_lab.meta.findings import findings
from emo3d_lab.meta.page import write_agreement


def agreement_of(outcomes, systems=("ours", "theirs"), n_resamples=4000):
    """One judge's comparisons of the first two systems, one for each item, and three metrics that are noise."""
    n = len(outcomes)
    zeros, items = np.zeros(n, int), tuple(f"i{place}" for place in range(n))
    judgements = Judgements(items, systems, ("j",), np.arange(n), zeros, zeros, zeros + 1, np.array(outcomes, float))
    names = ("mse", "mae", "match")
    tables = {name: np.random.default_rng(seed).random((n, 2)) for seed, name in enumerate(names)}
    metrics = MetricValues(items, systems, tables, dict.fromkeys(names, True))
    return measure_metrics(judgements, metrics, n_resamples=n_resamples)


@pytest.fixture(scope="module")
def few():
    """Nine of twelve for ours."""
    return agreement_of([1] * 9 + [-1] * 3)


def with_metrics(agreement, *changes):
    return replace(
        agreement,
        metrics=tuple(replace(metric, **change) for metric, change in zip(agreement.metrics, changes, strict=True)),
    )


def test_no_metric_is_praised_that_may_be_chance(few):
    assert findings(few)[0] == "Too few answers to tell: no metric beats chance."
    assert findings(replace(few, comparisons=5000))[0] == "None can be said to agree: no metric beats chance."
    nothing = tuple(f"sentinel: {name}" for name in ("blind", "random", "name order"))
    changes = [{"name": name, "not_above": nothing} for name in "abc"]
    assert findings(with_metrics(few, *changes))[-1] == (
        "At the level of 5%, a, b and c do not beat chance, the order of the systems' names or a metric that does not "
        "look at faces."
    )
    changes[1]["not_above"] = nothing[1:]
    assert findings(with_metrics(few, *changes))[-1] == (
        "At the level of 5%, a and c do not beat chance, the order of the systems' names or a metric that does not "
        "look at faces; b does not beat chance or the order of the systems' names."
    )


def test_all_metrics_of_the_first_rank_are_named_with_intervals(few):
    two = Estimate(0.67, 0.6, 0.74), Estimate(0.66, 0.59, 0.73)
    first = [
        {"name": name, "rank": 1, "not_above": (), "accuracy": value} for name, value in zip("ab", two, strict=True)
    ]
    last = {"name": "c", "rank": 2, "not_above": ("sentinel: random",)}
    said = findings(with_metrics(few, *first, last))
    assert said[0] == (
        "a and b agree with people most and are not told apart: they answer 67% (95% interval 60% to 74%) and "
        "66% (95% interval 59% to 73%) of comparisons as people did."
    )
    assert said[-1] == "At the level of 5%, c does not beat chance."
    alone = findings(with_metrics(few, first[0], first[1] | {"rank": 2}, last))[0]
    assert alone == "a agrees with people most: it answers 67% (95% interval 60% to 74%) of comparisons as they did."


def test_which_system_people_prefer_comes_next(few):
    # Scores differ by 1/2, so residuals are 1/2 nine times and -3/2 three times; with signs at random their sum,
    # times sqrt(12/11) / 12, is above 1/2 where all three large ones are positive and at least six of nine small ones
    # (1/8 x 130/512), or two of three and all nine (3/8 x 1/512): 0.0325, two-sided 0.065.
    assert few.human_p == pytest.approx((0.0325,), abs=0.01)
    assert findings(few)[1].startswith(
        "Which system people prefer cannot be told: ours is not told apart from theirs (preferred in 75% of answers, "
        "the other in 25%; p = 0.0"
    )
    assert findings(agreement_of([-1] * 30 + [0] * 10, n_resamples=200))[1] == (
        "People prefer theirs to ours (preferred in 75% of answers, the other in 0%; p < 0.01, paired permutation over "
        "items)."
    )
    three = replace(few, systems=("a", "b", "c"), human=(-0.3, 0.2, 0.1), human_p=(0.999, 0.99, 0.3))
    assert findings(three)[1] == (
        "Which system people prefer cannot be told: b is not told apart from c (largest p = 0.60, paired permutation "
        "over items)."
    )
    assert findings(replace(three, human_p=(0.999, 0.99, 0.02)))[1] == (
        "People prefer b to each of the 2 others (largest p = 0.04, paired permutation over items)."
    )


def test_two_systems_are_no_ranking(few, tmp_path):
    write_agreement(few, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Two systems make no ranking" in page
    assert "soft accuracy" not in page.lower()
    assert "Kendall" not in page
    assert page.index("Too few answers") < page.index("Which system people prefer") < page.index("One judge only")
