"""Faces that move: from one expression to another, as frames and as a GIF."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from PIL import Image

from emo3d.blendshapes import Space, as_expressions
from emo3d.face.calibration import DEFAULT_METHOD, Method
from emo3d.face.render import RenderSettings, render_batches
from emo3d.face.rig import FaceRig

_HUNDREDTHS = 100  # GIF counts time in hundredths of a second


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


def write_gif(
    path: str | os.PathLike[str],
    expressions: Any,
    *,
    rig: FaceRig | None = None,
    space: Space = "weights",
    calibration: Method = DEFAULT_METHOD,
    settings: RenderSettings | None = None,
    fps: float = 20,
) -> None:
    """Write expressions (F, 51) in 0..1 as a GIF that starts over again for ever.

    Args:
        path: an existing file is replaced.
        expressions: a row per frame.
        rig: the default identity when None.
        space: of the expressions.
        calibration: how readings become weights, see `emo3d.face.calibration`.
        settings: of the pictures.
        fps: frames per second, 1 to 50. A GIF counts hundredths of a second, so that 30 becomes 33.

    Raises:
        ValueError: invalid expressions, an unknown space or method, or fps out of range.
    """
    if not 1 <= fps <= 50:  # browsers slow down what is faster
        raise ValueError(f"expected 1 to 50 frames per second in a GIF, got {fps}")
    batches = render_batches(expressions, space=space, rig=rig, settings=settings, calibration=calibration)
    pictures = [Image.fromarray(picture) for batch in batches for picture in batch]
    palette = pictures[len(pictures) // 2].quantize(method=Image.Quantize.MEDIANCUT)  # one for all: no flicker
    start, *frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    duration = 10 * round(_HUNDREDTHS / fps)  # milliseconds
    start.save(path, "GIF", save_all=True, append_images=frames, duration=duration, loop=0)
