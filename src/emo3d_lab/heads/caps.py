"""Hair on top of a head as a surface of its own: with locks, a fringe and a parting, for which the scalp is coarse."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import default_rng

from emo3d.face.skin import EYE, SKIN
from emo3d_lab.heads.hairlines import hairline_distance
from emo3d_lab.heads.smooth import smooth_step

_MIDDLE = (30.0, 90.0)  # height and distance behind the eyes' front of the point around which caps lie, millimetres
_ROWS = np.array([0.0, 0.18, 0.36, 0.52, 0.66, 0.78, 0.87, 0.93, 0.97, 1.0])  # from the crown to the rim
_FRONT, _BACK = 54, 14  # columns


class Cap(NamedTuple):
    """How a cap looks; millimetres, degrees from the crown."""

    top: float  # how far it stands off the scalp at the crown,
    front: float  # over the forehead,
    side: float  # and at its lower rim
    fringe: float  # how far it hangs over the hairline
    jag: float = 0.0  # by how much its locks differ in length
    tuft: float = 1.0  # how high its locks are
    sweep: float = 0.0  # by how much locks at the forehead are combed aside, degrees
    parting: float | None = None  # how far left of the middle
    line: str = "square"
    low: float = 76.0  # where it ends at the sides
    curly: bool = False
    level: float | None = None  # height above the eyes at which a fringe is cut, if not along the hairline
    full: float = 0.4  # share of the way from the crown over which it stands off as far as there
    taper: float | None = None  # share of the way from which it rounds off towards the rim; None for a thin rim
    hem: float = 0.0  # share of the thickness that is left at the rim over the forehead,
    flank: float = 0.0  # and at the sides and behind, where a curtain goes on


CAPS = {
    "crop": Cap(8, 5, 1.5, 2, 3, 1.3, 6, low=70),
    "short": Cap(13, 12, 4, 0, 1.5, 1.5, 14, parting=31.0),
    "curls": Cap(17, 11, 4, 3, 4, 3.0, line="round", curly=True, low=80, full=0.5),
    "afro": Cap(22.3, 22, 31, 0, 1.5, 1.8, line="round", curly=True, low=112, full=0.2, taper=0.3),
    "waves": Cap(16.5, 4, 8, 0, 1.5, 1.1, 8, line="round", low=88, full=0.45, flank=0.7),
    "bob": Cap(11.35, 3.5, 8, 0, 1, 0.9, parting=0.0, line="round", low=86, flank=0.7),
    "long": Cap(11, 3.5, 8, 0, 1, 0.9, parting=12.0, line="round", low=86, flank=0.7),
    "bangs": Cap(11, 8, 8, 0, 0.9, 0.9, line="round", low=86, level=30, hem=0.7, flank=0.7),
}


def make_cap(rest: np.ndarray, part: np.ndarray, style: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A cap on the default head: vertices (N, 3) metres, triangles, and the points (N, 3) whose colours it has."""
    cap = CAPS[style]
    scalp = _Scalp(rest, part)
    azimuth = np.radians(np.concatenate([np.linspace(-80, 80, _FRONT), np.linspace(80, 280, _BACK + 2)[1:-1]]))
    ahead = smooth_step(np.cos(azimuth), 0.15, 0.7)
    limit = np.radians(cap.low + 6 * np.sin(azimuth) ** 2)
    combed = np.radians(cap.sweep) * ahead
    line = scalp.find_line(azimuth + combed, cap.line)
    fringe = line if cap.level is None else np.maximum(line + 0.04, scalp.find_level(azimuth, cap.level))
    rim = fringe + (cap.fringe + cap.jag * _locks(95 * azimuth)) / 95
    rim = ahead * rim + (1 - ahead) * np.minimum(limit, line + 0.13)
    row, column = _ROWS[:, None], azimuth[None]
    polar = row * rim
    turned = column + combed * smooth_step(row, 0.5, 1.0)
    points = scalp.points(polar, turned)
    aside, behind = points[..., 0], points[..., 2]

    base = cap.side + (cap.front - cap.side) * smooth_step(np.cos(azimuth), 0.45, 0.9)
    thickness = cap.top + (base - cap.top) * smooth_step(row, cap.full, 0.95)
    if cap.parting is not None:
        near = np.exp(-(((aside - cap.parting) / 11) ** 2)) * smooth_step(-behind, -125, -85)
        thickness = thickness * (1 - (0.5 if cap.parting < 20 else 0.2) * near)
        if cap.parting > 20:  # fuller on the wider side
            thickness = thickness * (0.80 + 0.34 * smooth_step(cap.parting - aside, -4, 42))
    thickness = thickness + cap.tuft * _tufts(points, turned, cap.curly) * smooth_step(row, 0.05, 0.3)
    thickness = np.maximum(thickness, 0.8) * _fall(cap, row, ahead) + 0.4
    vertices = scalp.points(polar, turned, thickness)
    # Behind every hairline, so that all styles can share the places; tips of locks are drawn by the line's raggedness.
    line = np.min([scalp.find_line(azimuth, name) for name in ("round", "square")], axis=0)
    behind_line = np.minimum(line, rim) - ahead * np.interp(row, [0.85, 1.0], [9.0, 5.0]) / 95 - (1 - ahead) * 9 / 95
    under = scalp.points(row * behind_line, column)
    count = len(azimuth)
    first = np.arange(len(_ROWS) - 1)[:, None] * count + np.arange(count)
    after = np.arange(len(_ROWS) - 1)[:, None] * count + np.roll(np.arange(count), -1)
    first, after = first.ravel(), after.ravel()
    triangles = np.concatenate([
        np.column_stack([first, first + count, after + count]),
        np.column_stack([first, after + count, after]),
    ])  # fmt: skip
    return scalp.metres(vertices), triangles, scalp.metres(under)


def _fall(cap: Cap, row: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Which share of its thickness a cap has on the way to its rim."""
    if cap.taper is not None:
        return (1 - np.clip((row - cap.taper) / (1 - cap.taper), 0, 1) ** 2) ** 0.85
    thin = np.interp(row, [0.82, 0.91, 0.97, 1.0], [1.0, 0.85, 0.5, 0.0])
    left = ahead * cap.hem + (1 - ahead) * cap.flank
    return left + (1 - left) * thin


def _locks(around: np.ndarray) -> np.ndarray:
    """How long locks are at places around a head, millimetres: about -1..1, with pointed tips."""
    random = default_rng(14)
    total = np.zeros(len(around))
    for width in (9.0, 11.0, 14.0, 18.0, 25.0):
        total += 0.5 - np.abs(np.sin(np.pi * around / width + random.uniform(0, np.pi)))
    return total / 1.5


def _tufts(points: np.ndarray, turned: np.ndarray, curly: bool) -> np.ndarray:
    """Bumps of about -1..1: locks that run from the crown to the rim, or curls."""
    random = default_rng(9)
    total = np.zeros(points.shape[:-1])
    for length in np.geomspace(14, 34, 12):
        if curly:
            direction = random.normal(size=3)
            wave = points @ (direction / np.linalg.norm(direction)) / length
        else:
            wave = 95 * turned / (1.2 * length) + points[..., 2] / (5 * length) * random.uniform(-1, 1)
        total += np.sin(2 * np.pi * wave + random.uniform(0, 6.3))
    return total / 3.4


class _Scalp:
    """The default head's surface in directions from `_MIDDLE`: polar from the crown, azimuth from the front."""

    def __init__(self, rest: np.ndarray, part: np.ndarray) -> None:
        from scipy.interpolate import CloughTocher2DInterpolator

        self.rest, self.part = rest, part
        eyes = rest[part == EYE]
        self.origin = np.array([0.0, eyes[:, 1].mean(), eyes[:, 2].max()])
        ear = (np.abs(rest[:, 0]) > 0.0775) & (rest[:, 1] < self.origin[1] + 0.021)
        known = (rest - self.origin)[(part == SKIN) & ~ear & (rest[:, 1] > self.origin[1] - 0.03)] * 1000
        x, up, front = (known - [0, _MIDDLE[0], -_MIDDLE[1]]).T
        radius = np.sqrt(x**2 + up**2 + front**2)
        polar, azimuth = np.arccos(up / radius), np.arctan2(x, front)
        plane, chosen = np.unique(np.round(_plane(polar, azimuth), 6), axis=0, return_index=True)
        self.radius = CloughTocher2DInterpolator(plane, radius[chosen])

    def points(self, polar: np.ndarray, azimuth: np.ndarray, off: np.ndarray | float = 0.0) -> np.ndarray:
        """Points (..., 3) `off` millimetres from the surface: x, height above the eyes, distance behind them."""
        polar, azimuth = np.broadcast_arrays(polar, azimuth)
        radius = self.radius(_plane(polar, azimuth)) + off
        up, level = np.cos(polar), np.sin(polar)
        direction = np.stack([level * np.sin(azimuth), up, -level * np.cos(azimuth)], axis=-1)
        return np.array([0, *_MIDDLE]) + radius[..., None] * direction

    def metres(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) as vertices (N, 3) of the head."""
        return self.origin + points.reshape(-1, 3) * [0.001, 0.001, -0.001]

    def find_line(self, azimuth: np.ndarray, line: str) -> np.ndarray:
        """The polar angle at which the hairline is crossed, (N,)."""
        polar = np.linspace(0.2, 1.9, 171)
        points = self.metres(self.points(polar[:, None], azimuth[None]))
        bare = hairline_distance(points, self.rest, self.part, line).reshape(len(polar), -1) < 0
        return np.where(bare.any(axis=0), polar[bare.argmax(axis=0)], polar[-1])

    def find_level(self, azimuth: np.ndarray, height: float) -> np.ndarray:
        """The polar angle at which the surface is `height` above the eyes, (N,)."""
        polar = np.linspace(0.2, 1.9, 171)
        return polar[(self.points(polar[:, None], azimuth[None])[..., 1] < height).argmax(axis=0)]


def _plane(polar: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    return np.stack([polar * np.sin(azimuth), polar * np.cos(azimuth)], axis=-1)
