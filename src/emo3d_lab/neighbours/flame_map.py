"""Coefficients of FLAME as channels of a clip, by a basis map of the user's own (`emo3d map --basis`)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emo3d.clips import CHANNELS, Clip
from emo3d.documents import read_json
from emo3d.ranges import real_number

EXPRESSIONS = 50
"""Coefficients of expression that MMHead and EmoAva have, FLAME's first."""

_UNITS = CHANNELS[:52]
_FORMAT = "emo3d-basis-1"


@dataclass(frozen=True, eq=False)
class FlameMap:
    """What each component of FLAME does in units: (53, 52), for 50 of expression and the three of the jaw's pose."""

    matrix: np.ndarray

    def to_clip(
        self, expression: np.ndarray, jaw: np.ndarray, neck: np.ndarray | None, rate: float
    ) -> tuple[Clip, int]:
        """A clip of coefficients, and how many of its scores were cut off at 0 or 1, beyond which the sums of a fit go.

        Args:
            expression: (T, 50).
            jaw: (T, 3) axis-angle, radians.
            neck: likewise; becomes the head's turn, since FLAME's axes are ARKit's (y up, z to the front).
            rate: frames per second.
        """
        frames = np.zeros((len(expression), len(CHANNELS)))
        sums = np.hstack([expression, jaw]) @ self.matrix
        frames[:, : len(_UNITS)] = sums.clip(0, 1)
        if neck is not None:
            frames[:, len(_UNITS) : len(_UNITS) + 3] = euler_angles(neck)
        return Clip(frames, rate), int(((sums < -1e-6) | (sums > 1 + 1e-6)).sum())


def read_flame_map(path: str | os.PathLike[str]) -> FlameMap:
    """Read a basis map whose components are FLAME's: `#0` to `#49` of expression, `#50` to `#52` of the jaw's pose.

    In place of these names, which a basis without names gets, `expression_0`, `jaw_0` and so on are read, too.

    Raises:
        ValueError: no basis map, another component or unit, or none of the jaw; the message names the file.
        FileNotFoundError: no such file.
    """
    name = Path(path).name
    document = read_json(path)
    if not isinstance(document, Mapping) or document.get("format") != _FORMAT:
        raise ValueError(f'{name}: expected a basis map ("format": "{_FORMAT}", as `emo3d map --basis` writes it)')
    components = document.get("components")
    if not isinstance(components, Mapping) or not all(isinstance(row, Mapping) for row in components.values()):
        raise ValueError(f"{name}: expected components with coefficients of units, got {str(components)[:80]}")
    matrix = np.zeros((EXPRESSIONS + 3, len(_UNITS)))
    for component, row in components.items():
        match = re.fullmatch(r"(#|expression_|jaw_)(\d{1,3})", component)
        place = -1 if match is None else int(match[2]) + (EXPRESSIONS if match[1] == "jaw_" else 0)
        if not 0 <= place < len(matrix):
            raise ValueError(
                f"{name}: expected components #0 to #{len(matrix) - 1} (50 of expression, three of the jaw), got "
                f"{component!r:.60}: make the basis of these deltas alone, in this order"
            )
        for unit, value in row.items():
            if unit not in _UNITS:
                raise ValueError(f"{name}: expected units of ARKit's 52, got {unit!r:.60}")
            matrix[place, _UNITS.index(unit)] = real_number(f"the coefficient of {unit} in {component}", value)
    if not matrix[EXPRESSIONS:].any():
        raise ValueError(f"{name}: expected components of the jaw's pose (#50 to #52), without which no mouth opens")
    return FlameMap(matrix)


def euler_angles(rotations: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll (T, 3) of axis-angle vectors (T, 3), radians: roll first, then pitch, then yaw (YXZ)."""
    angle = np.linalg.norm(rotations, axis=1, keepdims=True)
    x, y, z = (rotations / np.maximum(angle, 1e-12)).T
    c, s = np.cos(angle[:, 0]), np.sin(angle[:, 0])
    pitch = -np.arcsin(np.clip(y * z * (1 - c) - x * s, -1, 1))
    yaw = np.arctan2(x * z * (1 - c) + y * s, c + z * z * (1 - c))
    roll = np.arctan2(x * y * (1 - c) + z * s, c + y * y * (1 - c))
    return np.stack([yaw, pitch, roll], axis=1)
