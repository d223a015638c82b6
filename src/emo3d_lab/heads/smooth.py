"""The step that heads are shaped and painted with."""

from __future__ import annotations

import numpy as np


def smooth_step(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 up to `start`, 1 from `end` on, and smooth between them."""
    share = np.clip((values - start) / (end - start), 0, 1)
    return share * share * (3 - 2 * share)
