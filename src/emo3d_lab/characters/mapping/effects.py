"""What a target does, in words, and what its name says that it does."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from emo3d.blendshapes import ARKIT_BLENDSHAPES
from emo3d.names import folded, spelt
from emo3d_lab.neighbours.facs import FACS_BLENDSHAPES

EYE_DISTANCE = 63.0
"""Millimetres between the pupils of the face that motions are told of: the mean of adults (Dodgson 2004)."""

# MediaPipe's landmarks in the middle of parts of the face, its own left and right.
_PLACES = {
    **{"right upper lid": 159, "left upper lid": 386, "right lower lid": 145, "left lower lid": 374},
    **{"right iris": 468, "left iris": 473, "right brow": 105, "left brow": 334, "inner brows": 9},
    **{"upper lip": 13, "lower lip": 14, "right corner of the mouth": 61, "left corner of the mouth": 291},
    **{"nose": 4, "right nostril": 129, "left nostril": 358, "chin": 152, "right cheek": 50, "left cheek": 280},
}
_STILL = 0.5  # mm; a target that moves all places less moves none

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


def describe_motion(motion: np.ndarray, eye_distance: float) -> dict[str, Any]:
    """Say which place of the face a motion (478, 3) moves most, which way, and how far on one of `EYE_DISTANCE`.

    Args:
        motion: turned to the front.
        eye_distance: in the unit of the motion.
    """
    there = motion[list(_PLACES.values())] * EYE_DISTANCE / eye_distance
    lengths = np.linalg.norm(there, axis=1)
    most = int(np.argmax(lengths))
    if lengths[most] < _STILL:
        return {"moves": "nothing that is seen", "mm": 0.0}
    axis = int(np.argmax(np.abs(there[most])))
    direction = (("right", "left"), ("down", "up"), ("back", "forward"))[axis][int(there[most, axis] > 0)]
    return {"moves": [*_PLACES][most], "direction": direction, "mm": round(float(lengths[most]), 1)}
