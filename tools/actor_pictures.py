"""Make docs/actor.jpg: `python tools/actor_pictures.py`.

A chat of six lines, five seconds apart: the face of each line on its own, then the actor's, 0.3 and 2 s after each.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emo3d import RenderSettings, render
from emo3d_lab.actor import Actor

ROOT = Path(__file__).resolve().parents[1]
CHAT = (
    "Hi! So good to see you!",
    "We meet at three, room four.",
    "They lost my files. Again.",
    "I'm done explaining.",
    "Close your eyes. Breathe.",
    "*winks* Coffee is on me.",
)
APART, AFTER = 5.0, (0.3, 2.0)  # seconds
TILE, GAP, HEAD, SIDE = 170, 4, 20, 74
INK = (40, 46, 56)


def main() -> None:
    """Write docs/actor.jpg."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=ROOT / "docs" / "actor.jpg", type=Path)
    arguments = parser.parse_args()
    actor = Actor(mood="content")
    rows: list[list[np.ndarray]] = [[] for _ in range(1 + len(AFTER))]
    for place, line in enumerate(CHAT):
        alone = Actor(actor.generator)
        alone.act(line, at=0)
        rows[0].append(alone.weights(2))
        actor.act(line, at=APART * place)
        for row, after in zip(rows[1:], AFTER, strict=True):
            row.append(actor.weights(APART * place + after))
    names = ["each line\nalone", *(f"the actor\nafter {after:g} s" for after in AFTER)]
    _sheet(rows, names).save(arguments.out, quality=84)


def _sheet(rows: list[list[np.ndarray]], names: list[str]) -> Image.Image:
    settings = RenderSettings(size=TILE, samples=3)
    font, step = ImageFont.load_default(12), TILE + GAP
    sheet = Image.new("RGB", (SIDE + step * len(CHAT), HEAD + step * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, line in enumerate(CHAT):
        draw.text((SIDE + column * step + 2, 3), line, INK, font)
    for place, (row, name) in enumerate(zip(rows, names, strict=True)):
        draw.multiline_text((4, HEAD + place * step + TILE // 2 - 14), name, INK, font)
        faces = render(np.stack(row)[:, :51].astype(np.float32), settings=settings)
        for column, face in enumerate(faces):
            sheet.paste(Image.fromarray(face), (SIDE + column * step, HEAD + place * step))
    return sheet


if __name__ == "__main__":
    main()
