"""One door for pictures: files, bytes and PIL images are opened here and nowhere else.

So every picture is of a format that was asked for (Pillow would start Ghostscript for PostScript by itself), is turned
as its EXIF says, and is no larger than memory allows before anything is decoded.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

FORMATS: tuple[str, ...] = ("PNG", "JPEG", "WEBP")
"""What is opened unless more is asked for (`MORE_FORMATS`)."""

MORE_FORMATS: tuple[str, ...] = (*FORMATS, "GIF", "BMP", "TIFF")

LARGEST = 50_000_000
"""Pixels of a picture that is opened."""


def open_picture(
    source: str | os.PathLike[str] | bytes | Image.Image, *, formats: Sequence[str] = FORMATS, largest: int = LARGEST
) -> Image.Image:
    """Open and decode a picture, turned as its EXIF says.

    Args:
        source: a path, the bytes of a file, or a PIL image, which is turned too (its EXIF says so only once).
        formats: names of Pillow's that may be opened; an image that is open already may be of any.
        largest: pixels.

    Returns:
        A PIL image in the mode of the file, decoded, without a file behind it.

    Raises:
        ValueError: not such a picture, a damaged one, or one with more pixels.
        FileNotFoundError: no such file.
    """
    if isinstance(source, Image.Image):
        return _decode(source, largest)
    if isinstance(source, (str, os.PathLike)) and not Path(source).is_file():
        raise FileNotFoundError(f"no such picture: {source}")
    try:
        with warnings.catch_warnings():  # our own limit is the lower one
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=tuple(formats))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        what = "cannot identify image file" if isinstance(error, Image.UnidentifiedImageError) else error
        raise ValueError(f"{what}, expected {', '.join(formats)}") from None
    with opened:
        return _decode(opened, largest)


def read_picture(picture: Any, row: int) -> np.ndarray:
    """Read one picture: (H, W, 3) uint8.

    Args:
        picture: a path, the bytes of a file, a PIL image in mode RGB, or an array (H, W, 3) uint8. All but arrays are
            turned as their EXIF says.
        row: what a message calls it.

    Raises:
        ValueError: it cannot be read, or is not RGB in 8 bits; the message names the row.
    """
    if isinstance(picture, (str, Path, bytes, Image.Image)):
        try:
            opened = open_picture(picture, formats=MORE_FORMATS)
        except (ValueError, OSError) as error:
            raise ValueError(f"cannot read the picture in row {row}: {error}") from error
        if opened.mode != "RGB":
            raise ValueError(f"expected an RGB picture in row {row}, got mode {opened.mode}")
        return np.array(opened)
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


def _decode(opened: Image.Image, largest: int) -> Image.Image:
    if opened.width * opened.height > largest:
        raise ValueError(f"expected a picture of at most {largest} pixels, got {opened.width} x {opened.height}")
    try:
        opened.load()
        return ImageOps.exif_transpose(opened)
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        Image.DecompressionBombError,
    ) as error:  # SyntaxError: broken PNGs
        raise ValueError(f"expected a whole picture: {error}") from None
