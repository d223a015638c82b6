"""One door for pictures: files, bytes and PIL images are opened here and nowhere else.

So every picture is of an expected format (Pillow would start Ghostscript for PostScript by itself), is turned as its
EXIF says, and is no larger than memory allows before anything is decoded.
"""

from __future__ import annotations

import base64
import errno
import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps

FORMATS: tuple[str, ...] = ("JPEG", "PNG", "WEBP")
MORE_FORMATS: tuple[str, ...] = (*FORMATS, "GIF", "BMP", "TIFF")

LARGEST = 50_000_000  # pixels of a picture that is opened


class LargePictureError(ValueError):
    """A picture with more pixels than are decoded."""


def open_picture(
    source: str | os.PathLike[str] | bytes | Image.Image,
    *,
    formats: Sequence[str] = FORMATS,
    largest: int = LARGEST,
    longest: int | None = None,
    check: Callable[[Image.Image], None] | None = None,
) -> Image.Image:
    """Open and decode a picture in the mode of its file, turned as its EXIF says.

    Args:
        source: a path, the bytes of a file, or a PIL image, which is turned too (its EXIF says so only once).
        formats: names of Pillow's; a PIL image that is decoded already may be of any.
        largest: pixels.
        longest: pixels of the longer side, to which a larger picture is reduced, at less cost than decoding it whole.
        check: called with the picture before it is decoded, to raise what it likes.

    Raises:
        ValueError: not such a picture, a damaged one, or one with more pixels (`LargePictureError`).
        FileNotFoundError: no such file.
    """
    with identify_picture(source, formats=formats) as image:
        if image.width * image.height > largest:
            size = f"{image.width} x {image.height}"
            raise LargePictureError(f"expected a picture of at most {largest} pixels, got {size}")
        if check is not None:
            check(image)
        try:
            if longest is not None:
                image.draft(image.mode, (longest, longest))
            image.load()
            picture = ImageOps.exif_transpose(image)
            if longest is not None:
                picture.thumbnail((longest, longest))
            return picture
        except Exception as error:  # Pillow raises many kinds of damaged files
            raise ValueError(f"expected a whole picture: {error or type(error).__name__}") from None


@contextmanager
def identify_picture(
    source: str | os.PathLike[str] | bytes | Image.Image, *, formats: Sequence[str] = FORMATS
) -> Iterator[Image.Image]:
    """Open a picture without decoding it: its format, size and mode are known. Arguments as for `open_picture`."""
    if isinstance(source, Image.Image):
        tiles = isinstance(source, ImageFile.ImageFile) and source.tile  # what Image.open gives, until it is used
        if tiles and {source.format, {"MPO": "JPEG"}.get(str(source.format))}.isdisjoint(formats):
            raise ValueError(f"expected a {_listing(formats)}, got {source.format}")
        yield source
        return
    if isinstance(source, (str, os.PathLike)) and not Path(source).is_file():
        raise FileNotFoundError(errno.ENOENT, "No such file", str(source))
    try:
        with warnings.catch_warnings():  # our own limit is the lower one
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=tuple(formats))
    except Image.DecompressionBombError as error:
        raise LargePictureError(f"expected a smaller picture: {error}") from None
    except Exception as error:  # see above
        reason = "cannot identify image file" if isinstance(error, Image.UnidentifiedImageError) else error
        raise ValueError(f"{reason}, expected a {_listing(formats)}") from None
    with image:
        yield image


def is_picture(value: Any) -> bool:
    """Whether `read_picture` reads it; otherwise, it is an expression."""
    return isinstance(value, (Image.Image, str, Path, bytes)) or _is_embedded(value) or np.ndim(value) == 3


def read_picture(picture: Any, row: int) -> np.ndarray:
    """Read one picture: (H, W, 3) uint8. Whatever is wrong with it is a ValueError that names the `row`.

    Args:
        picture: a path, the bytes of a file, either of them as a dataset's cell embeds it (`{"bytes": ..., "path":
            ...}`), a PIL image in mode RGB, or an array (H, W, 3) uint8. All but arrays are turned as their EXIF says.
    """
    if _is_embedded(picture):
        picture = picture["path"] if picture["bytes"] is None else picture["bytes"]
    if isinstance(picture, (str, Path, bytes, Image.Image)):
        try:
            image = open_picture(picture, formats=MORE_FORMATS)
        except (ValueError, OSError) as error:
            raise ValueError(f"cannot read the picture in row {row}: {error}") from error
        if image.mode != "RGB":
            raise ValueError(f"expected an RGB picture in row {row}, got mode {image.mode}")
        return np.array(image)
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"expected a picture (H, W, 3) of uint8 in row {row}, got {picture.dtype} of shape {picture.shape}"
        )
    return picture


def check_pictures(pictures: Any) -> Sequence[Any]:
    """Return the pictures; raise a ValueError where they are none, or one instead of several."""
    if isinstance(pictures, (str, Path, Image.Image)) or (isinstance(pictures, np.ndarray) and pictures.ndim == 3):
        raise ValueError("expected a list of pictures, got one")
    if len(pictures) == 0:
        raise ValueError("expected at least one picture, got an empty batch")
    return pictures


def _is_embedded(value: Any) -> bool:  # as `datasets.Image(decode=False)` does
    return isinstance(value, Mapping) and set(value) == {"bytes", "path"}


def _listing(formats: Sequence[str]) -> str:
    *names, last = ("WebP" if name == "WEBP" else name for name in formats)
    return f"{', '.join(names)} or {last}" if names else last


def encode_picture(picture: Any, side: int = 224) -> str:
    """A picture (array, PIL image or the bytes of a file) as a JPEG data URI, at most `side` pixels wide or high."""
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else open_picture(picture).convert("RGB")
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
