"""Labels of other people's classifiers, as the eight emotions."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence

import numpy as np

from emo3d.documents import read_json
from emo3d.emotions import EMOTIONS

SYNONYMS = {
    "neutral": "neutrality calm",
    "happiness": "happy joy joyful",
    "surprise": "surprised",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "fearful afraid scared",
    "contempt": "contemptuous",
}
"""Other words for each emotion."""

_EMOTIONS = {word: emotion for emotion, words in SYNONYMS.items() for word in (emotion, *words.split())}

Labels = Mapping[str, str | None]
"""Label -> emotion, or None for one that is none of the eight."""


def read_labels(labels: Labels | str | os.PathLike[str]) -> Labels:
    """Read and check a mapping of labels, or a JSON file of one.

    Raises:
        ValueError: no object from labels to emotions, or to null.
        FileNotFoundError: no such file.
    """
    where = "the mapping of labels"
    if not isinstance(labels, Mapping):
        where, labels = os.fspath(labels), read_json(labels)
    if not isinstance(labels, Mapping):
        raise ValueError(f"{where}: expected a JSON object from labels to emotions, got a {type(labels).__name__}")
    for label, emotion in labels.items():
        if emotion is not None and emotion not in EMOTIONS:
            raise ValueError(f"{where}: expected null or one of {', '.join(EMOTIONS)} for {label!r}, got {emotion!r}")
    return labels


class LabelMap:
    """Turns probabilities of L labels into those of the emotions among them.

    Args:
        labels: of a classifier, in the order of its last layer.
        mapping: what labels mean, before their own words say it.
        source: whose labels they are, for messages.

    Raises:
        ValueError: labels that are no emotions, or no two emotions among them.
    """

    def __init__(self, labels: Sequence[str], mapping: Labels | None = None, source: str = "the reader") -> None:
        mapping = mapping or {}
        meanings = {label: mapping.get(label, _EMOTIONS.get(label.strip().lower(), "")) for label in labels}
        if unknown := [label for label, emotion in meanings.items() if emotion == ""]:
            raise ValueError(
                f"{source}: expected labels that are emotions, got {', '.join(map(repr, unknown))}; say what they mean "
                f"by a mapping from labels to {', '.join(EMOTIONS)} or null (--reader-labels FILE.json)"
            )
        self.emotions = tuple(emotion for emotion in EMOTIONS if emotion in meanings.values())
        if len(self.emotions) < 2:
            raise ValueError(f"{source}: expected labels of at least two emotions, got {', '.join(labels)}")
        # (L, E): labels of one emotion are added up, those of none are taken out.
        self._matrix = np.array([[meanings[label] == emotion for emotion in self.emotions] for label in labels], float)
        self.digest = hashlib.sha256(json.dumps([list(labels), meanings]).encode()).hexdigest()[:8]

    def shares(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities (N, L) as (N, E) of sum 1."""
        shares = probabilities.astype(np.float64) @ self._matrix
        return shares / shares.sum(axis=1, keepdims=True)
