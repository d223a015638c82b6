"""One number for the Hub's benchmark pages: 100 for perfect retrieval, 0 for the constant prior, linear in the KL.

headline = 100 (KL_prior - KL) / (KL_prior - KL_perfect), where all three are means over the same references, in the
variant, k and epsilon of the score:

- KL_perfect: every face retrieves k descriptions of its own reference's emotions.
- KL_prior: every face retrieves k descriptions of the mean emotion distribution of the training split, or of the
  references themselves where there is no training split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emo3d.emotions import EMOTIONS, distribution
from emo3d.scoring import Emo3DResult, References, divergence, open_references
from emo3d.scoring.references import content_hash
from emo3d.scoring.settings import signature_fields
from emo3d_lab.baselines import constant_prior, training_references

if TYPE_CHECKING:
    from emo3d_lab.training.evaluate import Evaluation


@dataclass(frozen=True)
class Headline:
    """The number, and what it is made of.

    Attributes:
        unclipped: by the formula: below 0 where the prior is better, above 100 where neighbours of the reference happen
            to be nearer than its own emotions (blends only: epsilon is added to what was retrieved).
        interval: lower and upper end, by the formula from the interval of the KL, both clipped to 0..100; KL_prior and
            KL_perfect belong to the benchmark and do not vary. None where the KL has none.
        kl_divergence, kl_prior, kl_perfect: in nats.
        prior: "training split" or "references", of which the prior is the mean.
    """

    unclipped: float
    interval: tuple[float, float] | None
    kl_divergence: float
    kl_prior: float
    kl_perfect: float
    prior: str

    @property
    def value(self) -> float:
        """The number that is shown, clipped to 0..100."""
        return _clip(self.unclipped)

    def __str__(self) -> str:
        """All of it in a line."""
        ends = f" [{self.interval[0]:.1f}, {self.interval[1]:.1f}]" if self.interval else ""
        clipped = "" if self.value == self.unclipped else f" (unclipped {self.unclipped:.1f})"
        return (
            f"{self.value:.1f}{ends} of 100{clipped}: KL {self.kl_divergence:.4f} nats between {self.kl_prior:.4f} of "
            f"the constant prior ({self.prior}) and {self.kl_perfect:.4f} of perfect retrieval"
        )


def headline(result: Emo3DResult, references: References, training: References | None = None) -> Headline:
    """Compute the headline of a score.

    Args:
        result: of these references; variant, k and epsilon are those of its signature.
        references: N, in any order.
        training: rows of the training split, whose mean is the prior.

    Raises:
        ValueError: the result is of other references, or the prior is as good as perfect retrieval.
    """
    canonical = references.canonical()
    if (digest := content_hash(canonical.descriptions, canonical.intensities)) != result.references:
        raise ValueError(f"expected a result of the references {digest}, got one of {result.references}")
    p = distribution(references.intensities)
    perfect = _mean_divergence(p, p, result.signature)
    prior = _mean_divergence(p, constant_prior(training or references), result.signature)
    if prior <= perfect:
        raise ValueError(
            f"expected references of different emotions, got some of which the constant prior knows all: its KL is "
            f"{prior:.4f}, that of perfect retrieval {perfect:.4f}"
        )

    def scale(kl: float) -> float:
        return 100 * (prior - kl) / (prior - perfect)

    ends = result.intervals.get("kl_divergence")
    return Headline(
        unclipped=scale(result.kl_divergence),
        interval=(_clip(scale(ends[1])), _clip(scale(ends[0]))) if ends else None,
        kl_divergence=result.kl_divergence,
        kl_prior=prior,
        kl_perfect=perfect,
        prior="references" if training is None else "training split",
    )


def headline_of(evaluation: Evaluation) -> Headline:
    """Compute the headline of an evaluation, whose dataset is read again; a ValueError where that is not known."""
    if evaluation.dataset is None:
        raise ValueError("expected an evaluation that says its dataset, got one that does not")
    references = open_references(evaluation.dataset, evaluation.config, evaluation.split or "test")
    return headline(evaluation.result, references, training_references(evaluation.dataset, evaluation.config))


def _mean_divergence(p: np.ndarray, q: np.ndarray, signature: str) -> float:
    """Mean divergence of p (N, 8) where every face retrieves k rows of q, (N, 8) or (8,)."""
    settings = signature_fields(signature)
    k = int(settings["k"])
    retrieved = np.broadcast_to(np.atleast_2d(q)[:, None], (len(p), k, len(EMOTIONS)))
    return float(divergence(p, retrieved, settings["variant"], float(settings["epsilon"])).mean())  # type: ignore[arg-type]


def _clip(value: float) -> float:
    return min(max(value, 0.0), 100.0)
