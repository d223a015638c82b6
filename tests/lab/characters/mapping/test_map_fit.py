"""Combinations of targets in two and three dimensions, where the answer can be drawn."""

import numpy as np
import pytest

from emo3d_lab.characters.mapping.fit import fit_dense, fit_unit, importances

X, Y, Z = np.eye(3)


@pytest.mark.parametrize(
    ("goal", "motions", "options", "coefficients", "residual"),
    [
        (X, [X], {}, {0: 1.0}, 0.0),
        (X, [2 * X], {}, {0: 0.5}, 0.0),  # twice as strong as ours
        (X, [X / 2], {}, {0: 1.0}, 0.25),  # half as strong: 1 - 0.5 squared is left
        (X, [0.9 * X], {}, {0: 1.0}, 0.01),
        (X, [X / 0.9], {}, {0: 1.0}, 0.0123),  # 0.9 of it would be exact; it is driven to its end
        (X + Y, [X / 2, Y / 2], {}, {0: 1.0, 1: 1.0}, 0.25),
        (X + Y, [X / 2, Y], {}, {0: 1.0, 1: 0.5}, 0.25),  # weaker all over, rather than another movement
        (X, [X + Y], {}, {0: 0.5}, 0.5),  # one that moves both sides
        (X, [X + Y, 0.999 * X], {}, {1: 1.0}, 1e-6),
        (X, [-X, Y], {}, {}, 1.0),
        (X, [-X, Y], {"signed": True}, {0: -1.0}, 0.0),
        (X, [Y, X], {"named": [0]}, {1: 1.0}, 0.0),  # a wrong name has no say
        (X, [X + 0.3 * Y, X + 0.3 * Z], {"named": [1]}, {1: 1.0}, 0.09),  # a right one decides between equals
        (X, [0.8 * X, X + 0.6 * Y], {"named": [1]}, {0: 1.0}, 0.04),  # 0.96 is more than 1.3 times 1 / 1.36
        (X, [X + Y, -Y], {}, {0: 0.5}, 0.5),  # nothing is driven only to undo what another does elsewhere
        (0 * X, [X], {}, {}, 1.0),
        (X, [0 * X], {}, {}, 1.0),
    ],
)
def test_units_of_targets(goal, motions, options, coefficients, residual):
    fit = fit_unit(goal, np.array(motions), **options)
    assert fit.coefficients == pytest.approx(coefficients, abs=2e-3)
    assert fit.residual == pytest.approx(residual, abs=2e-3)


def test_combinations_are_sparse_and_bounded():
    """Of a hundred targets in 300 dimensions, the three that the goal is made of, at their weights."""
    motions = np.random.default_rng(0).normal(size=(100, 300))
    fit = fit_unit(0.3 * motions[4] + 0.6 * motions[40] + 0.2 * motions[77], motions)
    assert fit.coefficients == pytest.approx({4: 0.3, 40: 0.6, 77: 0.2}, abs=1e-6)


def test_a_basis_either_way():
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    goals = np.random.default_rng(2).normal(size=(5, 200))
    values, residuals = fit_dense(goals, turn @ goals)
    assert values == pytest.approx(turn.T, abs=0.03)  # ridge draws in by 1%, and the goals' correlations with it
    assert residuals.max() < 1e-3


def test_what_a_unit_leaves_still_counts_more():
    """A landmark that moves, one that moves a twentieth as far (twice), and an iris (four times that)."""
    goal = np.zeros((478, 3))
    goal[0, 1], goal[1, 1] = 1, 0.05
    counts = importances(goal)[:, 0] ** 2
    assert counts[[0, 1, 473]].tolist() == pytest.approx([1, 2, 8])
