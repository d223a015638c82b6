"""Hair as solid shapes: the scalp pushed outwards, and below it a curtain or a bun; strands are drawn in the texture.

Everything is laid out on the default head, in millimetres from its eyes' height and from the front of its eyes; heads
of other sizes wear it scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from emo3d.face.identities import HAIR_STYLES
from emo3d.face.skin import EYE, HAIR_MAP_SIZE, HAIRLINES, SIZE, SKIN, STRANDS
from emo3d_lab.heads.texels import locate_texels

# The hairline's height above the eyes against the distance behind their front. The last one's bald crown begins higher.
_LINES = {
    "round": ([0, 30, 55, 72, 88, 100, 128, 134, 150, 175], [63, 60, 52, 38, 6, 24, 24, -30, -52, -72]),
    "square": ([0, 25, 50, 66, 84, 96, 128, 134, 150, 175], [57, 58, 54, 41, -18, 22, 24, -30, -56, -78]),
    "horseshoe": ([0, 55, 70, 84, 92, 100, 128, 134, 150, 175], [150, 150, 60, 16, -8, 22, 24, -30, -56, -78]),
}
_CROWN = 84.0


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
    "crop": _Volume(4, 2, 3, 1, 16),
    "short": _Volume(11, 7, 8, 13, 13, 0.25),
    "receding": _Volume(4, 13, 13, 0, 14),
    "curls": _Volume(17, 13, 16, 4, 15, 0.1),
    "afro": _Volume(27, 30, 32, 4, 17, 0.0),
    "bob": _Volume(10, 10, 12, 3, 15, 0.15),
    "long": _Volume(9, 9, 10, 3, 15, 0.15),
    "bun": _Volume(6, 4, 6, 2, 15, 0.2),
}
# Of the curtains: heights of their rings, and how wide they are there.
_CURTAINS = {
    "bob": ([66, 48, 22, -8, -38, -64, -84, -92], [72, 82, 90, 97, 101, 102, 98, 90]),
    "long": ([66, 48, 22, -10, -50, -95, -140, -190], [72, 81, 88, 93, 96, 99, 102, 104]),
}
_BUN = (0.0, 110.0, 142.0, 30.0)  # x, height, distance behind the eyes, radius


def hairline_distance(points: np.ndarray, rest: np.ndarray, part: np.ndarray, line: str) -> np.ndarray:
    """How far points (N, 3) lie behind a hairline, in millimetres; negative on bare skin."""
    height, behind = _coordinates(points, rest, part)
    aside = 1000 * np.abs(points[:, 0])
    bend = {"round": -14 * np.minimum(aside / 50, 1.1) ** 2, "square": 4 * np.exp(-(((aside - 36) / 14) ** 2))}
    distance = height - np.interp(behind, *_LINES[line]) - bend.get(line, 0) * (behind < 75)
    ear = (np.abs(points[:, 0]) > 0.0775) & (height < 21) & (height > -60) & (behind > 70)
    distance = np.where(ear, -20.0, distance)
    return np.minimum(distance, _CROWN - height) if line == "horseshoe" else distance


def hair_offsets(rest: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """How each style moves the scalp of the default head: (styles, V, 3) metres."""
    height, behind = _coordinates(rest, rest, arrays["part"])
    center = np.array([0.0, rest[arrays["part"] == EYE][:, 1].mean() + 0.015, 0.025])
    out = rest - center
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    high, rear = _step(height, 30, 95), _step(behind, 95, 165)
    fringe = _step(-behind, -75, -20) * high
    skin = (arrays["part"] == SKIN) & (arrays["inside"] < 0.5)
    offsets = np.zeros((len(HAIR_STYLES), len(rest), 3))
    for place, (style, looks) in zip(offsets, HAIR_STYLES.items(), strict=True):
        volume = _VOLUMES[style]
        distance = hairline_distance(rest, rest, arrays["part"], looks.line)
        thickness = volume.side + (volume.top - volume.side) * high + (volume.back - volume.side) * rear * (1 - high)
        thickness = (thickness + volume.front * fringe) * _step(distance, -2, volume.ramp)
        thickness *= 0.25 + 0.75 * _step(height, -30, 60)
        along = out * (1 - volume.lift) + np.array([0.0, volume.lift, 0.0])
        place[:] = np.where(skin[:, None], thickness[:, None] / 1000 * along, 0.0)
    return offsets


def hair_pieces(rest: np.ndarray, part: np.ndarray) -> dict[int, dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """The pieces of hair that some styles have; shapes of one piece differ in their vertices alone."""
    pieces: dict[int, dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    for style, looks in HAIR_STYLES.items():
        if looks.piece:
            shape = bun(rest, part) if style == "bun" else curtain(rest, part, style)
            pieces.setdefault(looks.piece, {})[style] = shape
    return pieces


def curtain(rest: np.ndarray, part: np.ndarray, style: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hair that falls over the ears: vertices (N, 3) metres, triangles, and places (N, 2) in the hair's tile, 0..1.

    Its section is a horseshoe whose ends curl inwards to the cheeks, so that it is solid when seen from the front.
    """
    heights, widths = _CURTAINS[style]
    eyes = rest[part == EYE]
    level, front = eyes[:, 1].mean(), eyes[:, 2].max()
    rings = []
    for height, width in zip(heights, widths, strict=True):
        inner = np.interp(height, [-95, -60, -30, 0, 30, 66], [36, 46, 58, 66, 67, 60])
        edge = np.interp(height, [-190, -90, -30, 30, 66], [66, 74, 71, 66, 64])  # behind the eyes
        section = [
            (inner, edge + 16),
            (inner + 0.35 * (width - inner), edge + 1),
            (inner + 0.75 * (width - inner), edge),
            (width - 1, edge + 12),
            (width, edge + 34),
            (0.97 * width, edge + 62),
            (0.82 * width, edge + 96),
            (0.48 * width, edge + 124),
            (0.0, edge + 134),
        ]
        across, behind = np.array(section).T
        across, behind = np.concatenate([across, -across[-2::-1]]), np.concatenate([behind, behind[-2::-1]])
        rings.append(np.column_stack([across, np.full(len(across), height), -behind]) / 1000 + [0, level, front])
    count = len(rings[0])
    corner = (np.arange(len(rings) - 1)[:, None] * count + np.arange(count - 1)).ravel()
    triangles = np.concatenate([
        np.column_stack([corner, corner + count + 1, corner + 1]),
        np.column_stack([corner, corner + count, corner + count + 1]),
    ])  # fmt: skip
    around = np.abs(np.linspace(-1, 1, count))
    down = np.linspace(0.02, 0.98, len(rings))
    places = np.stack(np.broadcast_arrays(0.02 + 0.96 * around, down[:, None]), axis=-1).reshape(-1, 2)
    return np.concatenate(rings), triangles, places


def bun(rest: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A bun on the crown; returns as for `curtain`."""
    eyes = rest[part == EYE]
    x, height, behind, radius = np.array(_BUN) / 1000
    center = np.array([x, eyes[:, 1].mean() + height, eyes[:, 2].max() - behind])
    rows, columns = 8, 12
    polar = np.linspace(0.02, np.pi - 0.02, rows)[:, None]
    azimuth = np.linspace(0, 2 * np.pi, columns + 1)
    shape = np.stack(
        np.broadcast_arrays(np.sin(polar) * np.sin(azimuth), 0.82 * np.cos(polar), np.sin(polar) * np.cos(azimuth)), -1
    )
    corner = (np.arange(rows - 1)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    below = corner + columns + 1
    triangles = np.concatenate([
        np.column_stack([corner, below, below + 1]),
        np.column_stack([corner, below + 1, corner + 1]),
    ])  # fmt: skip
    places = np.stack(np.broadcast_arrays(polar / np.pi, np.abs(azimuth / np.pi - 1)), axis=-1).reshape(-1, 2)
    return center + radius * shape.reshape(-1, 3), triangles, 0.02 + 0.96 * places


def draw_hair(rest: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the scalp shows: hairlines, how much hair covers the skin; and strands, how bright each is, about a half.

    Args as for `locate_texels`; returns (len(HAIRLINES) + len(STRANDS), HAIR_MAP_SIZE, HAIR_MAP_SIZE) uint8.
    """
    row, column, triangle, weights = locate_texels(rest, arrays)
    positions = (rest[arrays["triangles"][triangle]] * weights).sum(axis=1)
    height, behind = _coordinates(positions, rest, arrays["part"])
    x = positions[:, 0] * 1000
    turn = np.arctan2(x, height - 10)  # about the axis from front to back
    tilt = np.arctan2(height, behind - 85)  # about the axis through the ears
    fields = {
        "back": _strands(turn * 90, behind, 1, 8),
        "parted": _strands(tilt * 85 + 12 * np.sin(np.abs(x) / 24), np.abs(x) + 0.7 * np.abs(height), 2),
        "curly": _curls(positions),
    }
    fields["parted"] = fields["parted"] - 0.42 * np.exp(-((x / 1.3) ** 2)) * (height > 50)
    maps = []
    for line in HAIRLINES:
        ragged = hairline_distance(positions, rest, arrays["part"], line) + 4 * (fields["back"] - 0.5)
        maps.append(np.clip(ragged / 8 + 0.4, 0, 1))
    maps += [np.clip(fields[name], 0, 1) for name in STRANDS]
    pictures = np.zeros((len(maps), SIZE, SIZE), np.float32)
    down, across = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE - 0.5
    behind_head = np.hypot(down, across) > 0.47  # where triangles are torn, no texel is found
    pictures[:, behind_head] = np.array([1.0] * len(HAIRLINES) + [0.5] * len(STRANDS))[:, None]
    pictures[:, row, column] = maps
    rim = np.hypot(row + 0.5 - SIZE / 2, column + 0.5 - SIZE / 2) > 0.47 * SIZE
    pictures[: len(HAIRLINES), row[rim], column[rim]] = 1.0
    step = SIZE // HAIR_MAP_SIZE
    pictures = pictures.reshape(len(maps), HAIR_MAP_SIZE, step, HAIR_MAP_SIZE, step).mean(axis=(2, 4))
    return np.round(pictures * 15).astype(np.uint8) * 17  # few levels: they hardly show, and pack well


def draw_strands(side: int) -> np.ndarray:
    """The strands of curtains and buns, which run down: (side, side) uint8, about a half."""
    row, column = np.mgrid[:side, :side] / side * 100
    return np.round(255 * np.clip(_strands(column * 0.9 + 2 * np.sin(row / 25), row * 1.5, 3), 0, 1)).astype(np.uint8)


def _coordinates(points: np.ndarray, rest: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    eyes = rest[part == EYE]
    return 1000 * (points[:, 1] - eyes[:, 1].mean()), 1000 * (eyes[:, 2].max() - points[:, 2])


def _strands(across: np.ndarray, along: np.ndarray, seed: int, widest: float = 22) -> np.ndarray:
    """Streaks: waves of many widths across the strands, millimetres, that wander slowly along them."""
    random = np.random.default_rng(seed)
    total = np.zeros(np.shape(across))
    for length in np.geomspace(1.6, widest, 26):
        wander = 0.35 * length * np.sin(along / random.uniform(15, 60) + random.uniform(0, 6.3))
        total = total + np.sin((across + wander) * 2 * np.pi / length + random.uniform(0, 6.3)) * length**0.15
    return 0.5 + total / 20


def _curls(positions: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(4)
    total = np.zeros(len(positions))
    for length in np.geomspace(0.004, 0.012, 30):
        direction = random.normal(size=3)
        wave = positions @ (direction / np.linalg.norm(direction)) * 2 * np.pi / length
        total += np.sin(wave + random.uniform(0, 6.3))
    return 0.5 + total / 18


def _step(values: np.ndarray, start: float, end: float) -> np.ndarray:
    share = np.clip((values - start) / (end - start), 0, 1)
    return share * share * (3 - 2 * share)
