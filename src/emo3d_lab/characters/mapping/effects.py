"""What a target does, in words, and what its name says that it does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from emo3d.blendshapes import ARKIT_BLENDSHAPES
from emo3d.names import folded, spelt
from emo3d_lab.characters.mapping.sight import INNER_LIPS, LIDS, OTHER_LIDS, OUTER_LIPS, Sight
from emo3d_lab.landmarker import LANDMARKS
from emo3d_lab.neighbours.facs import FACS_BLENDSHAPES

EYE_DISTANCE = 63.0
"""Millimetres between the pupils of the face that motions are told of: the mean of adults (Dodgson 2004)."""

_BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55), (300, 293, 334, 296, 336, 276, 283, 282, 295, 285)  # MediaPipe's
_STILL = 0.5  # mm; a target whose landmarks all move less moves no landmark

# Of visemes (Oculus; VRM) and of single emotions (VRM), what they mostly show; prototypes.py has the emotions in full.
_SHOWN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("aa", "a", "ah", "mtha", "mouthopen", "jaw"), ("jawOpen",)),
    **dict.fromkeys(("oh", "o", "mtho"), ("mouthFunnel",)),
    **dict.fromkeys(("ou", "u", "mthu"), ("mouthPucker",)),
    **dict.fromkeys(("e", "ee", "mthe"), ("mouthStretch",)),
    **dict.fromkeys(("ih", "i", "mthi"), ("mouthStretch", "mouthSmile")),
    **dict.fromkeys(("pp", "mbp"), ("mouthPress", "mouthRollLower", "mouthRollUpper")),
    "ff": ("mouthRollLower",),
    "ch": ("mouthFunnel",),
    **dict.fromkeys(("blink", "eyeclose", "eyesclosed", "close"), ("eyeBlink",)),
    **dict.fromkeys(("happy", "joy", "fun", "smile", "mouthup"), ("mouthSmile",)),
    **dict.fromkeys(("sad", "sorrow", "mouthdown"), ("mouthFrown", "browInnerUp")),
    **dict.fromkeys(("angry", "brwangry"), ("browDown",)),
    **dict.fromkeys(("surprised", "eyesurprised"), ("eyeWide", "browInnerUp", "browOuterUp")),
    **dict.fromkeys(("lookup", "lookdown", "lookleft", "lookright"), ("eyeLook",)),
}
_PREFIX = re.compile(r"^(viseme|fcl|all|vrc|v|eye|exp|expression|preset|blendshape\d*)+")
_FACS = re.compile(r"^(?:au|ad)[_ ]?0*(\d{1,2})[_. ]?(l|r|left|right)?", re.IGNORECASE)


def named_units(name: str) -> frozenset[str]:
    """Units that a target's name, as a file has it, speaks for: a hint, which what it does must bear out.

    Example:
        >>> sorted(named_units("viseme_aa")), sorted(named_units("AU12_L")), named_units("Key 1")
        (['jawOpen'], ['mouthSmileLeft'], frozenset())
    """
    if (unit := spelt(name)) is not None:
        return frozenset({unit})
    if facs := _FACS.match(name):
        return frozenset(FACS_BLENDSHAPES.get(facs[1] + (facs[2] or "")[:1].upper(), {}))
    plain, side = folded(name), ""
    if sided := re.search(r"[._ ](l|r|left|right)$", name.lower()):
        plain, side = plain[: -len(sided[1])], {"l": "Left", "r": "Right"}[sided[1][0]]
    stems = _SHOWN.get(plain) or _SHOWN.get(_PREFIX.sub("", plain), ())
    stem_of = {unit: re.sub("(Left|Right)$", "", unit) for unit in ARKIT_BLENDSHAPES}
    return frozenset(
        unit for unit, stem in stem_of.items() if unit.endswith(side) and stem.startswith(stems or ("?",)) and stems
    )


def describe_motion(motion: np.ndarray, places: Mapping[str, np.ndarray], eye_distance: float) -> dict[str, Any]:
    """Say where a motion (478, 3) is largest, which way it goes, and how far on a face of `EYE_DISTANCE`.

    Args:
        motion: turned to the front.
        places: landmarks of each region, see `regions`.
        eye_distance: in the unit of the motion.
    """
    lengths = np.linalg.norm(motion, axis=1) * EYE_DISTANCE / eye_distance
    if lengths.max() < _STILL:
        return {"moves": "nothing that is seen", "mm": 0.0}
    region = max(places, key=lambda name: float(lengths[places[name]].mean()))
    there = motion[places[region]]
    mean = there.mean(axis=0)
    axis = int(np.argmax(np.abs(mean)))
    direction = (("right", "left"), ("down", "up"), ("back", "forward"))[axis][int(mean[axis] > 0)]
    if np.abs(mean[axis]) < 0.3 * np.linalg.norm(there, axis=1).mean():
        direction = "apart or together"
    return {"moves": region, "direction": direction, "mm": round(float(lengths[places[region]].max()), 1)}


def regions(sight: Sight) -> dict[str, np.ndarray]:
    """Landmarks by region of the face, its own left and right."""
    points, left, upper = sight.points, sight.points[:, 0] > np.nanmean(sight.points[:, 0]), np.arange(20) < 11
    sets: dict[str, list[int]] = {
        "right lids": list(LIDS),
        "left lids": list(OTHER_LIDS),
        "right brow": list(_BROWS[0]),
        "left brow": list(_BROWS[1]),
        "right eyeball": list(range(468, 473)),
        "left eyeball": list(range(473, LANDMARKS)),
        "upper lip": [lips[k] for lips in (INNER_LIPS, OUTER_LIPS) for k in np.flatnonzero(upper)],
        "lower lip": [lips[k] for lips in (INNER_LIPS, OUTER_LIPS) for k in np.flatnonzero(~upper)],
    }
    lids, lips = points[list(LIDS + OTHER_LIDS), 1], points[list(OUTER_LIPS), 1]
    known = {place for part in sets.values() for place in part}
    height = sight.eye_distance
    middle = np.abs(points[:, 0] - np.nanmean(points[list(OUTER_LIPS), 0])) < 0.3 * height
    for place in set(range(LANDMARKS)) - known:
        y = points[place, 1]
        side = "left" if left[place] else "right"
        if np.isnan(y):
            continue
        region = f"{side} cheek"
        if y > np.nanmax(lids):
            region = "forehead"
        elif y < np.nanmin(lips):
            region = "chin"
        elif middle[place] and y > np.nanmax(lips):
            region = "nose"
        sets.setdefault(region, []).append(place)
    return {name: np.array(part) for name, part in sets.items()}
