"""Weights of a face in a picture, from all that the instrument gives: its readings and its landmarks.

The 51 readings hold hardly anything of cheeks, rolled lips or a wrinkled nose; the 478 landmarks, which the same call
returns, hold some of it. A calibration's network `picture` takes both. Where only readings are at hand (the published
rows, generators), `emo3d.face.calibration.to_weights` is the way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.calibration import Calibration, load_calibration, with_logits
from emo3d_lab.landmarker import LANDMARKS, Face

_STABLE = (33, 133, 362, 263, 168, 6, 127, 356, 10, 54, 284, 234, 454)
"""Points of MediaPipe's mesh that go with the skull: corners of the eyes, bridge, temples, forehead, near the ears."""


def picture_weights(faces: Sequence[Face], calibration: Calibration | None = None) -> np.ndarray:
    """Find the likeliest weights of faces in pictures.

    Args:
        faces: as `FaceReader` gives them.
        calibration: the packaged one by default; one without a network `picture` takes the readings alone.

    Returns:
        (N, 51) float32 in 0..1, with mouthClose <= jawOpen.

    Raises:
        ValueError: the calibration's landmarks are not MediaPipe's.
    """
    readings, landmarks = (np.stack([getattr(face, name) for face in faces]) for name in ("expression", "landmarks"))
    return weigh(calibration or load_calibration(), readings, landmarks)


def name_picture_weights(calibration: Calibration | None = None) -> str:
    """Name what `picture_weights` does: `"picture/anny-2"`, or `"network/anny-1"` where there is no such network."""
    calibration = calibration or load_calibration()
    return f"{'picture' if _sees(calibration) else 'network'}/{calibration.name}"


def weigh(calibration: Calibration, readings: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """`picture_weights` of readings (N, 51) and landmarks (N, 478, 3), both float32."""
    if not _sees(calibration):
        return calibration.to_weights(readings, "network")
    mean, axes = (calibration.arrays.get(f"picture.{name}", np.empty(0)) for name in ("mean", "axes"))
    coordinates, width = 3 * LANDMARKS, calibration.arrays["picture.0.weight"].shape[1]
    if mean.shape != (coordinates,) or axes.shape != (width - 2 * len(BLENDSHAPES), coordinates):
        raise ValueError(
            f"{calibration.name}: expected a mean face of {coordinates} numbers and axes for {width} inputs, "
            f"got {mean.shape} and {axes.shape}"
        )
    shape = shape_of(landmarks, mean, axes)
    return calibration.apply("picture", picture_inputs(readings, shape))


def picture_inputs(readings: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Inputs of the network `picture`, (N, 102 + K): readings (N, 51), their logits, and a shape (N, K)."""
    return np.concatenate([with_logits(torch.from_numpy(readings)).numpy(), shape], axis=1)


def shape_of(landmarks: np.ndarray, mean: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Coordinates (N, K) of landmarks (N, 478, 3) along axes (K, 1434) from a mean (1434,), aligned with it."""
    aligned = align(landmarks, mean.reshape(-1, 3))
    return (aligned.reshape(len(aligned), -1) - mean) @ axes.astype(np.float32).T


def align(landmarks: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Take place, size and turn of the head out: lay the points of the skull on those of a target, as near as they go.

    Procrustes' least squares over similarities, without reflections (Umeyama 1991).

    Args:
        landmarks: (N, 478, 3).
        target: (478, 3).

    Returns:
        (N, 478, 3) float32.
    """
    points, goal = np.asarray(landmarks, np.float64)[:, _STABLE], np.asarray(target, np.float64)[list(_STABLE)]
    centre, goal_centre = points.mean(axis=1, keepdims=True), goal.mean(axis=0)
    points, goal = points - centre, goal - goal_centre
    left, stretches, right = np.linalg.svd(points.transpose(0, 2, 1) @ goal)
    signs = np.ones_like(stretches)
    signs[:, 2] = np.sign(np.linalg.det(left @ right))
    turn = (left * signs[:, None]) @ right
    scale = (stretches * signs).sum(axis=1) / np.square(points).sum(axis=(1, 2))
    move = goal_centre - scale[:, None, None] * (centre @ turn)
    turn = (scale[:, None, None] * turn).astype(np.float32)
    return np.asarray(landmarks, np.float32) @ turn + move.astype(np.float32)


def _sees(calibration: Calibration) -> bool:
    return "picture.0.weight" in calibration.arrays
