"""The expression net of `@vladmandic/face-api` 1.7.15 (MIT), an emotion reader that nobody here trained.

The net: four blocks of four 3x3 convolutions, separable but for the very first one, stride 2 at each block's start,
padded as TensorFlow's SAME, a ReLU over the running sum; a mean over what is left; one linear layer; softmax.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import conv2d, pad

from emo3d.documents import read_json
from emo3d.emotions import EMOTIONS
from emo3d_lab.readers.base import Box, EmotionReader, cut_square

LABELS = ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
"""What it answers with, in the order of its last layer; it does not know contempt."""

NAME = "face_expression_model"
"""Of its files: `.bin`, and `-weights_manifest.json`."""

_SIDE = 112
_MEAN = (122.782, 117.001, 104.298)  # RGB, of its training pictures
_BATCH = 16  # crops at a time: what lies between two layers stays in the processor's cache


class FaceApiReader(EmotionReader):
    """Reads seven emotions off pictures of faces.

    Args:
        folder: holds `face_expression_model.bin` and its manifest, as `npm pack @vladmandic/face-api` has them in
            `model/`.

    Raises:
        FileNotFoundError: one of the two files is missing.
        ValueError: the files do not belong together.
    """

    name = "face-api"
    emotions = tuple(emotion for emotion in EMOTIONS if emotion in LABELS)

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        tensors = _read_tensors(Path(folder))
        digest = sha256(Path(folder, f"{NAME}.bin").read_bytes()).hexdigest()
        self.signature = f"face-api:{digest[:12]}|crop:square/1.0/area{_SIDE}"
        self._tensors = {name: _lay_out(name, torch.from_numpy(values)) for name, values in tensors.items()}
        self._order = [LABELS.index(emotion) for emotion in self.emotions]

    def _read(self, pictures: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        answers = []
        with torch.inference_mode():
            for start in range(0, len(pictures), _BATCH):
                part = slice(start, start + _BATCH)
                crops = [crop(picture, box) for picture, box in zip(pictures[part], boxes[part], strict=True)]
                answers.append(self._forward(torch.stack(crops)))
        return torch.cat(answers).numpy()[:, self._order]

    def _forward(self, crops: torch.Tensor) -> torch.Tensor:
        features = (crops - torch.tensor(_MEAN)[:, None, None]) / 255
        features = features.contiguous(memory_format=torch.channels_last)
        for block in range(4):
            total = self._convolve(features, f"dense{block}/conv0", stride=2).relu()
            for layer in range(1, 4):
                total = total + self._convolve(total.relu(), f"dense{block}/conv{layer}")
            features = total.relu()
        logits = features.mean(dim=(2, 3)) @ self._tensors["fc/weights"] + self._tensors["fc/bias"]
        return logits.softmax(dim=1)

    def _convolve(self, features: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        padding = 2 - stride
        if stride == 2:  # SAME: what an even side lacks is added after it, not before
            features = pad(features, (0, 1, 0, 1))
        bias = self._tensors[f"{name}/bias"]
        if f"{name}/filters" in self._tensors:
            return conv2d(features, self._tensors[f"{name}/filters"], bias, stride, padding)
        depthwise, pointwise = (self._tensors[f"{name}/{part}wise_filter"] for part in ("depth", "point"))
        return conv2d(conv2d(features, depthwise, None, stride, padding, groups=len(depthwise)), pointwise, bias)


def crop(picture: np.ndarray, box: Box | np.ndarray) -> torch.Tensor:
    """Cut the square about a face out of a picture (H, W, 3) uint8: (3, 112, 112) float32 of whole numbers in 0..255.

    Means of areas, as the net's own reference was cut; no resize of Pillow meets it within 0.01.
    """
    square = cut_square(picture, box)
    side = len(square)
    if side < _SIDE:
        square, side = np.asarray(Image.fromarray(square).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)), _SIDE
    edges, pixels = np.linspace(0, side, _SIDE + 1, dtype=np.float32)[:, None], np.arange(side, dtype=np.float32)
    # The share of each pixel in each cell, both along rows and along columns.
    shares = np.clip(edges[1:] - pixels, 0, 1) - np.clip(edges[:-1] - pixels, 0, 1)
    means = torch.from_numpy(shares * np.float32(_SIDE / side))
    return (means @ torch.from_numpy(square.transpose(2, 0, 1).astype(np.float32)) @ means.T).round()


def _lay_out(name: str, values: torch.Tensor) -> torch.Tensor:
    """Filters as PyTorch and its fastest convolutions have them; TensorFlow's are (H, W, in, out or 1)."""
    if not name.endswith(("filters", "filter")):
        return values
    axes = (2, 3, 0, 1) if name.endswith("depthwise_filter") else (3, 2, 0, 1)
    return values.permute(axes).contiguous(memory_format=torch.channels_last)


def _read_tensors(folder: Path) -> dict[str, np.ndarray]:
    manifest, weights = folder / f"{NAME}-weights_manifest.json", folder / f"{NAME}.bin"
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
