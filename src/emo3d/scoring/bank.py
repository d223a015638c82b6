"""The bank: descriptions with their embeddings and intensities, and the search for those nearest to a picture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from emo3d.emotions import as_intensities
from emo3d.encoders import check_descriptions
from emo3d.scoring.backbone import Backbone

_SIMILARITIES_AT_ONCE = 2**23  # float32s, 32 MB


@dataclass(frozen=True, eq=False)
class Bank:
    """M descriptions with their emotions, embedded by one backbone.

    Attributes:
        descriptions: M texts. The same text may stand in several rows, each with its own intensities.
        intensities: (M, 8) float64 in 0..1, order `EMOTIONS`, no row of zeros.
        embeddings: (U, D) float32 of unit length, one for each of the U distinct texts, in order of first appearance.
        truncated: how many of the distinct texts were longer than the backbone's window.
        backbone: `id@revision` of the backbone that embedded the texts.
    """

    descriptions: tuple[str, ...]
    intensities: np.ndarray
    embeddings: torch.Tensor
    truncated: int = 0
    backbone: str = ""

    def __post_init__(self) -> None:
        if len(self.descriptions) != len(self.intensities):
            raise ValueError(
                f"expected one row of intensities per description, got {len(self.intensities)} rows for "
                f"{len(self.descriptions)} descriptions"
            )
        if len(self.embeddings) != len(self._texts):
            raise ValueError(
                f"expected {len(self._texts)} embeddings, one per distinct description, got {len(self.embeddings)}"
            )
        _check_finite(self.embeddings, "descriptions")

    @classmethod
    def encode(cls, descriptions: Sequence[str], intensities: Any, backbone: Backbone) -> Bank:
        """Embed descriptions, each distinct text once.

        Args:
            descriptions: M texts.
            intensities: (M, 8) in 0..1, or M mappings from emotion to intensity.
            backbone: what embeds them; the pictures to look up must be embedded by the same one.

        Raises:
            ValueError: no or blank descriptions, bad intensities, or not as many of one as of the other.
        """
        descriptions = check_descriptions(descriptions)
        encoded = backbone.encode_texts(list(dict.fromkeys(descriptions)))
        return cls(
            tuple(descriptions), as_intensities(intensities), encoded.embeddings, encoded.truncated, full_name(backbone)
        )

    def __len__(self) -> int:
        return len(self.descriptions)

    @cached_property
    def hash(self) -> str:
        """Content hash of descriptions and intensities: 12 hexadecimal digits of a SHA-256."""
        texts = json.dumps(self.descriptions).encode()
        return hashlib.sha256(texts + np.ascontiguousarray(self.intensities, "<f8").tobytes()).hexdigest()[:12]

    def nearest(self, picture_embeddings: torch.Tensor, k: int) -> np.ndarray:
        """Rows of the k descriptions most similar to each picture, exactly, best first.

        Rows of equal similarity come in the order of the bank, and the cut at k keeps the earlier ones. Rows with the
        same text are always equal.

        Args:
            picture_embeddings: (N, D) float32 of unit length.
            k: at most the number of rows, M.

        Returns:
            (N, k) int64 rows of the bank.

        Raises:
            ValueError: k below 1 or above M, or an embedding that is not finite.
        """
        if not 1 <= k <= len(self):
            raise ValueError(f"expected k from 1 to the size of the bank, {len(self)}, got {k}")
        _check_finite(picture_embeddings, "pictures")
        parts = picture_embeddings.split(max(1, _SIMILARITIES_AT_ONCE // len(self)))
        return np.concatenate([self._nearest(part, k) for part in parts])

    def matches(self, descriptions: Sequence[str], rows: np.ndarray) -> np.ndarray | None:
        """Whether each description is, word for word, among the rows (N, k) retrieved for it: (N,) bool.

        None where the bank does not hold all of the descriptions: then the question has no answer for some.
        """
        if not all(description in self._texts for description in descriptions):
            return None
        wanted = np.array([self._texts[description] for description in descriptions])
        return (self._text_of_row[rows] == wanted[:, None]).any(axis=1)

    def _nearest(self, pictures: torch.Tensor, k: int) -> np.ndarray:
        similarity = pictures.to(self.embeddings) @ self.embeddings.T
        if len(self.embeddings) < len(self):  # one column per row; those of one text are equal to the last bit
            similarity = similarity[:, torch.from_numpy(self._text_of_row).to(similarity.device)]
        return _top(similarity, k).cpu().numpy()

    @cached_property
    def _texts(self) -> dict[str, int]:
        return {text: index for index, text in enumerate(dict.fromkeys(self.descriptions))}

    @cached_property
    def _text_of_row(self) -> np.ndarray:
        return np.array([self._texts[description] for description in self.descriptions])


def full_name(backbone: Backbone) -> str:
    """`id@revision` of a backbone."""
    return f"{backbone.id}@{backbone.revision}"


def _top(similarity: torch.Tensor, k: int) -> torch.Tensor:
    """Columns of the k largest entries per row, best first, equal ones by column (`torch.topk` leaves that open)."""
    values, chosen = similarity.topk(min(k + 1, similarity.shape[1]))
    chosen = chosen[:, :k].sort().values
    if similarity.shape[1] > k:
        undecided = (values[:, k - 1] == values[:, k]).nonzero()[:, 0]  # equal entries on both sides of the cut
        level, entries = values[undecided, k - 1 : k], similarity[undecided]
        equal, above = entries == level, entries > level
        room = k - above.sum(dim=1, keepdim=True)
        chosen[undecided] = (above | (equal & (equal.cumsum(dim=1) <= room))).nonzero()[:, 1].view(-1, k)
    return chosen.gather(1, similarity.gather(1, chosen).sort(descending=True, stable=True).indices)


def _check_finite(embeddings: torch.Tensor, what: str) -> None:
    if not embeddings.isfinite().all():
        raise ValueError(f"the backbone gave embeddings of {what} that are not finite")
