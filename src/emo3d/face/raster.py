"""A batched triangle rasteriser in Numba: weights in, pixels out.

Of each face, the vertices are moved and projected, a z-buffer finds the nearest triangle of every sample, and every
triangle that a pixel shows is shaded once there, with a normal of its own, and averaged in linear light. Attributes are
interpolated affinely in the picture: triangles cover a few pixels, where perspective does not show.

Inner loops run over `LANES` neighbours at a time in one flat array, at distances that the compiler knows: so it sees
that nothing overlaps, and computes the neighbours at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from emo3d.face.compiling import compiled
from emo3d.face.surface import LINEAR_TO_SRGB, Surface

LANES = 16
_BLOCK = 512  # pieces of pixels lit at once
# Bare literals would widen everything to float64.
ZERO, HALF, ONE, FULL, HALF_BYTE = map(np.float32, (0, 0.5, 1, 4095, 127.5))
QUARTER, TINY, CODE, BYTE, INSIDE = map(np.float32, (0.25, 1e-20, 1 / 1023, 1 / 127, 1.001))
SHARPEST = np.float32(2.5)  # texels per pixel (square) beyond which the next level of the texture is taken
# Places of a piece's numbers in the work array: normal, texture, light, colour, gloss, ...
NX, NY, NZ, U, V, RED, GREEN, BLUE, GLOSS, VX, VY, VZ, LIT_RED, LIT_GREEN, LIT_BLUE, SHINE, FOLD, START, SIDE, RIGHT, BELOW, AT, T0, T1, T2, T3 = (
    np.uint64(_BLOCK * k) for k in range(26)
)
_WORK = 26 * _BLOCK
_PLANE = 32  # numbers kept of a triangle that is seen
_ATTRIBUTES = 9  # of them, each with two slopes: normal (3), u, v, red, green, blue, gloss


class View(NamedTuple):
    """How faces are looked at and lit."""

    rotation: np.ndarray  # (3, 3) float32, about the camera's target
    camera: np.ndarray  # (6,) float32: target x, y, z; distance to it, metres; focal length and half a side, in samples
    lights: np.ndarray  # (L, 11) float32: unit direction to the light; red, green, blue; their wraps (0 hard, 1
    # ambient); how bright it shines on what is rough, and on what is smooth
    rim: np.ndarray  # (3,) float32, linear: of what is seen at a slant
    background: np.ndarray  # (3,) float32, linear
    depth: float  # float32: by how much of its colour the deepest fold is darker
    samples: int  # per pixel and axis


@compiled
def _is_whole(alpha: Any, holes: Any, paint: Any, a: int, b: int, c: int, v: Any, w: Any) -> bool:
    """Whether a surface is there at a sample: its triangle's corners, and the weights of the second and third."""
    texels, last = np.float32(holes.shape[0]), holes.shape[0] - 1
    across = paint[a, 0] + v * (paint[b, 0] - paint[a, 0]) + w * (paint[c, 0] - paint[a, 0])
    down = paint[a, 1] + v * (paint[b, 1] - paint[a, 1]) + w * (paint[c, 1] - paint[a, 1])
    i, j = min(max(int(down * texels), 0), last), min(max(int(across * texels), 0), last)
    return (alpha[a] + v * (alpha[b] - alpha[a]) + w * (alpha[c] - alpha[a])) * holes[i, j] >= HALF_BYTE


@compiled
def _fill(points: Any, triangles: Any, buffer: Any, cull: bool, paint: Any, alpha: Any, holes: Any) -> None:
    """Write the nearest triangle of every sample, see `fill_triangles`.

    Args:
        buffer: (H, B, 2, LANES) float32: depths and triangles of a row, `LANES` samples at a time.
        paint, alpha, holes: see `Surface`.
    """
    height, blocks = buffer.shape[0], buffer.shape[1]
    width = blocks * LANES
    flat = buffer.reshape(-1)
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
        first, last = left // LANES, right // LANES
        dx, dy = np.float32(first * LANES) + HALF - ax, np.float32(top) + HALF - ay
        name = np.float32(t)
        for row in range(top, bottom + 1):
            v, w, z = vx * dx + vy * dy, wx * dx + wy * dy, az + zx * dx + zy * dy
            dy += ONE
            for block in range(first, last + 1):
                place = np.uint64((row * blocks + block) * 2 * LANES)
                if alpha is not None:  # known when this is compiled, so that rigs without one pay nothing
                    for k in range(LANES):
                        step = np.float32((block - first) * LANES + k)
                        here, second, third = place + np.uint64(k), v + step * vx, w + step * wx
                        if min(second, third, ONE - second - third) >= ZERO and z + step * zx < flat[here]:
                            if _is_whole(alpha, holes, paint, a, b, c, second, third):
                                flat[here] = z + step * zx
                                flat[here + np.uint64(LANES)] = name
                    continue
                start = np.float32((block - first) * LANES)
                v0, w0, z0 = v + start * vx, w + start * wx, z + start * zx
                for k in range(LANES):
                    step = np.float32(k)
                    here = place + np.uint64(k)
                    there = here + np.uint64(LANES)
                    second, third, deep = v0 + step * vx, w0 + step * wx, z0 + step * zx
                    nearer = (min(second, third, ONE - second - third) >= ZERO) & (deep < flat[here])
                    flat[here] = deep if nearer else flat[here]
                    flat[there] = name if nearer else flat[there]


def fill_triangles(points: np.ndarray, triangles: np.ndarray, depth: np.ndarray, ids: np.ndarray, cull: bool) -> None:
    """Write the nearest triangle of every sample.

    Args:
        points: (V, 3) float32: column and row in samples, and a depth that grows away from the viewer.
        triangles: (T, 3) int32.
        depth: (H, W) float32, filled with infinity by the caller; overwritten with the nearest depth.
        ids: (H, W) int32, filled with -1 by the caller; overwritten with the nearest triangle.
        cull: leave out triangles that turn their back (clockwise with rows counted downwards).
    """
    height, width = depth.shape
    blocks = -(-width // LANES)
    buffer = np.empty((height, blocks, 2, LANES), np.float32)
    buffer[:, :, 0], buffer[:, :, 1] = np.inf, -1
    _fill(points, triangles, buffer, cull, None, None, None)
    found = buffer.transpose(2, 0, 1, 3).reshape(2, height, -1)[:, :, :width]
    nearer = found[0] < depth
    depth[nearer], ids[nearer] = found[0][nearer], found[1][nearer]


@compiled
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


@compiled
def _move(weights: Any, surface: Any, view: Any, points: Any, turned: Any) -> None:
    """Move the vertices by one face's weights, turn them into view (V, 3) and project them, points (V, 3)."""
    rotation, camera, starts, targets, moves = (
        view.rotation,
        view.camera,
        surface.starts,
        surface.targets,
        surface.moves,
    )
    for k in range(len(points)):
        x, y, z = surface.neutral[k, 0] - camera[0], surface.neutral[k, 1] - camera[1], surface.neutral[k, 2] - camera[2]
        for e in range(starts[k], starts[k + 1]):
            weight = weights[targets[e]]
            x += weight * moves[e, 0]
            y += weight * moves[e, 1]
            z += weight * moves[e, 2]
        for axis in range(3):
            turned[k, axis] = rotation[axis, 0] * x + rotation[axis, 1] * y + rotation[axis, 2] * z
        away = camera[3] - turned[k, 2]
        points[k, 0] = camera[5] + camera[4] * turned[k, 0] / away
        points[k, 1] = camera[5] - camera[4] * turned[k, 1] / away
        points[k, 2] = -ONE / away  # linear in the picture, and grows away from the viewer


@compiled
def _fold(weights: Any, surface: Any, folds: Any) -> bool:
    """Add up the wrinkle maps of one face, (R, R) float32; false where there is no fold."""
    folds[:] = ZERO
    folded = False
    drivers, boxes, maps = surface.drivers, surface.boxes, surface.maps
    for k in range(len(drivers)):
        amount = ZERO
        for target in range(len(weights)):
            amount += drivers[k, target] * weights[target]
        amount = min(amount, ONE) * BYTE
        if amount <= ZERO:
            continue
        folded = True
        for row in range(boxes[k, 0], boxes[k, 1]):
            for column in range(boxes[k, 2], boxes[k, 3]):
                folds[row, column] += amount * np.float32(maps[k, row, column])
    return folded


@compiled
def _find_pieces(
    buffer: Any, size: int, samples: int, background: Any, owners: Any, pieces: Any, spots: Any, linear: Any
) -> int:
    """Find what has to be shaded: every triangle that a pixel shows, once; return how many such pieces there are.

    Args:
        buffer: see `_fill`.
        owners: (T, 2) int32, overwritten: the last pixel that shows a triangle, and the piece there.
        pieces: (P, 2) int32, overwritten with pixel and triangle.
        spots: (P, 3) float32, overwritten with how many samples, and the sums of their columns and rows.
        linear: (size * size, 3) float32, overwritten with the background's share.
    """
    flat, pitch = buffer.reshape(-1), 2 * buffer.shape[1] * LANES
    each = np.float32(samples * samples)
    one = ONE / each
    owners[:] = -1
    count = 0
    for y in range(size):
        for x in range(size):
            pixel, top, left = np.int32(y * size + x), y * samples * pitch + LANES, x * samples
            corner = np.uint64(top + left // LANES * LANES + left)
            first = flat[corner]
            if samples == 2:  # the usual case, three times as fast as the loop
                below = corner + np.uint64(pitch)
                second, third, fourth = flat[corner + np.uint64(1)], flat[below], flat[below + np.uint64(1)]
                same = (first == second) & (third == fourth) & (first == third)
            else:
                same = True
                for i in range(samples):
                    for column in range(left, left + samples):
                        same &= flat[np.uint64(top + i * pitch + column // LANES * LANES + column)] == first
            if same:
                share = ONE if first < ZERO else ZERO
                for channel in range(3):
                    linear[pixel, channel] = share * background[channel]
                if first >= ZERO:
                    here = np.uint64(count)
                    count += 1
                    pieces[here, 0], pieces[here, 1] = pixel, np.int32(first)
                    spots[here, 0] = each
                    spots[here, 1] = (np.float32(x) + HALF) * np.float32(samples) * each
                    spots[here, 2] = (np.float32(y) + HALF) * np.float32(samples) * each
                continue
            share = ZERO
            for i in range(samples):
                for column in range(left, left + samples):
                    name = flat[np.uint64(top + i * pitch + column // LANES * LANES + column)]
                    if name < ZERO:
                        share += one
                        continue
                    t = np.uint64(name)
                    here = np.uint64(owners[t, 1])
                    if owners[t, 0] != pixel:
                        here = np.uint64(count)
                        count += 1
                        owners[t, 0], owners[t, 1] = pixel, here
                        pieces[here, 0], pieces[here, 1] = pixel, t
                        spots[here, 0], spots[here, 1], spots[here, 2] = ZERO, ZERO, ZERO
                    spots[here, 0] += ONE
                    spots[here, 1] += np.float32(column) + HALF
                    spots[here, 2] += np.float32(y * samples + i) + HALF
            for channel in range(3):
                linear[pixel, channel] = share * background[channel]
    return count


@compiled
def _set_up_planes(
    pieces: Any, points: Any, triangles: Any, normals: Any, paint: Any, levels: Any, samples: int, slots: Any, planes: Any
) -> None:
    """Keep of every triangle that is seen its first corner, texture level, and value and slopes of the attributes.

    Args:
        pieces: (P, 2) int32 pixel and triangle; the triangle is overwritten with its place among the planes.
        slots: (T,) int32, overwritten with places.
        planes: (T * `_PLANE`,) float32, overwritten.
    """
    slots[:] = -1
    seen = 0
    size = np.float32(levels[0, 1] * samples)
    for piece in range(len(pieces)):
        t = np.uint64(pieces[piece, 1])
        if slots[t] < 0:
            slots[t] = seen * _PLANE
            place = np.uint64(seen * _PLANE)
            seen += 1
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            bx, by = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
            cx, cy = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1]
            scale = ONE / (bx * cy - by * cx)
            for k in range(_ATTRIBUTES):
                here = place + np.uint64(k)
                if k < 3:
                    first, second, third = normals[a, k], normals[b, k], normals[c, k]
                else:
                    first, second, third = paint[a, k - 3], paint[b, k - 3], paint[c, k - 3]
                second, third = (second - first) * scale, (third - first) * scale
                planes[here] = first
                planes[here + np.uint64(_ATTRIBUTES)] = second * cy - third * by
                planes[here + np.uint64(2 * _ATTRIBUTES)] = third * bx - second * cx
            planes[place + np.uint64(27)], planes[place + np.uint64(28)] = points[a, 0], points[a, 1]
            texels = planes[place + np.uint64(12)] * planes[place + np.uint64(22)]
            texels -= planes[place + np.uint64(13)] * planes[place + np.uint64(21)]
            texels = abs(texels) * size * size  # per pixel
            level = 0
            while texels > SHARPEST and level < len(levels) - 1:
                texels *= QUARTER
                level += 1
            planes[place + np.uint64(29)] = np.float32(levels[level, 0])
            planes[place + np.uint64(30)] = np.float32(levels[level, 1])
        pieces[piece, 1] = slots[t]


@compiled
def _look_up(
    pieces: Any, spots: Any, planes: Any, texels: Any, folds: Any, folded: bool, camera: Any, work: Any
) -> None:
    """Interpolate the attributes, and look up the colours, of up to `_BLOCK` pieces into the work array."""
    codes = work.view(np.int32)
    middle, focal = camera[5], ONE / camera[4]
    for piece in range(len(pieces)):
        k, place = np.uint64(piece), np.uint64(pieces[piece, 1])
        share = ONE / spots[piece, 0]
        x, y = spots[piece, 1] * share, spots[piece, 2] * share
        work[VX + k], work[VY + k] = (middle - x) * focal, (y - middle) * focal
        x -= planes[place + np.uint64(27)]
        y -= planes[place + np.uint64(28)]
        for attribute in range(_ATTRIBUTES):
            here = place + np.uint64(attribute)
            value = planes[here] + planes[here + np.uint64(_ATTRIBUTES)] * x
            work[np.uint64(attribute * _BLOCK) + k] = value + planes[here + np.uint64(2 * _ATTRIBUTES)] * y
        work[START + k], work[SIDE + k] = planes[place + np.uint64(29)], planes[place + np.uint64(30)]
        work[FOLD + k] = ZERO
    for start in range(0, len(pieces), LANES):
        for lane in range(LANES):
            k = np.uint64(start + lane)
            side = work[SIDE + k]
            last = side - INSIDE
            across = min(max(work[U + k] * side - HALF, ZERO), last)
            down = min(max(work[V + k] * side - HALF, ZERO), last)
            column, row = np.int32(across), np.int32(down)
            work[RIGHT + k] = across - np.float32(column)
            work[BELOW + k] = down - np.float32(row)
            codes[AT + k] = np.int32(work[START + k]) + row * np.int32(side) + column
    for piece in range(len(pieces)):
        k = np.uint64(piece)
        at, side = np.uint64(codes[AT + k]), np.uint64(work[SIDE + k])
        codes[T0 + k], codes[T1 + k] = texels[at], texels[at + np.uint64(1)]
        codes[T2 + k], codes[T3 + k] = texels[at + side], texels[at + side + np.uint64(1)]
    if folded:
        _look_up_folds(len(pieces), folds, work)


@compiled
def _look_up_folds(count: int, folds: Any, work: Any) -> None:
    side = np.float32(len(folds))
    last = side - INSIDE
    for piece in range(count):
        k = np.uint64(piece)
        across = min(max(work[U + k] * side - HALF, ZERO), last)
        down = min(max(work[V + k] * side - HALF, ZERO), last)
        column, row = np.uint64(across), np.uint64(down)
        across, down = across - np.float32(column), down - np.float32(row)
        right, under = column + np.uint64(1), row + np.uint64(1)
        upper = folds[row, column] + across * (folds[row, right] - folds[row, column])
        lower = folds[under, column] + across * (folds[under, right] - folds[under, column])
        work[FOLD + k] = upper + down * (lower - upper)


@compiled
def _mix(first: Any, second: Any, shift: int, share: Any) -> Any:
    """A colour between two texels, as the root of linear light in 0..1."""
    low = np.float32((first >> np.int32(shift)) & np.int32(1023))
    high = np.float32((second >> np.int32(shift)) & np.int32(1023))
    return (low + share * (high - low)) * CODE


@compiled
def _light(work: Any, count: int, lights: Any, rim: Any, depth: Any) -> None:
    """Light `count` pieces: attributes and colours in, linear red, green and blue out (`LIT_RED` and so on)."""
    codes = work.view(np.int32)
    for start in range(0, count, LANES):
        for lane in range(LANES):
            k = np.uint64(start + lane)
            x, y, z = work[NX + k], work[NY + k], work[NZ + k]
            length = ONE / np.sqrt(x * x + y * y + z * z + TINY)
            x, y, z = x * length, y * length, z * length
            vx, vy = work[VX + k], work[VY + k]
            length = ONE / np.sqrt(vx * vx + vy * vy + ONE)
            vx, vy = vx * length, vy * length
            slant = max(ZERO, ONE - max(ZERO, x * vx + y * vy + z * length))
            work[NX + k], work[NY + k], work[NZ + k] = x, y, z
            work[VX + k], work[VY + k], work[VZ + k] = vx, vy, length
            slant *= slant
            work[SHINE + k] = slant * slant
            work[LIT_RED + k], work[LIT_GREEN + k], work[LIT_BLUE + k] = ZERO, ZERO, ZERO
            work[U + k] = ZERO
        for s in range(len(lights)):
            lx, ly, lz = lights[s, 0], lights[s, 1], lights[s, 2]
            red, green, blue = lights[s, 3], lights[s, 4], lights[s, 5]
            wrap_red, wrap_green, wrap_blue = lights[s, 6], lights[s, 7], lights[s, 8]
            red, green, blue = red / (ONE + wrap_red), green / (ONE + wrap_green), blue / (ONE + wrap_blue)
            rough, smooth = lights[s, 9], lights[s, 10]
            for lane in range(LANES):
                k = np.uint64(start + lane)
                cosine = work[NX + k] * lx + work[NY + k] * ly + work[NZ + k] * lz
                work[LIT_RED + k] += red * max(ZERO, cosine + wrap_red)
                work[LIT_GREEN + k] += green * max(ZERO, cosine + wrap_green)
                work[LIT_BLUE + k] += blue * max(ZERO, cosine + wrap_blue)
            if rough > ZERO or smooth > ZERO:
                for lane in range(LANES):
                    k = np.uint64(start + lane)
                    hx, hy, hz = lx + work[VX + k], ly + work[VY + k], lz + work[VZ + k]
                    cosine = work[NX + k] * hx + work[NY + k] * hy + work[NZ + k] * hz
                    cosine = max(ZERO, cosine / np.sqrt(hx * hx + hy * hy + hz * hz))
                    power = cosine * cosine
                    power *= power
                    power *= power
                    power *= power
                    gloss = work[GLOSS + k]
                    shine = gloss * rough * power
                    power *= power
                    power *= power
                    power *= power
                    work[U + k] += shine + gloss * gloss * gloss * smooth * power
        for lane in range(LANES):
            k = np.uint64(start + lane)
            fold = max(ZERO, ONE + depth * work[FOLD + k])
            right, below = work[RIGHT + k], work[BELOW + k]
            first, second, third, fourth = codes[T0 + k], codes[T1 + k], codes[T2 + k], codes[T3 + k]
            upper, lower = _mix(first, second, 0, right), _mix(third, fourth, 0, right)
            red = upper + below * (lower - upper)
            upper, lower = _mix(first, second, 10, right), _mix(third, fourth, 10, right)
            green = upper + below * (lower - upper)
            upper, lower = _mix(first, second, 20, right), _mix(third, fourth, 20, right)
            blue = upper + below * (lower - upper)
            slant, shine = work[SHINE + k], work[U + k]
            work[LIT_RED + k] = work[RED + k] * (work[LIT_RED + k] * red * red * fold + shine + slant * rim[0])
            work[LIT_GREEN + k] = work[GREEN + k] * (work[LIT_GREEN + k] * green * green * fold + shine + slant * rim[1])
            work[LIT_BLUE + k] = work[BLUE + k] * (work[LIT_BLUE + k] * blue * blue * fold + shine + slant * rim[2])


@compiled
def _add(pieces: Any, spots: Any, work: Any, linear: Any, share: Any) -> None:
    for piece in range(len(pieces)):
        k, pixel, part = np.uint64(piece), np.uint64(pieces[piece, 0]), spots[piece, 0] * share
        linear[pixel, 0] += part * work[LIT_RED + k]
        linear[pixel, 1] += part * work[LIT_GREEN + k]
        linear[pixel, 2] += part * work[LIT_BLUE + k]


@compiled
def _encode(linear: Any, picture: Any) -> None:
    """Linear light (W * W, 3) to sRGB (W, W, 3) uint8."""
    size = len(picture)
    for y in range(size):
        for x in range(size):
            for channel in range(3):
                picture[y, x, channel] = LINEAR_TO_SRGB[int(min(max(linear[y * size + x, channel], ZERO), ONE) * FULL)]


@compiled
def draw(weights: Any, surface: Any, view: Any, pictures: Any) -> None:
    """Move, light and draw N faces of one surface; releases the GIL.

    Args:
        weights: (N, 52) float32, order `TARGETS`.
        surface: a `Surface`.
        view: a `View`.
        pictures: (N, size, size, 3) uint8, overwritten.
    """
    count, size, samples = len(surface.neutral), pictures.shape[1], view.samples
    points = np.empty((count, 3), np.float32)
    turned = np.empty((count, 3), np.float32)
    normals = np.empty((count, 3), np.float32)
    owners = np.empty((len(surface.triangles), 2), np.int32)
    slots = np.empty(len(surface.triangles), np.int32)
    planes = np.empty(len(surface.triangles) * _PLANE, np.float32)
    buffer = np.empty((size * samples, (size * samples + LANES - 1) // LANES, 2, LANES), np.float32)
    folds = np.empty(surface.maps.shape[1:], np.float32)
    linear = np.empty((size * size, 3), np.float32)
    pieces = np.empty(((size * samples) ** 2, 2), np.int32)
    spots = np.empty(((size * samples) ** 2, 3), np.float32)
    work = np.zeros(_WORK, np.float32)
    for n in range(len(weights)):
        _move(weights[n], surface, view, points, turned)
        vertex_normals(turned, surface.triangles, surface.welds, normals)
        folded = _fold(weights[n], surface, folds)
        buffer[:, :, 0] = np.inf
        buffer[:, :, 1] = -ONE
        _fill(points, surface.triangles, buffer, True, surface.paint, surface.alpha, surface.holes)
        total = _find_pieces(buffer, size, samples, view.background, owners, pieces, spots, linear)
        _set_up_planes(
            pieces[:total], points, surface.triangles, normals, surface.paint, surface.levels, samples, slots, planes
        )
        for start in range(0, total, _BLOCK):
            some, where = pieces[start : min(start + _BLOCK, total)], spots[start : min(start + _BLOCK, total)]
            _look_up(some, where, planes, surface.texels, folds, folded, view.camera, work)
            _light(work, len(some), view.lights, view.rim, view.depth)
            _add(some, where, work, linear, ONE / np.float32(samples * samples))
        _encode(linear, pictures[n])
