"""Several expressions in a row: each is reached at its time and held until the next begins."""

from __future__ import annotations

from typing import Any

import numpy as np

from emo3d.ranges import real_number

TURN = 0.5  # seconds from one expression to the next; about what a face needs from rest to an apex
LONGEST = 600.0  # seconds


def sequence(weights: np.ndarray, times: Any, fps: float = 30) -> np.ndarray:
    """Frames that pass through expressions, slowly at both ends of each turn (3 t^2 - 2 t^3), from a face at rest.

    Args:
        weights: (E, K) in 0..1.
        times: (E,) seconds at which each is reached, rising; a turn takes half a second, or less where there is less.
        fps: frames a second, 1 to 240.

    Returns:
        (F, K) float32 from time 0 until a second after the last expression is reached.

    Raises:
        ValueError: times that do not rise from 0, or end after ten minutes.
    """
    fps = real_number("frames per second", fps)
    if not 1 <= fps <= 240:
        raise ValueError(f"expected 1 to 240 frames per second, got {fps:g}")
    instants = [real_number(f"time {place}", time) for place, time in enumerate(times)]
    if len(instants) != len(weights):
        raise ValueError(f"expected a time for each of {len(weights)} expressions, got {len(instants)}")
    before = [-1e-9, *instants]
    for place, (earlier, time) in enumerate(zip(before, instants, strict=False)):
        if not earlier < time <= LONGEST:
            raise ValueError(f"expected times that rise from 0 to at most {LONGEST:g} s, got {time:g} s in row {place}")
    clock = np.arange(int(np.floor((instants[-1] + 1) * fps)) + 1) / fps
    frames = np.zeros((len(clock), weights.shape[1]), np.float32)
    start, previous = np.zeros(weights.shape[1], np.float32), 0.0
    for time, goal in zip(instants, np.asarray(weights, np.float32), strict=True):
        turn = min(TURN, time - previous)
        share = np.clip((clock - (time - turn)) / turn, 0, 1) if turn > 0 else (clock >= time).astype(float)
        share = (share * share * (3 - 2 * share)).astype(np.float32)[:, None]
        begun = share[:, 0] > 0
        frames[begun] = ((1 - share) * start + share * goal)[begun]
        start, previous = goal, time
    return frames
