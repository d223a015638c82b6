"""Pictures of faces, in Numba: weights in, pixels out.

Every triangle that a pixel shows is shaded once there, with a normal of its own, and averaged in linear light.
Attributes are interpolated affinely in the picture: triangles cover a few pixels, where perspective does not show.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from emo3d.face.compiling import compiled
from emo3d.face.pieces import (
    ATTRIBUTES,
    PLANE,
    PLANE_SIDE,
    PLANE_START,
    PLANE_X,
    PLANE_Y,
    find_pieces,
    find_pieces_2x2,
    set_up_planes,
)
from emo3d.face.raster import HALF, LANES, ONE, ZERO, choose_triangles, fill_rows, move_vertices, vertex_normals
from emo3d.face.surface import LINEAR_TO_SRGB

_BAND = 2**15  # samples that are drawn at once: 256 KB of depths and triangles
_BLOCK = 512  # pieces of pixels that are lit at once
_FULL, _TINY, _CODE, _BYTE, _INSIDE = map(np.float32, (4095, 1e-20, 1 / 1023, 1 / 127, 1.001))
# Places of a piece's numbers in the work array, the first nine as in a plane.
NX, NY, NZ, U, V, RED, GREEN, BLUE, GLOSS, VX, VY, VZ, LIT_RED, LIT_GREEN, LIT_BLUE, SLANT, SHINE, FOLD = (
    np.uint64(_BLOCK * k) for k in range(18)
)
START, SIDE, RIGHT, BELOW, AT, T0, T1, T2, T3 = (np.uint64(_BLOCK * k) for k in range(18, 27))
_WORK = 27 * _BLOCK


class View(NamedTuple):
    """How faces are looked at and lit."""

    turns: np.ndarray  # (N, 3, 4) float32 of each face: a rotation about the camera's target, and a shift
    camera: np.ndarray  # (6,) float32: target x, y, z; distance to it, metres; focal length and half a side, in samples
    lights: np.ndarray  # (L, 11) float32: unit direction to the light; red, green, blue; their wraps, 0 hard to 1 all
    # around; how bright it shines on what is rough, and on what is smooth
    ambient: np.ndarray  # (3, 4) float32: red, green, blue on what faces x, y, z, and everywhere
    shine: np.ndarray  # (3,) float32, linear: the colour of what is mirrored, most where it is seen at a slant
    background: np.ndarray  # (3,) float32, linear
    depth: np.float32  # by how much of its colour the deepest fold is darker
    samples: int  # per pixel and axis


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
        x -= planes[place, PLANE_X]
        y -= planes[place, PLANE_Y]
        for attribute in range(ATTRIBUTES):
            value = planes[place, attribute] + planes[place, attribute + ATTRIBUTES] * x
            work[np.uint64(attribute * _BLOCK) + k] = value + planes[place, attribute + 2 * ATTRIBUTES] * y
        work[START + k], work[SIDE + k], work[FOLD + k] = planes[place, PLANE_START], planes[place, PLANE_SIDE], ZERO
    for start in range(0, len(pieces), LANES):
        for lane in range(LANES):
            k = np.uint64(start + lane)
            side = work[SIDE + k]
            across = min(max(work[U + k] * side - HALF, ZERO), side - _INSIDE)
            down = min(max(work[V + k] * side - HALF, ZERO), side - _INSIDE)
            column, row = np.int32(across), np.int32(down)
            work[RIGHT + k], work[BELOW + k] = across - np.float32(column), down - np.float32(row)
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
    last = side - _INSIDE
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
def _fold(weights: Any, surface: Any, folds: Any) -> bool:
    """Add up the wrinkle maps of one face, (R, R) float32; false where there is no fold."""
    folds[:] = ZERO
    folded = False
    drivers, boxes, maps = surface.drivers, surface.boxes, surface.maps
    for k in range(len(drivers)):
        amount = ZERO
        for target in range(len(weights)):
            amount += drivers[k, target] * weights[target]
        amount = min(amount, ONE) * _BYTE
        if amount <= ZERO:
            continue
        folded = True
        for row in range(boxes[k, 0], boxes[k, 1]):
            for column in range(boxes[k, 2], boxes[k, 3]):
                folds[row, column] += amount * np.float32(maps[k, row, column])
    return folded


@compiled
def _mix(first: Any, second: Any, shift: int, share: Any) -> Any:
    """A colour between two texels, as the root of linear light in 0..1."""
    low = np.float32((first >> np.int32(shift)) & np.int32(1023))
    high = np.float32((second >> np.int32(shift)) & np.int32(1023))
    return (low + share * (high - low)) * _CODE


@compiled
def _light(work: Any, count: int, lights: Any, ambient: Any, mirrored: Any, depth: Any) -> None:
    """Light `count` pieces: attributes and colours in, linear red, green and blue out (`LIT_RED` and so on)."""
    codes = work.view(np.int32)
    for start in range(0, count, LANES):
        for lane in range(LANES):
            k = np.uint64(start + lane)
            x, y, z = work[NX + k], work[NY + k], work[NZ + k]
            length = ONE / np.sqrt(x * x + y * y + z * z + _TINY)
            x, y, z = x * length, y * length, z * length
            vx, vy = work[VX + k], work[VY + k]
            length = ONE / np.sqrt(vx * vx + vy * vy + ONE)
            vx, vy = vx * length, vy * length
            facing = x * vx + y * vy + z * length
            slant = max(ZERO, x * x + y * y + z * z - abs(facing))  # 0 where there is no normal
            facing += facing
            work[NX + k], work[NY + k], work[NZ + k] = x, y, z
            # From here on the way that what the viewer sees mirrored comes from.
            work[VX + k], work[VY + k], work[VZ + k] = facing * x - vx, facing * y - vy, facing * z - length
            slant *= slant
            work[SLANT + k], work[SHINE + k] = slant * slant * work[GLOSS + k] * (ONE - work[GLOSS + k]), ZERO
            work[LIT_RED + k] = ambient[0, 0] * x + ambient[0, 1] * y + ambient[0, 2] * z + ambient[0, 3]
            work[LIT_GREEN + k] = ambient[1, 0] * x + ambient[1, 1] * y + ambient[1, 2] * z + ambient[1, 3]
            work[LIT_BLUE + k] = ambient[2, 0] * x + ambient[2, 1] * y + ambient[2, 2] * z + ambient[2, 3]
        for s in range(len(lights)):
            lx, ly, lz = lights[s, 0], lights[s, 1], lights[s, 2]
            red, green, blue = lights[s, 3], lights[s, 4], lights[s, 5]
            wrap_red, wrap_green, wrap_blue = lights[s, 6], lights[s, 7], lights[s, 8]
            red, green, blue = red / (ONE + wrap_red), green / (ONE + wrap_green), blue / (ONE + wrap_blue)
            rough, smooth = lights[s, 9], lights[s, 10]
            if red > ZERO:
                for lane in range(LANES):
                    k = np.uint64(start + lane)
                    cosine = work[NX + k] * lx + work[NY + k] * ly + work[NZ + k] * lz
                    work[LIT_RED + k] += red * max(ZERO, cosine + wrap_red)
                    work[LIT_GREEN + k] += green * max(ZERO, cosine + wrap_green)
                    work[LIT_BLUE + k] += blue * max(ZERO, cosine + wrap_blue)
            if rough > ZERO or smooth > ZERO:
                for lane in range(LANES):
                    k = np.uint64(start + lane)
                    cosine = max(ZERO, work[VX + k] * lx + work[VY + k] * ly + work[VZ + k] * lz)
                    power = cosine * cosine
                    power *= power
                    gloss = work[GLOSS + k]
                    wet = gloss * gloss
                    shine = gloss * (ONE - gloss) * rough * power
                    power *= power
                    power *= power
                    power *= power
                    power *= power
                    work[SHINE + k] += shine + wet * wet * smooth * power
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
            # What shines comes on top as far as there is room, so that light skin does not burn out.
            shade = fold * max(work[RED + k], work[GREEN + k], work[BLUE + k])
            shine = shade * (work[SLANT + k] + work[SHINE + k])
            red *= red * fold * work[LIT_RED + k] * work[RED + k]
            green *= green * fold * work[LIT_GREEN + k] * work[GREEN + k]
            blue *= blue * fold * work[LIT_BLUE + k] * work[BLUE + k]
            work[LIT_RED + k] = red + shine * mirrored[0] * (ONE - min(red, ONE))
            work[LIT_GREEN + k] = green + shine * mirrored[1] * (ONE - min(green, ONE))
            work[LIT_BLUE + k] = blue + shine * mirrored[2] * (ONE - min(blue, ONE))


@compiled
def _add(pieces: Any, spots: Any, work: Any, linear: Any, share: Any) -> None:
    """Add what was lit to its pixels, linear (P * 3,)."""
    for piece in range(len(pieces)):
        k, place, part = np.uint64(piece), np.uint64(3 * pieces[piece, 0]), spots[piece, 0] * share
        linear[place] += part * work[LIT_RED + k]
        linear[place + np.uint64(1)] += part * work[LIT_GREEN + k]
        linear[place + np.uint64(2)] += part * work[LIT_BLUE + k]


@compiled
def _encode(linear: Any, picture: Any) -> None:
    """Linear light (P,) to sRGB, picture (P,) uint8."""
    for k in range(len(picture)):
        picture[k] = LINEAR_TO_SRGB[np.uint64(min(max(linear[k], ZERO), ONE) * _FULL)]


@compiled
def draw(weights: Any, surface: Any, view: Any, pictures: Any) -> None:
    """Move, light and draw N faces of one surface; releases the GIL.

    Args:
        weights: (N, 52) float32, order `TARGETS`.
        surface: a `Surface`.
        view: a `View`.
        pictures: (N, size, size, 3) uint8, overwritten.
    """
    triangles, paint = surface.triangles, surface.paint
    count, size, samples = len(surface.neutral), pictures.shape[1], view.samples
    side = size * samples
    band = max(1, min(size, _BAND // (side * samples)))
    points = np.empty((count, 3), np.float32)
    turned = np.empty((count, 3), np.float32)
    attributes = np.empty((count, ATTRIBUTES), np.float32)
    for k in range(count):
        for attribute in range(3, ATTRIBUTES):
            attributes[k, attribute] = paint[k, attribute - 3]
    slots = np.empty(len(triangles), np.int32)
    planes = np.empty((len(triangles), PLANE), np.float32)
    queue = np.empty((len(triangles), 3), np.int32)
    buffer = np.empty((band * samples, (side + LANES - 1) // LANES, 2, LANES), np.float32)
    folds = np.empty(surface.maps.shape[1:], np.float32)
    linear = np.empty(band * size * 3, np.float32)
    # One more than there can be, since the last is written before it is known to be one.
    pieces = np.empty((band * samples * side + 1, 2), np.int32)
    spots = np.empty((band * samples * side + 1, 3), np.float32)
    work = np.zeros(_WORK, np.float32)
    one = ONE / np.float32(samples * samples)
    for n in range(len(weights)):
        move_vertices(weights[n], surface, view.turns[n], view.camera, points, turned)
        vertex_normals(turned, triangles, surface.welds, attributes[:, :3])
        folded = _fold(weights[n], surface, folds)
        chosen = queue[: choose_triangles(points, triangles, side, side, True, queue)]
        slots[:] = -1
        seen, picture = np.int64(0), pictures[n].reshape(-1)
        for start in range(0, size, band):  # what a band needs stays in the processor's cache
            stop = min(start + band, size)
            rows = buffer[: (stop - start) * samples]
            fill_rows(
                points, triangles, chosen, start * samples, rows, paint, surface.alpha, surface.holes, surface.whole
            )
            if samples == 2:
                total = find_pieces_2x2(rows, start, size, samples, view.background, pieces, spots, linear)
            else:
                total = find_pieces(rows, start, size, samples, view.background, pieces, spots, linear)
            seen = set_up_planes(pieces[:total], surface, points, attributes, samples, slots, seen, planes)
            for first in range(0, total, _BLOCK):
                last = min(first + _BLOCK, total)
                _look_up(
                    pieces[first:last], spots[first:last], planes, surface.texels, folds, folded, view.camera, work
                )
                _light(work, last - first, view.lights, view.ambient, view.shine, view.depth)
                _add(pieces[first:last], spots[first:last], work, linear, one)
            _encode(linear[: (stop - start) * size * 3], picture[start * size * 3 : stop * size * 3])
