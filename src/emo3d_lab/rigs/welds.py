"""Which vertices of a read face are one: copies along a seam of its texture, and borders of two of its pieces."""

from __future__ import annotations

import itertools

import numpy as np

_SMOOTH = np.cos(np.radians(30))  # what Blender smooths unless told otherwise; steeper normals are a wanted edge
# Half heights. Within a piece copies are at the same place whatever packed it. Two pieces may be whole numbers of two
# boxes: 14 bits of a body, or 11 of a head, are up to 1.5e-3 of its half height, a quarter of a millimetre.
_GRAIN, _BORDER = 1e-5, 2e-3
_NEXT = 6  # neighbours looked at in a cell, in order along a line that is no axis
_LINE = (0.48, 0.64, 0.6)
_UNITS = 10  # that a vertex moves with, more or less: all of them off by _BORDER are further than this


def weld(neutral: np.ndarray, deltas: np.ndarray, normals: np.ndarray, half_height: float) -> np.ndarray:
    """The first vertex at the same place that moves alike and has a like normal: not the lips of a closed mouth.

    Args:
        neutral: (V, 3).
        deltas: (K, V, 3).
        normals: the file's own (V, 3), unit length; zeros where it has none, which go with any.
        half_height: of the face.

    Returns:
        (V,) int32.
    """
    grain = _GRAIN * half_height
    _, inverse, counts = np.unique(np.rint(neutral / grain), axis=0, return_inverse=True, return_counts=True)
    welds = np.arange(len(neutral), dtype=np.int32)
    copies = np.flatnonzero(counts[inverse.ravel()] > 1)  # few; their moves are many numbers
    # What moves alike has the same sum of its moves times odd factors; whole rows would be a gigabyte at the worst.
    factors = 2 * np.random.default_rng(0).integers(2**62, size=(len(deltas) + 1, 3)) + 1
    sums = inverse.ravel()[copies] * factors[-1, 0]
    for delta, factor in zip(deltas, factors, strict=False):
        with np.errstate(invalid="ignore"):  # what is too far for a whole number is alike at the ends
            sums += np.rint(delta[copies] / grain).astype(np.int64) @ factor
    while len(copies):  # as often as there are directions 30 degrees apart, at most
        _, first, inverse = np.unique(sums, return_index=True, return_inverse=True)
        firsts = copies[first[inverse.ravel()]]
        like = _alike(normals, copies, firsts)
        welds[copies[like]] = firsts[like]
        copies, sums = copies[~like], sums[~like]
    return welds


def close_borders(
    neutral: np.ndarray,
    deltas: np.ndarray,
    normals: np.ndarray,
    triangles: np.ndarray,
    owners: np.ndarray,
    welds: np.ndarray,
    half_height: float,
) -> np.ndarray:
    """Weld open edges of different pieces that are nearly at the same place, and move them onto each other.

    Args:
        neutral, deltas, normals, half_height: as for `weld`; the first two are changed in place.
        triangles: (T, 3).
        owners: the piece of each vertex, (V,).
        welds: of `weld`.

    Returns:
        The new welds, (V,) int32.
    """
    if not np.ptp(owners):
        return welds
    rim = _rim(welds[triangles].astype(np.int64), len(welds))
    near = _BORDER * half_height
    partners = rim[_nearest(neutral[rim], _gist(deltas, rim), normals[rim], owners[rim], near)]
    like = np.ones(len(rim), bool)
    for delta in deltas:
        like &= (np.abs(delta[rim] - delta[partners]) < near).all(axis=1)
    own = np.arange(len(welds))
    nearest = own.copy()
    nearest[rim[like]] = partners[like]
    joined = np.where(nearest[nearest] == own, np.minimum(nearest, own), own)
    joined = joined[welds].astype(np.int32)  # copies follow
    moved = np.flatnonzero(joined != welds)
    neutral[moved] = neutral[joined[moved]]
    for delta in deltas:
        delta[moved] = delta[joined[moved]]
    return joined


def _alike(normals: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    cosines = np.einsum("ij,ij->i", normals[one], normals[other])
    return (one == other) | (cosines >= _SMOOTH) | ~normals[one].any(axis=1) | ~normals[other].any(axis=1)


def _rim(triangles: np.ndarray, count: int) -> np.ndarray:
    """The vertices of edges that one triangle has alone, ascending."""
    edges = np.sort(np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)]), axis=1)
    keys, counts = np.unique(edges[:, 0] * count + edges[:, 1], return_counts=True)
    return np.unique(np.divmod(keys[counts == 1], count))


def _gist(deltas: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """A few numbers of each vertex that are as near as their moves are, and hardly ever where those are not."""
    signs = np.random.default_rng(1).choice([-1, 1], len(deltas))
    return sum((sign * delta[rim] for sign, delta in zip(signs, deltas, strict=True)), np.zeros((len(rim), 3)))


def _nearest(places: np.ndarray, gist: np.ndarray, normals: np.ndarray, owners: np.ndarray, near: float) -> np.ndarray:
    """The nearest place of another owner that is alike and nearer than so much along each axis, or its own: (N,)."""
    factors = 2 * np.random.default_rng(2).integers(2**62, size=3) + 1
    partners, distances = np.arange(len(places)), np.full(len(places), np.inf)
    # Two that are near fall into one cell, twice as large, of one of eight grids half a cell apart.
    for shift in itertools.product((0, 0.5), repeat=3):
        cells = np.floor(places / (2 * near) + shift).astype(np.int64) @ factors
        order = np.lexsort((places @ _LINE, cells))
        for step in range(1, _NEXT + 1):
            one, other = order[:-step], order[step:]
            pairs = (cells[one] == cells[other]) & (owners[one] != owners[other])
            one, other = one[pairs], other[pairs]
            apart = np.abs(places[one] - places[other])
            pairs = (apart < near).all(axis=1) & (np.abs(gist[one] - gist[other]) < _UNITS * near).all(axis=1)
            one, other, apart = one[pairs], other[pairs], np.linalg.norm(apart[pairs], axis=1)
            pairs = _alike(normals, one, other)
            for a, b in ((one, other), (other, one)):  # each row is at most once in either
                closer = pairs & (apart < distances[a])
                partners[a[closer]], distances[a[closer]] = b[closer], apart[closer]
    return partners
