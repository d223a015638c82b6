"""Pictures as files, in every format that is opened."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d.pictures import MORE_FORMATS

    pixels = np.random.default_rng(0).integers(0, 256, (8, 11, 3), np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    files = []
    for suffix in MORE_FORMATS:
        for picture in (Image.fromarray(pixels), Image.fromarray(pixels).convert("P")):
            file = io.BytesIO()
            picture.convert("RGB" if suffix in ("JPEG", "WEBP") else picture.mode).save(file, suffix, exif=turned)
            files.append({"picture": file.getvalue()})
    frames = io.BytesIO()
    Image.fromarray(pixels).save(frames, "GIF", save_all=True, append_images=[Image.fromarray(255 - pixels)])
    return [*files, {"picture": frames.getvalue()}]


def enter(folder: Path) -> None:
    from emo3d.pictures import MORE_FORMATS, open_picture, read_picture

    data = (folder / "picture").read_bytes()
    opened = open_picture(data, formats=MORE_FORMATS)
    opened.convert("RGB")
    if opened.mode == "RGB":
        read_picture(folder / "picture", 0)
