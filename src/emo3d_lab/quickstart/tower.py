"""Train the quickstart backbone: pictures of the sample's expressions, and the tower that reads them.

It is fitted with a contrastive loss (Radford et al., "CLIP", 2021) and with the divergence of a softened retrieval:
what the Emo3D metric takes from the ten nearest descriptions is taken here from all descriptions of a batch, weighted
by a softmax.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, normalize

from emo3d.backbones.tower import PictureTower
from emo3d.encoders import TextEmbeddings, TextEncoder
from emo3d_lab.quickstart.people import draw_people, render_small
from emo3d_lab.quickstart.steps import add_noise, take_steps
from emo3d_lab.sample import SampleRow

_TEXT_NOISE = 1.0  # chosen on words held out within the training lexicon
_CONTRASTIVE = 0.3  # weight of the contrastive loss beside the divergence of the retrieval
_SHIFT = 3  # pixels


def train_backbone(
    rows: Sequence[SampleRow], embeddings: torch.Tensor, seed: int, epochs: int, batch_size: int
) -> PictureTower:
    """Picture the rows on many faces, and fit a picture tower on them.

    Args:
        rows: descriptions, intensities and expressions.
        embeddings: (N, 384) of the descriptions.
        seed: decides the people.
        epochs: passes over the pictures.
        batch_size: pictures, and descriptions to retrieve from, per step.
    """
    pictures = render_small(np.stack([row.blendshapes for row in rows]), *draw_people(rows, seed))
    intensities = torch.from_numpy(np.stack([row.intensities for row in rows]))
    return train_tower(pictures, embeddings, intensities, epochs, batch_size)


def train_tower(
    pictures: torch.Tensor, embeddings: torch.Tensor, intensities: torch.Tensor, epochs: int, batch_size: int
) -> PictureTower:
    """Fit a picture tower.

    Args:
        pictures: (N, 3, h, w) uint8.
        embeddings: (N, 384) of their descriptions, unit length.
        intensities: (N, 8) of their descriptions.
        epochs: passes over the pictures.
        batch_size: pictures, and descriptions to retrieve from, per step.
    """
    tower = PictureTower().train()
    log_scale = torch.nn.Parameter(torch.tensor(3.5))  # of the similarities; only training needs it
    parameters = [*tower.parameters(), log_scale]
    targets = intensities / intensities.sum(1, keepdim=True)
    noise = 0.02 * torch.randn(64, *pictures.shape[1:])
    for batch in take_steps(parameters, len(pictures), epochs, batch_size, 2e-3, "Training the picture tower"):
        texts = normalize(add_noise(embeddings[batch], _TEXT_NOISE), dim=1)
        similarity = tower(_augment(pictures[batch], noise)) @ texts.T * log_scale.exp().clamp(max=100)
        retrieved = similarity.softmax(1) @ intensities[batch]
        diagonal = torch.arange(len(batch))
        contrast = (cross_entropy(similarity, diagonal) + cross_entropy(similarity.T, diagonal)) / 2
        divergence = _divergence(targets[batch], retrieved / retrieved.sum(1, keepdim=True))
        (divergence + _CONTRASTIVE * contrast).backward()
    return tower.eval()


def save_tower(tower: PictureTower, folder: Path, about: Mapping[str, Any]) -> None:
    """Write `model.safetensors` and `config.json`, the latter with what is to be known about the training."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tower.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"settings": tower.settings, **about}, indent=2) + "\n")


class TowerBackbone:
    """A tower in training as a backbone, so that it is measured by the score itself."""

    id, revision, image_size, dtype = "quickstart", "untitled", PictureTower.image_size, "float32"

    def __init__(self, tower: PictureTower, encoder: TextEncoder) -> None:
        self.tower, self.encoder = tower, encoder

    def encode_texts(self, descriptions: Sequence[str]) -> TextEmbeddings:
        """Embed N descriptions: (N, D) of unit length."""
        return self.encoder.encode(descriptions)

    @torch.inference_mode()
    def encode_pictures(self, pictures: np.ndarray) -> torch.Tensor:
        """Embed pictures (N, H, W, 3) uint8: (N, D) of unit length."""
        return self.tower(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)


def _augment(pictures: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Shift pictures (N, 3, h, w) uint8 a little, change contrast, brightness and grain: float, about 0..1."""
    across, down = torch.randint(-_SHIFT, _SHIFT + 1, (2,)).tolist()
    floats = pictures.roll((down, across), (2, 3)).float().div_(255)
    gain, offset = 1 + 0.1 * torch.randn(len(pictures), 1, 1, 1), 0.05 * torch.randn(len(pictures), 1, 1, 1)
    return floats.sub_(0.5).mul_(gain).add_(offset + 0.5).add_(noise[torch.randint(len(noise), (len(pictures),))])


def _divergence(p: torch.Tensor, q: torch.Tensor, epsilon: float = 0.01) -> torch.Tensor:
    """`emo3d.emotions.kl_divergence` with gradients, averaged."""
    return torch.where(p > 0, p * torch.log(p.clamp(min=1e-9) / (q + epsilon)), 0.0).sum(1).mean()
