"""How many judgements it takes to tell two systems apart, and what so many judgements can tell."""

from __future__ import annotations

from math import ceil, inf, log2
from statistics import NormalDist

ITEM_CORRELATION = 0.1
"""Between two judgements of one item and pair: how much more alike they are than those of two items."""

JUDGE_CORRELATION = 0.02
"""Between two judgements of one judge: how much a judge leans towards one system whatever the item."""


def needed_judgements(
    difference: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
    ties: float = 0.2,
    per_item: int = 1,
    judges: int | None = None,
    item_correlation: float = ITEM_CORRELATION,
    judge_correlation: float = JUDGE_CORRELATION,
    comparisons: int = 1,
) -> int:
    """Say how many pair judgements of two systems show a difference of this size.

    A judgement is 1, 0 or -1 (better, same, worse), so its variance is 1 - ties - difference**2. A t-test of the mean
    needs n = (z_level + z_power)**2 variance / difference**2 + z_level**2 / 2 of them if they are independent
    (Guenther 1981); with k judgements of an item and m of a judge it needs
    n (1 + (k - 1) item_correlation + (m - 1) judge_correlation), Kish's design effect (1965).

    Args:
        difference: share of judgements that prefer the better system minus the share that prefer the other, 0..1:
            0.2 is 60 to 40 where nobody says "same".
        power: probability of showing it, 0..1.
        level: of the test, two-sided.
        ties: share of judgements that say "same", 0..1.
        per_item: judgements of each item and pair, k.
        judges: how many share the judgements; None where no judge has more than one.
        item_correlation: within an item, 0..1.
        judge_correlation: within a judge, 0..1.
        comparisons: pairs of systems that are tested; the level is divided by it (Bonferroni).

    Returns:
        Judgements of this pair of systems, a multiple of `per_item`.

    Raises:
        ValueError: an argument out of its range, or judges so few that no number of judgements is enough.

    Example:
        >>> needed_judgements(0.2, ties=0)
        191
    """
    _check(power, level, ties, per_item, judges, item_correlation, judge_correlation, comparisons)
    if not 0 < difference <= 1 - ties:
        raise ValueError(f"expected a difference above 0 and up to 1 - ties = {1 - ties:g}, got {difference!r}")
    chance, hit = NormalDist().inv_cdf(1 - level / comparisons / 2), NormalDist().inv_cdf(power)
    variance = 1 - ties - difference**2
    independent = (chance + hit) ** 2 * variance / difference**2 + chance**2 / 2
    # Fewer votes than these cannot be beyond chance even if all say the same (sign test).
    independent = max(independent, ceil(log2(2 * comparisons / level)) / (1 - ties))
    needed = _with_clusters(independent, per_item, judges, item_correlation, judge_correlation)
    if needed == inf:
        fewest = ceil(independent * judge_correlation) + 1
        raise ValueError(
            f"expected at least {fewest} judges for a difference of {difference:g}, got {judges}: a judge's own taste "
            "does not average out over more items"
        )
    return ceil(needed / per_item - 1e-9) * per_item


def detectable_difference(judgements: int, *, ties: float = 0.2, **options: float) -> float:
    """Say which difference so many judgements of two systems show; the inverse of `needed_judgements`.

    Args:
        judgements: of this pair of systems, at least 4.
        ties: see there, as for all `options`.

    Returns:
        A difference in 0..1 - ties; infinite where even the largest one is not shown.
    """
    if judgements < 4:
        raise ValueError(f"expected at least 4 judgements, got {judgements}")

    def excess(difference: float) -> float:
        try:
            return needed_judgements(difference, ties=ties, **options) - judgements  # type: ignore[arg-type]
        except ValueError as error:
            if "judges for a difference" in str(error):
                return 1e12
            raise

    if excess(1 - ties) > 0:
        return inf
    low, high = 1e-4, 1 - ties  # whole numbers of judgements: bisection, not a root
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if excess(middle) <= 0 else (middle, high)
    return high


def _with_clusters(independent: float, k: int, judges: int | None, of_items: float, of_judges: float) -> float:
    """n that solves n = independent (1 + (k - 1) of_items + (n / judges - 1) of_judges)."""
    factor = 1 + (k - 1) * of_items
    if judges is None:
        return independent * factor
    share = 1 - independent * of_judges / judges
    if share <= 0:
        return inf
    return max(independent * (factor - of_judges) / share, independent * factor)


def _check(
    power: float,
    level: float,
    ties: float,
    per_item: int,
    judges: int | None,
    item_correlation: float,
    judge_correlation: float,
    comparisons: int,
) -> None:
    for name, value in {"power": power, "level": level}.items():
        if not 0 < value < 1:
            raise ValueError(f"expected a {name} between 0 and 1, got {value!r}")
    correlations = {"item_correlation": item_correlation, "judge_correlation": judge_correlation}
    for name, value in ({"ties": ties} | correlations).items():
        if not 0 <= value < 1:
            raise ValueError(f"expected {name} in 0..1, below 1, got {value!r}")
    counts = {"per_item": per_item, "comparisons": comparisons} | ({} if judges is None else {"judges": judges})
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"expected {name} of at least 1, got {count!r}")
