"""Where skin is redder, darker or stubbly: smooth maps over the texture that `emo3d.face.skin` colours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emo3d.face.skin import EYE, SIZE, TEETH, TINT_SIZE, TINTS
from emo3d_lab.heads.texels import locate_texels


def draw_tints(rest: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The maps of `TINTS`, (len(TINTS), TINT_SIZE, TINT_SIZE) uint8; args as for `locate_texels`."""
    row, column, triangle, weights = locate_texels(rest, arrays)
    positions = (rest[arrays["triangles"][triangle]] * weights).sum(axis=1)
    eye = rest[(arrays["part"] == EYE) & (rest[:, 0] > 0)]
    eye = (eye.max(axis=0) + eye.min(axis=0)) / 2
    mouth = rest[arrays["part"] == TEETH].mean(axis=0)[1]
    nose = rest[(np.abs(rest[:, 0]) < 0.004) & (rest[:, 1] > mouth) & (rest[:, 1] < eye[1])].max(axis=0)[2]
    x, y, z = np.abs(positions[:, 0]), positions[:, 1], positions[:, 2]

    def spot(center: tuple[float, float, float], *radius: float) -> np.ndarray:
        offset = (np.column_stack([x, y, z]) - center) / radius
        return np.exp(-(offset**2).sum(axis=1))

    cheek = spot((0.047, eye[1] - 0.042, eye[2]), 0.029, 0.025, 0.05)
    tip = spot((0.0, eye[1] - 0.044, nose), 0.016, 0.013, 0.02)
    ear = np.clip((x - 0.079) / 0.008, 0, 1) * np.exp(-(((y - eye[1] + 0.015) / 0.04) ** 2))
    chin = spot((0.0, mouth - 0.045, eye[2] + 0.03), 0.016, 0.012, 0.05)
    lid = spot((eye[0] + 0.001, eye[1] + 0.006, eye[2] + 0.02), 0.019, 0.008, 0.03)
    under = spot((eye[0] - 0.004, eye[1] - 0.013, eye[2] + 0.02), 0.016, 0.006, 0.03)
    corner = spot((eye[0] - 0.020, eye[1] + 0.002, eye[2] + 0.01), 0.008, 0.012, 0.03)
    jaw = mouth - 0.010 + np.interp(x, [0.0, 0.030, 0.045, 0.070, 0.085], [0.014, 0.012, 0.0, 0.018, 0.05])
    lips = np.hypot(x / 0.031, (y - mouth) / 0.014)  # the beard leaves them free
    low = mouth - 0.045 - np.interp(z, [0.03, 0.13], [-0.045, 0.022])
    beard = np.clip((jaw - y) / 0.010 + 0.5, 0, 1) * np.clip((y - low) / 0.02 + 0.5, 0, 1)
    beard *= np.clip((lips - 0.9) / 0.3, 0, 1) * (z > 0.02)
    maps = {
        "blush": 0.8 * cheek + 0.75 * tip + 0.7 * ear + 0.35 * chin + 0.25 * under,
        "shadow": 0.85 * lid + 0.6 * under + 0.6 * corner,
        "beard": beard,
        "mottle": 0.5 + _noise(positions),
    }
    tints = np.zeros((len(TINTS), SIZE, SIZE), np.float32)
    for layer, name in zip(tints, TINTS, strict=True):
        layer[row, column] = np.clip(maps[name], 0, 1)
    tints[:, ~_seen(row, column)] = tints[:, row, column].mean(axis=1)[:, None] * (np.array(TINTS) == "mottle")[:, None]
    step = SIZE // TINT_SIZE
    tints = tints.reshape(len(TINTS), TINT_SIZE, step, TINT_SIZE, step).mean(axis=(2, 4))
    return np.round(255 * tints).astype(np.uint8)


def _seen(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[row, column] = True
    return mask


def _noise(positions: np.ndarray) -> np.ndarray:
    """Smooth noise of a few millimetres to centimetres, about -0.5..0.5: waves of random direction and phase."""
    random = np.random.default_rng(11)
    total = np.zeros(len(positions))
    for length in np.geomspace(0.004, 0.03, 36):
        direction = random.normal(size=3)
        wave = positions @ (direction / np.linalg.norm(direction)) * 2 * np.pi / length + random.uniform(0, 2 * np.pi)
        total += np.sin(wave)
    return total / 24
