"""Make the tables and pictures of docs/recipes.md: `python tools/recipe_sheets.py`."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emo3d import FaceRig, RenderSettings, render
from emo3d_lab.recipes import Recipe, recipes

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "recipes.md"
KINDS = {"emotion": "young-woman", "blend": "man", "everyday": "adult"}  # whose faces
COLUMNS, TILE, LINE, GAP = 6, 200, 26, 4
SHARE = (0.12, 0.2, 0.88, 0.96)  # of a render: the face without the hair
ROWS = 7  # of a sheet, so that it fits a screen
INK = (40, 46, 56)


def main() -> None:
    """Write docs/recipes-*.jpg, and the tables of docs/recipes.md between their marks."""
    text = PAGE.read_text(encoding="utf-8")
    for kind, person in KINDS.items():
        rows = {name: row for name, row in recipes().items() if row.kind == kind and not name.endswith(" right")}
        if kind == "emotion":  # three strengths stand side by side, and the one of neutral comes last
            rows["neutral"] = rows.pop("neutral")
        faces = _faces(list(rows.values()), person)
        for number in range(-(-len(rows) // (ROWS * COLUMNS))):
            part = slice(number * ROWS * COLUMNS, (number + 1) * ROWS * COLUMNS)
            sheet = _sheet(list(zip(rows, faces, strict=True))[part])
            name = f"recipes-{kind}-{number + 1}.jpg" if len(rows) > ROWS * COLUMNS else f"recipes-{kind}.jpg"
            sheet.save(ROOT / "docs" / name, quality=86)
        before, _, rest = text.partition(f"<!-- {kind} -->\n")
        after = rest.partition("<!-- end -->")[2]
        text = f"{before}<!-- {kind} -->\n{_table(rows)}<!-- end -->{after}"
    PAGE.write_text(text, encoding="utf-8")


def _table(rows: dict[str, Recipe]) -> str:
    """Markdown: name, emotions, what is seen, weights; * stands for both sides."""
    lines = ["| name | shows | what is seen | weights |", "| --- | --- | --- | --- |"]
    for name, recipe in rows.items():
        mark = " ↔" if f"{name} right" in recipes() else ""
        cells = (name + mark, " + ".join(recipe.emotions), recipe.about, _spell(dict(recipe.weights)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _spell(weights: dict[str, float]) -> str:
    parts = []
    while weights:
        name, weight = next(iter(weights.items()))
        other = name.removesuffix("Left") + "Right"
        pair = name.endswith("Left") and weights.get(other) == weight
        parts.append(f"{name.removesuffix('Left')}* {weight:g}" if pair else f"{name} {weight:g}")
        del weights[name]
        weights.pop(other, None) if pair else None
    return ", ".join(parts)


def _faces(rows: list[Recipe], person: str) -> list[Image.Image]:
    size = round(2 * TILE / (SHARE[2] - SHARE[0]))
    expressions = np.stack([recipe.expression for recipe in rows])
    pictures = render(expressions, rig=FaceRig.from_anny(person), settings=RenderSettings(size=size, samples=2))
    left, top, right, bottom = (round(share * size) for share in SHARE)
    faces = [Image.fromarray(picture).crop((left, top, right, bottom)) for picture in pictures]
    return [face.resize((TILE, TILE), Image.Resampling.LANCZOS) for face in faces]


def _sheet(faces: list[tuple[str, Image.Image]]) -> Image.Image:
    lines = -(-len(faces) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (TILE + GAP) - GAP, lines * (TILE + LINE)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(17)
    for index, (name, face) in enumerate(faces):
        left, top = index % COLUMNS * (TILE + GAP), index // COLUMNS * (TILE + LINE)
        sheet.paste(face, (left, top))
        draw.text((left + TILE / 2, top + TILE + 3), name, fill=INK, font=font, anchor="ma")
    return sheet


if __name__ == "__main__":
    main()
