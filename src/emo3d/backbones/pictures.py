"""Pictures as users have them (files, PIL images, arrays) -> arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps


def read_picture(picture: Any, row: int) -> np.ndarray:
    """Read one picture: (H, W, 3) uint8.

    Args:
        picture: a path (turned as its EXIF says), a PIL image in mode RGB, or an array (H, W, 3) uint8.
        row: what a message calls it.

    Raises:
        ValueError: it cannot be read, or is not RGB in 8 bits; the message names the row.
    """
    if isinstance(picture, (str, Path)):
        try:
            with Image.open(picture) as opened:
                picture = ImageOps.exif_transpose(opened)
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # SyntaxError: some broken PNGs
            raise ValueError(f"cannot read the picture in row {row}: {error}") from error
    if isinstance(picture, Image.Image):
        if picture.mode != "RGB":
            raise ValueError(f"expected an RGB picture in row {row}, got mode {picture.mode}")
        try:
            return np.array(picture)
        except OSError as error:  # a lazily opened file
            raise ValueError(f"cannot read the picture in row {row}: {error}") from error
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        got = f"{picture.dtype} of shape {picture.shape}"
        raise ValueError(f"expected a picture (H, W, 3) of uint8 in row {row}, got {got}")
    return picture


def check_pictures(pictures: Any) -> Sequence[Any]:
    """Return the pictures; raise a ValueError where they are none, or one instead of several."""
    if isinstance(pictures, (str, Path, Image.Image)) or (isinstance(pictures, np.ndarray) and pictures.ndim == 3):
        raise ValueError("expected a list of pictures, got one")
    if len(pictures) == 0:
        raise ValueError("expected at least one picture, got an empty batch")
    return pictures
