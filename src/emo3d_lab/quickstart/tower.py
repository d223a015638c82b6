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

from emo3d.backbones.tower import PictureTower, TextHead, join
from emo3d.encoders import TextEmbeddings, TextEncoder
from emo3d_lab.quickstart.people import draw_people, render_small
from emo3d_lab.quickstart.steps import add_noise, half_precision, take_steps
from emo3d_lab.quickstart.views import FADING, Views, draw_views
from emo3d_lab.sample import SampleRow

_Module = TypeVar("_Module", bound=torch.nn.Module)

_TEXT_NOISE, _HEAD_NOISE = 1.0, 0.6  # for the tower, for the text head; chosen on words held out
_HEAD_EPOCHS, _ALIKE = 24, 16.0  # passes; weight of the overlap with what is described, beside the divergence
_SHARE = 1.5  # length of the emotions beside the embedding
_CONTRASTIVE = 0.3  # weight of the contrastive loss beside the divergence of the retrieval
_SHIFT = 3  # pixels


class Sides(NamedTuple):
    """Both sides of a quickstart backbone."""

    tower: PictureTower
    texts: TextHead


def train_backbone(
    rows: Sequence[SampleRow],
    others: Sequence[SampleRow],
    encoder: TextEncoder,
    seed: int,
    epochs: int,
    batch_size: int,
) -> Sides:
    """Picture the rows on many faces at many strengths, see `views`, and fit a tower on them; a text head on all rows.

    Args:
        rows: descriptions, intensities and expressions to picture.
        others: rows of which only the text head learns.
        encoder: all-MiniLM-L6-v2.
        seed: of faces and people, and of what PyTorch draws from its global state.
        epochs: passes over the pictures, two of each row.
        batch_size: pictures, and descriptions to retrieve from, per step.
    """
    views = draw_views(rows, seed)
    people, person = draw_people([rows[place] for place in views.row], seed)
    pictures = render_small(views.weights, people, person)
    embeddings, intensities = encoder.encode([row.description for row in rows]).embeddings, _intensities(rows)
    torch.manual_seed(seed)
    tower = PictureTower(share=_SHARE)
    fit_tower(tower, pictures, views, embeddings, intensities, epochs, batch_size, 2e-3)
    torch.manual_seed(seed + 1)
    views = draw_views(rows, seed, FADING[1])
    fit_tower(tower, pictures, views, embeddings, intensities, -(-epochs // 3), batch_size, 1e-3)
    if others:
        embeddings = torch.cat([embeddings, encoder.encode([row.description for row in others]).embeddings])
        intensities = torch.cat([intensities, _intensities(others)])
    torch.manual_seed(seed)  # so that either side comes out the same without the other
    return Sides(tower, train_texts(embeddings, intensities, batch_size))


def fit_tower(
    tower: PictureTower,
    pictures: torch.Tensor,
    views: Views,
    embeddings: torch.Tensor,
    intensities: torch.Tensor,
    epochs: int,
    batch_size: int,
    rate: float,
) -> None:
    """Fit a picture tower to descriptions read without error.

    Args:
        tower: is changed in place, and left in evaluation mode.
        pictures: (M, 3, h, w) uint8 of the views.
        views: M faces of N rows.
        embeddings: (N, 384) of the rows' descriptions, unit length.
        intensities: (N, 8) of the rows' descriptions.
        epochs: passes over the pictures.
        batch_size: pictures, and descriptions to retrieve from, per step.
        rate: the highest that the optimiser gets to.
    """
    tower.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast
    log_scale = torch.nn.Parameter(torch.tensor(3.5))  # of the similarities; only training needs it
    parameters = [*tower.parameters(), log_scale]
    seen, row, own, weight = map(torch.from_numpy, (views.seen, views.row, views.own, views.weight))
    described = intensities / intensities.sum(1, keepdim=True)
    noise = 0.02 * torch.randn(64, *pictures.shape[1:])
    for batch in take_steps(parameters, torch.zeros(len(pictures)), epochs, batch_size, rate, "Training the tower"):
        rows = row[batch]
        told = join(
            normalize(add_noise(embeddings[rows], _TEXT_NOISE), dim=1), described[rows], tower.settings["share"]
        )
        with half_precision():
            shown = tower(_augment(pictures[batch], noise))
        similarity = shown @ told.T * log_scale.exp().clamp(max=100)
        retrieved = similarity.softmax(1) @ intensities[rows]
        counts = weight[batch] / weight[batch].mean()
        divergence = _divergence(seen[batch], retrieved / retrieved.sum(1, keepdim=True), counts)
        read = shown[:, -intensities.shape[1] :].square()  # what the tower read itself, see its `forward`
        reading = _divergence(seen[batch], read / read.sum(1, keepdim=True), counts)
        (divergence + reading + _CONTRASTIVE * _contrast(similarity, rows, own[batch])).backward()
    _round(tower).eval()


def train_texts(embeddings: torch.Tensor, intensities: torch.Tensor, batch_size: int) -> TextHead:
    """Fit a text head on embeddings (N, 384) of descriptions and their intensities (N, 8).

    It is fitted alone: together with the tower, it would learn the words of the training lexicon by heart.
    """
    texts = TextHead(width=embeddings.shape[1], share=_SHARE).train()
    described = intensities / intensities.sum(1, keepdim=True)
    rows = torch.zeros(len(embeddings))
    for batch in take_steps(texts.parameters(), rows, _HEAD_EPOCHS, batch_size, 1e-3, "Training the text head"):
        told, read = described[batch], texts.read(8 * add_noise(embeddings[batch], _HEAD_NOISE))
        alike = (told.sqrt() * read.clamp(min=1e-9).sqrt()).sum(1).mean()  # by which descriptions are retrieved
        (_divergence(told, read) - _ALIKE * alike).backward()
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


def _divergence(p: torch.Tensor, q: torch.Tensor, counts: torch.Tensor | float = 1.0) -> torch.Tensor:
    """`emo3d.emotions.kl_divergence` with gradients, averaged; rows may count differently."""
    return (counts * torch.where(p > 0, p * torch.log(p.clamp(min=1e-9) / (q + 0.01)), 0.0).sum(1)).mean()
