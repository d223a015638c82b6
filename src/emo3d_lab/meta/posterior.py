"""Scores of systems as judgements without end would have them: what noise takes off a correlation is put back."""

from __future__ import annotations

import numpy as np

from emo3d_lab.meta.people import SystemScores

_CHAINS, _BURN = 64, 25
_DEGREES, _SCALE = 3.0, 0.1  # inverse Wishart: every correlation as likely as any other; variances of the scores' order


def true_scores(human: SystemScores, metric: SystemScores, n_draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw what the scores of people and metric would be without noise, (R, S) each.

    Scores have an error of known covariance (items and judges), and a correlation of noisy scores is nearer
    to 0 than that of the true ones; a bootstrap adds the noise a second time. So the true pairs (people, metric) are
    given a bivariate normal distribution over systems whose covariance is unknown, and are drawn by Gibbs sampling
    with the sampling error as it is.
    """
    rng = np.random.default_rng([seed, 6])
    size = len(human.scores)
    scales = [np.std(side.scores) or 1.0 for side in (human, metric)]
    observed = np.r_[human.scores / scales[0], metric.scores / scales[1]]
    parts = np.hstack([human.by_item / scales[0], metric.by_item / scales[1]])
    error = parts.T @ parts
    error[:size, :size] += human.spread @ human.spread.T / scales[0] ** 2
    values, vectors = np.linalg.eigh(error)
    root = vectors * np.sqrt(np.maximum(values, 0))
    between = np.tile(np.eye(2) * 0.5, (_CHAINS, 1, 1))
    steps = -(-n_draws // _CHAINS)
    kept = []
    for step in range(_BURN + steps):
        # A draw of truth and of its noisy scores, moved to where the scores are the observed ones.
        prior = np.linalg.cholesky(between) @ rng.standard_normal((_CHAINS, 2, size))
        prior = prior.reshape(_CHAINS, 2 * size)
        noisy = prior + rng.standard_normal((_CHAINS, 2 * size)) @ root.T
        spread = np.einsum("cij,kl->cikjl", between, np.eye(size)).reshape(_CHAINS, 2 * size, 2 * size)
        ridge = error + 1e-9 * np.eye(2 * size)
        gained = spread @ np.linalg.solve(spread + ridge, (observed - noisy)[:, :, None])
        drawn = (prior + gained[:, :, 0]).reshape(_CHAINS, 2, size)
        centred = drawn - drawn.mean(axis=2, keepdims=True)
        scatter = centred @ centred.transpose(0, 2, 1) + _SCALE * np.eye(2)
        between = _inverse_wishart(rng, _DEGREES + size - 1, scatter)
        if step >= _BURN:
            kept.append(drawn)
    draws = np.concatenate(kept)[:n_draws]
    return draws[:, 0], draws[:, 1]


def _inverse_wishart(rng: np.random.Generator, degrees: float, scale: np.ndarray) -> np.ndarray:
    """Draws (C, 2, 2) for scales (C, 2, 2), by Bartlett's decomposition."""
    factor = np.zeros(scale.shape)
    factor[:, 0, 0] = np.sqrt(rng.chisquare(degrees, len(scale)))
    factor[:, 1, 1] = np.sqrt(rng.chisquare(degrees - 1, len(scale)))
    factor[:, 1, 0] = rng.standard_normal(len(scale))
    root = np.linalg.cholesky(np.linalg.inv(scale)) @ factor
    return np.linalg.inv(root @ root.transpose(0, 2, 1))
