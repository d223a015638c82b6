"""What the renderer computes of a surface, as pictures that any viewer of glTF shows: folds, and how it shines."""

from __future__ import annotations

import numpy as np
from PIL import Image

from emo3d.face.rig import FaceRig
from emo3d.face.surface import LINEAR_TO_SRGB, SHINE, SRGB_TO_LINEAR
from emo3d_lab.heads.texels import cover_texels

_SIDE = 256  # of the picture of roughness, in texels
_RIM = 3  # texels beyond what triangles cover that are like it, since viewers mix neighbours


def fold(texture: np.ndarray, rig: FaceRig, weights: np.ndarray, depth: float) -> np.ndarray:
    """A texture with the folds of weights (52,), as the renderer draws them."""
    if rig.wrinkles is None:
        return texture
    maps, drivers = rig.wrinkles
    amounts = np.clip(drivers @ weights, 0, 1).astype(np.float32)
    if not amounts.any():
        return texture
    folds = Image.fromarray(np.tensordot(amounts, maps.astype(np.float32), 1) / np.float32(127))
    factor = np.maximum(1 + depth * np.array(folds.resize((len(texture),) * 2, Image.Resampling.BILINEAR)), 0)
    folded = texture.copy()
    rows, columns = (np.flatnonzero((factor != 1).any(axis=axis)) for axis in (1, 0))
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    linear = SRGB_TO_LINEAR[texture[part][..., :3]] * factor[part][..., None]
    folded[part][..., :3] = LINEAR_TO_SRGB[np.clip(linear * 4095, 0, 4095).astype(np.uint16)]
    return folded


def roughness(gloss: np.ndarray | float = SHINE) -> np.ndarray | float:
    """Roughness in glTF's sense, whose highlights look like the renderer's: 1 where nothing shines, 0.08 of eyes."""
    return 1 - 0.92 * np.sqrt(gloss)


def roughness_map(rig: FaceRig, gloss: np.ndarray) -> np.ndarray:
    """The roughness of vertices with `gloss` (V,) over the texture's square, (R, R) uint8."""
    triangles = np.ascontiguousarray(rig.triangles, np.int32)
    points = np.column_stack([rig.uv * _SIDE, -gloss]).astype(np.float32)  # where several lie, what shines most
    square = np.full((_SIDE, _SIDE), -1, np.float32)
    column, row = np.minimum(rig.uv * _SIDE, _SIDE - 1).astype(int).T
    np.maximum.at(square, (row, column), gloss)  # of parts that have one spot of plain colour, and cover no texel
    row, column, hit, shares = cover_texels(points, triangles, _SIDE)
    square[row, column] = (shares[:, :, 0] * gloss[triangles[hit]]).sum(axis=1)
    for _ in range(_RIM):
        empty = square < 0
        for step, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
            square = np.where(empty, np.maximum(square, np.roll(square, step, axis)), square)
    return np.round(255 * roughness(np.where(square < 0, SHINE, square))).astype(np.uint8)
