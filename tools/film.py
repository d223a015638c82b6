"""Make the film of the README and film strips of the dataset card: `python tools/film.py [FILE.gif]`.

Its clip is what `emo3d generate "She holds back tears, then breaks into a smile" --seconds 4 --rate 25` makes.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

from emo3d.clips import Clip, clip_of_row, film_strip
from emo3d.dataset import sample_folder
from emo3d.face import RenderSettings
from emo3d.files import check_output
from emo3d_lab.clips.director import generate_clip
from emo3d_lab.clips.rendering import render_clip
from emo3d_lab.takes.preview import save_gif

ROOT = Path(__file__).resolve().parents[1]
SENTENCE = "She holds back tears, then breaks into a smile"
IDENTITY, SECONDS, RATE, SEED = "young-woman", 4, 25, 0
SHOWN = 12.5  # pictures a second: 8 hundredths, in which a GIF counts
SIZE, STRIP = 320, 44
INK, FAINT, GROUND, BAR = (40, 46, 56), (120, 127, 138), (255, 255, 255), (70, 110, 180)
LARGEST = 2_000_000  # bytes
STRIPS, GAP = (0, 1, 2, 3), 12  # rows of the train split


def main() -> None:
    """Write docs/film.gif, or the file that is named."""
    path = check_output(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "film.gif", (".gif",))
    clip = generate_clip(SENTENCE, seconds=SECONDS, rate=RATE, seed=SEED).resample(SHOWN)
    ends = [np.array(Image.new("RGB", (SIZE, STRIP), color)) for color in (INK, FAINT, GROUND, BAR)]
    samples = [next(pictures(clip[place : place + 1])) for place in np.linspace(0, len(clip) - 1, 6).astype(int)]
    palette = Image.fromarray(np.vstack(samples + ends)).quantize(256, method=Image.Quantize.MEDIANCUT)
    save_gif(path, pictures(clip), palette, SHOWN)
    if path.stat().st_size > LARGEST:
        raise ValueError(f"expected a film of at most {LARGEST} bytes, got {path.stat().st_size}")
    rows = pq.read_table(sample_folder("clips") / "train.parquet").slice(0, 60).to_pylist()
    strips = [film_strip(clip_of_row(rows[place]), count=10).convert("RGB") for place in STRIPS]
    sheet = Image.new("RGB", (strips[0].width, sum(strip.height + GAP for strip in strips) - GAP), GROUND)
    for place, strip in enumerate(strips):
        sheet.paste(strip, (0, sum(before.height + GAP for before in strips[:place])))
    sheet.save(ROOT / "dataset_script" / "clips.jpg", quality=85)


def pictures(clip: Clip) -> Iterator[np.ndarray]:
    """Faces over what happens: the beat that lasts, and how far the film is."""
    font = ImageFont.load_default(17)
    faces = (face for batch in render_clip(clip, rig=IDENTITY, settings=RenderSettings(size=SIZE)) for face in batch)
    for face, time in zip(faces, clip.times, strict=True):
        picture = Image.new("RGB", (SIZE, SIZE + STRIP), GROUND)
        picture.paste(Image.fromarray(face))
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, SIZE, SIZE * (time + 1 / clip.rate) / clip.duration, SIZE + 3), fill=BAR)
        text = next((beat.description for beat in reversed(clip.beats) if beat.start <= time < beat.end), "")
        draw.text((SIZE / 2, SIZE + 24), text, fill=INK, font=font, anchor="mm")
        yield np.asarray(picture)


if __name__ == "__main__":
    main()
