"""Where hair begins. All hair is laid out on the default head; heads of other sizes wear it scaled."""

from __future__ import annotations

import numpy as np

from emo3d.face.skin import EYE

# The hairline's height above the eyes against the distance behind their front. The last one's bald crown begins higher.
_LINES = {
    "round": ([0, 30, 55, 72, 88, 100, 128, 134, 150, 175], [63, 60, 52, 38, 6, 24, 24, -30, -52, -72]),
    "square": ([0, 25, 50, 66, 84, 96, 128, 134, 150, 175], [57, 57, 52, 38, -16, 22, 24, -30, -56, -78]),
    "horseshoe": ([0, 55, 70, 84, 92, 100, 128, 134, 150, 175], [150, 150, 60, 16, -8, 22, 24, -30, -56, -78]),
}
_CROWN = 84.0


def hairline_distance(points: np.ndarray, rest: np.ndarray, part: np.ndarray, line: str) -> np.ndarray:
    """How far points (N, 3) lie behind a hairline, in millimetres; negative on bare skin."""
    line = "square" if line == "fade" else line
    height, behind = head_coordinates(points, rest, part)
    aside = 1000 * np.abs(points[:, 0])
    bend = {"round": -14 * np.minimum(aside / 50, 1.1) ** 2, "square": 8 * np.exp(-(((aside - 39) / 14) ** 2))}
    distance = height - np.interp(behind, *_LINES[line]) - bend.get(line, 0) * (behind < 75)
    ear = (np.abs(points[:, 0]) > 0.0775) & (height < 21) & (height > -60) & (behind > 70)
    distance = np.where(ear, -20.0, distance)
    return np.minimum(distance, _CROWN - height) if line == "horseshoe" else distance


def head_coordinates(points: np.ndarray, rest: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heights above the eyes and distances behind their front, (N,) each, in millimetres."""
    eyes = rest[part == EYE]
    return 1000 * (points[:, 1] - eyes[:, 1].mean()), 1000 * (eyes[:, 2].max() - points[:, 2])
