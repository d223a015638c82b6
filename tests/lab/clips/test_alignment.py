"""The alignment of beats, against all cuts tried one by one, and by hand."""

from itertools import combinations

import numpy as np
import pytest

from emo3d_lab.clips.scoring import align


def all_cuts(costs, shortest, gap):
    """The least total cost of every way to cut the time, by trying them all."""
    count, instants = costs.shape
    first, last = gap // 2, instants - gap // 2
    totals = {}
    for cuts in combinations(range(first, last + 1), count - 1):
        starts = np.array([first, *(cut + gap for cut in cuts)])
        ends = np.array([*cuts, last])
        if (ends - starts >= shortest).all():
            rows = zip(costs, starts, ends, strict=True)
            totals[tuple(starts), tuple(ends)] = sum(row[start:end].sum() for row, start, end in rows)
    return totals


@pytest.mark.parametrize(
    ("count", "instants", "least", "transition"),
    [
        (1, 6, 0.4, 0.3),
        (2, 13, 0.4, 0.3),  # stretches of 2 or more, a transition of 1
        (3, 17, 0.4, 0.0),
        (3, 18, 0.35, 0.5),  # of 2 or more, a transition of 3
        (4, 16, 0.75, 0.25),
    ],
)
def test_no_other_cut_costs_less(count, instants, least, transition):  # fmt: skip
    rng = np.random.default_rng(count)
    for _ in range(20):
        costs = rng.exponential(size=(count, instants))
        shortest, gap = max(1, int(least * instants / count)), int(transition * instants / count)
        totals = all_cuts(costs, shortest, gap)
        alignment = align(costs, least, transition)
        cut = tuple(alignment.starts), tuple(alignment.ends)
        assert totals[cut] == pytest.approx(min(totals.values()))
        rows = zip(costs, *cut, strict=True)
        np.testing.assert_allclose(alignment.means, [row[start:end].mean() for row, start, end in rows])


def test_by_hand():
    # Beat 0 fits the first four of ten instants, beat 1 the others; T / B is 5, so the transition takes one instant.
    costs = np.array([[0, 0, 0, 0, 8, 8, 8, 8, 8, 8], [8, 8, 8, 8, 0, 0, 0, 0, 0, 0]])
    alignment = align(costs, least=0.4, transition=0.2)
    assert (alignment.starts.tolist(), alignment.ends.tolist()) == ([0, 4], [3, 10])
    assert alignment.cost == 0
    assert alignment.boundaries.tolist() == [3.5]
    # The other way round nothing fits: 48 is the least, as of all cuts that end after 6 or more.
    wrong = align(costs[::-1], least=0.4, transition=0.2)
    assert wrong.ends.tolist() == [7, 10]
    assert wrong.means == pytest.approx([4 * 8 / 7, 8])


def test_each_beat_counts_once():
    costs = np.array([[1.0] * 9 + [5], [5.0] * 9 + [3]])
    assert align(costs, least=0.2, transition=0).cost == 2  # of 9 instants and of one


@pytest.mark.parametrize("count", [1, 2, 5])
def test_fewest_instants(count):
    alignment = align(np.eye(count) * -1, least=0.05, transition=0.95)
    assert alignment.ends.tolist() == list(range(1, count + 1))


def test_a_slower_clip_is_cut_at_the_same_shares():
    costs = np.random.default_rng(3).exponential(size=(3, 30))
    slow = align(costs.repeat(3, axis=1))
    assert np.abs(slow.boundaries - 3 * align(costs).boundaries).max() <= 3


def test_cost_of_time():
    """Ten times the instants take no more than linear memory: 4 x 200,000 costs, and not their square."""
    costs = np.random.default_rng(0).exponential(size=(4, 200_000))
    assert align(costs).ends[-1] == 200_000 - int(0.3 * 50_000) // 2


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (np.zeros((0, 5)), "expected costs .B, T. of beats"),
        (np.zeros((3, 2)), "got shape .3, 2."),
        (np.zeros(4), "got shape .4,."),
        (np.full((1, 3), np.nan), "expected finite costs"),
    ],
)
def test_bad_costs(costs, message):  # fmt: skip
    with pytest.raises(ValueError, match=message):
        align(costs)
