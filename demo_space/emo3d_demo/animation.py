"""Faces that move: from one expression to another, as frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from emo3d.blendshapes import as_expressions


def transition(start: Any, end: Any, frames: int = 16) -> np.ndarray:
    """Move from one expression to another, slowly at both ends (3 t^2 - 2 t^3).

    Args:
        start: (51,) in 0..1, as `as_expressions` reads it; zeros are a rig's face at rest.
        end: the same, in the same space.
        frames: F, 2 or more.

    Returns:
        (F, 51) float32 in 0..1, the first row `start`, the last row `end`.

    Raises:
        ValueError: not one valid expression each, or fewer than 2 frames.
    """
    first, last = as_expressions(start), as_expressions(end)
    if len(first) != 1 or len(last) != 1:
        raise ValueError(f"expected one expression at each end, got {len(first)} and {len(last)}")
    if frames < 2:
        raise ValueError(f"expected 2 frames or more, got {frames}")
    time = np.linspace(0, 1, frames, dtype=np.float32)[:, None]
    share = time * time * (3 - 2 * time)
    return (1 - share) * first + share * last
