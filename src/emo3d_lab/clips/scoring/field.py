"""The numbers by which text-to-motion is compared, on embeddings of clips and texts: FID, R-precision and distances.

As Guo et al. 2022 have them ("Generating Diverse and Natural 3D Human Motions from Text", HumanML3D), but for three
things: a pool holds no text twice, ties count against the clip, and diversity is the mean over all pairs of up to 1,000
clips where they draw 300. FID has a bias that grows as clips get fewer; `fid_infinity` is the line through FIDs of
parts of the clips, at no bias (Chong and Forsyth 2020, "Effectively Unbiased FID").
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from emo3d.clips import Clip
from emo3d.descriptions import check_descriptions

logger = logging.getLogger(__name__)

POOL = 32
"""Texts from which a clip's own is picked."""

_TOP = (1, 2, 3)
_PAIRED = 1000  # clips whose pairs are all measured
_SHARES = np.linspace(0.5, 1, 6)  # of the clips, whose FIDs lie about a line over 1 / n
_PARTS = 5  # random parts of each size


class Embedder(Protocol):
    """What puts clips and texts in one space; `emo3d_lab.clips.scoring.embedder.ClipEmbedder` is the packaged one."""

    def encode_clips(self, clips: Sequence[Clip]) -> np.ndarray:
        """Embed N clips: (N, D)."""

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embed N texts: (N, D)."""


def field_numbers(
    predictions: Sequence[Clip],
    references: Sequence[Clip],
    texts: Sequence[str],
    *,
    embedder: Embedder | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Measure N clips of N texts, and as a set beside M reference clips.

    Args:
        predictions: the clip of each text; several clips of one text have it several times.
        references: clips of people or of the dataset, in any number and order.
        texts: N descriptions.
        embedder: the packaged one when None, which needs all-MiniLM-L6-v2 (extra `offline`).
        seed: of pools and parts.

    Returns:
        `n` and `n_references`; `r_precision_1`, `_2` and `_3`: share of clips, 0..1, whose own text is among the
        nearest of a pool of 32; `mm_distance`: mean distance of a clip from its text; `diversity` and
        `diversity_references`: mean distance of two clips; `multimodality`: of two clips of one text; `fid` and
        `fid_infinity`. Distances are Euclidean, of embeddings. One that cannot be told is NaN, and a warning says why:
        R-precision below 32 distinct texts, diversity below 2 clips, multimodality where no text comes twice, FID
        unless both sides have more clips than D, FID-infinity unless they have more than twice as many.

    Raises:
        ValueError: no clips, other than N texts, an empty text, or embeddings of other shapes.
    """
    if not len(predictions) or not len(references):
        raise ValueError(f"expected clips and references, got {len(predictions)} and {len(references)}")
    if len(texts) != len(predictions):
        raise ValueError(f"expected a text of each of {len(predictions)} clips, got {len(texts)}")
    texts = check_descriptions(texts)
    if embedder is None:
        from emo3d_lab.clips.scoring.embedder import load_embedder

        embedder = load_embedder()
    shown, told = embedder.encode_clips(predictions), embedder.encode_texts(texts)
    return embedding_numbers(shown, embedder.encode_clips(references), told, texts, seed=seed)


def embedding_numbers(
    predictions: np.ndarray, references: np.ndarray, told: np.ndarray, texts: Sequence[str], *, seed: int = 0
) -> dict[str, float]:
    """`field_numbers` of embeddings: clips (N, D), references (M, D), and what the N texts tell (N, D)."""
    predictions, references, told = (np.asarray(side, np.float64) for side in (predictions, references, told))
    width = predictions.shape[-1]
    shapes = (predictions.shape, references.shape, told.shape)
    if shapes != ((len(texts), width), (len(references), width), (len(texts), width)):
        raise ValueError(f"expected embeddings (N, D), (M, D) and (N, D) for {len(texts)} texts, got {shapes}")
    rng = np.random.default_rng(seed)
    ranks = retrieval_ranks(predictions, told, texts, rng)
    rows_by_text: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        rows_by_text.setdefault(text, []).append(row)
    several = [_mean_distance(predictions[rows]) for rows in rows_by_text.values() if len(rows) > 1]
    fid, infinity = fid_numbers(predictions, references, rng)
    numbers = {
        "n": len(predictions),
        "n_references": len(references),
        **{f"r_precision_{top}": (ranks < top).mean() if len(ranks) else math.nan for top in _TOP},
        "mm_distance": np.linalg.norm(predictions - told, axis=1).mean(),
        "diversity": _mean_distance(predictions[rng.permutation(len(predictions))[:_PAIRED]]),
        "diversity_references": _mean_distance(references[rng.permutation(len(references))[:_PAIRED]]),
        "multimodality": np.mean(several or [math.nan]),
        "fid": fid,
        "fid_infinity": infinity,
    }
    reasons = {
        "R-precision": (not len(ranks), f"{POOL} distinct texts or more", len(set(texts))),
        "FID": (math.isnan(fid), f"more than {width} clips on both sides", min(len(predictions), len(references))),
    }
    for name, (missing, need, count) in reasons.items():
        if missing:
            logger.warning("%s is NaN: it needs %s, got %d", name, need, count)
    return {name: float(number) for name, number in numbers.items()}


def retrieval_ranks(
    predictions: np.ndarray, told: np.ndarray, texts: Sequence[str], rng: np.random.Generator
) -> np.ndarray:
    """How many of 31 other texts lie nearer to each clip than its own, or as near: (N,), or (0,) below 32 texts.

    Args:
        predictions: embeddings of clips (N, D).
        told: of their texts (N, D).
        texts: the N texts; others of a pool are drawn from those that differ.
    """
    by_text = {text: row for row, text in enumerate(texts)}
    if len(by_text) < POOL:
        return np.empty(0, np.int64)
    rows = np.array(list(by_text.values()))
    place = {text: number for number, text in enumerate(by_text)}
    ranks = np.empty(len(texts), np.int64)
    for row, text in enumerate(texts):
        drawn = rng.choice(len(rows) - 1, POOL - 1, replace=False)
        others = told[rows[drawn + (drawn >= place[text])]]
        ways = np.linalg.norm(others - predictions[row], axis=1)
        ranks[row] = (ways <= np.linalg.norm(told[row] - predictions[row])).sum()
    return ranks


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Frechet distance of the normal distributions that fit two sets of embeddings (N, D) and (M, D), both over D.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), Heusel et al. 2017; NaN unless N and M are more than D.
    """
    width = first.shape[1]
    if min(len(first), len(second)) <= width:
        return math.nan
    covariances = [np.cov(side, rowvar=False).reshape(width, width) for side in (first, second)]
    values, axes = np.linalg.eigh(covariances[0])
    root = axes * np.sqrt(values.clip(0)) @ axes.T
    # C1 C2 has the eigenvalues of C1^(1/2) C2 C1^(1/2), which is symmetric.
    product = np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)
    means = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    return float(means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.sqrt(product).sum())


def fid_numbers(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """FID, and FID-infinity: of random parts of both sides, half of them to all, where a line over 1 / n meets 0."""
    fid = frechet_distance(first, second)
    if min(len(first), len(second)) <= 2 * first.shape[1]:
        return fid, math.nan
    points = []
    for share in _SHARES:
        for _ in range(_PARTS if share < 1 else 1):
            parts = [side[rng.permutation(len(side))[: math.ceil(share * len(side))]] for side in (first, second)]
            points.append((1 / share, frechet_distance(*parts)))
    inverse, fids = np.array(points).T
    return fid, float(np.polyfit(inverse, fids, 1)[1])


def _mean_distance(embeddings: np.ndarray) -> float:
    """Mean distance of all pairs of embeddings (N, D); NaN of one."""
    if len(embeddings) < 2:
        return math.nan
    ways = [np.linalg.norm(embeddings[row + 1 :] - embeddings[row], axis=1).sum() for row in range(len(embeddings))]
    return float(2 * sum(ways) / (len(embeddings) * (len(embeddings) - 1)))
