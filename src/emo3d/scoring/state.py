"""The state of a score that is computed in parts: faces as embeddings, beside the references they were made for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch

from emo3d.blendshapes import BLENDSHAPES
from emo3d.scoring.bank import Bank
from emo3d.scoring.core import divergence, retrieved_distribution
from emo3d.scoring.references import References
from emo3d.scoring.settings import ScoreSettings

EXPRESSION = (len(BLENDSHAPES),)
MIXED_ERRORS = "expected reference blendshapes to compare with in every update or in none"
_FACES = 8192  # whose retrieved intensities are held at once, in 5 MB for k = 10


@dataclass(frozen=True, eq=False)
class ScoreState:
    """Faces that were added, in the order in which they came."""

    references: tuple[References, ...] = ()  # of each update, without expressions
    errors: tuple[dict[str, np.ndarray], ...] = ()  # of each: `mse`, `mae`, `amplitude`, `digests` (n,), or none
    embeddings: tuple[torch.Tensor, ...] = ()  # of each batch, (n, K, D) float32; K identities, or 1 for pictures
    waiting: np.ndarray | None = None  # (W, 51) float32 or (W, H, W, 3) uint8, fewer than a batch, not encoded yet
    shape: tuple[int, ...] | None = None  # of a face, (51,) or (H, W, 3); None where there are none

    def __len__(self) -> int:
        return sum(map(len, self.references))

    @property
    def is_expressions(self) -> bool:
        """Whether the faces came as expressions."""
        return self.shape == EXPRESSION

    def merge(self, *states: ScoreState) -> ScoreState:
        """This state and others behind it; none but the last may have faces that wait.

        Raises:
            ValueError: expressions in one and pictures in the other, or pictures of another size; or only one of them
                has errors.
        """
        states = tuple(state for state in (self, *states) if len(state))
        if len({state.shape for state in states}) > 1:
            kinds = ", ".join(dict.fromkeys(kind_of(state.shape) for state in states))
            raise ValueError(f"expected scorers of one kind of faces, got {kinds}")
        if len({bool(state.errors[0]) for state in states}) > 1:
            raise ValueError(MIXED_ERRORS)
        if not states:
            return self
        parts: Any = ([state.references, state.errors, state.embeddings] for state in states)
        references, errors, embeddings = (tuple(chain.from_iterable(column)) for column in zip(*parts, strict=True))
        return ScoreState(references, errors, embeddings, states[-1].waiting, states[-1].shape)

    def values(self, references: References, bank: Bank, settings: ScoreSettings) -> dict[str, np.ndarray]:
        """Per-sample values of all faces, see `Emo3DResult`, each the mean over K identities; and `digests`."""
        embeddings = torch.cat([part.to(self.embeddings[0]) for part in self.embeddings])
        by_identity = [_retrieve(pictures, references, bank, settings) for pictures in embeddings.unbind(dim=1)]
        values = by_identity[0]
        if len(by_identity) > 1:
            values = {name: np.mean([part[name] for part in by_identity], axis=0) for name in values}
        errors = {name: np.concatenate([part[name] for part in self.errors]) for name in self.errors[0]}
        return values | {"reference": references.ranks} | errors


def kind_of(shape: tuple[int, ...] | None) -> str:
    """What faces of a shape are called in messages."""
    return "expressions" if shape is None or shape == EXPRESSION else f"pictures of {shape[1]} x {shape[0]}"


def _retrieve(
    pictures: torch.Tensor, references: References, bank: Bank, settings: ScoreSettings
) -> dict[str, np.ndarray]:
    p = references.intensities / references.intensities.sum(axis=1, keepdims=True)
    nearest = bank.nearest(pictures, settings.k)
    kl, distributions = np.empty(len(p)), np.empty_like(p)
    for start in range(0, len(p), _FACES):
        rows = slice(start, start + _FACES)
        retrieved = bank.intensities[nearest[rows]]
        kl[rows] = divergence(p[rows], retrieved, settings.variant, settings.epsilon)
        distributions[rows] = retrieved_distribution(retrieved)
    match = bank.matches(references.descriptions, nearest)
    return {"kl_divergence": kl, "distribution": distributions} | ({} if match is None else {"match": match})
