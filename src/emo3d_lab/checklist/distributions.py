"""Emotion distributions read off rendered faces: by the score's own look-up, or by an emotion reader."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emo3d.emotions import EMOTIONS


@dataclass(frozen=True)
class Distributions:
    """A way to read emotions off faces.

    Attributes:
        name: what reads, for tables and files.
        emotions: E names of emotions that it knows.
        read: (N, 51) weights -> (N, E) shares of sum 1.
    """

    name: str
    emotions: tuple[str, ...]
    read: Callable[[np.ndarray], np.ndarray]


def by_score(backbone: str = "quickstart", revision: str | None = None, device: str = "cpu") -> Distributions:
    """The distribution that the Emo3D score reads: the k nearest of a bank, the test split of the embedded sample.

    Raises:
        OSError: the backbone cannot be loaded.
    """
    from emo3d.scoring import Bank, ScoreSettings, load_backbone, open_references, score

    tower = load_backbone(backbone, revision, device=device)
    references = open_references("sample", None, "test").canonical()
    bank = Bank.encode(references.descriptions, references.intensities, tower)
    settings = ScoreSettings(backbone=backbone, revision=revision, n_bootstrap=1)

    def read(weights: np.ndarray) -> np.ndarray:
        # References decide the divergence, which is not looked at, and nothing of the distributions.
        rows = [{"description": "A face", "intensities": {"neutral": 1.0}}] * len(weights)
        return score(weights, rows, bank=bank, settings=settings, backbone=tower).per_sample["distribution"]

    return Distributions(f"{backbone}, k = {settings.k} of the bank {bank.hash}", EMOTIONS, read)


def by_reader(name: str | os.PathLike[str]) -> Distributions:
    """The probabilities of an emotion reader of rendered faces; arguments and errors as for `load_reader`."""
    from emo3d_lab.readers import load_reader

    reader = load_reader(name)
    return Distributions(reader.name, reader.emotions, reader.read_expressions)
