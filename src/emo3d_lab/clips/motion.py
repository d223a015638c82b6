"""What a living face does beside its expression: blinks, gaze, head and micro-movements, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emo3d.clips import CHANNELS, Beat


@dataclass(frozen=True)
class Motion:
    """What is added to joined stills; each can be switched off."""

    blinks: bool = True
    gaze: bool = True
    head: bool = True
    micro: bool = True
    lead: bool = True  # brows and eyes move 50 to 100 ms before the mouth


class Scene(NamedTuple):
    """What the motion follows: the beats, the leading emotion and still of each, and the length of it all."""

    beats: tuple[Beat, ...]
    emotions: tuple[str, ...]
    stills: np.ndarray  # (B, 52)
    duration: float  # seconds


def add_motion(
    frames: np.ndarray, times: np.ndarray, scene: Scene, motion: Motion, draws: list[np.random.Generator]
) -> None:
    """Add what is switched on to frames (T, 61), in place; scores meet as 1 - (1 - a)(1 - b)."""
    if motion.blinks:
        lids = [CHANNELS.index(f"eyeBlink{side}") for side in ("Left", "Right")]
        for start in np.cumsum(draws[0].lognormal(np.log(3.0), 0.5, int(scene.duration) + 8)):
            shut = _blink(times - start)
            frames[:, lids] = 1 - (1 - frames[:, lids]) * (1 - shut[:, None])


def _blink(since: np.ndarray) -> np.ndarray:
    """How far a blink has shut the eyes, (T,) in 0..1: 0.1 s to close, 0.04 s shut, 0.2 s to open."""
    return np.interp(since, [0, 0.1, 0.14, 0.34], [0, 1, 1, 0])
