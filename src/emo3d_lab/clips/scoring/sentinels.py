"""Sentinels of clips: systems that do not do the task, beside every score.

- *constant prior*: no face; every instant shows the mean emotion distribution of all beats of the references.
- *neutral*: the face at rest for the whole clip.
- *frozen*: the mean face of the system's own clip, held for all of it: a compromise between its beats.
- *flicker*: the clip's own faces in random order.
- *reversed*: the clip backwards; only where there are clips of two beats or more.
- *shuffled*: the system's own clips, each held against another clip's reference.

They are made of what a scorer has looked up, so they cost one rendered face.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.scoring import References, retrieved_distribution
from emo3d_lab.baselines import PRIOR
from emo3d_lab.clips.scoring.result import ClipResult
from emo3d_lab.clips.scoring.scorer import ClipScorer
from emo3d_lab.sentinels import NEUTRAL, SHUFFLED, derangement

FROZEN, FLICKER, REVERSED = "frozen", "flicker", "reversed"
CLIP_SENTINELS = (PRIOR, NEUTRAL, FROZEN, FLICKER, REVERSED, SHUFFLED)


def make_clip_sentinels(scorer: ClipScorer) -> dict[str, ClipResult]:
    """Score the sentinels of a system; a result of `compare_sentinels` says which of them it beats.

    Args:
        scorer: with all its clips.

    Returns:
        Name of `CLIP_SENTINELS` -> result, with the system's signature and clips in the same order.
    """
    references = scorer.references
    looks = scorer.look_up()
    shown = [look[:-1] for look in looks]
    prior = np.concatenate([reference.distributions for reference in references]).mean(axis=0)
    rest = _look_at_rest(scorer)
    keys = [reference.key for reference in references]
    moved = derangement(keys, scorer.settings.seed, np.stack([look.mean(axis=(0, 1)) for look in looks]))
    # Each clip's own seed: its order depends neither on the other clips nor on where it stands among them.
    seeds = [hashlib.sha256(f"{scorer.settings.seed} {key}".encode()).digest() for key in keys]
    orders = [np.random.default_rng(list(seed)).permutation(len(part)) for seed, part in zip(seeds, shown, strict=True)]
    systems: dict[str, Callable[[int], np.ndarray]] = {
        PRIOR: lambda row: np.broadcast_to(prior, shown[row].shape),
        NEUTRAL: lambda row: np.broadcast_to(rest, shown[row].shape),
        FROZEN: lambda row: np.broadcast_to(looks[row][-1], shown[row].shape),
        FLICKER: lambda row: shown[row][orders[row]],
        REVERSED: lambda row: shown[row][::-1],
        SHUFFLED: lambda row: _spread(shown[moved[row]], len(shown[row])),
    }
    if all(len(reference.descriptions) == 1 for reference in references):
        del systems[REVERSED], systems[FLICKER]
    return {name: scorer.score([faces(row) for row in range(len(shown))]) for name, faces in systems.items()}


def _spread(shown: np.ndarray, count: int) -> np.ndarray:
    """Another clip's instants as if it were of this one's length: each the nearest, at least one for every beat."""
    return shown[((np.arange(count) + 0.5) / count * len(shown)).astype(int)]


def _look_at_rest(scorer: ClipScorer) -> np.ndarray:
    """Emotion distribution that the face at rest shows, (K, 8) float64."""
    bank, faces = scorer.bank(), deepcopy(scorer.faces)
    faces.reset()
    faces.settings = replace(faces.settings, space="weights")  # readings of 0 are no face at rest
    faces.update(np.zeros((1, len(BLENDSHAPES)), np.float32), References(["at rest"], np.eye(8)[:1]))
    (embeddings,) = faces.encode_waiting().embeddings
    return np.concatenate(
        [
            retrieved_distribution(bank.intensities[bank.nearest(face, faces.settings.k)])
            for face in embeddings.unbind(1)
        ]
    )
