"""Make docs/calibration.jpg: `python tools/contact_sheet.py`.

A line for each picture of ../shared/real_emo3d (MIT): the photograph, then its reading rendered as if it were weights,
as the weights that the network gives, and as the refined ones.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emo3d import RenderSettings, render
from emo3d.dataset.release import read_release
from emo3d.dataset.tables import ReleaseRow
from emo3d.emotions import EMOTIONS
from emo3d.face.calibration import Method, load_calibration
from emo3d_lab.landmarker import FaceReader

ROOT = Path(__file__).resolve().parents[1]
METHODS: dict[str, Method] = {"readings as weights": "none", "network": "network", "refine": "refine"}
COLUMNS = ("photograph", *METHODS)
TILE, GAP, LINE, HEAD, BETWEEN = 140, 4, 22, 26, 24
INK, FAINT = (40, 46, 56), (110, 118, 130)


def main() -> None:
    """Write docs/calibration.jpg."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", default=ROOT.parent / "shared" / "real_emo3d", type=Path)
    parser.add_argument("--calibration", default="anny", help="name or path")
    parser.add_argument("--out", default=ROOT / "docs" / "calibration.jpg", type=Path)
    arguments = parser.parse_args()
    pairs = [(row, picture) for row in read_release(arguments.release) for picture in row.pictures]
    readings = np.stack([np.asarray(picture.expression) for _, picture in pairs])
    calibration = load_calibration(arguments.calibration)
    settings = RenderSettings(size=TILE, samples=3)
    with FaceReader(quiet=True) as reader:
        columns = [[_portrait(picture.image or b"", reader) for _, picture in pairs]]
    for method in METHODS.values():
        faces = render(calibration.to_weights(readings, method), settings=settings)
        columns.append([Image.fromarray(face) for face in faces])
    captions = [_caption(row) for row, _ in pairs]
    _sheet(list(zip(captions, *columns, strict=True))).save(arguments.out, quality=86)


def _portrait(image: bytes, reader: FaceReader) -> Image.Image:
    """The head out of a photograph: a square about the face of one and a half times its height."""
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    left, top, right, bottom = reader.faces(np.asarray(picture))[0].box
    half = min(0.75 * (bottom - top), picture.width / 2, picture.height / 2)
    x = min(max((left + right) / 2, half), picture.width - half)
    y = min(max((top + bottom) / 2 - 0.1 * half, half), picture.height - half)
    return picture.resize((TILE, TILE), Image.Resampling.LANCZOS, (x - half, y - half, x + half, y + half))


def _caption(row: ReleaseRow) -> str:
    strongest = sorted(zip(row.intensities, EMOTIONS, strict=True), reverse=True)
    emotions = ", ".join(f"{emotion} {intensity:g}" for intensity, emotion in strongest if intensity)
    return f"{row.sample_id}  {emotions}: {row.descriptions[0]}"


def _sheet(lines: list[tuple]) -> Image.Image:
    """Lines (caption, four tiles) in two columns."""
    half, wide, high = -(-len(lines) // 2), len(COLUMNS) * (TILE + GAP) - GAP, TILE + LINE + GAP
    sheet = Image.new("RGB", (2 * wide + BETWEEN, HEAD + half * high), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for index, (caption, *tiles) in enumerate(lines):
        left, top = index // half * (wide + BETWEEN), HEAD + index % half * high
        for place, (title, tile) in enumerate(zip(COLUMNS, tiles, strict=True)):
            x = left + place * (TILE + GAP)
            sheet.paste(tile, (x, top))
            if index % half == 0:
                draw.text((x + TILE / 2, 5), title, fill=INK, font=font, anchor="ma")
        words = caption
        while draw.textlength(words, font=font) > wide:
            words = words.rstrip("…").rpartition(" ")[0].rstrip(",.") + "…"
        draw.text((left, top + TILE + 3), words, fill=FAINT, font=font)
    return sheet


if __name__ == "__main__":
    main()
