"""Descriptions with gender or age words swapped: how far does the generated expression move?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.scoring import References
from emo3d_lab.audit.figures import Estimate, Gap, Shift, Swapped, TextAudit
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
    """Swap words, generate again, and compare the new expressions with those of the descriptions as they are.

    Args:
        generate: descriptions -> expressions (n, 51).
        measure: expressions (n, 51), references -> divergences (n,) on the default face.
        references: N rows.
        expressions: (N, 51) generated for them.
        kl: (N,) their divergences.
        bootstrap: its seed also draws the pairs of the yardstick.
    """

    def audit_swap(swap: Swap) -> Swapped:
        pairs = [(text, *swap.apply(text)) for text in references.descriptions]
        rows = [row for row, (before, after, _) in enumerate(pairs) if after != before]
        head = (swap.name, swap in CONTROLS, swap.toward, len(rows))
        if not rows:
            return Swapped(*head, (), None, None, None, ())
        texts, ways = [pairs[row][1] for row in rows], np.array([pairs[row][2] for row in rows])
        after = generate(texts)
        moves = after - expressions[rows]
        changes = measure(after, References(texts, references.intensities[rows])) - kl[rows]
        signed, shifts = _toward(moves, changes, ways, bootstrap)
        examples = tuple(pairs[row][:2] for row in rows[:_EXAMPLES])
        (gap,) = bootstrap.paired(changes[:, None])
        return Swapped(*head, examples, bootstrap.mean(np.abs(moves).mean(axis=1)), gap, signed, shifts)

    swaps = holm([audit_swap(swap) for swap in (*SWAPS, *CONTROLS)])
    return TextAudit(len(references), holm(swaps, "signed"), _distance(references, expressions, bootstrap))


def _toward(
    moves: np.ndarray, changes: np.ndarray, ways: np.ndarray, bootstrap: Bootstrap
) -> tuple[Gap | None, tuple[Shift, ...]]:
    """How KL and blendshapes change toward the pole, from moves (n, 51) and KL changes (n,); ways (n,) in -1, 0, 1."""
    rows = ways != 0
    if not rows.any():
        return None, ()
    signs = ways[rows, None]
    (gap,) = bootstrap.paired(changes[rows, None] * signs)
    means = bootstrap.means(moves[rows] * signs)
    most = sorted(range(len(BLENDSHAPES)), key=lambda place: -abs(means[place].value))[:_SHIFTS]
    return gap, tuple(Shift(BLENDSHAPES[place], means[place]) for place in most)


def _distance(references: References, expressions: np.ndarray, bootstrap: Bootstrap) -> Estimate | None:
    """Mean distance of each expression from that of another description with the same strongest emotion."""
    rng = np.random.default_rng(bootstrap.seed)
    strongest = references.intensities.argmax(axis=1)
    pairs: list[tuple[int, int]] = []
    for emotion in np.unique(strongest):
        rows = rng.permutation(np.flatnonzero(strongest == emotion))
        pairs += zip(rows, np.roll(rows, 1), strict=True)
    texts = references.descriptions
    pairs = [(row, partner) for row, partner in pairs if texts[row] != texts[partner]]
    if not pairs:
        return None
    rows, partners = np.transpose(pairs)
    return bootstrap.mean(np.abs(expressions[rows] - expressions[partners]).mean(axis=1))
