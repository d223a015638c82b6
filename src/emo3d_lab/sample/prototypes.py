"""Prototypes of the emotions: their facial action units, the blendshapes of these, and how several are combined.

Which action units show which emotion follows EMFACS as its authors describe it: Friesen and Ekman, "EMFACS-7: Emotional
Facial Action Coding System" (1983), with the variants of Ekman and Friesen, "Unmasking the Face" (1975), and of the
tables in Ekman, Friesen and Hager, "Facial Action Coding System: Investigator's Guide" (2002): happiness 6+12, surprise
1+2+5+26, sadness 1+4+15+17 with the gaze down (64), anger 4+5+7 with a squared mouth (10, 16, 22, 26) or lips tight or
pressed (23, 24, 17), disgust 9 and 10 with 17, fear 1+2+4+5+20+25/26, contempt 12+14 on one side. Disgust has no 4,
which is anger's: brows come down with 9 alone, and cheeks and lower lids go up (6); lips are pushed forward (18) as if
to spit, as Darwin saw it ("The Expression of the Emotions in Man and Animals", 1872, chapter 11). When emotions meet,
compatible units are kept and of opposed ones the stronger wins, as in Du, Tao and Martinez, "Compound facial
expressions of emotion" (PNAS 111(15), 2014).

`AU_BLENDSHAPES` pairs a unit with the blendshapes whose documented motion is the unit's (Apple,
`ARFaceAnchor.BlendShapeLocation`); the strengths are ours. All weights are in the space `"weights"`, 0..1; left and
right are the person's own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS

# unit: what it is | its blendshapes with their share (a trailing * stands for both sides)
_UNITS = """
1   inner brow raiser     | browInnerUp 1
2   outer brow raiser     | browOuterUp* 1
4   brow lowerer          | browDown* 1
5   upper lid raiser      | eyeWide* 1
6   cheek raiser          | cheekSquint* 1 eyeSquint* 0.5
7   lid tightener         | eyeSquint* 1
9   nose wrinkler         | noseSneer* 1
10  upper lip raiser      | mouthUpperUp* 1
12  lip corner puller     | mouthSmile* 1
14  dimpler               | mouthDimple* 1
15  lip corner depressor  | mouthFrown* 1
16  lower lip depressor   | mouthLowerDown* 1
17  chin raiser           | mouthShrugLower 1 mouthShrugUpper 0.5
18  lip pucker            | mouthPucker 1
20  lip stretcher         | mouthStretch* 1
22  lip funneler          | mouthFunnel 1
23  lip tightener         | mouthRollLower 0.5 mouthRollUpper 0.5 mouthPress* 0.4
24  lip presser           | mouthPress* 1
25  lips part             | mouthLowerDown* 0.6 mouthUpperUp* 0.4 jawOpen 0.1
26  jaw drop              | jawOpen 1
28  lip suck              | mouthRollLower 1 mouthRollUpper 1
29  jaw thrust            | jawForward 1
30  jaw sideways          | jaw* 1
34  cheek puff            | cheekPuff 1
39  mouth sideways        | mouth* 1
43  eyes closed           | eyeBlink* 1
61  eyes turn left        | eyeLookOutLeft 1 eyeLookInRight 1
62  eyes turn right       | eyeLookInLeft 1 eyeLookOutRight 1
63  eyes up               | eyeLookUp* 1
64  eyes down             | eyeLookDown* 1
"""  # 39 is ours: FACS has no number for a mouth pulled to one side as a whole

_VARIANTS = {
    "happiness": {
        "smile": "6:1 12:1 25:1",
        "closed": "6:1 12:1 14:0.2",
        "laugh": "6:1 12:1 25:1 26:0.55 43:0.1",
        "soft": "6:0.8 12:0.9 25:0.3 43:0.1",
    },
    "surprise": {
        "gasp": "1:1 2:1 5:0.9 26:0.9",
        "jaw": "1:1 2:1 5:1 26:1 22:0.2",
        "brows": "1:0.9 2:1 5:1 26:0.35",
        "puzzled": "1:0.9 2L:1 2R:0.6 5:0.8 26:0.4 39L:0.15",
    },
    "sadness": {
        "frown": "1:1 4:0.6 15:1 17:0.9 64:0.4 43:0.15",
        "weeping": "1:1 4:0.6 6:0.5 15:1 17:0.8 20:0.2 25:0.2 43:0.35",
        "downcast": "1:1 4:0.5 15:1 17:0.7 64:0.7",
    },
    "anger": {
        "teeth": "4:1 5:0.6 7:0.6 10:0.8 16:1 22:0.3 26:0.2",
        "closed": "4:1 5:0.7 7:0.8 23:0.6 24:1 17:0.9",
        "shout": "4:1 5:0.7 7:0.5 10:0.7 16:1 22:0.4 26:0.6",
        "sulky": "4:1 5:0.4 7:0.8 17:1 24:1 23:0.4",
    },
    "disgust": {
        "sneer": "9:1 10:1 6:0.7 17:0.3 18:0.4 43:0.3",
        "retch": "9:1 10:1 6:0.7 18:0.5 43:0.2",
        "aversion": "9:1 10:1 6:0.4 17:0.9 62:0.3 43:0.2",
    },
    "fear": {
        "stretch": "1:1 2:0.5 4:0.8 5:1 20:1 25:0.8 26:0.4",
        "scream": "1:1 2:0.5 4:0.7 5:1 20:1 16:0.4 25:0.6 26:0.65",
        "nervous": "1:1 2:0.2 4:0.7 5:1 20:1 25:0.4",
    },
    "contempt": {
        "smirk": "12L:0.5 14L:0.8 10L:0.2 2L:0.4 7:0.2",
        "aloof": "12L:0.3 14L:0.8 2L:0.6 2R:0.2 43:0.25 64:0.3 17:0.3",
        "sneer": "10L:0.9 9L:0.5 12L:0.2 14L:0.7 4R:0.4 7:0.2",
    },
    "neutral": {"rest": ""},
}

# Pairs that pull the same skin in opposite directions: the weaker yields by as much as the stronger is there.
OPPOSED = [
    (a + side, b + side)
    for side in ("Left", "Right")
    for a, b in (
        ("mouthSmile", "mouthFrown"),
        ("eyeWide", "eyeBlink"),
        ("browOuterUp", "browDown"),
        ("eyeLookUp", "eyeLookDown"),
        ("mouthPress", "mouthLowerDown"),
        ("eyeLookIn", "eyeLookOut"),
    )
] + [
    ("jawOpen", "mouthRollLower"),
    ("jawOpen", "mouthShrugLower"),
    ("mouthLeft", "mouthRight"),
    ("jawLeft", "jawRight"),
]
_INDEX = {name: index for index, name in enumerate(BLENDSHAPES)}
_OPPOSED_PLACES = [(_INDEX[a], _INDEX[b]) for a, b in OPPOSED]
_ONSET = 1.6  # a face already shows much at middling intensity


def _sides(name: str, side: str) -> list[str]:
    if not name.endswith("*"):
        return [name]
    return [name[:-1] + full for full in ("Left", "Right") if side in ("", full[0])]


AU_BLENDSHAPES: dict[str, dict[str, float]] = {}
"""Action unit -> blendshape -> weight at full strength; "12" is both sides, "12L" and "12R" are the person's own."""

for _line in _UNITS.strip().splitlines():
    _unit, _shares = _line.split(maxsplit=1)[0], _line.split("|")[1].split()
    for _side in ("", "L", "R"):
        AU_BLENDSHAPES[_unit + _side] = {
            name: float(share)
            for pattern, share in zip(_shares[::2], _shares[1::2], strict=True)
            for name in _sides(pattern, _side)
        }


def units_to_weights(units: str) -> dict[str, float]:
    """Turn action units with strengths into blendshape weights; where units share a blendshape they are combined.

    Args:
        units: for example `"6:0.9 12L:1"`; strengths in 0..1, `L` and `R` for one side. A strength of 0 is kept as 0.

    Returns:
        Blendshape -> weight in 0..1.

    Raises:
        ValueError: a unit that is not in `AU_BLENDSHAPES`.

    Example:
        >>> units_to_weights("12L:0.5 26:1")
        {'mouthSmileLeft': 0.5, 'jawOpen': 1.0}
    """
    weights: dict[str, float] = {}
    for part in units.split():
        unit, strength = part.split(":")
        if unit not in AU_BLENDSHAPES:
            raise ValueError(f"expected action units of {', '.join(AU_BLENDSHAPES)}, got {unit!r}")
        for name, share in AU_BLENDSHAPES[unit].items():
            weights[name] = round(1 - (1 - weights.get(name, 0.0)) * (1 - share * float(strength)), 4)
    return weights


VARIANTS: dict[str, dict[str, dict[str, float]]] = {
    emotion: {name: units_to_weights(units) for name, units in _VARIANTS[emotion].items()} for emotion in EMOTIONS
}
"""Emotion -> variant -> blendshape -> weight at full intensity; the first variant of an emotion is its default."""

PROTOTYPES: dict[str, dict[str, float]] = {emotion: next(iter(VARIANTS[emotion].values())) for emotion in EMOTIONS}
"""Emotion -> blendshape -> weight at full intensity, in the default variant; neutral is empty (all zeros)."""


def combine(intensities: Mapping[str, float], variants: Mapping[str, str] | None = None) -> np.ndarray:
    """Add up the prototypes of several emotions, opposed units included (see `settle`).

    Each emotion's prototype is scaled by 1 - (1 - intensity) ** 1.6; weights a and b meet as 1 - (1 - a)(1 - b).

    Args:
        intensities: emotion -> intensity in 0..1; neutral adds nothing.
        variants: emotion -> name in `VARIANTS[emotion]`; the default where it is left out.

    Returns:
        (51,) float64 weights in the order of `BLENDSHAPES`, 0..1.
    """
    rest = np.ones(len(BLENDSHAPES))
    for emotion, intensity in intensities.items():
        weights = VARIANTS[emotion][(variants or {}).get(emotion) or next(iter(VARIANTS[emotion]))]
        strength = 1 - (1 - intensity) ** _ONSET
        for name, weight in weights.items():
            rest[_INDEX[name]] *= 1 - weight * strength
    return 1 - rest


def settle(weights: np.ndarray) -> np.ndarray:
    """Of opposed blendshapes (smile and frown, lids wide and closed, ...) scale the weaker by 1 - the stronger.

    Returns a new array of weights (51,) in 0..1, with mouthClose <= jawOpen.
    """
    result = weights.copy()
    for a, b in _OPPOSED_PLACES:
        weak, strong = (a, b) if weights[a] <= weights[b] else (b, a)
        result[weak] *= 1 - result[strong]
    return _clip(result)


def compose(intensities: Mapping[str, float], variants: Mapping[str, str] | None = None) -> np.ndarray:
    """Compose the expression of a face that shows several emotions at once: `combine`, then `settle`.

    Example:
        >>> float(compose({"happiness": 1.0})[BLENDSHAPES.index("mouthSmileLeft")])
        1.0
    """
    return settle(combine(intensities, variants))


def vary(weights: np.ndarray, rng: np.random.Generator, spread: float = 1.0) -> np.ndarray:
    """Vary an expression as people differ: how much, which unit more, left against right, and where they look.

    Args:
        weights: (51,) in 0..1.
        rng: source of the variation.
        spread: 0 gives the expression back, 1 is the sample's.

    Returns:
        (51,) float64 in 0..1, with mouthClose <= jawOpen.
    """
    count = len(BLENDSHAPES)
    gain = 1 + spread * (0.05 * rng.standard_normal() + 0.06 * rng.standard_normal(count))
    stray = spread * 0.008 * np.abs(rng.standard_normal(count))
    result = weights * gain + stray
    sideways, upwards = spread * 0.05 * rng.standard_normal(2)
    for unit, turn in (("61", sideways), ("62", -sideways), ("63", upwards), ("64", -upwards)):
        for name, share in AU_BLENDSHAPES[unit].items():
            result[_INDEX[name]] += share * max(turn, 0.0)
    return _clip(result)


def _clip(weights: np.ndarray) -> np.ndarray:
    result = np.clip(weights, 0.0, 1.0)
    close, jaw = _INDEX["mouthClose"], _INDEX["jawOpen"]
    result[close] = min(result[close], result[jaw])  # a corrective: without the jaw it tears the mouth
    return result
