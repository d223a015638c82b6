"""The Emo3D score: do the faces show the emotions of the descriptions they were made for?

A face is rendered, its picture looks up the k nearest of a bank of descriptions, and the emotions of those are compared
with those of the face's own description (`emo3d.scoring.core`). Lower is better; 0.5 is a mean divergence of 0.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import numpy as np

from emo3d.backbones import Backbone
from emo3d.blendshapes import Layout
from emo3d.emotions import EMOTIONS, distribution
from emo3d.hints import did_you_mean
from emo3d.scoring.bank import Bank
from emo3d.scoring.core import divergence
from emo3d.scoring.joining import check_lengths
from emo3d.scoring.predictions import Pictures, read_batch, space_of
from emo3d.scoring.references import read_references
from emo3d.scoring.result import Emo3DResult, summarise
from emo3d.scoring.scorer import FACE, Emo3DScorer
from emo3d.scoring.settings import ScoreSettings

_LOOKUP = ("backbone", "revision", "dtype", "bank")  # settings that say nothing where distributions come in


def score(
    predictions: Any,
    references: Any,
    *,
    bank: Bank | None = None,
    settings: ScoreSettings | None = None,
    backbone: Backbone | str | None = None,
    device: str = "cpu",
    batch_size: int = 32,
    join: str | None = None,
    layout: Layout | None = None,
    **fields: Any,
) -> Emo3DResult:
    """Score faces against the descriptions they were made for.

    Args:
        predictions: N expressions, anything that `as_expressions` reads as 51 scores, in `settings.space`; or a table
            or rows with such `blendshapes`; or N pictures: (N, H, W, 3) uint8, or a sequence of arrays, PIL images or
            paths of RGB pictures of one size.
        references: N rows, or a table, with `description`, `intensities` and, for errors and amplitude, `blendshapes`
            in the space of the predictions; see `read_references`. Where both sides have a `sample_id` or a
            `description`, they must be in one order.
        bank: what the faces look up. None takes the references themselves, as published, in an order of their own;
            scores are comparable only under the same bank.
        settings: `ScoreSettings()` by default, in the space that the references say, if they do.
        backbone: its name; or a backbone, whose own id and revision are signed.
        device: of a backbone that is loaded here.
        batch_size: faces encoded at a time.
        join: column to join both sides by, instead of by their order: `"description"`, `"sample_id"`, or both with a
            comma between.
        layout: of vectors of 52 scores.
        fields: settings by their names, for example `space="reading"`; they replace those of `settings`.

    Raises:
        ValueError: bad expressions, pictures or references (the message names the row), not as many of one as of the
            other or in another order, a bank smaller than k, of another backbone or of another hash than
            `settings.bank`, readings for an identity without a calibration.
        TypeError: a field that `ScoreSettings` does not have.
        OSError: the backbone cannot be loaded.
    """
    if unknown := [name for name in fields if name not in ScoreSettings.__dataclass_fields__]:
        names = [*ScoreSettings.__dataclass_fields__, *inspect.signature(score).parameters]
        raise TypeError(f"score() takes no argument {unknown[0]!r}{did_you_mean(unknown[0], names)}")
    faces, references = read_batch(predictions, references, join=join, layout=layout)
    if settings is None and "space" not in fields and not isinstance(faces, Pictures):
        fields["space"] = space_of(None, None, references)
    settings = replace(settings or ScoreSettings(), **fields)
    scorer = Emo3DScorer(settings, backbone=backbone, device=device, batch_size=batch_size)
    scorer.fit(references if bank is None else bank).update(faces, references)
    return scorer.compute()


def score_distributions(distributions: Any, references: Any, settings: ScoreSettings | None = None) -> Emo3DResult:
    """Score emotion distributions as if each face had retrieved descriptions of just these emotions.

    So a baseline without faces enters the table, above all a constant prior distribution: the score rewards hedging,
    and a generator that does not beat the prior says nothing about the description.

    Args:
        distributions: (N, 8) or (8,) for all references, in 0..1, order `EMOTIONS`; rows are divided by their sum.
        references: see `score`.
        settings: `variant`, `k`, `epsilon`, `alpha` and the bootstrap; the others make no difference.
    """
    settings, references = settings or ScoreSettings(), read_references(references)
    q = distribution(distributions)
    if np.ndim(distributions) == 1:
        q = np.repeat(q, len(references), axis=0)
    check_lengths(len(q), len(references))
    retrieved = np.broadcast_to(q[:, None], (len(q), settings.k, len(EMOTIONS)))
    kl = divergence(distribution(references.intensities), retrieved, settings.variant, settings.epsilon)
    per_sample = {"kl_divergence": kl, "distribution": q, "reference": references.ranks}
    return summarise(per_sample, references, settings, settings.sign(FACE + _LOOKUP), truncated=0)
