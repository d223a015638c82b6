"""Has a generator answer the checklist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, as_expressions
from emo3d_lab.checklist.distributions import Distributions, by_score
from emo3d_lab.checklist.pairs import Pair, read_checklist
from emo3d_lab.checklist.result import Answer, ChecklistResult


def run_checklist(
    generate: Callable[[list[str]], Any],
    pairs: Sequence[Pair] | None = None,
    *,
    distributions: Distributions | None = None,
) -> ChecklistResult:
    """Run a generator on pairs of descriptions.

    Args:
        generate: N different descriptions -> (N, 51) weights, order `BLENDSHAPES`; called once.
        pairs: all of `read_checklist()` by default.
        distributions: how emotions are read off faces; `by_score()` by default, used only where a check is of emotions.

    Raises:
        ValueError: no pairs, or what `generate` returns is not one expression for each description.

    Example:
        >>> from emo3d_lab.checklist import read_checklist
        >>> result = run_checklist(lambda texts: np.zeros((len(texts), 51)), read_checklist(["parts"]))
        >>> result.families["parts"].passed
        0
    """
    pairs = read_checklist() if pairs is None else list(pairs)
    if not pairs:
        raise ValueError("expected at least one pair, got none")
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second) if text))
    expressions = as_expressions(generate(texts))
    if len(expressions) != len(texts):
        raise ValueError(f"expected {len(texts)} expressions, one per description, got {len(expressions)}")
    faces = dict(zip(texts, expressions, strict=True))
    shares: dict[str, dict[str, float]] = {}
    emotional = [pair for pair in pairs if pair.check.is_of_emotions]
    reader = "none"
    if emotional:
        distributions = distributions or by_score()
        reader = distributions.name
        shown = list(dict.fromkeys(text for pair in emotional for text in (pair.first, pair.second) if text))
        rest = np.zeros((1, len(BLENDSHAPES)), np.float32)
        rows = distributions.read(np.concatenate([rest, np.stack([faces[text] for text in shown])]))
        shares = {
            text: dict(zip(distributions.emotions, map(float, row), strict=True))
            for text, row in zip(["", *shown], rows, strict=True)
        }
    return ChecklistResult(tuple(_answer(pair, faces, shares) for pair in pairs), reader)


def _answer(pair: Pair, faces: dict[str, np.ndarray], shares: dict[str, dict[str, float]]) -> Answer:
    check = pair.check
    if check.kind in ("strongest", "more-emotion") and check.names[0] not in shares[""]:
        return Answer(pair, None, None)
    held, value = check.measure(
        SimpleNamespace(
            first=faces[pair.first],
            second=faces.get(pair.second),
            first_shares=shares.get(pair.first),
            second_shares=shares.get(pair.second),
            rest_shares=shares.get(""),
        )
    )
    return Answer(pair, held, value)
