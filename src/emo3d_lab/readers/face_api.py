"""The expression net of `@vladmandic/face-api` 1.7.15 (MIT), an emotion reader that nobody here trained.

The net: four blocks of four 3x3 convolutions, separable but for the very first one, stride 2 at each block's start,
padded as TensorFlow's SAME, a ReLU over the running sum; a mean over what is left; one linear layer; softmax.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import conv2d, pad

from emo3d.documents import read_json

if TYPE_CHECKING:
    from emo3d_lab.landmarker import FaceReader

EMOTIONS = ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
"""What it answers with, in its order; it does not know contempt."""

_SIDE = 112
_MEAN = (122.782, 117.001, 104.298)  # RGB, of its training pictures
_NAME = "face_expression_model"

Box = tuple[float, float, float, float]  # left, top, right, bottom of a face's landmarks, pixels


class FaceApiReader:
    """Reads seven emotions off pictures of faces.

    Args:
        folder: holds `face_expression_model.bin` and its manifest, as `npm pack @vladmandic/face-api` has them in
            `model/`.

    Raises:
        FileNotFoundError: one of the two files is missing.
        ValueError: the files do not belong together.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._tensors = {name: torch.from_numpy(values) for name, values in _read_tensors(Path(folder)).items()}

    def read(self, pictures: Sequence[np.ndarray], boxes: Sequence[Box], batch_size: int = 64) -> np.ndarray:
        """Read faces at given places.

        Args:
            pictures: (H, W, 3) uint8, RGB, each of its own size.
            boxes: left, top, right, bottom of the landmarks in each picture, pixels.

        Returns:
            (N, 7) float32 probabilities, order `EMOTIONS`.
        """
        crops = np.stack([crop(picture, box) for picture, box in zip(pictures, boxes, strict=True)])
        with torch.inference_mode():
            answers = [
                self._forward(torch.from_numpy(crops[k : k + batch_size])) for k in range(0, len(crops), batch_size)
            ]
        return torch.cat(answers).numpy()

    def name_emotions(self, pictures: Sequence[np.ndarray], landmarker: FaceReader) -> tuple[list[str], int]:
        """Name the likeliest emotion of the largest face in each picture, and count those without one: `read_faces`."""
        answers, lost = self.read_faces(pictures, landmarker)
        return [EMOTIONS[place] for place in answers.argmax(axis=1)], lost

    def read_faces(self, pictures: Sequence[np.ndarray], landmarker: FaceReader) -> tuple[np.ndarray, int]:
        """Read the largest face in each picture, where the landmarker finds it.

        Returns:
            (N, 7) probabilities; and in how many pictures no face was found, which are read as a whole.
        """
        faces = [landmarker.largest(picture) for picture in pictures]
        boxes: list[Box] = [
            face.box if face else (0.0, 0.0, picture.shape[1], picture.shape[0])
            for face, picture in zip(faces, pictures, strict=True)
        ]
        return self.read(pictures, boxes), faces.count(None)

    def _forward(self, crops: torch.Tensor) -> torch.Tensor:
        features = (crops.float() - torch.tensor(_MEAN)).permute(0, 3, 1, 2) / 255
        for block in range(4):
            total = self._convolve(features, f"dense{block}/conv0", stride=2).relu()
            for layer in range(1, 4):
                total = total + self._convolve(total.relu(), f"dense{block}/conv{layer}")
            features = total.relu()
        logits = features.mean(dim=(2, 3)) @ self._tensors["fc/weights"] + self._tensors["fc/bias"]
        return logits.softmax(dim=1)

    def _convolve(self, features: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        # SAME: what an even side lacks is added after it, not before.
        features = pad(features, (0, 1, 0, 1)) if stride == 2 else pad(features, (1, 1, 1, 1))
        bias = self._tensors[f"{name}/bias"]
        if f"{name}/filters" in self._tensors:
            return conv2d(features, self._tensors[f"{name}/filters"].permute(3, 2, 0, 1), bias, stride)
        depthwise = self._tensors[f"{name}/depthwise_filter"].permute(2, 3, 0, 1)
        pointwise = self._tensors[f"{name}/pointwise_filter"].permute(3, 2, 0, 1)
        return conv2d(conv2d(features, depthwise, stride=stride, groups=len(depthwise)), pointwise, bias)


def crop(picture: np.ndarray, box: Box) -> np.ndarray:
    """Cut the square about a face out of a picture (H, W, 3) uint8: (112, 112, 3) uint8, edges repeated."""
    left, top, right, bottom = box
    side = round(max(right - left, bottom - top))
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    rows = np.clip(np.arange(y, y + side), 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(x, x + side), 0, picture.shape[1] - 1)
    square = picture[rows[:, None], columns]
    if side < _SIDE:
        return np.asarray(Image.fromarray(square).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
    edges = np.linspace(0, side, _SIDE + 1)[:, None]
    # The share of each pixel in each cell: means of areas, as the net's own reference was cut.
    shares = np.clip(edges[1:] - np.arange(side), 0, 1) - np.clip(edges[:-1] - np.arange(side), 0, 1)
    cells = np.einsum("ih,hwc,jw->ijc", shares, square, shares, optimize=True) * (_SIDE / side) ** 2
    return np.round(cells).astype(np.uint8)


def _read_tensors(folder: Path) -> dict[str, np.ndarray]:
    manifest, weights = folder / f"{_NAME}-weights_manifest.json", folder / f"{_NAME}.bin"
    content, start, tensors = weights.read_bytes(), 0, {}
    for entry in (entry for group in read_json(manifest) for entry in group["weights"]):
        count, quantization = int(np.prod(entry["shape"])), entry.get("quantization")
        stored = np.dtype(quantization["dtype"] if quantization else np.float32)
        end = start + count * stored.itemsize
        if end > len(content):
            raise ValueError(f"expected {end} bytes for {entry['name']} in {weights}, got {len(content)}")
        values = np.frombuffer(content[start:end], stored).astype(np.float32)
        if quantization:
            values = values * np.float32(quantization["scale"]) + np.float32(quantization["min"])
        tensors[entry["name"]], start = values.reshape(entry["shape"]), end
    if start != len(content):
        raise ValueError(f"expected {start} bytes in {weights}, as {manifest.name} says, got {len(content)}")
    return tensors
