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
        _check_finite(self.embeddings, "distinct description")

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
        _check_finite(picture_embeddings, "picture")
        at_once = max(1, _SIMILARITIES_AT_ONCE // len(self.embeddings))
        return np.concatenate([self._nearest(part, k) for part in picture_embeddings.split(at_once)])

    def matches(self, descriptions: Sequence[str], rows: np.ndarray) -> np.ndarray | None:
        """Whether each description is, word for word, among the rows (N, k) retrieved for it: (N,) bool.

        None where the bank does not hold all of the descriptions: then the question has no answer for some.
        """
        if not all(description in self._texts for description in descriptions):
            return None
        wanted = np.array([self._texts[description] for description in descriptions])
        return (self._text_of_row[rows] == wanted[:, None]).any(axis=1)

    def _nearest(self, pictures: torch.Tensor, k: int) -> np.ndarray:
        similarity = pictures.to(self.embeddings) @ self.embeddings.T  # (n, U)
        texts = _top(similarity, min(k, len(self.embeddings))).cpu().numpy()
        if len(self.embeddings) == len(self):
            return texts
        # Each text stands for all its rows: lay those out behind one another and keep the first k.
        rows_by_text = np.argsort(self._text_of_row, kind="stable")
        count = np.bincount(self._text_of_row)
        first = np.cumsum(count) - count
        end = np.cumsum(count[texts], axis=1)
        place = (end[:, None, :] <= np.arange(k)[:, None]).sum(axis=2)  # (n, k): which of the texts fills each slot
        text = np.take_along_axis(texts, place, axis=1)
        offset = np.arange(k) - (np.take_along_axis(end, place, axis=1) - count[text])
        return rows_by_text[first[text] + offset]

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
    columns = similarity.shape[1]
    values, chosen = similarity.topk(min(k + 1, columns))
    chosen = chosen[:, :k].sort().values
    chosen = chosen.gather(1, similarity.gather(1, chosen).sort(descending=True, stable=True).indices)
    if columns > k:
        cut = (values[:, k - 1] == values[:, k]).nonzero()[:, 0]  # equal entries on both sides of the cut
        chosen[cut] = similarity[cut].sort(descending=True, stable=True).indices[:, :k]
    return chosen


def _check_finite(embeddings: torch.Tensor, what: str) -> None:
    finite = embeddings.isfinite().all(dim=1)
    if not finite.all():
        raise ValueError(f"the backbone's embedding of {what} {int(finite.logical_not().nonzero()[0])} is not finite")
