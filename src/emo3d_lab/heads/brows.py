"""Brows, drawn hair by hair in the texture, and lashes of a believable length."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emo3d.face.skin import EYE, SIZE
from emo3d_lab.heads.texels import locate_texels

_LENGTH = 0.045  # metres from a brow's inner end to its outer one
# Of fine and of thick brows: half the height in the middle, metres; how many hairs; how strong their shadow is.
_KINDS = {"fine": (0.0024, 230, 0.40), "thick": (0.0037, 320, 0.40)}
_HAIR = 0.00026  # half the width of a hair at its root, metres


def draw_brows(rest: np.ndarray, arrays: Mapping[str, np.ndarray], brow_height: float, kind: str) -> np.ndarray:
    """Draw the hairs of both brows, `brow_height` metres higher than usual.

    They grow upwards at the inner end and lie down along the arch towards the outer one; those from below lean up and
    those from above lean down, so that they meet in the middle, where the brow is densest.

    Args as for `locate_texels`; kind is `"fine"` or `"thick"`; returns a mask (SIZE, SIZE) uint8.
    """
    half_height, count, shadow = _KINDS[kind]
    row, column, triangle, weights = locate_texels(rest, arrays)
    positions = (rest[arrays["triangles"][triangle]] * weights).sum(axis=1) - [0.0, brow_height, 0.0]
    eye = rest[(arrays["part"] == EYE) & (rest[:, 0] > 0)]
    center = (eye.max(axis=0) + eye.min(axis=0)) / 2
    near = (np.abs(positions[:, 1] - center[1] - 0.014) < 0.020) & (positions[:, 2] > center[2] - 0.02)
    row, column, positions = row[near], column[near], positions[near]
    # Metres outwards from the inner end, and upwards from the eye's middle; the same hairs on either side.
    points = np.column_stack([np.abs(positions[:, 0]) - (center[0] - 0.0172), positions[:, 1] - center[1]])

    random = np.random.default_rng(7)
    along = random.beta(1.15, 1.25, count)
    across = np.clip(random.normal(0, 0.5, count), -1, 1)  # 1 at the upper rim
    root = np.column_stack([along * _LENGTH, _arch(along) + across * _half_height(along, half_height)])
    upwards = np.interp(along, [0, 0.10, 0.30, 0.65, 1], [82, 66, 38, 8, -22])
    lean = across * np.interp(along, [0, 0.25, 1], [-4, -26, -16])
    angle = np.radians(upwards + lean + random.normal(0, 5, count))
    length = np.interp(along, [0, 0.2, 0.6, 1], [0.0052, 0.0066, 0.0062, 0.0042]) * random.uniform(0.75, 1.15, count)
    length *= np.sqrt(half_height / 0.0036)
    middle = root + 0.5 * length[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    bent = angle - np.radians(16)  # hairs bend down towards their tips
    tip = middle + 0.5 * length[:, None] * np.column_stack([np.cos(bent), np.sin(bent)])
    strength = random.uniform(0.25, 0.65, count) * np.interp(along, [0, 0.12], [0.7, 1])

    clear = np.ones(len(points))
    for k in range(count):
        chosen = np.flatnonzero(np.abs(points - middle[k]).max(axis=1) < 0.006)
        for start, end, first, last in ((root[k], middle[k], 1.0, 0.85), (middle[k], tip[k], 0.85, 0.25)):
            share, distance = _to_segment(points[chosen], start, end)
            width = _HAIR * (first + (last - first) * share)
            clear[chosen] *= 1 - strength[k] * np.clip((width - distance) / 0.00055 + 0.5, 0, 1)
    place = points[:, 0] / _LENGTH
    off = np.abs(points[:, 1] - _arch(place) - 0.0006) / (1.25 * _half_height(place, half_height))
    ends = np.clip(np.minimum(place * 5, (1.02 - place) * 7), 0, 1)
    clear *= 1 - shadow * np.exp(-(off**2) * 1.4) * ends
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[row, column] = np.round(255 * (1 - clear))
    return mask


def _arch(along: np.ndarray) -> np.ndarray:
    """How high a brow's middle lies above the eye's, metres; along is 0 at the inner end and 1 at the outer one."""
    return 0.0132 + 0.0062 * np.sin(np.pi * np.clip(along, 0, 1) ** 1.3) - 0.006 * along**3


def _half_height(along: np.ndarray, middle: float) -> np.ndarray:
    return middle * np.interp(along, [0, 0.10, 0.3, 0.7, 1], [0.45, 0.80, 1.0, 0.72, 0.18])


def _to_segment(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where along a segment each point is nearest to it, 0..1, and how far from it."""
    along = end - start
    share = np.clip((points - start) @ along / (along @ along), 0, 1)
    return share, np.linalg.norm(points - start - share[:, None] * along, axis=1)


def shorten_lashes(rest: np.ndarray, quads: np.ndarray, length: float) -> np.ndarray:
    """How far to move each vertex, metres (V, 3), for lashes of a share of their length.

    Args:
        rest: (V, 3) vertices of the default head, metres.
        quads: (Q, 4) of both eyes' lashes: strips of several rows from the lid to the tips.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import shortest_path

    used, corner = np.unique(quads, return_inverse=True)
    first = corner.reshape(-1, 4)
    pairs = np.unique(np.sort(np.concatenate([first[:, [k, (k + 1) % 4]] for k in range(4)])), axis=0)
    steps = shortest_path(coo_array((np.ones(len(pairs)), tuple(pairs.T)), (len(used),) * 2), directed=False)
    offsets = np.zeros_like(rest)
    for side in (-1, 1):
        eye = np.flatnonzero(rest[used, 0] * side > 0)
        center = rest[used[eye]].mean(axis=0) - [0, 0.004, 0.018]
        radius = np.linalg.norm(rest[used] - center, axis=1)
        ends = eye[(steps[eye] == 1).sum(axis=1) == 2]
        inner, outer = (
            sorted(pair, key=radius.__getitem__) for pair in np.split(ends[np.argsort(np.abs(rest[used[ends], 0]))], 2)
        )
        roots = eye[steps[inner[0], eye] + steps[outer[0], eye] == steps[inner[0], outer[0]]]
        own = roots[steps[np.ix_(eye, roots)].argmin(axis=1)]
        offsets[used[eye]] = (length - 1) * (rest[used[eye]] - rest[used[own]])
    return offsets
