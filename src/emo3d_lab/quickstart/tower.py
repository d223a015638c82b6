"""Train the quickstart backbone: pictures of the sample's expressions, and the tower that reads them.

It is fitted with a contrastive loss (Radford et al., "CLIP", 2021) and with the divergence of a softened retrieval:
what the Emo3D metric takes from the ten nearest descriptions is taken here from all descriptions of a batch, weighted
by a softmax.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, normalize

from emo3d.backbones.tower import PictureTower, TextHead
from emo3d.encoders import TextEmbeddings, TextEncoder
from emo3d_lab.quickstart.people import draw_people, render_small
from emo3d_lab.quickstart.steps import add_noise, take_steps
from emo3d_lab.quickstart.views import Views, draw_views
from emo3d_lab.sample import SampleRow

_Module = TypeVar("_Module", bound=torch.nn.Module)

_TEXT_NOISE, _HEAD_NOISE = 1.0, 0.6  # for the tower, for the text head; chosen on words held out
_HEAD_EPOCHS = 6  # more of them tell emotions better and leave the strengths behind
_CONTRASTIVE = 0.3  # weight of the contrastive loss beside the divergence of the retrieval
_SHIFT = 3  # pixels


class Sides(NamedTuple):
    """Both sides of a quickstart backbone."""

    tower: PictureTower
    texts: TextHead


def train_backbone(
    rows: Sequence[SampleRow], embeddings: torch.Tensor, seed: int, epochs: int, batch_size: int
) -> Sides:
    """Picture the rows on many faces at many strengths, see `views`, and fit both sides on them.

    Args:
        rows: descriptions, intensities and expressions.
        embeddings: (N, 384) of the descriptions by MiniLM, unit length.
        seed: decides faces and people; first weights, batches and noise draw from PyTorch's global state.
        epochs: passes over the pictures, two of each row.
        batch_size: pictures, and descriptions to retrieve from, per step.
    """
    views = draw_views(rows, seed)
    people, person = draw_people([rows[place] for place in views.row], seed)
    pictures = render_small(views.weights, people, person)
    return train_sides(pictures, views, embeddings, _intensities(rows), epochs, batch_size)


def train_sides(
    pictures: torch.Tensor,
    views: Views,
    embeddings: torch.Tensor,
    intensities: torch.Tensor,
    epochs: int,
    batch_size: int,
) -> Sides:
    """Fit a picture tower and a text head.

    Args:
        pictures: (M, 3, h, w) uint8 of the views.
        views: M faces of N rows.
        embeddings: (N, 384) of the rows' descriptions, unit length.
        intensities: (N, 8) of the rows' descriptions.
        epochs: passes over the pictures.
        batch_size: pictures, and descriptions to retrieve from, per step.
    """
    texts = train_texts(embeddings, intensities, _HEAD_EPOCHS, batch_size)
    tower = PictureTower(dimension=embeddings.shape[1], emotions=intensities.shape[1]).train()
    tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast
    log_scale = torch.nn.Parameter(torch.tensor(3.5))  # of the similarities; only training needs it
    parameters = [*tower.parameters(), log_scale]
    seen, row, own = (torch.from_numpy(array) for array in (views.seen, views.row, views.own))
    noise = 0.02 * torch.randn(64, *pictures.shape[1:])
    half = torch.cpu.get_capabilities().get("avx512_bf16", False)
    for batch in take_steps(parameters, torch.zeros(len(pictures)), epochs, batch_size, 2e-3, "Training the backbone"):
        described = row[batch]
        with torch.no_grad():
            told = texts(normalize(add_noise(embeddings[described], _TEXT_NOISE), dim=1))
        with torch.autocast("cpu", torch.bfloat16, enabled=half):  # twice as fast where the processor knows it
            shown = tower(_augment(pictures[batch], noise))
        similarity = shown @ told.T * log_scale.exp().clamp(max=100)
        retrieved = similarity.softmax(1) @ intensities[described]
        divergence = _divergence(seen[batch], retrieved / retrieved.sum(1, keepdim=True))
        contrast = _contrast(similarity, described, own[batch])
        read = shown[:, -intensities.shape[1] :].square()  # what the tower read itself, see its `forward`
        reading = _divergence(seen[batch], read / read.sum(1, keepdim=True))
        (divergence + reading + _CONTRASTIVE * contrast).backward()
    return Sides(_round(tower).eval(), texts)


def train_texts(embeddings: torch.Tensor, intensities: torch.Tensor, epochs: int, batch_size: int) -> TextHead:
    """Fit a text head on embeddings (N, 384) of descriptions and their intensities (N, 8).

    It is fitted first and left alone then: fitted together with the tower, it learns the words of the training lexicon
    by heart.
    """
    texts = TextHead(width=embeddings.shape[1]).train()
    described = intensities / intensities.sum(1, keepdim=True)
    for batch in take_steps(
        texts.parameters(), torch.zeros(len(embeddings)), epochs, batch_size, 1e-3, "Training the text head"
    ):
        emotions = texts.read(8 * add_noise(embeddings[batch], _HEAD_NOISE))
        _divergence(described[batch], emotions).backward()
    return _round(texts).eval()


def save_backbone(sides: Sides, folder: Path, about: Mapping[str, Any]) -> None:
    """Write `model.safetensors`, in 16 bits, and `config.json` with what is to be known about the training."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = sides.tower.state_dict() | {f"texts.{name}": tensor for name, tensor in sides.texts.state_dict().items()}
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    save_file({name: tensor.contiguous() for name, tensor in halves.items()}, folder / "model.safetensors")
    settings = {"settings": sides.tower.settings, "texts": sides.texts.settings}
    (folder / "config.json").write_text(json.dumps(settings | dict(about), indent=2) + "\n")


class SidesBackbone:
    """Sides in training as a backbone, so that they are measured by the score itself."""

    id, revision, image_size, dtype = "quickstart", "untitled", PictureTower.image_size, "float32"

    def __init__(self, sides: Sides, encoder: TextEncoder) -> None:
        self.sides, self.encoder = sides, encoder

    def encode_texts(self, descriptions: Sequence[str]) -> TextEmbeddings:
        """Embed N descriptions: (N, D) of unit length."""
        texts = self.encoder.encode(descriptions)
        with torch.no_grad():
            return replace(texts, embeddings=self.sides.texts(texts.embeddings))

    @torch.inference_mode()
    def encode_pictures(self, pictures: np.ndarray) -> torch.Tensor:
        """Embed pictures (N, H, W, 3) uint8: (N, D) of unit length."""
        return self.sides.tower(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)


def _augment(pictures: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Shift pictures (N, 3, h, w) uint8 a little, change contrast, brightness and grain: float, about 0..1."""
    across, down = torch.randint(-_SHIFT, _SHIFT + 1, (2,)).tolist()
    floats = pictures.roll((down, across), (2, 3)).float().div_(255)
    gain, offset = 1 + 0.1 * torch.randn(len(pictures), 1, 1, 1), 0.05 * torch.randn(len(pictures), 1, 1, 1)
    return floats.sub_(0.5).mul_(gain).add_(offset + 0.5).add_(noise[torch.randint(len(noise), (len(pictures),))])


def _contrast(similarity: torch.Tensor, row: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of telling each picture's own description, and each description's picture, from the others.

    Only pictures that their description fits take part; other pictures of one row are no mistakes.
    """
    place = torch.arange(len(row))
    same = (row[:, None] == row) & (place[:, None] != place)
    others = similarity.masked_fill(same, -1e4)
    return (cross_entropy(others[own], place[own]) + cross_entropy(others.T[own], place[own])) / 2


def _round(module: _Module) -> _Module:
    """Round weights to the 16 bits in which they are stored."""
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())
    return module


def _intensities(rows: Sequence[SampleRow]) -> torch.Tensor:
    return torch.from_numpy(np.stack([row.intensities for row in rows]))


def _divergence(p: torch.Tensor, q: torch.Tensor, epsilon: float = 0.01) -> torch.Tensor:
    """`emo3d.emotions.kl_divergence` with gradients, averaged."""
    return torch.where(p > 0, p * torch.log(p.clamp(min=1e-9) / (q + epsilon)), 0.0).sum(1).mean()
