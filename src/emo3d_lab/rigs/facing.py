"""Which way a rig faces: turned to y up and +z the front, by its eyes, lips, sides and surface."""

from __future__ import annotations

import logging
import re
from itertools import permutations, product

import numpy as np

from emo3d.face.calibration import SIDES
from emo3d.face.heads import TARGETS

logger = logging.getLogger(__name__)

LIDS = ("eyeBlinkLeft", "eyeBlinkRight")
LIPS = ("mouthPucker", "mouthFunnel", "mouthSmileLeft", "mouthSmileRight")
_UPPER = tuple(name for name in TARGETS if name.startswith(("brow", "eye")))
_LOWER = tuple(name for name in TARGETS if name.startswith(("jaw", "mouth")))
_HEAD = 3.0  # vertices further from the face than this many distances from lids to lips are no head
_STRAIGHT = np.cos(np.radians(46)), np.cos(np.radians(35))  # least cosines to an axis: eyes above lips, side to side

# How much each thing counts. Only what turns its outside to the viewer is drawn, so the surface counts more than sides,
# which some rigs have as the viewer sees them.
_UP, _SIDES, _SURFACE, _BULK, _FRONT = 2.0, 1.0, 1.5, 1.0, 1.0
_IDENTITY = 0.25  # for the file's own axes, which glTF says to be these


def centre(neutral: np.ndarray, moves: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Centre of what targets move, (3,); NaN where they move nothing. `moves` as for `rotation_to_front`."""
    weights = moves[[TARGETS.index(name) for name in names]].max(axis=0, initial=0)
    return weights @ neutral / weights.sum() if weights.any() else np.full(3, np.nan)


def rotation_to_front(
    neutral: np.ndarray, moves: np.ndarray, triangles: np.ndarray, front: tuple[float, float, float] = (0, 0, 0)
) -> np.ndarray:
    """Find the rotation that turns a rig to y up and +z the front, one of the 24 that take axes to axes.

    Args:
        neutral: (V, 3) float64.
        moves: (52, V) float32, how far each target moves each vertex.
        triangles: (T, 3) int64, counter-clockwise from outside.
        front: of the file's kind, where it has one.

    Returns:
        (3, 3), to be multiplied with columns; the identity where nothing speaks against it.

    Raises:
        ValueError: the face lies between axes, or its triangles show it from inside.
    """
    lids, lips = (centre(neutral, moves, _even(moves, names)) for names in (LIDS, LIPS))
    if np.isnan(lids - lips).any():
        lids, lips = (centre(neutral, moves, _even(moves, names)) for names in (_UPPER, _LOWER))
    up, distance = _unit(lids - lips), np.linalg.norm(lids - lips)
    pairs = [(TARGETS[left], TARGETS[right]) for left, right in SIDES]
    lines = [centre(neutral, moves, (left,)) - centre(neutral, moves, (right,)) for left, right in pairs]
    side = _unit(np.nansum([_unit(line) for line in lines], axis=0))
    edges = neutral[triangles[:, 1:]] - neutral[triangles[:, :1]]
    share = (moves / np.maximum(moves.max(axis=1, keepdims=True), 1e-30)).max(axis=0)
    outwards = np.cross(edges[:, 0], edges[:, 1]) * share[triangles].mean(axis=1)[:, None]
    surface = _unit(_level(outwards.sum(axis=0), up))
    bulk = np.zeros(3)
    if distance > 0:
        middle = (lids + lips) / 2
        head = neutral[np.linalg.norm(neutral - middle, axis=1) < _HEAD * distance]
        depth = _level(middle - head.mean(axis=0), up)
        bulk = _unit(depth) if np.linalg.norm(depth) > 0.1 * distance else bulk
    rotations = _rotations()
    forward = _SURFACE * surface + _BULK * bulk + _FRONT * np.array(front)
    scores = rotations[:, 1] @ (_UP * up) + rotations[:, 0] @ (_SIDES * side) + rotations[:, 2] @ forward
    scores[0] += _IDENTITY
    best = rotations[int(np.argmax(scores))]
    if 0 != best[1] @ up < _STRAIGHT[0] or 0 != abs(best[0] @ side) < _STRAIGHT[1]:
        raise ValueError("expected a face along the axes (y up, +z the front), got one turned between them")
    if best[2] @ surface < -0.5:
        raise ValueError("expected triangles that turn their outside to the front, got a face seen from inside")
    if best[0] @ side < 0:
        logger.warning("Left and Right in the names of morph targets are those of the viewer, not of the face")
    return best


def _even(moves: np.ndarray, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names whose other side moves something too: one lid alone is to the left as much as above."""
    moving = {name for name, lengths in zip(TARGETS, moves, strict=True) if lengths.any()}
    opposite = {"Left": "Right", "Right": "Left"}
    sides = {name: re.sub("(Left|Right)$", lambda match: opposite[match[1]], name) for name in names}
    return tuple(name for name, partner in sides.items() if {name, partner} <= moving)


def _rotations() -> np.ndarray:
    """The 24 rotations, (24, 3, 3), the identity first."""
    axes = product(permutations(range(3)), product((1, -1), repeat=3))
    matrices = np.array([np.eye(3)[list(order)] * np.array(signs)[:, None] for order, signs in axes])
    return matrices[np.linalg.det(matrices) > 0]


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else np.zeros(3)  # NaN too


def _level(vector: np.ndarray, up: np.ndarray) -> np.ndarray:
    return vector - (vector @ up) * up
