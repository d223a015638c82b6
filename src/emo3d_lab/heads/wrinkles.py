"""Folds of the skin that come with the units, as light and shade over the texture.

Where folds lie is anatomy, and with which unit they come is FACS ("appearance changes" of Ekman, Friesen and Hager,
"Facial Action Coding System", 2002): vertical lines between the brows (4), level lines over the middle and the sides of
the forehead (1 and 2), lines across the root and along the sides of the nose (9), crow's feet and the furrow under the
lower lid (6, 7), the nasolabial furrow (12, 9, 10), lines below the corners (15), a wrinkled chin boss (17), dimples
(14). Amounts reach 1 before the weights do: folds are marked long before an action is at its utmost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from emo3d.face import TARGETS
from emo3d.face.heads import WRINKLE_SIZE
from emo3d.face.skin import SIZE
from emo3d_lab.heads.smooth import smooth_step
from emo3d_lab.heads.texels import locate_texels

_UNIT = 80  # of a map, for a light of 1: there is room for more, which dark skin needs
_Points = tuple[tuple[float, float], ...]


class Line(NamedTuple):
    """A crease through `points` (x, y), mm of the adult's head, x > 0 the person's left, that tapers at both ends."""

    points: _Points
    depth: float  # of the crease, in 0..1
    width: float  # standard deviation of the crease's core, mm
    bulges: tuple[float, float] = (0.5, 0.5)  # beside it, in shares of the depth: to the left and right of its way
    uneven: float = 0.25  # how much the depth varies along it


class Spot(NamedTuple):
    """A soft patch, lighter than the skin where `light` is positive."""

    at: tuple[float, float]
    reach: tuple[float, float]
    light: float


class Fold(NamedTuple):
    """What one map shows. With a trailing * in its drivers there is one map for each side."""

    drivers: Mapping[str, float]
    parts: tuple[Line | Spot, ...]
    mirrored: bool = False  # a map of both sides
    child: float = 0.6  # how much of it a child of ten shows
    old: float = 0.0  # how much of it stays at rest at ninety


_CHIN = ((2, 47), (7, 51), (12, 47), (4, 55), (10, 57), (15, 53), (1, 60), (7, 43), (14, 43))

FOLDS: dict[str, Fold] = {
    "frown": Fold(
        {"browDown*": 1.8, "noseSneer*": 0.2},
        (
            Line(((9.5, 174), (7.5, 166), (6.5, 157), (8, 151)), 1.25, 1.2, (0.4, 0.5)),
            Line(((4.0, 171), (3.2, 164), (3.4, 158)), 0.55, 1.0),
            Spot((15, 158), (7, 4.5), -0.5),
            Spot((0, 163), (3.5, 7), 0.18),
        ),
        child=0.65,
        old=0.15,
    ),
    # Broken and not quite level, nor quite alike on either side, as foreheads are.
    "forehead": Fold(
        {"browInnerUp": 1.4},
        (
            Line(((-35, 180), (-20, 185.5), (-5, 188), (8, 187.5), (24, 184), (36, 181)), 0.6, 1.3, (0.3, 0.3), 0.4),
            Line(((-40, 189), (-24, 193.5), (-9, 194), (5, 196)), 0.55, 1.4, (0.3, 0.3), 0.4),
            Line(((-3, 193.5), (10, 196), (24, 194.5), (40, 187)), 0.6, 1.4, (0.3, 0.3), 0.4),
            Line(((-28, 200), (-14, 203), (2, 202.5), (16, 204), (25, 202.5)), 0.38, 1.4, (0.3, 0.3), 0.6),
        ),
        child=0.0,
        old=0.6,
    ),
    "outer forehead": Fold(
        {"browOuterUp*": 1.4},
        (
            Line(((15, 183), (28, 186), (43, 184), (57, 176)), 0.55, 1.3, (0.3, 0.3), 0.4),
            Line(((24, 191), (34, 193.5), (47, 190.5), (60, 183)), 0.5, 1.4, (0.3, 0.3), 0.4),
            Line(((18, 200), (29, 202), (42, 199)), 0.3, 1.4, (0.35, 0.35), 0.6),
        ),
        child=0.0,
        old=0.3,
    ),
    "nose": Fold(
        {"noseSneer*": 1.6},
        (
            Line(((0, 154), (6, 153), (11, 150.5)), 0.8, 1.1),
            Line(((0, 147), (6, 145.5), (11, 141)), 0.7, 1.0),
            Line(((5, 141), (9, 137), (13, 130)), 0.8, 1.0),
            Line(((7, 133), (11, 129), (14, 122)), 0.6, 1.0),
            Line(((15, 136), (20, 129), (28, 124)), 0.6, 1.4, (0.5, 0.2)),
            Line(((20, 115), (22.5, 109), (21.5, 103)), 0.35, 1.3, (0.4, 0.0)),
        ),
        child=0.75,
        old=0.15,
    ),
    "crow's feet": Fold(
        {"cheekSquint*": 1.1, "eyeSquint*": 0.25, "mouthSmile*": 0.2},
        (
            Line(((54, 151), (60, 155), (66, 161)), 0.7, 1.0),
            Line(((55, 147), (61, 147.5), (68, 149)), 0.8, 1.0),
            Line(((54, 143), (60, 140), (66, 136)), 0.7, 1.0),
            Line(((51, 139), (57, 134), (62, 128)), 0.45, 1.0),
        ),
        child=0.25,
        old=0.75,
    ),
    "lower lid": Fold(
        {"eyeSquint*": 0.9, "cheekSquint*": 0.7, "noseSneer*": 0.25},
        (
            Line(((15, 142), (22, 137.5), (32, 135), (42, 136.5), (50, 141)), 0.8, 1.1, (0.7, 0.2)),
            Line(((19, 134), (28, 129), (40, 129)), 0.35, 1.3),
        ),
        child=0.7,
        old=0.55,
    ),
    "smile": Fold(
        {"mouthSmile*": 1.6, "cheekSquint*": 0.2, "mouthStretch*": 0.25},
        (
            Line(((20, 110), (22.5, 104.5), (26, 98), (29.5, 90), (32.5, 82), (36, 76)), 0.8, 1.4, (0.4, 0.0)),
            Spot((38, 104), (8, 8), 0.2),
        ),
        child=0.7,
        old=0.75,
    ),
    "sneer": Fold(
        {"noseSneer*": 0.9, "mouthUpperUp*": 0.9},
        (
            Line(((17.5, 115), (22, 108), (27, 101.5), (31, 95), (33, 88), (32.5, 80)), 0.9, 1.8, (0.4, 0.0)),
            Spot((26, 96), (3.5, 6), -0.15),
        ),
        child=0.75,
    ),
    "corner": Fold(
        {"mouthFrown*": 1.5, "mouthStretch*": 0.3, "mouthLowerDown*": 0.15},
        (
            Line(((26, 78), (29, 72), (31, 65), (30.5, 58)), 0.64, 1.6, (0.35, 0.15)),
            Spot((28, 73), (3.5, 3.5), -0.22),
            Spot((23, 64), (5, 4), 0.15),
        ),
        child=0.75,
        old=0.35,
    ),
    # A soft hollow beyond the corner rather than a cut.
    "dimple": Fold(
        {"mouthDimple*": 1.4, "mouthPress*": 0.25, "mouthSmile*": 0.15},
        (
            Line(((31.5, 86), (34, 81), (34, 75), (32, 69)), 0.5, 2.0, (0.3, 0.1)),
            Spot((30, 77.5), (3.2, 4.0), -0.5),
        ),
        child=0.8,
        old=0.2,
    ),
    "chin": Fold(
        {"mouthShrugLower": 1.4, "mouthFrown*": 0.12, "mouthPress*": 0.1},
        (
            Line(((0, 60.5), (8, 60), (16, 57)), 0.7, 1.6, (0.2, 0.5)),
            *(Spot((float(x), float(y)), (1.6, 1.6), -0.38) for x, y in _CHIN),
            Spot((0, 50), (16, 10), 0.08),
        ),
        mirrored=True,
        child=0.85,
        old=0.15,
    ),
    "pressed lips": Fold(
        {"mouthPress*": 0.7, "mouthRollLower": 0.3, "mouthRollUpper": 0.3},
        (
            Line(((0, 77), (12, 77.5), (25, 76.5)), 0.6, 1.5, (0.0, 0.0)),
            Line(((0, 63.5), (9, 64), (18, 67)), 0.6, 1.6, (0.0, 0.4)),
            Line(((4, 90.5), (12, 89), (21, 83)), 0.4, 1.4, (0.5, 0.0)),
        ),
        mirrored=True,
        child=0.9,
    ),
}
# What comes with age alone: hollows under the eyes and cheeks, creases above the lips, jowls, rings around the neck.
_AGE = (
    Line(((13, 141), (20, 131), (30, 125), (41, 126)), 0.55, 2.0, (0.0, 0.35)),
    Line(((53, 145), (58, 137), (59, 129)), 0.35, 1.2),
    Line(((48, 121), (53, 110), (52, 98), (47, 86)), 0.3, 2.4, (0.2, 0.2)),
    *(Line(((x, 94.5), (1.08 * x + 0.5, 85.5)), 0.45, 0.9, (0.3, 0.3)) for x in (4.0, 9.0, 13.5, 18.0)),
    *(Line(((x, 64), (1.05 * x, 57)), 0.25, 0.9, (0.3, 0.3)) for x in (6.0, 12.0)),
    Line(((31, 58), (36, 49), (40, 44)), 0.4, 2.2, (0.3, 0.2)),
    Line(((0, 8), (16, 10), (34, 17), (50, 28)), 0.5, 1.8, (0.3, 0.3)),
    Line(((0, -6), (18, -4), (38, 4)), 0.45, 1.8, (0.3, 0.3)),
    Line(((9, 24), (11, 8), (13, -14), (14, -30)), 0.5, 2.2, (0.4, 0.1)),
)


def draw_wrinkles(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Draw the maps of `FOLDS`.

    Args:
        arrays: the adult's head, as of `emo3d.face.heads.head_arrays`.

    Returns:
        wrinkle_maps (K, WRINKLE_SIZE, WRINKLE_SIZE) int8 and wrinkle_drivers (K, 52) float32, as of
        `emo3d.face.rig.Wrinkles`; wrinkle_child (K,) float32, how much of each a child of ten shows; age_lines
        (WRINKLE_SIZE, WRINKLE_SIZE) uint8, what a face of ninety shows at rest, about a half.
    """
    row, column, triangle, weights = locate_texels(arrays["neutral"], arrays)
    positions = 1000 * (arrays["neutral"][arrays["triangles"][triangle]] * weights).sum(axis=1)
    front = (positions[:, 2] > 80) | (positions[:, 1] < 30) & (positions[:, 2] > 20)
    row, column, positions = row[front], column[front], positions[front]
    maps, drivers, child = [], [], []
    aged = _sum_lights(positions, _AGE, (1, -1))
    for fold in FOLDS.values():
        sides = ("Left", "Right") if any(name.endswith("*") for name in fold.drivers) and not fold.mirrored else ("",)
        for side in sides:
            light = _sum_lights(positions, fold.parts, (1, -1) if fold.mirrored else (-1 if side == "Right" else 1,))
            aged += fold.old * light
            maps.append(_shrink(row, column, light))
            drivers.append(_drivers(fold.drivers, side))
            child.append(fold.child)
    return {
        "wrinkle_maps": np.stack(maps),
        "wrinkle_drivers": np.stack(drivers),
        "wrinkle_child": np.array(child, np.float32),
        "age_lines": (128 + _shrink(row, column, aged).astype(int)).astype(np.uint8),
    }


def _sum_lights(positions: np.ndarray, parts: tuple[Line | Spot, ...], mirrors: tuple[int, ...]) -> np.ndarray:
    """Light of all parts at positions (K, 3), mm, each on the sides of `mirrors`: 1 as it is, -1 its mirror image."""
    light = np.zeros(len(positions))
    for mirror in mirrors:
        for part in parts:
            if mirror == mirrors[0] or _off_middle(part):
                light += _light(positions * [mirror, 1, 1], part)
    return light


def _drivers(shares: Mapping[str, float], side: str) -> np.ndarray:
    row = np.zeros(len(TARGETS), np.float32)
    for name, share in shares.items():
        sides = (side,) if side else ("Left", "Right")
        for target in [name[:-1] + end for end in sides] if name.endswith("*") else [name]:
            row[TARGETS.index(target)] = share
    return row


def _off_middle(part: Line | Spot) -> bool:
    return isinstance(part, Line) or part.at[0] != 0


def _light(positions: np.ndarray, part: Line | Spot) -> np.ndarray:
    """Light of a part at positions (K, 3), mm."""
    if isinstance(part, Spot):
        offset = (positions[:, :2] - part.at) / part.reach
        return part.light * np.exp(-0.5 * (offset**2).sum(axis=1))
    light = np.zeros(len(positions))
    points = np.array(part.points, float)
    margin = 6 * part.width + 3
    near = ((positions[:, :2] > points.min(0) - margin) & (positions[:, :2] < points.max(0) + margin)).all(axis=1)
    spots = positions[near]
    # A line that starts in the middle goes on on the other side.
    curve, start = _curve(points), points[0, 0] == 0
    depths = _wander(curve, points, part.uneven)
    offset = spots[:, None, :2] - curve[None]
    distance = np.linalg.norm(offset, axis=2)
    nearest = distance.argmin(axis=1)
    rows = np.arange(len(spots))
    way = np.gradient(curve, axis=0)[nearest]
    d, offset = distance[rows, nearest], offset[rows, nearest]
    left = way[:, 0] * offset[:, 1] - way[:, 1] * offset[:, 0] > 0
    along = nearest / (len(curve) - 1)
    taper = smooth_step(np.minimum(1.0 if start else along / 0.25, (1 - along) / 0.35), 0, 1)
    w = part.width
    # A narrow core in a wide hollow: without the hollow a line looks cut with a knife.
    crease = -0.6 * np.exp(-0.5 * (d / w) ** 2) - 0.4 * np.exp(-0.5 * (d / (2.2 * w)) ** 2)
    bulge = (
        np.where(left, *part.bulges) * np.exp(-0.5 * ((d - 3.2 * w) / (1.6 * w)) ** 2) * (1 - np.exp(-((d / w) ** 2)))
    )
    if start:
        taper = taper * (spots[:, 0] >= 0)
    light[near] = part.depth * depths[nearest] * taper * (crease + bulge)
    return light


def _wander(curve: np.ndarray, points: np.ndarray, uneven: float) -> np.ndarray:
    """Make a curve (N, 2) waver by some tenths of a millimetre, in place; return how deep it is at each, about 1."""
    length = np.concatenate([[0], np.linalg.norm(np.diff(curve, axis=0), axis=1).cumsum()])
    phases = np.random.default_rng(round(abs(points[:, 0] * 7 + points[:, 1] * 31).sum())).uniform(0, 2 * np.pi, 4)
    periods = (11, 23, 31, 47)  # mm
    waves = [np.sin(2 * np.pi * length / period + phase) for period, phase in zip(periods, phases, strict=True)]
    if points[0, 0]:  # lines that go on on the other side stay whole
        curve[:, 1] += uneven * (0.4 * waves[0] + 1.2 * waves[1])
    return np.clip(1 + uneven * (0.7 * waves[2] + 0.7 * waves[3]), 0.15, 1.3)


def _curve(points: np.ndarray, steps: int = 24) -> np.ndarray:
    """A Catmull-Rom spline through points (N, 2), many points on it."""
    ends = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False)
    ]
    return np.concatenate([*pieces, points[-1:]])


def _shrink(row: np.ndarray, column: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Average the texture's texels to a map (WRINKLE_SIZE, WRINKLE_SIZE) int8."""
    full = np.zeros((SIZE, SIZE))
    full[row, column] = light
    step = SIZE // WRINKLE_SIZE
    light = full.reshape(WRINKLE_SIZE, step, WRINKLE_SIZE, step).mean(axis=(1, 3))
    return np.round(_UNIT * np.clip(light, -1.5, 1.5)).astype(np.int8)
