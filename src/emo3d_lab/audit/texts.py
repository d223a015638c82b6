"""Descriptions with gender or age words swapped: how far does the generated expression move?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.scoring import References
from emo3d_lab.audit.result import Gap, Shift, Swapped, TextAudit
from emo3d_lab.audit.statistics import Bootstrap, holm
from emo3d_lab.audit.words import CONTROLS, SWAPS, Swap

_EXAMPLES = 3
_SHIFTS = 5


def audit_texts(
    generate: Callable[[list[str]], np.ndarray],
    measure: Callable[[np.ndarray, References], np.ndarray],
    references: References,
    expressions: np.ndarray,
    kl: np.ndarray,
    bootstrap: Bootstrap,
) -> TextAudit:
    """Swap words, generate again, and hold the new expressions against those of the descriptions as they are.

    Args:
        generate: descriptions -> expressions (n, 51).
        measure: expressions (n, 51), references -> divergences (n,) on the default face.
        references: N rows.
        expressions: (N, 51) generated for them.
        kl: (N,) their divergences.
        bootstrap: for the intervals; its seed also draws the pairs of the yardstick.
    """
    swaps = (*SWAPS, *CONTROLS)
    found = holm([_swapped(swap, generate, measure, references, expressions, kl, bootstrap) for swap in swaps])
    return TextAudit(len(references), holm(found, "signed"), _apart(references, expressions, bootstrap))


def _swapped(
    swap: Swap,
    generate: Callable[[list[str]], np.ndarray],
    measure: Callable[[np.ndarray, References], np.ndarray],
    references: References,
    expressions: np.ndarray,
    kl: np.ndarray,
    bootstrap: Bootstrap,
) -> Swapped:
    told: list[Any] = [swap.apply(description) for description in references.descriptions]
    rows = [row for row, (text, _) in enumerate(told) if text != references.descriptions[row]]
    named = (swap.name, swap in CONTROLS, swap.toward, len(rows))
    if not rows:
        return Swapped(*named, (), None, None, None, ())
    texts, ways = [told[row][0] for row in rows], np.array([told[row][1] for row in rows])
    after = generate(texts)
    moved = after - expressions[rows]
    changed = measure(after, References(texts, references.intensities[rows])) - kl[rows]
    examples = tuple((references.descriptions[row], told[row][0]) for row in rows[:_EXAMPLES])
    one_way = ways != 0
    signed: Gap | None = None
    shifts: tuple[Shift, ...] = ()
    if one_way.any():
        toward = ways[one_way, None]
        (signed,) = bootstrap.paired(changed[one_way, None] * toward)
        means = bootstrap.means(moved[one_way] * toward)
        most = sorted(range(len(BLENDSHAPES)), key=lambda place: -abs(means[place].value))[:_SHIFTS]
        shifts = tuple(Shift(BLENDSHAPES[place], means[place]) for place in most)
    (gap,) = bootstrap.paired(changed[:, None])
    return Swapped(*named, examples, bootstrap.mean(np.abs(moved).mean(axis=1)), gap, signed, shifts)


def _apart(references: References, expressions: np.ndarray, bootstrap: Bootstrap) -> Any:
    """Mean distance of each expression from that of another description with the same strongest emotion."""
    rng = np.random.default_rng(bootstrap.seed)
    strongest = references.intensities.argmax(axis=1)
    one, other = [], []
    for emotion in np.unique(strongest):
        rows = rng.permutation(np.flatnonzero(strongest == emotion))
        for row, partner in zip(rows, np.roll(rows, 1), strict=True):
            if references.descriptions[row] != references.descriptions[partner]:
                one.append(row)
                other.append(partner)
    return bootstrap.mean(np.abs(expressions[one] - expressions[other]).mean(axis=1)) if one else None
