"""The quickstart backbone's two sides: a small convolutional network for pictures, a head on MiniLM's embeddings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, normalize

from emo3d.loading import loaded_once

_TEXTS = "texts."  # names of the text head's tensors, beside the tower's
_Module = TypeVar("_Module", bound=nn.Module)

TOWER_FOLDER = Path(__file__).parent.parent / "assets" / "quickstart-backbone"


class PictureTower(nn.Module):
    """Pictures of a face -> embeddings in the space of the descriptions.

    Frontal faces fill the frame in one way, so where something moves tells what moved: the last feature map is
    flattened, not averaged.

    Example:
        >>> PictureTower().eval()(torch.zeros(2, 3, 224, 224)).shape
        torch.Size([2, 392])
    """

    image_size = 224  # side of the renders that it was trained on

    def __init__(
        self,
        pixels: int = 112,  # side to which pictures are reduced first
        widths: tuple[int, ...] = (16, 32, 64, 128),  # channels after each halving of the picture
        bottleneck: int = 48,  # channels of the last feature map, before it is flattened
        dropout: float = 0.2,  # on the flattened map while training, in 0..1
        dimension: int = 384,  # of the embedding, without the emotions
        emotions: int = 8,  # emotions read beside it; D is both
        share: float = 1.0,  # length of what was read, beside an embedding of length 1
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = dict(
            pixels=pixels,
            widths=list(widths),
            bottleneck=bottleneck,
            dropout=dropout,
            dimension=dimension,
            emotions=emotions,
            share=share,
        )
        layers: list[nn.Module] = []
        channels, side = 3, pixels
        for width in widths:
            layers.append(_convolution(channels, width, stride=2))
            channels, side = width, (side + 1) // 2
            if side <= pixels // 8:  # a second look where it is cheap
                layers.append(_convolution(width, width))
        layers.append(_convolution(channels, bottleneck, kernel=1))
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(bottleneck * side * side, dimension + emotions)
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Embed pictures (N, 3, H, W) in 0..1, sRGB, square, best of `image_size`: (N, D) of unit length."""
        pixels = adaptive_avg_pool2d(pictures, self.settings["pixels"])
        embedding, emotions = (
            self.head(self.features(4 * pixels - 2)).float().tensor_split([self.settings["dimension"]], -1)
        )
        return join(normalize(embedding, dim=-1), emotions.softmax(dim=-1), self.settings["share"])


class TextHead(nn.Module):
    """Embeddings of all-MiniLM-L6-v2 -> the space of the pictures: the same, and the emotions read off them beside it.

    MiniLM says what a description is about, and hardly how strongly: "slightly sad" lies next to "extremely sad".

    Example:
        >>> TextHead().eval()(torch.zeros(2, 384)).shape
        torch.Size([2, 392])
    """

    def __init__(
        self,
        width: int = 384,  # of MiniLM's embedding
        hidden: int = 512,  # width of the hidden layer
        emotions: int = 8,  # emotions read; D is `width` and these
        share: float = 1.0,  # length of what was read, beside an embedding of length 1
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = dict(width=width, hidden=hidden, emotions=emotions, share=share)
        self.read = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(0.5), nn.Linear(hidden, emotions), nn.Softmax(dim=-1)
        )

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embed embeddings (N, width) of unit length: (N, D) of unit length."""
        return join(embeddings, self.read(8 * embeddings), self.settings["share"])


def join(embeddings: torch.Tensor, emotions: torch.Tensor, share: float) -> torch.Tensor:
    """Embeddings (N, width) of unit length and emotion distributions (N, E) as one embedding of unit length.

    Roots of a distribution are of length 1, and two are as alike as the distributions overlap (Bhattacharyya).
    """
    return normalize(torch.cat([embeddings, share * emotions.clamp(min=1e-6).sqrt()], dim=-1), dim=-1)


@loaded_once(maxsize=2)
@torch.inference_mode(False)  # first asked for within a generation, it stays usable outside of one
def load_tower(folder: Path = TOWER_FOLDER) -> PictureTower:
    """Load a picture tower, the packaged one by default, in evaluation mode; once per folder."""
    return _load(PictureTower(**json.loads((folder / "config.json").read_text())["settings"]), folder)


@loaded_once(maxsize=2)
@torch.inference_mode(False)
def load_texts(folder: Path = TOWER_FOLDER) -> TextHead:
    """Load the text head beside a picture tower, as `load_tower`."""
    return _load(TextHead(**json.loads((folder / "config.json").read_text())["texts"]), folder, _TEXTS)


def _load(module: _Module, folder: Path, prefix: str = "") -> _Module:
    tensors = load_file(folder / "model.safetensors")
    own = {name for name in tensors if name.startswith(_TEXTS) == bool(prefix)}
    module.load_state_dict({name.removeprefix(prefix): tensors[name] for name in own})
    return module.eval()


def _convolution(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )
