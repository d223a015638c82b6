"""A rig as the rasteriser takes it: colours in linear light, the texture as a pyramid, moves by vertex."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emo3d.face.rig import FaceRig

SHINE = 0.2
"""Gloss of a rig that does not say."""
_CODE = 1023  # the largest of a texel's three numbers


class Surface(NamedTuple):
    """What faces of a rig share: V vertices, T triangles, E moves."""

    neutral: np.ndarray  # (V, 3) float32
    starts: np.ndarray  # (V + 1,) uint32: vertex k is moved by moves starts[k] .. starts[k + 1]
    targets: np.ndarray  # (E,) uint32, of each move
    moves: np.ndarray  # (E, 3) float32, metres at full weight
    triangles: np.ndarray  # (T, 3) uint32, counter-clockwise seen from outside
    welds: np.ndarray  # (V,) uint32, see `vertex_normals`
    paint: np.ndarray  # (V, 6) float32: u, v (down), linear red, green, blue that multiply the texture's, gloss
    alpha: np.ndarray | None  # (V,) float32; times the texture's below a half, a surface is cut out; None: nowhere
    holes: np.ndarray | None  # (S, S) uint8, the texture's alpha
    whole: np.ndarray  # (T,) bool: nothing of the triangle is cut out
    texels: np.ndarray  # (P,) uint32: three square roots of linear light in 10 bits each, level after level
    levels: np.ndarray  # (L, 2) int32: where a level starts, and its side
    maps: np.ndarray  # (K, R, R) int8, see `Wrinkles`
    boxes: np.ndarray  # (K, 4) int32: first row, last row + 1, first column, last column + 1 of what is not 0
    drivers: np.ndarray  # (K, 52) float32


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """Turn sRGB in 0..1 into linear light in 0..1, float32 (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Turn linear light into sRGB in 0..1; what is below 0 or above 1 is clamped, as in glTF."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


# Tables between 8-bit sRGB and linear light in 4096 steps.
SRGB_TO_LINEAR = to_linear(np.arange(256) / 255.0)
LINEAR_TO_SRGB = np.round(255 * to_srgb(np.arange(4096) / 4095.0)).astype(np.uint8)


def make_surface(rig: FaceRig) -> Surface:
    """Lay a rig out for the rasteriser. Indices are unsigned: Numba checks others for being negative."""
    count = len(rig.neutral)
    vertex, target = np.nonzero(rig.deltas.any(axis=2).T)
    gloss = np.full(count, SHINE) if rig.gloss is None else rig.gloss
    texels, levels = _pyramid(rig.texture)
    maps, drivers = rig.wrinkles or (np.zeros((0, 2, 2), np.int8), np.zeros((0, 52)))
    cut = rig.texture.shape[2] == 4
    return Surface(
        neutral=np.ascontiguousarray(rig.neutral, np.float32),
        starts=np.searchsorted(vertex, np.arange(count + 1)).astype(np.uint32),
        targets=target.astype(np.uint32),
        moves=np.ascontiguousarray(rig.deltas[target, vertex], np.float32),
        triangles=rig.triangles.astype(np.uint32),
        welds=rig.welds.astype(np.uint32),
        paint=np.column_stack([rig.uv, to_linear(rig.colors[:, :3]), gloss]).astype(np.float32),
        alpha=np.ascontiguousarray(rig.colors[:, 3]) if cut else None,
        holes=np.ascontiguousarray(rig.texture[:, :, 3]) if cut else None,
        whole=_whole_triangles(rig) if cut else np.ones(len(rig.triangles), bool),
        texels=texels,
        levels=levels,
        maps=np.ascontiguousarray(maps),
        boxes=np.array([_box(map) for map in maps], np.int32).reshape(-1, 4),
        drivers=np.ascontiguousarray(drivers, np.float32),
    )


def _box(map: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = (np.flatnonzero(map.any(axis=axis)) for axis in (1, 0))
    return (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) if len(rows) else (0, 0, 0, 0)


def _whole_triangles(rig: FaceRig) -> np.ndarray:
    """Triangles in whose square of the texture no texel lets through what is behind, (T,) bool."""
    side = len(rig.texture)
    sums = np.zeros((side + 1, side + 1), np.int32)  # of clear texels above and to the left
    sums[1:, 1:] = (rig.texture[:, :, 3] < 255).cumsum(axis=0).cumsum(axis=1)
    corners = rig.uv[rig.triangles] * side
    low = np.clip(np.floor(corners.min(axis=1)), 0, side - 1).astype(int)
    high = np.clip(np.floor(corners.max(axis=1)), 0, side - 1).astype(int) + 1
    clear = sums[high[:, 1], high[:, 0]] - sums[low[:, 1], high[:, 0]] - sums[high[:, 1], low[:, 0]]
    clear += sums[low[:, 1], low[:, 0]]
    return (clear == 0) & (rig.colors[rig.triangles, 3].min(axis=1) >= 0.5)


def _pyramid(texture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A texture (S, S, 3 or 4) and its halves, quarters ... of the side: `texels` and `levels`.

    What is cut out is left out of the means, and takes the colour of what is around it.
    """
    if len(texture) == 1:  # there are always four texels to mix
        texture = texture.repeat(2, axis=0).repeat(2, axis=1)
    levels = [SRGB_TO_LINEAR[texture[:, :, :3]]]
    shares = [texture[:, :, 3:] / np.float32(255)]  # of what is not cut out; nothing where there is no such channel
    cut = texture.shape[2] == 4
    while len(levels[-1]) > 8:
        if not cut:
            levels.append(_halve(levels[-1]))
            continue
        shares.append(_halve(shares[-1]))
        mean = _halve(levels[-1] * shares[-2]) / np.maximum(shares[-1], 1e-6)
        levels.append(np.where(shares[-1] > 0, mean, _halve(levels[-1])))
    if cut and shares[-1].any():
        around = levels[-1][shares[-1][:, :, 0] > 0].mean(axis=0)
        for k in range(len(levels) - 1, -1, -1):
            levels[k] = np.where(shares[k] > 0, levels[k], around)
            side = len(levels[k - 1])
            around = levels[k].repeat(2, axis=0).repeat(2, axis=1)[:side, :side]
    codes = [np.round(np.sqrt(level) * _CODE).astype(np.uint32) for level in levels]
    packed = [(code[:, :, 0] | code[:, :, 1] << 10 | code[:, :, 2] << 20).ravel() for code in codes]
    sides = [len(level) for level in levels]
    offsets = np.cumsum([0, *(side * side for side in sides[:-1])])
    return np.concatenate(packed), np.column_stack([offsets, sides]).astype(np.int32)


def _halve(level: np.ndarray) -> np.ndarray:
    """The mean of every 2 x 2 texels; an odd side is drawn out by one."""
    if len(level) % 2:
        level = np.pad(level, ((0, 1), (0, 1), (0, 0)), "edge")
    return (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]) * np.float32(0.25)
