"""What of a picture has to be shaded: pieces of pixels, and what is known of the triangles that they show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from emo3d.face.compiling import compiled
from emo3d.face.raster import HALF, LANES, ONE, ZERO

ATTRIBUTES = 9
"""Of a triangle, each with two slopes in a plane: normal (3), u, v, red, green, blue, gloss."""
PLANE_X, PLANE_Y, PLANE_START, PLANE_SIDE = 27, 28, 29, 30
"""Then where its first corner is, and the level of the texture."""
PLANE = 32
_QUARTER = np.float32(0.25)
_SHARPEST = np.float32(2.5)  # texels per pixel (square) beyond which the next level of the texture is taken


def _make_finder(fixed: int) -> Callable[..., Any]:
    """A kernel that is compiled for so many samples per axis, or for any number if 0."""

    @compiled
    def find_pieces(
        buffer: Any, start: int, size: int, samples: int, background: Any, pieces: Any, spots: Any, linear: Any
    ) -> Any:
        """Find what has to be shaded: every triangle that a pixel shows, once; return how many such pieces there are.

        Without branches where a pixel shows several, since no processor foresees them.

        Args:
            buffer: see `fill_rows`; its first row of pixels is `start`.
            pieces: (P, 2) int32, overwritten with pixel, counted from the first of the buffer's, and triangle.
            spots: (P, 3) float32, overwritten with how many samples, and the sums of their columns and rows.
            linear: (H * size * 3,) float32, overwritten with the background's share.
        """
        if fixed:
            samples = fixed
        flat, pitch, each = buffer.reshape(-1), 2 * buffer.shape[1] * LANES, samples * samples
        count = pixel = np.uint64(0)
        for y in range(len(buffer) // samples):
            for x in range(size):
                corner = y * samples * pitch + LANES
                column = x * samples
                first = flat[np.uint64(corner + column // LANES * LANES + column)]
                same = True
                for k in range(1, each):
                    column = x * samples + k % samples
                    name = flat[np.uint64(corner + k // samples * pitch + column // LANES * LANES + column)]
                    same &= name == first
                share = ONE if same and first < ZERO else ZERO
                if same and first >= ZERO:
                    pieces[count, 0], pieces[count, 1] = pixel, np.int32(first)
                    spots[count, 0] = np.float32(each)
                    spots[count, 1] = (np.float32(x) + HALF) * np.float32(samples * each)
                    spots[count, 2] = (np.float32(start + y) + HALF) * np.float32(samples * each)
                    count += np.uint64(1)
                elif not same:
                    for k in range(each):
                        column = x * samples + k % samples
                        name = flat[np.uint64(corner + k // samples * pitch + column // LANES * LANES + column)]
                        new, covered, across, down = name >= ZERO, ZERO, ZERO, ZERO
                        share += ZERO if new else ONE / np.float32(each)
                        for j in range(each):
                            column = x * samples + j % samples
                            other = flat[np.uint64(corner + j // samples * pitch + column // LANES * LANES + column)]
                            equal = ONE if other == name else ZERO
                            if j < k:
                                new &= other != name
                            covered += equal
                            across += equal * (np.float32(column) + HALF)
                            down += equal * (np.float32((start + y) * samples + j // samples) + HALF)
                        pieces[count, 0], pieces[count, 1] = pixel, np.int32(name)
                        spots[count, 0], spots[count, 1], spots[count, 2] = covered, across, down
                        count += np.uint64(new)
                place = pixel * np.uint64(3)
                linear[place] = share * background[0]
                linear[place + np.uint64(1)] = share * background[1]
                linear[place + np.uint64(2)] = share * background[2]
                pixel += np.uint64(1)
        return count

    return find_pieces


find_pieces_2x2, find_pieces = _make_finder(2), _make_finder(0)


@compiled
def set_up_planes(
    pieces: Any, surface: Any, points: Any, attributes: Any, samples: int, slots: Any, base: int, planes: Any
) -> int:
    """Keep of every triangle that is seen its first corner, texture level, and value and slopes of the attributes.

    Args:
        pieces: (P, 2) int32 pixel and triangle; the triangle is overwritten with its place among the planes.
        slots: (T,) int32, `base` and the places of triangles among the planes, or less; extended.
        planes: (P, `PLANE`) float32, overwritten.

    Returns:
        `base` and the number of planes.
    """
    triangles, levels = surface.triangles, surface.levels
    size, seen = np.float32(levels[0, 1] * samples), base
    for piece in range(len(pieces)):
        t = np.uint64(pieces[piece, 1])
        if slots[t] < base:
            slots[t] = seen
            place = np.uint64(seen - base)
            seen += 1
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            x, y = points[a, 0], points[a, 1]
            bx, by, cx, cy = points[b, 0] - x, points[b, 1] - y, points[c, 0] - x, points[c, 1] - y
            scale = ONE / (bx * cy - by * cx)
            bx, by, cx, cy = bx * scale, by * scale, cx * scale, cy * scale
            for k in range(ATTRIBUTES):
                first = attributes[a, k]
                second, third = attributes[b, k] - first, attributes[c, k] - first
                planes[place, k] = first
                planes[place, ATTRIBUTES + k] = second * cy - third * by
                planes[place, 2 * ATTRIBUTES + k] = third * bx - second * cx
            planes[place, PLANE_X], planes[place, PLANE_Y] = x, y
            u, v = ATTRIBUTES + 3, ATTRIBUTES + 4
            texels = planes[place, u] * planes[place, v + ATTRIBUTES]
            texels -= planes[place, v] * planes[place, u + ATTRIBUTES]
            texels = abs(texels) * size * size  # per pixel
            level = 0
            while texels > _SHARPEST and level < len(levels) - 1:
                texels *= _QUARTER
                level += 1
            planes[place, PLANE_START], planes[place, PLANE_SIDE] = (
                np.float32(levels[level, 0]),
                np.float32(levels[level, 1]),
            )
        pieces[piece, 1] = slots[t] - base
    return seen
