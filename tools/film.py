"""Make the README's film: `python tools/film.py [FILE.gif]`. The same file every time.

Its clip is what `emo3d generate "She holds back tears, then breaks into a smile" --seconds 4 --rate 25` makes.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emo3d.clips import Clip
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
