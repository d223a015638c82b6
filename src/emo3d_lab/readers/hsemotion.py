"""HSEmotion's `enet_b0_8_va_mtl` (Savchenko 2022), an ONNX file: eight emotions, valence and arousal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emo3d.backbones.preprocess import Preprocess
from emo3d.hints import extra_named
from emo3d_lab.readers.base import EmotionReader, cut_square, find_boxes
from emo3d_lab.readers.classifier import SCALE
from emo3d_lab.readers.labels import LabelMap
from emo3d_lab.readers.table import KNOWN_READERS

FILE = "enet_b0_8_va_mtl.onnx"
_SIDE = 224
_BATCH = 32
_UNIT = 255.0
(_KNOWN,) = (row for row in KNOWN_READERS if row.name == "hsemotion")


class HSEmotionReader(EmotionReader):
    """Reads eight emotions, valence and arousal.

    Args:
        path: of the .onnx file: pixels (N, 3, 224, 224), RGB, in; eight logits, valence and arousal (N, 10) out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no such model.
        MissingExtraError: onnxruntime is missing; the extra `readers` installs it.
    """

    name = "hsemotion"

    def __init__(self, path: str | os.PathLike[str], *, scale: float = SCALE) -> None:
        with extra_named():
            import onnxruntime
        content = Path(path).read_bytes()
        assert _KNOWN.labels is not None
        labels = LabelMap(_KNOWN.labels)
        self.emotions, self._labels, self._scale = labels.emotions, labels, scale
        self.signature = f"hsemotion:{sha256(content).hexdigest()[:12]}|labels:{labels.digest}|crop:square/{scale}"
        # The original resizes without antialiasing: the same where a crop is enlarged, as those of renders are.
        mean, std = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # ImageNet's, of 0..1
        self._preprocess = Preprocess(
            (_SIDE, _SIDE), None, "bilinear", tuple(_UNIT * x for x in mean), tuple(_UNIT * x for x in std)
        )
        try:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            answer = self._run(np.zeros((1, 3, _SIDE, _SIDE), np.float32))
        except Exception as error:  # onnxruntime's own classes, which share no base
            raise ValueError(f"expected {path} as an ONNX model of pictures: {str(error)[:200]}") from error
        if answer.shape != (1, 10):
            raise ValueError(f"expected 8 emotions, valence and arousal of {path}, got an answer {answer.shape}")

    def valence_arousal(self, pictures: Sequence[np.ndarray], boxes: Any = None) -> np.ndarray:
        """Read valence and arousal: (N, 2) float32, about -1..1; NaN without a face. Arguments as for `read`."""
        boxes = find_boxes(pictures) if boxes is None else np.asarray(boxes, np.float64)
        rows = np.flatnonzero(~np.isnan(boxes).any(axis=1))
        values = np.full((len(pictures), 2), np.nan, np.float32)
        if len(rows):
            values[rows] = self._answers([pictures[row] for row in rows.tolist()], boxes[rows])[:, 8:]
        return values

    def _read(self, pictures: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        logits = torch.from_numpy(self._answers(pictures, boxes)[:, :8])
        return self._labels.shares(logits.softmax(dim=1).numpy())

    def _answers(self, pictures: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        squares = [cut_square(picture, box, self._scale) for picture, box in zip(pictures, boxes, strict=True)]
        parts = (squares[start : start + _BATCH] for start in range(0, len(squares), _BATCH))
        return np.concatenate([self._run(self._preprocess(part, "cpu", torch.float32).numpy()) for part in parts])

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        (name,) = (value.name for value in self._session.get_inputs())
        return np.asarray(self._session.run(None, {name: pixels})[0])
