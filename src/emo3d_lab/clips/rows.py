"""Clips as rows of the config `clips`, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from emo3d.clips import CHANNELS, Beat, Clip


def row_of_clip(clip: Clip, clip_id: int, source: str) -> dict[str, Any]:
    """A clip as a row of the config `clips`.

    Args:
        clip: what the row says of itself, too: description, beats, rate and space.
        clip_id: unique within a dataset.
        source: where it is from: `synthetic`, or the dataset and the file of it.

    Returns:
        Column -> value; `frames` are an array (T, 61) float32, intensities None where the beat has none.
    """
    return {
        "clip_id": clip_id,
        "description": clip.description or "",
        "beats": [
            {
                "description": beat.description,
                "start": float(beat.start),
                "end": float(beat.end),
                "intensities": None if beat.intensities is None else list(map(float, beat.intensities)),
            }
            for beat in clip.beats
        ],
        "frames": clip.frames,
        "length": len(clip),
        "rate": clip.rate,
        "space": clip.space,
        "source": source,
    }


def clip_of_row(row: Mapping[str, Any]) -> Clip:
    """The clip in a row of the config `clips`, as `datasets`, Arrow or `row_of_clip` give it.

    Raises:
        ValueError: no frames, another number of them than `length`, or what `Clip` and `Beat` refuse; the message
            begins with the row's `clip_id`.
    """
    try:
        frames = row["frames"]
        if frames is None or not len(frames):
            raise ValueError("expected frames, got none: the clip has coefficients of another face only")
        if any(len(frame) != len(CHANNELS) for frame in frames):
            raise ValueError(f"expected {len(CHANNELS)} channels in every frame")
        if len(frames) != row["length"]:
            raise ValueError(f"expected {row['length']} frames, as its length says, got {len(frames)}")
        beats = [
            Beat(
                beat["description"],
                beat["start"],
                beat["end"],
                # `datasets` 2 and 3 read a null list of a struct as an empty one
                None if beat["intensities"] is None or not len(beat["intensities"]) else tuple(beat["intensities"]),
            )
            for beat in row["beats"] or ()
        ]
        frames = np.asarray(frames, np.float32)
        return Clip(frames, row["rate"], row["space"], tuple(beats), row["description"] or None)
    except ValueError as error:
        raise ValueError(f"clip {row['clip_id']}: {error}") from None
