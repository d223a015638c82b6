"""What every emotion reader is: pictures in, probabilities of the emotions that it knows out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from emo3d.blendshapes import Space
from emo3d.emotions import EMOTIONS
from emo3d.face import FaceRig, RenderSettings
from emo3d.face.calibration import DEFAULT_METHOD, Method

Box = tuple[float, float, float, float]
"""Left, top, right, bottom of a face's landmarks, pixels."""

RENDER = RenderSettings(size=256)
"""How faces are rendered for readers."""

_CLOSE = 1e-3  # of a sum of probabilities to 1


class EmotionReader(ABC):
    """Says which emotions a face shows.

    Attributes:
        name: what it was loaded by.
        signature: all that moves its answers: files or revision, labels and crop.
        emotions: E of `EMOTIONS` that it knows, in that order.
        labels: its own, of which a mapping may say what they mean; none where that is known.
    """

    name: str
    signature: str
    emotions: tuple[str, ...]
    labels: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Those of `EMOTIONS` that it does not know."""
        return tuple(emotion for emotion in EMOTIONS if emotion not in self.emotions)

    def read(self, pictures: Sequence[np.ndarray] | np.ndarray, boxes: Any = None) -> np.ndarray:
        """Read one face of each picture.

        Args:
            pictures: N of (H, W, 3) uint8, RGB, each of its own size.
            boxes: (N, 4), left, top, right, bottom of the landmarks of each face, pixels; NaN where there is none. None
                has MediaPipe find the largest face of each.

        Returns:
            (N, E) float32 probabilities, order `emotions`; NaN in rows of pictures without a face.

        Raises:
            ValueError: another number of boxes, a box of no size, or an answer that is no distribution.
            OSError: boxes are to be found, and MediaPipe is missing.
        """
        boxes = find_boxes(pictures) if boxes is None else np.asarray(boxes, np.float64)
        if boxes.shape != (len(pictures), 4):
            raise ValueError(f"expected a box of 4 numbers for each of {len(pictures)} pictures, got {boxes.shape}")
        rows = np.flatnonzero(~np.isnan(boxes).any(axis=1))
        if len(flat := rows[(boxes[rows, 2:] - boxes[rows, :2]).max(axis=1) < 1]):
            raise ValueError(f"expected boxes of at least a pixel, got {boxes[flat[0]].tolist()} in row {flat[0]}")
        shares = np.full((len(pictures), len(self.emotions)), np.nan, np.float32)
        if len(rows):
            shares[rows] = self._read([pictures[row] for row in rows.tolist()], boxes[rows])
        wrong = rows[~(np.abs(shares[rows].sum(axis=1) - 1) <= _CLOSE)]  # true of NaN, too
        if len(wrong):
            answer = shares[wrong[0]].tolist()
            raise ValueError(f"expected probabilities of sum 1 of {self.name}, got {answer} in row {wrong[0]}")
        return shares

    def read_expressions(
        self,
        expressions: Any,
        *,
        space: Space = "weights",
        rig: FaceRig | str = "adult",
        settings: RenderSettings = RENDER,
        calibration: Method = DEFAULT_METHOD,
    ) -> np.ndarray:
        """Render expressions and read them, see `emo3d_lab.readers.read_expressions`: (N, E) float32."""
        from emo3d_lab.readers.rendered import read_expressions

        (answer,) = read_expressions(
            [self], expressions, space=space, rig=rig, settings=settings, calibration=calibration
        )
        return answer

    @abstractmethod
    def _read(self, pictures: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        """Probabilities (N, E), order `emotions`, of faces at boxes (N, 4)."""


def find_boxes(pictures: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Find the largest face of each picture by MediaPipe: boxes (N, 4) of its landmarks, NaN where there is none."""
    from emo3d_lab.landmarker import FaceReader

    with FaceReader(quiet=True) as landmarker:
        faces = [landmarker.largest(picture) for picture in pictures]
    return np.array([face.box if face else (np.nan,) * 4 for face in faces]).reshape(len(pictures), 4)


def cut_square(picture: np.ndarray, box: Box | np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Cut the square about a face out of a picture (H, W, 3), edges repeated: (S, S, 3).

    S is the longer side of the box, times the scale.
    """
    left, top, right, bottom = box
    side = max(1, round(max(right - left, bottom - top) * scale))
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    height, width = picture.shape[:2]
    if min(x, y) >= 0 and x + side <= width and y + side <= height:
        return picture[y : y + side, x : x + side]
    rows, columns = (np.clip(np.arange(start, start + side), 0, end - 1) for start, end in ((y, height), (x, width)))
    return picture[rows[:, None], columns]
