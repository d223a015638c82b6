"""Baselines: what learns nothing, the rows that belong beside a generator's score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from emo3d.backbones import Backbone, load_backbone
from emo3d.emotions import distribution
from emo3d.scoring import (
    Bank,
    Emo3DResult,
    References,
    ScoreSettings,
    open_references,
    score,
    score_distributions,
)
from emo3d.scoring.core import STRONG, amplitudes

REFERENCES, MEAN, RETRIEVAL, PRIOR = (
    "reference expressions",
    "mean expression",
    "nearest description",
    "constant prior",
)

_MOST_GAIN = 100.0


def training_references(name: str, config: str | None = None) -> References | None:
    """Read the split "train" of a dataset by its name; None where it has no such split, as files and the release."""
    from emo3d.dataset.release import is_release

    if Path(name).is_file() or is_release(name):
        return None
    try:
        return open_references(name, config, "train")
    except (ValueError, OSError):
        return None


def baseline_expressions(
    references: References, training: References | None, backbone: Backbone | None = None
) -> dict[str, np.ndarray]:
    """Expressions (N, 51) by the name of a baseline, as far as the data has expressions.

    They are those of the references, the mean one, and that of the most similar training description.

    Args:
        references: N, to be scored against.
        training: other rows of the dataset. Without them the mean is that of the references themselves, and nothing is
            retrieved.
        backbone: embeds descriptions, to look up the nearest one of `training`; None retrieves nothing.
    """
    source = training or references
    expressions: dict[str, np.ndarray] = {}
    if references.expressions is not None:
        expressions[REFERENCES] = references.expressions
    if source.expressions is not None:
        expressions[MEAN] = np.tile(source.expressions.mean(axis=0), (len(references), 1))
        if training is not None and backbone is not None:
            bank, queries = (
                backbone.encode_texts(rows.descriptions).embeddings.float().cpu() for rows in (training, references)
            )
            nearest = torch.cat([(part @ bank.T).argmax(dim=1) for part in queries.split(1024)])
            expressions[RETRIEVAL] = source.expressions[nearest.numpy()]
    return expressions


def score_baselines(
    references: References,
    training: References | None = None,
    *,
    bank: Bank | None = None,
    settings: ScoreSettings | None = None,
    device: str = "cpu",
    batch_size: int = 32,
) -> dict[str, Emo3DResult]:
    """Score the reference expressions, the mean expression, retrieval, and the constant prior without a face.

    Args:
        references: see `score`, as `bank`, `device` and `batch_size`.
        training: other rows of the same dataset, see `baseline_expressions`.
        settings: see `score`; expressions are in the space that their references say, else in that of the settings.

    Raises:
        ValueError: see `score`.
        OSError: the backbone cannot be loaded.
    """
    settings = settings or ScoreSettings()
    dtype = getattr(torch, settings.dtype)
    backbone = load_backbone(settings.backbone, settings.revision, device=device, dtype=dtype)
    results = {}
    for name, expressions in baseline_expressions(references, training, backbone).items():
        source = references if name == REFERENCES or training is None else training
        results[name] = score(
            expressions,
            references,
            bank=bank,
            settings=replace(settings, space=source.space or settings.space),
            device=device,
            batch_size=batch_size,
        )
    results[PRIOR] = score_distributions(constant_prior(training or references), references, settings)
    return results


def constant_prior(references: References) -> np.ndarray:
    """Mean emotion distribution (8,) of references."""
    return distribution(references.intensities).mean(axis=0)


def fit_gain(predictions: np.ndarray, references: np.ndarray) -> float:
    """Fit the number that gives a generator's expressions the amplitude of their references.

    The amplitude is the median projection on the reference, <p, y> / <y, y>, over rows whose reference has a norm of 1
    or more. Least squares would not find this number: a generator that was trained on squared errors is weak where it
    is not sure, and its best gain by squared errors is near 1.

    Args:
        predictions: (N, 51) in 0..1, of a validation split; the number is then for other rows.
        references: (N, 51) in 0..1, their expressions.

    Returns:
        The gain, 0 or more, for `with_gain`.

    Raises:
        ValueError: no reference of norm 1, or predictions that reach no amplitude of 1 by any gain.
    """
    norms = np.linalg.norm(references, axis=1)
    if norms.max() < STRONG:
        raise ValueError(f"expected a reference of norm 1 or more, got norms up to {norms.max():.3f}")

    def amplitude(gain: float) -> float:
        return float(np.nanmedian(amplitudes(with_gain(predictions, gain), references)))

    low, high = 0.0, _MOST_GAIN
    if amplitude(high) < 1:
        raise ValueError(
            f"expected predictions to which a gain can give an amplitude of 1, theirs is {amplitude(1):.3f}"
        )
    for _ in range(50):  # the amplitude never falls as the gain grows
        middle = (low + high) / 2
        low, high = (middle, high) if amplitude(middle) < 1 else (low, middle)
    return high


def with_gain(expressions: np.ndarray, gain: float) -> np.ndarray:
    """Multiply expressions (N, 51) by a gain, and clip what then is above 1."""
    return np.minimum(gain * expressions, 1)
