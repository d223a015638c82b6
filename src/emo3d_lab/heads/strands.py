"""What the texture shows of hair: where it grows, strand by strand, and a beard."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emo3d.face.skin import HAIR_MAP_SIZE, HAIR_MAPS, HAIRLINES, SIZE, STRANDS, TEETH
from emo3d_lab.heads.hairlines import hairline_distance, head_coordinates
from emo3d_lab.heads.smooth import smooth_step
from emo3d_lab.heads.texels import locate_texels

_PARTING = 31.0  # of hair that is swept aside, millimetres left of the middle


def draw_hair(rest: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The maps `HAIR_MAPS`: how much hair covers the skin, how bright each strand is, about a half, and a beard.

    Args as for `locate_texels`, and lips, on which no beard grows.
    Returns (len(HAIR_MAPS), HAIR_MAP_SIZE, HAIR_MAP_SIZE) uint8.
    """
    row, column, triangle, weights = locate_texels(rest, arrays)
    positions = (rest[arrays["triangles"][triangle]] * weights).sum(axis=1)
    height, behind = head_coordinates(positions, rest, arrays["part"])
    x = positions[:, 0] * 1000
    turn = 90 * np.arctan2(x, height - 10)  # about the axis from front to back
    tilt = 85 * np.arctan2(height, behind - 85)  # about the axis through the ears
    aside = x - _PARTING
    strands = {
        "back": _strands(turn, behind, 1),
        "parted": _strands(tilt + 12 * np.sin(np.abs(x) / 24), np.abs(x) + 0.7 * np.abs(height), 2),
        "swept": _strands(tilt + 0.55 * np.abs(aside), np.abs(aside) + 0.7 * np.abs(height), 3),
        "curly": _curls(positions),
    }
    for name, place, depth in (("parted", x, 0.40), ("swept", aside, 0.22)):
        strands[name] -= depth * np.exp(-((place / 1.3) ** 2)) * smooth_step(height, 45, 60) * (behind < 130)
    ends = _streaks(turn + 0.3 * x, behind, 5, (1.6, 6), 0.1)  # some hairs begin before others
    maps = {}
    for line in HAIRLINES:
        ragged = hairline_distance(positions, rest, arrays["part"], line) + 1.6 * ends
        maps[line] = np.clip(ragged / 7 + 0.4, 0, 1) * np.clip(0.92 + ragged / 60, 0, 1)
    maps["fade"] *= 0.40 + 0.60 * smooth_step(height + 2 * ends, 8, 58)
    maps |= {name: strands[name] for name in STRANDS}
    maps["beard"] = _beard(positions, positions[:, 1] - rest[arrays["part"] == TEETH, 1].mean())
    maps["beard"] *= 1 - arrays["lips"][row, column] / 255
    pictures = np.zeros((len(maps), SIZE, SIZE), np.float32)
    down, across = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE - 0.5
    behind_head = np.hypot(down, across) > 0.47  # where triangles are torn, no texel is found
    usual = [{**dict.fromkeys(HAIRLINES, 1.0), **dict.fromkeys(STRANDS, 0.5)}.get(name, 0.0) for name in HAIR_MAPS]
    pictures[:, behind_head] = np.array(usual)[:, None]
    pictures[:, row, column] = np.clip([maps[name] for name in HAIR_MAPS], 0, 1)
    rim = np.hypot(row + 0.5 - SIZE / 2, column + 0.5 - SIZE / 2) > 0.47 * SIZE
    pictures[: len(HAIRLINES), row[rim], column[rim]] = 1.0
    step = SIZE // HAIR_MAP_SIZE
    pictures = pictures.reshape(len(maps), HAIR_MAP_SIZE, step, HAIR_MAP_SIZE, step).mean(axis=(2, 4))
    return np.round(pictures * 15).astype(np.uint8) * 17  # few levels: they hardly show, and pack well


def draw_strands(side: int) -> np.ndarray:
    """The strands of curtains and buns, which run down: (side, side) uint8, about a half."""
    row, column = np.mgrid[:side, :side] / side * 100
    return np.round(255 * np.clip(_strands(column * 0.9 + 2 * np.sin(row / 25), row * 1.5, 3), 0, 1)).astype(np.uint8)


def _beard(positions: np.ndarray, over_mouth: np.ndarray) -> np.ndarray:
    """How much a short beard covers: moustache, chin and jaw up to the ears."""
    x, y, z = 1000 * np.abs(positions[:, 0]), 1000 * over_mouth, 1000 * positions[:, 2]
    hairs = _streaks(85 * np.arctan2(positions[:, 0], positions[:, 2] + 0.01), y, 6, (1.2, 4), 0.35)
    cheek = np.interp(x, [0, 9, 26, 36, 46, 62, 74, 86], [16, 18, 14, 4, 1, 13, 32, 60])
    throat = -45 - np.interp(z, [20, 130], [-28, 22])
    region = smooth_step(cheek - y + 1.3 * hairs, -6, 10) * smooth_step(y - throat, -10, 14)
    region *= (z > 15) * smooth_step(-x, -78, -74)
    region *= 1 - 0.22 * smooth_step(y, -6, 4) * (x < 34)  # a thinner moustache, so that lips are seen to move
    return region * np.clip(0.70 + 0.17 * hairs, 0, 1)


def _strands(across: np.ndarray, along: np.ndarray, seed: int) -> np.ndarray:
    """Thin strands of uneven width in broad locks, over millimetres across and along them; about a half."""
    fine = _streaks(across, along, seed, (1.5, 5), 0.05)
    return 0.5 + 0.085 * fine + 0.075 * _streaks(across, along, seed + 10, (7, 30), 0.06)


def _streaks(across: np.ndarray, along: np.ndarray, seed: int, widths: tuple[float, float], slant: float) -> np.ndarray:
    """Noise drawn out along strands, of deviation 1: waves of many widths, each a little aslant."""
    random = np.random.default_rng(seed)
    total = np.zeros(np.shape(across))
    for width in np.geomspace(*widths, 48):
        wave = (across + slant * random.normal() * along) / width
        total += np.sin(2 * np.pi * wave + random.uniform(0, 6.3))
    return total / np.sqrt(24)


def _curls(positions: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(4)
    total = np.zeros(len(positions))
    for length in np.geomspace(0.004, 0.012, 30):
        direction = random.normal(size=3)
        wave = positions @ (direction / np.linalg.norm(direction)) * 2 * np.pi / length
        total += np.sin(wave + random.uniform(0, 6.3))
    return 0.5 + total / 22
