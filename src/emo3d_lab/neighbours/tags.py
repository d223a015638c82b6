"""The table from an emotion tag, and a level of intensity, to the eight intensities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from emo3d.emotions import EMOTIONS

TAGS: dict[str, str] = {
    tag: emotion
    for emotion, tags in {
        "neutral": "neutral",
        "happiness": "happiness happy joy joyful",
        "surprise": "surprise surprised",
        "sadness": "sadness sad",
        "anger": "anger angry",
        "disgust": "disgust disgusted",
        "fear": "fear fearful afraid scared",
        "contempt": "contempt contemptuous",
    }.items()
    for tag in tags.split()
}
"""Tag -> emotion. Only words that name one of the eight: MEAD's labels (angry, contempt, disgusted, fear, happy,
neutral, sad, surprised) and their other forms. What another tag means ("excited"), the mapping has to say."""


def intensities_of(
    tag: str, strength: float = 1.0, more: Mapping[str, Mapping[str, float]] | None = None
) -> list[float]:
    """Intensities (8 in 0..1, order `EMOTIONS`) that an emotion tag stands for.

    The tag's emotion has the intensity `strength`, the others 0. Neutral is not scaled: it has no degrees.

    Args:
        tag: in any case.
        strength: in 0..1, e.g. from `strength_of_level`.
        more: further tags -> emotion -> intensity; they come before `TAGS`.

    Raises:
        ValueError: a tag that neither table has.

    Example:
        >>> intensities_of("Angry", strength=0.5)
        [0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0]
    """
    tag = str(tag).strip().lower()
    if more and tag in more:
        shares = more[tag]
    elif tag in TAGS:
        shares = {TAGS[tag]: 1.0}
    else:
        tags = ", ".join([*(more or {}), *TAGS])
        raise ValueError(f"expected an emotion tag of {tags}; got {tag!r}")
    return [shares.get(emotion, 0.0) * (1.0 if emotion == "neutral" else strength) for emotion in EMOTIONS]


def strength_of_level(level: Any, levels: int) -> float:
    """Strength of an intensity level, one of 1 to `levels`: the level's share of the highest.

    Args:
        level: a whole number, alone or as in MEAD's folders ("level_2").

    Raises:
        ValueError: another level.

    Example:
        >>> strength_of_level("level_1", levels=2)
        0.5
    """
    match = re.fullmatch(r"(?:level[ _-]?)?(\d+)(?:\.0*)?", str(level).strip().lower())
    if match is None or not 1 <= int(match[1]) <= levels:
        raise ValueError(f"expected a level from 1 to {levels}, got {level!r}")
    return int(match[1]) / levels
