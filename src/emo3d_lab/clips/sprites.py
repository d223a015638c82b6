"""A clip as one picture that holds its frames in a grid, which a page plays and scrubs without a video codec."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from emo3d.clips import Clip
from emo3d.face.render import RenderSettings
from emo3d_lab.clips.rendering import render_clip

if TYPE_CHECKING:
    from emo3d.face import FaceRig

RATE = 15.0  # pictures per second; half of a take's, which the eye takes for motion
MOST = 450  # pictures of a sprite
PIXELS = 12_000_000  # of a sprite; phones decode it in a blink
LARGEST = 1_500_000  # bytes
_QUALITIES = (86, 75, 60, 45, 30)


@dataclass(frozen=True)
class Sprite:
    """Frames of a clip as tiles of one JPEG, by rows from the top left.

    Attributes:
        jpeg: the file.
        side: of a tile, pixels.
        columns: tiles of a row.
        count: of tiles.
        rate: tiles per second.
    """

    jpeg: bytes
    side: int
    columns: int
    count: int
    rate: float


def make_sprite(clip: Clip, rig: FaceRig | None = None, *, side: int = 320, rate: float = RATE) -> Sprite:
    """Render a clip's frames into one JPEG of at most 1.5 MB.

    Long clips get fewer pictures per second (at most 450 in all) and smaller ones (12 million pixels in all).

    Args:
        clip: in either space.
        rig: whose face it is; anny's adult when None.
        side: of a picture, pixels, at most.
        rate: pictures per second, at most.

    Raises:
        ValueError: a clip of so many frames that its pictures cannot be told apart in 1.5 MB.
    """
    rate = min(rate, clip.rate, MOST / clip.duration)
    count = max(1, round(clip.duration * rate))
    side = min(side, math.isqrt(PIXELS // count) // 2 * 2)
    columns = math.ceil(math.sqrt(count))
    sheet = np.zeros((math.ceil(count / columns) * side, columns * side, 3), np.uint8)
    places = np.minimum(np.round(np.arange(count) / rate * clip.rate), len(clip) - 1).astype(int)
    frames = Clip(clip.frames[places], max(rate, 1.0), clip.space)
    number = 0
    for batch in render_clip(frames, rig=rig, settings=RenderSettings(size=side)):
        for picture in batch:
            row, column = divmod(number, columns)
            sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = picture
            number += 1
    image = Image.fromarray(sheet)
    for quality in _QUALITIES:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        if file.tell() <= LARGEST:
            return Sprite(file.getvalue(), side, columns, count, rate)
    raise ValueError(f"expected a clip that fits in {LARGEST / 1e6:g} MB as pictures, {clip.duration:g} s do not")
