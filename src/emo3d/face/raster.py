"""Triangles to samples, in Numba: vertices moved and projected, and the nearest triangle of every sample.

Inner loops run over `LANES` neighbours at a time in one flat array, at distances that the compiler knows: so it sees
that nothing overlaps, and computes the neighbours at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emo3d.face.compiling import compiled

LANES = 16
# Bare literals would widen everything to float64.
ZERO, HALF, ONE, HALF_BYTE, FAR = map(np.float32, (0, 0.5, 1, 127.5, 3e38))


@compiled
def _is_there(alpha: Any, holes: Any, paint: Any, a: int, b: int, c: int, v: Any, w: Any) -> bool:
    """Whether a surface is there at a sample: its triangle's corners, and the weights of the second and third."""
    texels, last = np.float32(holes.shape[0]), holes.shape[0] - 1
    across = paint[a, 0] + v * (paint[b, 0] - paint[a, 0]) + w * (paint[c, 0] - paint[a, 0])
    down = paint[a, 1] + v * (paint[b, 1] - paint[a, 1]) + w * (paint[c, 1] - paint[a, 1])
    i, j = min(max(int(down * texels), 0), last), min(max(int(across * texels), 0), last)
    return (alpha[a] + v * (alpha[b] - alpha[a]) + w * (alpha[c] - alpha[a])) * holes[i, j] >= HALF_BYTE


@compiled
def choose_triangles(points: Any, triangles: Any, height: int, width: int, cull: bool, queue: Any) -> int:
    """Write the triangles that cover samples, queue (T, 3) int32: index, first and last row; return how many."""
    count = 0
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        left, right = np.ceil(min(ax, bx, cx) - HALF), np.floor(max(ax, bx, cx) - HALF)
        top = max(ZERO, np.ceil(min(ay, by, cy) - HALF))
        bottom = min(np.float32(height - 1), np.floor(max(ay, by, cy) - HALF))
        turned = area == ZERO or (cull and area > ZERO)
        if not turned and max(left, ZERO) <= min(right, np.float32(width - 1)) and top <= bottom:
            queue[count, 0], queue[count, 1], queue[count, 2] = t, int(top), int(bottom)
            count += 1
    return count


@compiled
def fill_rows(
    points: Any, triangles: Any, queue: Any, start: int, buffer: Any, paint: Any, alpha: Any, holes: Any, whole: Any
) -> None:
    """Write the nearest triangle of every sample of some rows.

    Args:
        points: (V, 3) float32: column and row in samples, and a depth that grows away from the viewer.
        triangles: (T, 3) int32.
        queue: see `choose_triangles`.
        start: the first row.
        buffer: (H, B, 2, LANES) float32, overwritten with depths and triangles of a row, `LANES` samples at a time.
        paint, alpha, holes, whole: see `Surface`.
    """
    blocks, flat = buffer.shape[1], buffer.reshape(-1)
    width = blocks * LANES
    for pair in range(0, len(flat), 2 * LANES):
        for k in range(2 * LANES):
            flat[np.uint64(pair + k)] = FAR if k < LANES else -ONE
    for place in range(len(queue)):
        top, bottom = max(queue[place, 1], start), min(queue[place, 2], start + len(buffer) - 1)
        if top > bottom:
            continue
        t = np.uint64(queue[place, 0])
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
        bx, by, bz = points[b, 0], points[b, 1], points[b, 2]
        cx, cy, cz = points[c, 0], points[c, 1], points[c, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        left = max(0, int(np.ceil(min(ax, bx, cx) - HALF)))
        right = min(width - 1, int(np.floor(max(ax, bx, cx) - HALF)))
        scale = ONE / area
        # Weights of b and c, and the depth, are linear in the picture: one value and two steps each.
        vx, vy = (cy - ay) * scale, -(cx - ax) * scale
        wx, wy = -(by - ay) * scale, (bx - ax) * scale
        zx, zy = vx * (bz - az) + wx * (cz - az), vy * (bz - az) + wy * (cz - az)
        first, last = left // LANES, right // LANES
        dx, dy = np.float32(first * LANES) + HALF - ax, np.float32(top) + HALF - ay
        name = np.float32(t)
        for row in range(top, bottom + 1):
            v, w, z = vx * dx + vy * dy, wx * dx + wy * dy, az + zx * dx + zy * dy
            dy += ONE
            for block in range(first, last + 1):
                corner = np.uint64(((row - start) * blocks + block) * 2 * LANES)
                if alpha is not None and not whole[t]:
                    for k in range(LANES):
                        step = np.float32((block - first) * LANES + k)
                        here, second, third = corner + np.uint64(k), v + step * vx, w + step * wx
                        nearer = min(second, third, ONE - second - third) >= ZERO and z + step * zx < flat[here]
                        if nearer and _is_there(alpha, holes, paint, a, b, c, second, third):
                            flat[here] = z + step * zx
                            flat[here + np.uint64(LANES)] = name
                    continue
                skipped = np.float32((block - first) * LANES)
                v0, w0, z0 = v + skipped * vx, w + skipped * wx, z + skipped * zx
                for k in range(LANES):
                    step = np.float32(k)
                    here = corner + np.uint64(k)
                    there = here + np.uint64(LANES)
                    second, third, deep = v0 + step * vx, w0 + step * wx, z0 + step * zx
                    nearer = (min(second, third, ONE - second - third) >= ZERO) & (deep < flat[here])
                    flat[here] = deep if nearer else flat[here]
                    flat[there] = name if nearer else flat[there]


@compiled
def vertex_normals(vertices: Any, triangles: Any, welds: Any, normals: Any) -> None:
    """Write area-weighted unit normals (V, 3) of one mesh (V, 3); vertex k shares the normal of vertex welds[k]."""
    for k in range(len(normals)):
        for axis in range(3):
            normals[k, axis] = 0.0
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x, y, z = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        ux, uy, uz = vertices[b, 0] - x, vertices[b, 1] - y, vertices[b, 2] - z
        vx, vy, vz = vertices[c, 0] - x, vertices[c, 1] - y, vertices[c, 2] - z
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            k = welds[corner]
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for k in range(len(normals)):
        if welds[k] != k:  # copies come after their originals, which are unit length by now
            for axis in range(3):
                normals[k, axis] = normals[welds[k], axis]
            continue
        length = np.sqrt(normals[k, 0] ** 2 + normals[k, 1] ** 2 + normals[k, 2] ** 2)
        if length > 0.0:
            for axis in range(3):
                normals[k, axis] /= length


@compiled
def move_vertices(weights: Any, surface: Any, turn: Any, camera: Any, points: Any, turned: Any) -> None:
    """Move the vertices by one face's weights, turn them into view (V, 3) and project them, points (V, 3)."""
    neutral, starts, targets, moves = surface.neutral, surface.starts, surface.targets, surface.moves
    for k in range(len(points)):
        x, y, z = neutral[k, 0] - camera[0], neutral[k, 1] - camera[1], neutral[k, 2] - camera[2]
        for e in range(starts[k], starts[k + 1]):
            weight = weights[targets[e]]
            x += weight * moves[e, 0]
            y += weight * moves[e, 1]
            z += weight * moves[e, 2]
        for axis in range(3):
            turned[k, axis] = turn[axis, 0] * x + turn[axis, 1] * y + turn[axis, 2] * z + turn[axis, 3]
        away = camera[3] - turned[k, 2]
        points[k, 0] = camera[5] + camera[4] * turned[k, 0] / away
        points[k, 1] = camera[5] - camera[4] * turned[k, 1] / away
        points[k, 2] = -ONE / away  # linear in the picture, and grows away from the viewer
