"""Train the packaged quickstart parts from nothing: the synthetic sample, the generator's head, the picture tower.

The head is fitted with mixed-up pairs (Zhang et al., "mixup", 2018) of noisy embeddings. The tower is fitted with a
contrastive loss (Radford et al., "CLIP", 2021) and with the divergence of a softened retrieval: what the Emo3D metric
takes from the ten nearest descriptions is taken here from all descriptions of a batch, weighted by a softmax.
"""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, normalize
from tqdm.auto import tqdm

from emo3d.backbones.tower import PictureTower
from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import distribution
from emo3d.encoders import MINILM, TextEmbeddings, TextEncoder, load_text_encoder, no_bars
from emo3d.face import RenderSettings
from emo3d.generation import ExpressionConfig, ExpressionModel
from emo3d.scoring import Bank, ScoreSettings, score, score_distributions
from emo3d_lab.quickstart.people import draw_people, render_small
from emo3d_lab.sample import EMBEDDED_ROWS, SampleRow, make_rows

logger = logging.getLogger(__name__)

ROWS = 20_000
"""Descriptions to train on; more than the published sample has, since the grammar makes any number."""

_MIXUP, _TEXT_NOISE, _TOWER_TEXT_NOISE = 0.4, 0.3, 1.0  # chosen on words held out within the training lexicon
_CONTRASTIVE = 0.3  # weight of the contrastive loss beside the divergence of the retrieval
_SHIFT = 3  # pixels


def retrain(
    out: str | Path,
    seed: int = 0,
    rows: int = ROWS,
    *,
    head_epochs: int = 20,
    tower_epochs: int = 6,
    batch_size: int = 256,
    test_rows: int = EMBEDDED_ROWS["test"],
) -> dict[str, float]:
    """Train both parts and measure them on held-out words.

    Epochs are fixed: descriptions of the validation split share their words with training, so it still improves when
    the test split no longer does.

    Args:
        out: folder that receives `quickstart-generator` and `quickstart-backbone`.
        seed: decides the sample, the first weights and the batches.
        rows: descriptions to train on, at least a batch.
        head_epochs: passes over them for the generator.
        tower_epochs: passes over them for the picture tower.
        batch_size: descriptions per step.
        test_rows: descriptions of the test split to measure on; they are also the bank.

    Returns:
        Quality by name, as it is also written into both `config.json`: mean squared errors, amplitudes, mean
        divergences (variant `paper`), recall@10.

    Raises:
        ValueError: fewer rows than one batch.
        EncoderUnavailableError: all-MiniLM-L6-v2 cannot be loaded.
    """
    if rows < batch_size:
        raise ValueError(f"expected at least one batch of {batch_size} rows, got {rows}")
    start = time.monotonic()
    train, test = make_rows("train", rows, seed), make_rows("test", test_rows, seed)
    encoder = load_text_encoder(MINILM)
    embeddings = encoder.encode([row.description for row in train]).embeddings
    with torch.random.fork_rng(devices=[]):  # dropout and first weights draw from the global state
        torch.manual_seed(seed)
        generator = train_head(embeddings, _expressions(train), head_epochs, batch_size)
        logger.info("generator trained after %.0f s", time.monotonic() - start)
        pictures = render_small(_expressions(train).numpy(), *draw_people(train, seed))
        tower = train_tower(pictures, embeddings, _intensities(train), tower_epochs, batch_size)
    quality = measure(generator, tower, encoder, train, test)
    logger.info("all trained after %.0f s: %s", time.monotonic() - start, quality)
    about = {
        "training_data": f"synthetic sample of emo3d, {rows} descriptions, seed {seed}",
        "test_rows": test_rows,
        "test_quality": quality,
        "render": str(RenderSettings()),
        "versions": {name: version(name) for name in ("emo3d", "torch", "transformers", "anny")}
        | {"python": platform.python_version()},
    }
    generator.config.trained = about
    with no_bars():
        generator.save_pretrained(Path(out) / "quickstart-generator")
    save_tower(tower, Path(out) / "quickstart-backbone", {"text_encoder": MINILM, "trained": about})
    return quality


def train_head(embeddings: torch.Tensor, expressions: torch.Tensor, epochs: int, batch_size: int) -> ExpressionModel:
    """Fit a generator on embeddings (N, 384) of descriptions and their expressions (N, 51)."""
    model = ExpressionModel(ExpressionConfig(hidden_sizes=(512, 512, 256), dropout=0.3)).train()
    mixing = torch.distributions.Beta(_MIXUP, _MIXUP)
    for batch in _steps(model.parameters(), len(embeddings), epochs, batch_size, 2e-3, "Training the generator"):
        partners = batch[torch.randperm(len(batch))]
        share = mixing.sample((len(batch), 1))
        mixture = share * embeddings[batch] + (1 - share) * embeddings[partners]
        target = share * expressions[batch] + (1 - share) * expressions[partners]
        model(embeddings=_add_noise(mixture, _TEXT_NOISE), labels=target).loss.backward()
    return model.eval()


def save_tower(tower: PictureTower, folder: Path, about: Mapping[str, Any]) -> None:
    """Write `model.safetensors` and `config.json`, the latter with what is to be known about the training."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tower.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"settings": tower.settings, **about}, indent=2) + "\n")


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
    for batch in _steps(parameters, len(pictures), epochs, batch_size, 2e-3, "Training the picture tower"):
        texts = normalize(_add_noise(embeddings[batch], _TOWER_TEXT_NOISE), dim=1)
        similarity = tower(_augment(pictures[batch], noise)) @ texts.T * log_scale.exp().clamp(max=100)
        retrieved = similarity.softmax(1) @ intensities[batch]
        diagonal = torch.arange(len(batch))
        contrast = (cross_entropy(similarity, diagonal) + cross_entropy(similarity.T, diagonal)) / 2
        divergence = _divergence(targets[batch], retrieved / retrieved.sum(1, keepdim=True))
        (divergence + _CONTRASTIVE * contrast).backward()
    return tower.eval()


def measure(
    generator: ExpressionModel,
    tower: PictureTower,
    encoder: TextEncoder,
    train: Sequence[SampleRow],
    test: Sequence[SampleRow],
) -> dict[str, float]:
    """Score the references, the generator and two constants on the test rows, which are also the bank."""
    backbone = _Backbone(tower, encoder)
    references = [
        {"description": row.description, "intensities": row.intensities, "blendshapes": row.blendshapes} for row in test
    ]
    descriptions = [row.description for row in test]
    bank = Bank.encode(descriptions, [row.intensities for row in test], backbone)
    systems: dict[str, np.ndarray] = {
        "references": _expressions(test).numpy(),
        "generator": generator.generate(descriptions),
        "mean_expression": _expressions(train).mean(0).expand(len(test), len(BLENDSHAPES)).numpy(),
    }
    quality: dict[str, Any] = {}
    for name, expressions in systems.items():
        result = score(
            expressions, references, bank=bank, backbone=backbone, settings=ScoreSettings(k=min(10, len(test)))
        )
        quality[f"kl_{name}"] = result.kl_divergence
        if name != "references":
            quality[f"mse_{name}"] = result.mse
            quality[f"amplitude_{name}"] = result.amplitude
        if name != "mean_expression":
            quality[f"recall_{name}"] = result.recall_at_k
    prior = distribution([row.intensities for row in train]).mean(axis=0)
    quality["kl_prior"] = score_distributions(prior, references).kl_divergence
    return {name: round(float(value), 4) for name, value in sorted(quality.items()) if value is not None}


class _Backbone:
    """A tower in training as a backbone, so that it is measured by the score itself."""

    id, revision, image_size, dtype = "quickstart", "untitled", PictureTower.image_size, "float32"

    def __init__(self, tower: PictureTower, encoder: TextEncoder) -> None:
        self.tower, self.encoder = tower, encoder

    def encode_texts(self, descriptions: Sequence[str]) -> TextEmbeddings:
        return self.encoder.encode(descriptions)

    @torch.inference_mode()
    def encode_pictures(self, pictures: np.ndarray) -> torch.Tensor:
        return self.tower(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)


def _steps(
    parameters: Iterable[torch.nn.Parameter], count: int, epochs: int, batch_size: int, rate: float, title: str
) -> Iterator[torch.Tensor]:
    """Yield the rows of each batch; step the optimiser with the gradients that the caller leaves."""
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=0.02)
    batches = count // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * batches, pct_start=0.1)
    with tqdm(total=epochs * batches, desc=title, delay=1, leave=False) as bar:
        for _ in range(epochs):
            for batch in torch.randperm(count)[: batches * batch_size].split(batch_size):
                optimizer.zero_grad()
                yield batch
                optimizer.step()
                schedule.step()
                bar.update()


def _add_noise(embeddings: torch.Tensor, strength: float) -> torch.Tensor:
    """Add noise of about this length to every embedding."""
    return embeddings + strength * torch.randn_like(embeddings) / embeddings.shape[1] ** 0.5


def _augment(pictures: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Shift pictures (N, 3, h, w) uint8 a little, change contrast, brightness and grain: float, about 0..1."""
    across, down = torch.randint(-_SHIFT, _SHIFT + 1, (2,)).tolist()
    floats = pictures.roll((down, across), (2, 3)).float().div_(255)
    gain, offset = 1 + 0.1 * torch.randn(len(pictures), 1, 1, 1), 0.05 * torch.randn(len(pictures), 1, 1, 1)
    return floats.sub_(0.5).mul_(gain).add_(offset + 0.5).add_(noise[torch.randint(len(noise), (len(pictures),))])


def _divergence(p: torch.Tensor, q: torch.Tensor, epsilon: float = 0.01) -> torch.Tensor:
    """`emo3d.emotions.kl_divergence` with gradients, averaged."""
    return torch.where(p > 0, p * torch.log(p.clamp(min=1e-9) / (q + epsilon)), 0.0).sum(1).mean()


def _expressions(rows: Sequence[SampleRow]) -> torch.Tensor:
    return torch.from_numpy(np.stack([row.blendshapes for row in rows]))


def _intensities(rows: Sequence[SampleRow]) -> torch.Tensor:
    return torch.from_numpy(np.stack([row.intensities for row in rows]))
