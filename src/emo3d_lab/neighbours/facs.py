"""FACS action units as data notes them, and the blendshapes that show them.

Which blendshape shows which unit is the correspondence that Melinda Ozel keeps ("ARKit to FACS Cheat Sheet",
https://melindaozel.com/arkit-to-facs-cheat-sheet/); codes and sides are those of Ekman, Friesen and Hager, "Facial
Action Coding System" (2002). Where a unit needs several blendshapes, or has none that is quite it (23, 25), the shares
are those of `emo3d_lab.sample.prototypes.AU_BLENDSHAPES`, and are ours.

A unit's strength becomes its blendshapes' weight in proportion: the letters A to E (trace to maximum) are 0.2, 0.4,
0.6, 0.8 and 1, a number on the scale 0 to 5 is divided by 5. FACS itself only orders them; C and D cover more than A.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d_lab.sample.prototypes import AU_BLENDSHAPES

Scale = Literal["0-1", "0-5"]

_INDEX = {name: index for index, name in enumerate(BLENDSHAPES)}
_TOKEN = re.compile(
    r"(?P<side>[LR])?(?:AU|AD|M)?_?0*(?P<number>\d{1,2})(?P<side_after>[LR])?(?P<letter>[A-E])?(?:[:=](?P<strength>.+))?"
)
_TOPS = {"0-1": 1.0, "0-5": 5.0}


def _table() -> dict[str, dict[str, float]]:
    # 39 is another unit in FACS (nostril compressor) than in our prototypes; a jaw moves to one side or the other.
    table = {unit: shares for unit, shares in AU_BLENDSHAPES.items() if not unit.startswith("39") and unit != "30"}
    # A side that no blendshape can show ("1L": browInnerUp is both) is left out, rather than shown on both.
    table = {unit: shares for unit, shares in table.items() if unit[-1] not in "LR" or shares != table.get(unit[:-1])}
    eyes = {side: {f"eyeBlink{full}": 1.0 for full in fulls} for side, fulls in _SIDES.items()}
    return table | {
        "27": {"jawOpen": 1.0},
        **{f"45{side}": shares for side, shares in eyes.items()},
        **{f"46{side}": eyes[side] for side in ("L", "R")},
        "65": {"eyeLookOutLeft": 1.0, "eyeLookOutRight": 1.0},
        "66": {"eyeLookInLeft": 1.0, "eyeLookInRight": 1.0},
    }


_SIDES = {"": ("Left", "Right"), "L": ("Left",), "R": ("Right",)}

FACS_BLENDSHAPES: dict[str, dict[str, float]] = _table()
"""FACS unit -> blendshape -> weight at full strength; "12" is both sides, "12L" and "12R" are the person's own."""


def read_units(value: Any, scale: Scale | None = None, unscored: float = 1.0) -> dict[str, float]:
    """Read action units and their strengths from the ways in which data notes them.

    Args:
        value: FACS notation ("1+2+5B+L12D"), units separated by commas or blanks ("AU01 AU12", "12L:0.8"), the same
            as a list, a JSON object or a mapping from unit to strength. "0" is the neutral face.
        scale: what numbers are measured on. Without it they are refused, since 1 is full on one scale and a trace on
            the other.
        unscored: strength of a unit that stands without one.

    Returns:
        Unit, as in `FACS_BLENDSHAPES` or not -> strength in 0..1.

    Raises:
        ValueError: something that is no unit, a unit that is there twice, a number without a scale or outside it.

    Example:
        >>> read_units("AU01+L12B")
        {'1': 1.0, '12L': 0.4}
        >>> read_units({"AU12": 2.5}, scale="0-5")
        {'12': 0.5}
    """
    units: dict[str, float] = {}
    for name, strength in _pairs(value):
        token = _TOKEN.fullmatch(str(name).strip().upper())
        if token is None or (token["side"] and token["side_after"]) or (strength is not None and token["strength"]):
            raise ValueError(f"expected action units such as 12, AU12, L12B or 12:0.5, got {name!r}")
        if token["number"] == "0":
            continue
        unit = token["number"] + (token["side"] or token["side_after"] or "")
        if unit in units:
            raise ValueError(f"expected every action unit once, got {unit} twice")
        grade = strength if strength is not None else token["strength"]
        if token["letter"] and grade is not None:
            raise ValueError(f"expected a letter or a number as the strength of {unit}, got both in {name!r}")
        units[unit] = _letter(token["letter"]) if token["letter"] else _strength(grade, unit, scale, unscored)
    return units


def units_to_expression(units: Mapping[str, float]) -> np.ndarray:
    """Show action units: (51,) float32 weights in the order of `BLENDSHAPES`.

    Each unit's blendshapes are scaled by its strength; weights a and b of one blendshape meet as 1 - (1 - a)(1 - b).
    Units that pull against each other (1+2+4) are both shown, as they were scored.

    Raises:
        ValueError: a unit with a strength above 0 that no blendshape shows.

    Example:
        >>> float(units_to_expression({"12L": 0.5})[BLENDSHAPES.index("mouthSmileLeft")])
        0.5
    """
    rest = np.ones(len(BLENDSHAPES))
    for unit, strength in units.items():
        if strength and unit not in FACS_BLENDSHAPES:
            names = ", ".join(unit for unit in FACS_BLENDSHAPES if unit[-1] not in "LR")
            raise ValueError(f"expected action units that blendshapes can show ({names}; some with L or R), got {unit}")
        for name, share in FACS_BLENDSHAPES.get(unit, {}).items():
            rest[_INDEX[name]] *= 1 - share * strength
    return (1 - rest).astype(np.float32)


def _pairs(value: Any) -> Sequence[tuple[Any, Any]]:
    """Units as pairs of what stands for the unit and the number or letter beside it (None: none)."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = json.loads(value)
    if isinstance(value, Mapping):
        for unit, strength in value.items():
            if strength is None:
                raise ValueError(f"expected a strength for {unit}, got none")
        return list(value.items())
    if isinstance(value, str):
        text = re.sub(r"\b(AU|AD)\s+(?=\d)", r"\1", re.sub(r"[\[\]'\"]", " ", value.upper()))
        value = re.findall(r"[^\s+,;]+", text)
    if not isinstance(value, Sequence):
        raise ValueError(f"expected action units such as 1+2+5B, got {value!r}")
    return [(unit, None) for unit in value]


def _letter(letter: str) -> float:
    return ("ABCDE".index(letter) + 1) / 5


def _strength(grade: Any, unit: str, scale: Scale | None, unscored: float) -> float:
    if grade is None:
        return unscored
    if isinstance(grade, str) and len(grade.strip()) == 1 and grade.strip().upper() in "ABCDE":
        return _letter(grade.strip().upper())
    try:
        number = float(grade)
    except (TypeError, ValueError):
        raise ValueError(
            f"expected a number or a letter from A to E as the strength of {unit}, got {grade!r}"
        ) from None
    if scale is None:
        raise ValueError(f"the strength {number:g} of {unit} can be on the scale 0-1 or 0-5: say which")
    if not 0 <= number <= _TOPS[scale]:  # false for NaN too
        raise ValueError(f"expected the strength of {unit} on the scale {scale}, got {number:g}")
    return number / _TOPS[scale]
