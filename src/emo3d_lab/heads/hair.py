"""Hair as solid shapes: the scalp pushed outwards, a cap of locks on it, below it a curtain or a bun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from emo3d.face.identities import BUN, CAP, CURTAIN, HAIR_STYLES
from emo3d.face.skin import EYE, HAIR_TILE, SKIN
from emo3d_lab.heads.caps import make_cap
from emo3d_lab.heads.hairlines import hairline_distance, head_coordinates
from emo3d_lab.heads.smooth import smooth_step
from emo3d_lab.heads.texels import unfold


class _Volume(NamedTuple):
    """How far hair stands off the scalp, in millimetres."""

    top: float
    side: float
    back: float
    front: float  # more at the forehead
    ramp: float  # over which it rises behind the hairline
    lift: float = 0.0  # share of it that goes straight up


_VOLUMES = {
    "none": _Volume(0, 0, 0, 0, 1),
    "buzz": _Volume(1, 0.5, 1, 0, 12),
    "crop": _Volume(3, 1.5, 3, 0, 16),
    "short": _Volume(4, 5, 7, 0, 14),
    "receding": _Volume(8, 15, 16, 0, 14),
    "curls": _Volume(7, 6, 11, 0, 15),
    "afro": _Volume(8, 8, 18, 0, 17),
    "bob": _Volume(4, 4, 10, 0, 15),
    "bangs": _Volume(4, 4, 10, 0, 15),
    "waves": _Volume(5, 5, 10, 0, 15),
    "long": _Volume(4, 4, 9, 0, 15),
    "bun": _Volume(9, 5, 7, 2, 15, 0.2),
}
# Of the curtains: heights of their rings, and how wide they are there.
_CURTAINS: dict[str, tuple[list[float], list[float]]] = {
    "waves": ([64, 48, 34, 20, 4, -14, -34, -54, -68], [73, 79, 82, 86, 89, 90, 89, 85, 75]),
    "bob": ([64, 48, 34, 20, 0, -24, -52, -76, -90], [73, 79, 81.5, 86, 90, 92, 92, 88, 80]),
    "long": ([64, 48, 34, 20, -2, -36, -86, -138, -190], [73, 79, 81.5, 86, 90, 93, 95, 98, 100]),
}
_COLUMNS = 11  # of half a curtain
_WAVY = {"waves": 2.0}  # by how much they go in and out, millimetres
_BUN = (0.0, 120.5, 128.0, 23.0)  # x, height, distance behind the eyes, radius


def hair_offsets(rest: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """How each style moves the scalp of the default head: (styles, V, 3) metres."""
    height, behind = head_coordinates(rest, rest, arrays["part"])
    center = np.array([0.0, rest[arrays["part"] == EYE][:, 1].mean() + 0.015, 0.025])
    out = rest - center
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    high, rear = smooth_step(height, 30, 95), smooth_step(behind, 95, 165)
    fringe = smooth_step(-behind, -75, -20) * high
    skin = (arrays["part"] == SKIN) & (arrays["inside"] < 0.5)
    offsets = np.zeros((len(HAIR_STYLES), len(rest), 3))
    for place, (style, looks) in zip(offsets, HAIR_STYLES.items(), strict=True):
        volume = _VOLUMES[style]
        distance = hairline_distance(rest, rest, arrays["part"], looks.line)
        thickness = volume.side + (volume.top - volume.side) * high + (volume.back - volume.side) * rear * (1 - high)
        thickness = (thickness + volume.front * fringe) * smooth_step(distance, -2, volume.ramp)
        thickness *= 0.25 + 0.75 * smooth_step(height, -30, 60)
        along = out * (1 - volume.lift) + np.array([0.0, volume.lift, 0.0])
        place[:] = np.where(skin[:, None], thickness[:, None] / 1000 * along, 0.0)
    return offsets


Shape = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Vertices (N, 3) metres, triangles (M, 3), and places in the texture (N, 2)."""


def hair_pieces(rest: np.ndarray, part: np.ndarray) -> dict[int, dict[str, Shape]]:
    """The pieces of hair that some styles have; shapes of one piece differ in their vertices alone."""
    pieces: dict[int, dict[str, Shape]] = {}
    for style, looks in HAIR_STYLES.items():
        for piece in looks.pieces:
            pieces.setdefault(piece, {})[style] = _MAKERS[piece](rest, part, style)
    return pieces


def curtain(rest: np.ndarray, part: np.ndarray, style: str) -> Shape:
    """Hair that falls over the ears.

    Its section is a horseshoe whose ends curl inwards to the cheeks, so that it is solid when seen from the front.
    """
    heights, widths = _CURTAINS[style if style in _CURTAINS else "bob"]
    eyes = rest[part == EYE]
    level, front = eyes[:, 1].mean(), eyes[:, 2].max()
    wavy, lock = _WAVY.get(style, 0.0), np.linspace(-1, 1, 2 * _COLUMNS - 1)
    ends = np.abs(np.sin(9.3 * lock + 0.4)) + 0.6 * np.sin(23.0 * lock + 1.1)  # some locks are shorter
    rings = []
    for step, (height, width) in enumerate(zip(heights, widths, strict=True)):
        inner = np.interp(height, [-95, -60, -30, 0, 30, 66], [40, 47, 58, 66, 66, 60])
        edge = np.interp(height, [-190, -90, -50, 30, 66], [66, 70, 66, 64, 62])  # behind the eyes
        section = [
            (inner, edge + 16),
            (inner + 0.35 * (width - inner), edge + 2),
            (inner + 0.75 * (width - inner), edge + 1),
            (width - 2, edge + 10),
            (width, edge + 32),
            (0.97 * width, edge + 60),
            (0.82 * width, edge + 93),
            (0.48 * width, edge + 117),
            (0.0, edge + 126),
        ]
        place = np.linspace(0, len(section) - 1, _COLUMNS)
        across, behind = (np.interp(place, np.arange(len(section)), values) for values in np.array(section).T)
        across, behind = np.concatenate([across, -across[-2::-1]]), np.concatenate([behind, behind[-2::-1]])
        swell = 1 + (wavy * np.sin(height / 7 + 5 * np.abs(lock)) + 0.8 * np.sin(40 * lock)) / 90 * (height < 30)
        low = height + 3.5 * ends * np.clip((step - len(heights) + 3) / 2, 0, 1)
        rings.append(np.column_stack([swell * across, low, -behind]) / 1000 + [0, level, front])
    count = len(rings[0])
    corner = (np.arange(len(rings) - 1)[:, None] * count + np.arange(count - 1)).ravel()
    triangles = np.concatenate([
        np.column_stack([corner, corner + count + 1, corner + 1]),
        np.column_stack([corner, corner + count, corner + count + 1]),
    ])  # fmt: skip
    around = np.abs(np.linspace(-1, 1, count))
    down = np.linspace(0.02, 0.98, len(rings))
    places = np.stack(np.broadcast_arrays(0.02 + 0.96 * around, down[:, None]), axis=-1).reshape(-1, 2)
    return np.concatenate(rings), triangles, _in_tile(places)


def bun(rest: np.ndarray, part: np.ndarray, style: str) -> Shape:
    """A bun on the crown."""
    eyes = rest[part == EYE]
    x, height, behind, radius = np.array(_BUN) / 1000
    center = np.array([x, eyes[:, 1].mean() + height, eyes[:, 2].max() - behind])
    rows, columns = 9, 16
    polar = np.linspace(0.02, np.pi - 0.02, rows)[:, None]
    azimuth = np.linspace(-np.pi, np.pi, columns + 1)
    shape = np.stack(
        np.broadcast_arrays(np.sin(polar) * np.sin(azimuth), 0.95 * np.cos(polar), np.sin(polar) * np.cos(azimuth)), -1
    )
    corner = (np.arange(rows - 1)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    below = corner + columns + 1
    triangles = np.concatenate([
        np.column_stack([corner, below, below + 1]),
        np.column_stack([corner, below + 1, corner + 1]),
    ])  # fmt: skip
    places = np.stack(np.broadcast_arrays(polar / np.pi, np.abs(azimuth / np.pi)), axis=-1).reshape(-1, 2)
    return center + radius * shape.reshape(-1, 3), triangles, _in_tile(0.02 + 0.96 * places)


def cap(rest: np.ndarray, part: np.ndarray, style: str) -> Shape:
    """A cap of locks, coloured as the scalp under it."""
    vertices, triangles, under = make_cap(rest, part, style)
    return vertices, triangles, unfold(under)


def _in_tile(places: np.ndarray) -> np.ndarray:
    u, v, side = HAIR_TILE
    return np.array([u, v]) + side * places


_MAKERS = {CURTAIN: curtain, BUN: bun, CAP: cap}
