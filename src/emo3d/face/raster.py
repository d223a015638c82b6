"""A batched triangle rasteriser in Numba: meshes in, pixels out.

One fused pass per face: a z-buffer of triangle ids over the supersampled grid, then every visible sample is shaded once
from its triangle's corners (light and colour per vertex, albedo from the texture) and averaged in linear light.
Attributes are interpolated affinely in the picture: triangles cover a few pixels, where perspective does not show.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.core import event

from emo3d.loading import announce

logger = logging.getLogger(__name__)


class Scene(NamedTuple):
    """What N faces share."""

    triangles: np.ndarray  # (T, 3) int32, counter-clockwise seen from outside
    welds: np.ndarray  # (V,) int32, see `vertex_normals`
    albedo: np.ndarray  # (V, 3) float32, linear, multiplied with the texture
    alpha: np.ndarray | None  # (V,) float32; times the texture's below a half, a surface is cut out; None: nowhere
    uv: np.ndarray  # (V, 2) float32 in [0, 1), v down
    texture: np.ndarray  # (S, S, 3) uint8, sRGB; with an alpha (S, S, 4)
    rotation: np.ndarray  # (3, 3) float32, about the camera's target
    camera: np.ndarray  # (6,) float32: target x, y, z; distance to it, metres; focal length and half a side, in samples
    lights: np.ndarray  # (L, 5) float32: unit direction to the light, its intensity, and its wrap (0 hard .. 1 ambient)
    background: np.ndarray  # (3,) float32, linear
    samples: int  # per pixel and axis


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
# Bare literals would widen everything to float64.
ZERO, HALF, ONE, FULL, HALF_BYTE = map(np.float32, (0, 0.5, 1, 4095, 127.5))


def _compile(function: Callable[..., Any]) -> Any:
    """Compile a kernel when it is first called, and keep it on the disk where there is room; without the GIL."""
    try:
        kernel: Any = njit(cache=True, nogil=True, fastmath=True)(function)
    except RuntimeError:  # Numba finds no folder that it may write to
        _warn_unkept()
        return njit(nogil=True, fastmath=True)(function)
    save = kernel._cache.save_overload

    def save_if_possible(*overload: Any) -> None:
        try:
            save(*overload)
        except OSError:  # a full disk, at which Numba itself fails after compiling
            _warn_unkept()

    kernel._cache.save_overload = save_if_possible
    return kernel


@lru_cache(maxsize=1)  # once for all kernels
def _warn_unkept() -> None:
    logger.warning(
        "the rasteriser is compiled anew in every process, since nothing can be kept on this disk: "
        "set NUMBA_CACHE_DIR to a folder with room"
    )


class _Compiling(event.Listener):
    """Announces that the renderer is compiled; kernels that one calls are compiled within it."""

    _depth = 0  # Numba compiles in one thread at a time

    def notify(self, event: event.Event) -> None:
        if event.data["dispatcher"].py_func.__module__ == __name__:
            super().notify(event)

    def on_start(self, event: event.Event) -> None:
        self._depth += 1
        if self._depth == 1:
            self._timer = announce("compiling the renderer, once on this machine")

    def on_end(self, event: event.Event) -> None:
        self._depth -= 1
        if not self._depth:
            self._timer.cancel()


event.register("numba:compile", _Compiling())


@_compile
def _covers(uv: Any, texture: Any, alpha: Any, a: int, b: int, c: int, v: Any, w: Any) -> bool:
    """Whether a surface is there at a sample: its triangle's corners, and the weights of the second and third."""
    if alpha is None:  # known when this is compiled, so that rigs without one pay nothing
        return True
    texels, last = np.float32(texture.shape[0]), texture.shape[0] - 1
    across = uv[a, 0] + v * (uv[b, 0] - uv[a, 0]) + w * (uv[c, 0] - uv[a, 0])
    down = uv[a, 1] + v * (uv[b, 1] - uv[a, 1]) + w * (uv[c, 1] - uv[a, 1])
    i, j = min(max(int(down * texels), 0), last), min(max(int(across * texels), 0), last)
    return (alpha[a] + v * (alpha[b] - alpha[a]) + w * (alpha[c] - alpha[a])) * texture[i, j, 3] >= HALF_BYTE


@_compile
def fill_triangles(
    points: Any,
    triangles: Any,
    depth: Any,
    ids: Any,
    cull: bool,
    uv: Any = None,
    texture: Any = None,
    alpha: Any = None,
) -> None:
    """Write the nearest triangle of every sample.

    Args:
        points: (V, 3) float32: column and row in samples, and a depth that grows away from the viewer.
        triangles: (T, 3) int32.
        depth: (H, W) float32, filled with infinity by the caller; overwritten with the nearest depth.
        ids: (H, W) int32, filled with -1 by the caller; overwritten with the nearest triangle.
        cull: leave out triangles that turn their back (clockwise with rows counted downwards).
        uv, texture, alpha: see `Scene`.
    """
    height, width = depth.shape
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
        bx, by, bz = points[b, 0], points[b, 1], points[b, 2]
        cx, cy, cz = points[c, 0], points[c, 1], points[c, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == ZERO or (cull and area > ZERO):
            continue
        left = max(0, int(np.ceil(min(ax, bx, cx) - HALF)))
        right = min(width - 1, int(np.floor(max(ax, bx, cx) - HALF)))
        top = max(0, int(np.ceil(min(ay, by, cy) - HALF)))
        bottom = min(height - 1, int(np.floor(max(ay, by, cy) - HALF)))
        if left > right or top > bottom:
            continue
        scale = ONE / area
        # Weights of b and c, and the depth, are linear in the picture: one value and two steps each.
        vx, vy = (cy - ay) * scale, -(cx - ax) * scale
        wx, wy = -(by - ay) * scale, (bx - ax) * scale
        zx, zy = vx * (bz - az) + wx * (cz - az), vy * (bz - az) + wy * (cz - az)
        dx, dy = np.float32(left) + HALF - ax, np.float32(top) + HALF - ay
        for row in range(top, bottom + 1):
            v, w, z = vx * dx + vy * dy, wx * dx + wy * dy, az + zx * dx + zy * dy
            dy += ONE
            for column in range(left, right + 1):
                nearer = min(v, w, ONE - v - w) >= ZERO and z < depth[row, column]
                if nearer and _covers(uv, texture, alpha, a, b, c, v, w):
                    depth[row, column] = z
                    ids[row, column] = t
                v += vx
                w += wx
                z += zx


@_compile
def vertex_normals(vertices: Any, triangles: Any, welds: Any, normals: Any) -> None:
    """Write area-weighted unit normals (V, 3) of one mesh (V, 3); vertex k shares the normal of vertex welds[k]."""
    normals[:] = 0.0
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
            normals[k] = normals[welds[k]]
            continue
        length = np.sqrt(normals[k, 0] ** 2 + normals[k, 1] ** 2 + normals[k, 2] ** 2)
        if length > 0.0:
            for axis in range(3):
                normals[k, axis] /= length


@_compile
def _set_up_planes(points: Any, triangles: Any, light: Any, uv: Any, planes: Any) -> None:
    """Per front-facing triangle: its first corner, then value and slopes of texture row, column, red, green, blue."""
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        bx, by = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
        cx, cy = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1]
        area = bx * cy - by * cx
        if area >= ZERO:
            continue
        scale = ONE / area
        planes[t, 0], planes[t, 1] = points[a, 0], points[a, 1]
        for k in range(5):
            values, axis = (uv, 1 - k) if k < 2 else (light, k - 2)
            first, second, third = values[a, axis], values[b, axis], values[c, axis]
            second, third = (second - first) * scale, (third - first) * scale
            planes[t, 2 + 3 * k] = first
            planes[t, 3 + 3 * k] = second * cy - third * by
            planes[t, 4 + 3 * k] = third * bx - second * cx


@_compile
def _shade_face(planes: Any, texture: Any, ids: Any, background: Any, samples: int, picture: Any) -> None:
    size, last = picture.shape[0], texture.shape[0] - 1
    texels = np.float32(texture.shape[0])
    share = FULL / np.float32(samples * samples)
    for y in range(size):
        for x in range(size):
            red, green, blue = ZERO, ZERO, ZERO
            for row in range(y * samples, (y + 1) * samples):
                for column in range(x * samples, (x + 1) * samples):
                    t = ids[row, column]
                    if t < 0:
                        red += background[0]
                        green += background[1]
                        blue += background[2]
                        continue
                    plane = planes[t]
                    dx, dy = np.float32(column) + HALF - plane[0], np.float32(row) + HALF - plane[1]
                    i = min(max(int((plane[2] + plane[3] * dx + plane[4] * dy) * texels), 0), last)
                    j = min(max(int((plane[5] + plane[6] * dx + plane[7] * dy) * texels), 0), last)
                    red += (plane[8] + plane[9] * dx + plane[10] * dy) * SRGB_TO_LINEAR[texture[i, j, 0]]
                    green += (plane[11] + plane[12] * dx + plane[13] * dy) * SRGB_TO_LINEAR[texture[i, j, 1]]
                    blue += (plane[14] + plane[15] * dx + plane[16] * dy) * SRGB_TO_LINEAR[texture[i, j, 2]]
            picture[y, x, 0] = LINEAR_TO_SRGB[int(min(max(red, ZERO) * share, FULL))]
            picture[y, x, 1] = LINEAR_TO_SRGB[int(min(max(green, ZERO) * share, FULL))]
            picture[y, x, 2] = LINEAR_TO_SRGB[int(min(max(blue, ZERO) * share, FULL))]


@_compile
def draw(vertices: Any, scene: Any, pictures: Any) -> None:
    """Light, project and draw N meshes that share a scene; releases the GIL.

    Args:
        vertices: (N, V, 3) float32, metres, y up, the viewer on +z.
        scene: a `Scene`.
        pictures: (N, size, size, 3) uint8, overwritten.
    """
    count, side, triangles = vertices.shape[1], pictures.shape[1] * scene.samples, scene.triangles
    rotation, camera, lights = scene.rotation, scene.camera, scene.lights
    points = np.empty((count, 3), np.float32)
    normals = np.empty((count, 3), np.float32)
    colors = np.empty((count, 3), np.float32)
    view = np.empty((count, 3), np.float32)
    planes = np.empty((len(triangles), 17), np.float32)
    depth = np.empty((side, side), np.float32)
    ids = np.empty((side, side), np.int32)
    for n in range(len(vertices)):
        for k in range(count):
            x = vertices[n, k, 0] - camera[0]
            y = vertices[n, k, 1] - camera[1]
            z = vertices[n, k, 2] - camera[2]
            for axis in range(3):
                view[k, axis] = rotation[axis, 0] * x + rotation[axis, 1] * y + rotation[axis, 2] * z
            away = camera[3] - view[k, 2]
            points[k, 0] = camera[5] + camera[4] * view[k, 0] / away
            points[k, 1] = camera[5] - camera[4] * view[k, 1] / away
            points[k, 2] = -ONE / away  # linear in the picture, and grows away from the viewer
        vertex_normals(view, triangles, scene.welds, normals)
        for k in range(count):
            light = ZERO
            for s in range(len(lights)):
                cosine = normals[k, 0] * lights[s, 0] + normals[k, 1] * lights[s, 1] + normals[k, 2] * lights[s, 2]
                light += lights[s, 3] * max(ZERO, (cosine + lights[s, 4]) / (ONE + lights[s, 4]))
            for channel in range(3):
                colors[k, channel] = scene.albedo[k, channel] * light
        depth[:] = np.inf
        ids[:] = -1
        fill_triangles(points, triangles, depth, ids, True, scene.uv, scene.texture, scene.alpha)
        _set_up_planes(points, triangles, colors, scene.uv, planes)
        _shade_face(planes, scene.texture, ids, scene.background, scene.samples, pictures[n])
