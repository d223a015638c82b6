"""Emotion readers by name."""

from __future__ import annotations

import os

from emo3d_lab.readers.base import EmotionReader


def load_reader(name: str | os.PathLike[str]) -> EmotionReader:
    """Load an emotion reader.

    Args:
        name: "face-api", its folder, or an image classifier: an id on the Hub, or a folder.

    Raises:
        FileNotFoundError: its files are missing; the message says how to get them.
        ValueError: the files do not belong together, or labels that are no emotions.
    """
    from emo3d_lab.readers.face_api import FaceApiReader

    return FaceApiReader(name)
