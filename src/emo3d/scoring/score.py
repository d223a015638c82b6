"""The Emo3D score: do the faces show the emotions that were described?

A face is rendered, its picture looks up the k nearest of a bank of descriptions, and the emotions of those are held
against the emotions described (`emo3d.scoring.core`). Lower is better; 0.5 stands for a mean divergence of 0.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from emo3d.blendshapes import as_expressions
from emo3d.emotions import EMOTIONS, distribution
from emo3d.face import FaceRig, RenderSettings, render_batches
from emo3d.face.spaces import name_calibration
from emo3d.scoring.backbone import Backbone, load_backbone
from emo3d.scoring.bank import Bank, full_name
from emo3d.scoring.core import bootstrap_intervals, divergence, emo3d_score, retrieved_distribution
from emo3d.scoring.inputs import Pictures, References, is_pictures, read_references
from emo3d.scoring.settings import ScoreSettings

logger = logging.getLogger(__name__)

_AHEAD = 8  # batches rendered at once
_FACE = ("space", "calibration", "identity", "render")  # settings that say nothing where pictures come in
_LOOKUP = ("backbone", "revision", "dtype", "bank")  # nor where distributions come in


@dataclass(frozen=True, eq=False)
class Emo3DResult:
    """A score with its parts.

    Attributes:
        emo3d: the score, 0..1, lower is better.
        kl_divergence: mean divergence in nats, lower is better.
        recall_at_k: share of faces that retrieved their own description (the published "exact match"), higher is
            better; None where the bank does not hold all the references' descriptions.
        mse: mean squared error of the expressions as they are given, None without predicted and reference expressions
            in one space.
        mae: mean absolute error of them, likewise.
        intervals: bootstrap interval (lower, upper) by name of the numbers above.
        per_emotion: by the strongest emotion described, the first of `EMOTIONS` among equals: `n`, `kl_divergence` and
            `emo3d` of those samples.
        per_sample: `kl_divergence` (N,), `distribution` (N, 8) retrieved for each face, and, where they exist, `match`
            (N,) bool, `mse` (N,), `mae` (N,).
        n: N, the number of faces.
        truncated: distinct descriptions of the bank that were longer than the backbone's window.
        signature: the settings in force.
    """

    emo3d: float
    kl_divergence: float
    recall_at_k: float | None
    mse: float | None
    mae: float | None
    intervals: dict[str, tuple[float, float]]
    per_emotion: dict[str, dict[str, float]]
    per_sample: dict[str, np.ndarray]
    n: int
    truncated: int
    signature: str

    def to_dict(self, *, per_sample: bool = False) -> dict[str, Any]:
        """Plain Python that JSON can hold, with the per-sample values on request."""
        plain = asdict(self)
        plain["intervals"] = {name: list(ends) for name, ends in self.intervals.items()}
        samples = plain.pop("per_sample")
        if per_sample:
            plain["per_sample"] = {name: values.tolist() for name, values in samples.items()}
        return plain


def score(
    predictions: Any,
    references: Any,
    *,
    bank: Bank | None = None,
    settings: ScoreSettings | None = None,
    backbone: Backbone | None = None,
    device: str = "cpu",
    batch_size: int = 32,
) -> Emo3DResult:
    """Score faces against the descriptions they were made for.

    Args:
        predictions: N expressions, anything that `as_expressions` reads as 51 scores, in `settings.space`; or N
            pictures: (N, H, W, 3) uint8, or a sequence of arrays, PIL images or paths of RGB pictures of one size.
        references: N rows with `description` and `intensities` and, for `mse` and `mae`, `blendshapes` in the space of
            the predictions; see `read_references`, which may be told another space: then neither is computed.
        bank: what the faces look up. None takes the references themselves, as published; scores are comparable only
            under the same bank.
        settings: `ScoreSettings()` by default.
        backbone: used instead of loading `settings.backbone`; its own id and revision are signed.
        device: of a backbone that is loaded here.
        batch_size: faces rendered and encoded at a time; beside the inputs, memory grows by some 200 bytes a face.

    Returns:
        The score, its parts, intervals and signature.

    Raises:
        ValueError: bad expressions, pictures or references, not as many of one as of the other, a bank smaller than k,
            of another backbone or of another hash than `settings.bank`; messages name the row. Readings for an identity
            without a calibration.
        OSError: the backbone is not to be had.
    """
    settings = settings or ScoreSettings()
    described = read_references(references)
    expressions = None if is_pictures(predictions) else as_expressions(predictions)
    _check_lengths(len(predictions if expressions is None else expressions), len(described))
    if backbone is None:
        dtype = getattr(torch, settings.dtype)
        backbone = load_backbone(settings.backbone, settings.revision, device=device, dtype=dtype)
    settings = replace(settings, backbone=backbone.id, revision=backbone.revision, dtype=backbone.dtype)
    bank = _checked_bank(bank, described, backbone, settings)
    settings = replace(settings, bank=bank.hash)

    if expressions is None:
        batches, signature = Pictures(predictions).batches(batch_size), settings.sign(_FACE)
    else:
        settings = replace(settings, render=settings.render or RenderSettings(size=backbone.image_size))
        rig = FaceRig.from_anny(settings.identity)
        batches = _rendered(expressions, rig, settings, batch_size)
        calibration = name_calibration(settings.space, settings.calibration, rig.calibration)
        signature = settings.sign(calibration=calibration)

    per_sample = _look_up(batches, described, bank, backbone, settings)
    if expressions is not None and described.expressions is not None:
        if described.space in (None, settings.space):
            per_sample |= _errors(expressions, described.expressions)
        else:
            what = f"the references' blendshapes are {described.space}, the predictions {settings.space}"
            logger.warning("no MSE and MAE: %s", what)
    return _result(per_sample, described, settings, signature, bank.truncated)


def score_distributions(distributions: Any, references: Any, settings: ScoreSettings | None = None) -> Emo3DResult:
    """Score emotion distributions as if each face had retrieved descriptions of just these emotions.

    This is how a baseline without faces enters the table, above all a constant prior distribution: the score rewards
    hedging, and a generator that does not beat the prior says nothing about the description.

    Args:
        distributions: (N, 8) in 0..1, order `EMOTIONS`, or one row of eight for all references; rows are divided by
            their sum.
        references: see `score`.
        settings: `variant`, `k`, `epsilon`, `alpha` and the bootstrap; the others make no difference.

    Raises:
        ValueError: bad distributions or references, or not as many of one as of the other.
    """
    settings = settings or ScoreSettings()
    described = read_references(references)
    found = distribution(distributions)
    if np.ndim(distributions) == 1:
        found = np.repeat(found, len(described), axis=0)
    _check_lengths(len(found), len(described))
    retrieved = np.broadcast_to(found[:, None], (len(found), settings.k, len(EMOTIONS)))
    kl = divergence(distribution(described.intensities), retrieved, settings.variant, settings.epsilon)
    per_sample = {"kl_divergence": kl, "distribution": found}
    return _result(per_sample, described, settings, settings.sign(_FACE + _LOOKUP), truncated=0)


def _check_lengths(predictions: int, references: int) -> None:
    if predictions != references:
        raise ValueError(
            f"expected one prediction per reference, got {predictions} predictions and {references} references"
        )


def _checked_bank(bank: Bank | None, described: References, backbone: Backbone, settings: ScoreSettings) -> Bank:
    size = len(described) if bank is None else len(bank)
    if settings.k > size:
        raise ValueError(f"expected a bank of at least k = {settings.k} descriptions, got {size}")
    if bank is None:
        bank = Bank.encode(described.descriptions, described.intensities, backbone)
    if bank.backbone != full_name(backbone):
        raise ValueError(f"expected a bank embedded by {full_name(backbone)}, got one by {bank.backbone}")
    if settings.bank not in (None, bank.hash):
        raise ValueError(f"expected the bank {settings.bank}, got {bank.hash}")
    return bank


def _rendered(expressions: np.ndarray, rig: FaceRig, settings: ScoreSettings, batch_size: int) -> Iterator[np.ndarray]:
    # Several batches ahead: after every pass PyTorch's idle threads spin for a while, in the renderer's way.
    ahead = _AHEAD * batch_size
    for faces in render_batches(
        expressions,
        space=settings.space,
        rig=rig,
        settings=settings.render,
        calibration=settings.calibration,
        batch_size=ahead,
    ):
        yield from (faces[start : start + batch_size] for start in range(0, len(faces), batch_size))


def _look_up(
    batches: Iterator[np.ndarray], described: References, bank: Bank, backbone: Backbone, settings: ScoreSettings
) -> dict[str, np.ndarray]:
    p = distribution(described.intensities)
    kl, found, nearest = [], [], []
    done = 0
    with tqdm(desc="Scoring", total=len(described), unit=" faces", delay=5, leave=False) as progress:
        for pictures in batches:
            nearest.append(bank.nearest(backbone.encode_pictures(pictures), settings.k))
            retrieved = bank.intensities[nearest[-1]]
            kl.append(divergence(p[done : done + len(pictures)], retrieved, settings.variant, settings.epsilon))
            found.append(retrieved_distribution(retrieved))
            done += len(pictures)
            progress.update(len(pictures))
    per_sample = {"kl_divergence": np.concatenate(kl), "distribution": np.concatenate(found)}
    match = bank.matches(described.descriptions, np.concatenate(nearest))
    return per_sample if match is None else per_sample | {"match": match}


def _errors(predicted: np.ndarray, expected: np.ndarray) -> dict[str, np.ndarray]:
    difference = predicted.astype(np.float64) - expected
    return {"mse": (difference**2).mean(axis=1), "mae": np.abs(difference).mean(axis=1)}


def _result(
    per_sample: dict[str, np.ndarray], described: References, settings: ScoreSettings, signature: str, truncated: int
) -> Emo3DResult:
    names = {"kl_divergence": "kl_divergence", "match": "recall_at_k", "mse": "mse", "mae": "mae"}
    columns = {shown: per_sample[name] for name, shown in names.items() if name in per_sample}
    mean = {name: float(values.mean()) for name, values in columns.items()}
    ends = bootstrap_intervals(
        np.stack(list(columns.values()), axis=1),
        n_bootstrap=settings.n_bootstrap,
        seed=settings.seed,
        confidence=settings.confidence,
    )
    low, high = ends[0]  # of the divergence, which the score follows monotonically
    intervals = {"emo3d": (emo3d_score(low, settings.divisor), emo3d_score(high, settings.divisor))}
    intervals |= {name: (float(low), float(high)) for name, (low, high) in zip(columns, ends, strict=True)}

    strongest = described.intensities.argmax(axis=1)
    per_emotion = {}
    for index in np.unique(strongest):
        kl = per_sample["kl_divergence"][strongest == index]
        per_emotion[EMOTIONS[index]] = {
            "n": len(kl),
            "kl_divergence": float(kl.mean()),
            "emo3d": emo3d_score(kl.mean(), settings.divisor),
        }
    return Emo3DResult(
        emo3d=emo3d_score(mean["kl_divergence"], settings.divisor),
        kl_divergence=mean["kl_divergence"],
        recall_at_k=mean.get("recall_at_k"),
        mse=mean.get("mse"),
        mae=mean.get("mae"),
        intervals=intervals,
        per_emotion=per_emotion,
        per_sample=per_sample,
        n=len(described),
        truncated=truncated,
        signature=signature,
    )
