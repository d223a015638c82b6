"""The emotions of a face and of its description, by the quickstart backbone and a bank of the sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from emo3d.emotions import distribution
from emo3d.face import RenderSettings, render
from emo3d.loading import loaded_once
from emo3d.scoring import QUICKSTART, Backbone, Bank, load_backbone, retrieved_distribution
from emo3d.scoring.core import divergence
from emo3d_demo.faces import Face
from emo3d_lab.sample import make_rows

_BANK_SIZE, _NEAREST = 2000, 10


@dataclass(frozen=True, eq=False)
class FaceEmotions:
    """The emotions of a picture of a face, beside those of its description.

    Attributes:
        of_picture: (8,) distribution of the ten descriptions of the bank nearest to the picture.
        of_description: (8,) of those nearest to the description, None without one.
        divergence: of the former from the latter in nats, 0 or a little less where they are equal; None without one.
    """

    of_picture: np.ndarray
    of_description: np.ndarray | None = None
    divergence: float | None = None


def emotions_of(face: Face) -> FaceEmotions:
    """The emotions that are retrieved for a picture of the face, and for its description."""
    backbone, bank = _backbone_and_bank()
    picture = render(face.weights, rig=face.rig, settings=RenderSettings(size=backbone.image_size))
    nearest = bank.intensities[bank.nearest(backbone.encode_pictures(picture), _NEAREST)]
    (emotions,) = retrieved_distribution(nearest)
    if not face.description.strip():
        return FaceEmotions(emotions)
    expected = _emotions_of_description(face.description)
    return FaceEmotions(emotions, expected, float(divergence(expected[None], nearest)[0]))


@lru_cache(maxsize=1024)  # for each head, strength and variant of one description
def _emotions_of_description(description: str) -> np.ndarray:
    backbone, bank = _backbone_and_bank()
    embedding = backbone.encode_texts([description]).embeddings
    return retrieved_distribution(bank.intensities[bank.nearest(embedding, _NEAREST)])[0]


@loaded_once(maxsize=1)
def _backbone_and_bank() -> tuple[Backbone, Bank]:
    backbone = load_backbone(QUICKSTART)
    rows = make_rows("train", _BANK_SIZE, seed=0)
    descriptions, intensities = [row.description for row in rows], [row.intensities for row in rows]
    return backbone, Bank.encode(descriptions, intensities, backbone, cache=True)


@lru_cache(maxsize=1)
def prior() -> float:
    """Mean divergence of the bank's mean distribution from the distribution of each of its descriptions."""
    _, bank = _backbone_and_bank()
    distributions = distribution(bank.intensities)
    mean = np.broadcast_to(distributions.mean(axis=0), (len(distributions), 1, distributions.shape[1]))
    return float(divergence(distributions, mean).mean())
