"""What both the texture and the shading need of a mesh: where each texel lies, and how much of the sky is seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emo3d.face.raster import LANES, choose_triangles, fill_rows, vertex_normals
from emo3d.face.skin import SIZE, SKIN


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
    row, column, hit, shares = cover_texels(points, triangles, SIZE)
    return row, column, indices[hit], shares


def cover_texels(points: np.ndarray, triangles: np.ndarray, side: int) -> tuple[np.ndarray, ...]:
    """Find the nearest triangle of every texel of a square that shows one; points (V, 3) as of `nearest`.

    Returns:
        row and column (K,), index into the triangles (K,), weights of its corners (K, 3, 1).
    """
    ids = nearest(points, triangles, side)[1]
    row, column = np.nonzero(ids >= 0)
    hit = ids[row, column]
    a, b, c = (points[triangles[hit, k], :2].astype(np.float64) for k in range(3))
    spot = np.column_stack([column, row]) + 0.5 - a
    b, c = b - a, c - a
    scale = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    second = (spot[:, 0] * c[:, 1] - spot[:, 1] * c[:, 0]) / scale
    third = (b[:, 0] * spot[:, 1] - b[:, 1] * spot[:, 0]) / scale
    return row, column, hit, np.column_stack([1 - second - third, second, third])[:, :, None]


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


def nearest(points: np.ndarray, triangles: np.ndarray, side: int, cull: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The nearest triangle of every sample of a square.

    Args:
        points: (V, 3) float32: column and row in samples, and a depth that grows away from the viewer.
        triangles: (T, 3) int32.
        side: samples in a row and in a column.
        cull: leave out triangles that turn their back (clockwise with rows counted downwards).

    Returns:
        its depth, (side, side) float32, and its index, (side, side) int32; where there is none, infinity and -1.
    """
    buffer = np.empty((side, -(-side // LANES), 2, LANES), np.float32)
    queue = np.empty((len(triangles), 3), np.int32)
    queue = queue[: choose_triangles(points, triangles, side, side, cull, queue)]
    fill_rows(points, triangles, queue, 0, buffer, None, None, None, None)
    depth, ids = buffer.transpose(2, 0, 1, 3).reshape(2, side, -1)[:, :, :side]
    return np.where(ids < 0, np.float32(np.inf), depth), ids.astype(np.int32)


def unfold(rest: np.ndarray) -> np.ndarray:
    """Where points (N, 3), metres, lie in the texture: (N, 2)."""
    direction = rest - np.array([0.0, 0.115, 0.02])
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = np.sqrt((1 - direction[:, 2]) / 2)  # sine of half the angle from the front: equal areas
    across = np.maximum(np.linalg.norm(direction[:, :2], axis=1), 1e-9)
    return 0.5 + 0.495 * np.stack([direction[:, 0], -direction[:, 1]], axis=1) * (radius / across)[:, None]
