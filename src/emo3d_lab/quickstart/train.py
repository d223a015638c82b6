"""Train the packaged quickstart parts from nothing: the synthetic sample, the generator's head, the picture tower.

The head is fitted with mixed-up pairs (Zhang et al., "mixup", 2018) of noisy embeddings; the tower in `tower`.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import distribution
from emo3d.encoders import MINILM, TextEncoder, load_text_encoder, no_bars
from emo3d.face import RenderSettings
from emo3d.generation import ExpressionConfig, ExpressionModel
from emo3d.scoring import Bank, ScoreSettings, score, score_distributions
from emo3d_lab.quickstart.steps import add_noise, take_steps
from emo3d_lab.quickstart.tower import Sides, SidesBackbone, save_backbone, train_backbone
from emo3d_lab.sample import EMBEDDED_ROWS, SampleRow, make_rows

logger = logging.getLogger(__name__)

ROWS = 20_000
"""Descriptions to train on; more than the published sample has, since the grammar makes any number."""

_MIXUP, _TEXT_NOISE = 0.4, 0.3  # chosen on words held out within the training lexicon


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
        Quality by name, as it is also written into both `config.json`: mean squared errors, mean divergences (variant
        `paper`), recall@10.

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
        sides = train_backbone(train, embeddings, seed, tower_epochs, batch_size)
    quality = measure(generator, sides, encoder, train, test)
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
    save_backbone(sides, Path(out) / "quickstart-backbone", {"text_encoder": MINILM, "trained": about})
    return quality


def train_head(embeddings: torch.Tensor, expressions: torch.Tensor, epochs: int, batch_size: int) -> ExpressionModel:
    """Fit a generator on embeddings (N, 384) of descriptions and their expressions (N, 51)."""
    model = ExpressionModel(ExpressionConfig(hidden_sizes=(512, 512, 256), dropout=0.3)).train()
    mixing = torch.distributions.Beta(_MIXUP, _MIXUP)
    for batch in take_steps(model.parameters(), len(embeddings), epochs, batch_size, 2e-3, "Training the generator"):
        partners = batch[torch.randperm(len(batch))]
        share = mixing.sample((len(batch), 1))
        mixture = share * embeddings[batch] + (1 - share) * embeddings[partners]
        target = share * expressions[batch] + (1 - share) * expressions[partners]
        model(embeddings=add_noise(mixture, _TEXT_NOISE), labels=target).loss.backward()
    return model.eval()


def measure(
    generator: ExpressionModel,
    sides: Sides,
    encoder: TextEncoder,
    train: Sequence[SampleRow],
    test: Sequence[SampleRow],
) -> dict[str, float]:
    """Score the references, the generator and two constants on the test rows, which are also the bank."""
    backbone = SidesBackbone(sides, encoder)
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
        if name != "mean_expression":
            quality[f"recall_{name}"] = result.recall_at_k
    prior = distribution([row.intensities for row in train]).mean(axis=0)
    quality["kl_prior"] = score_distributions(prior, references).kl_divergence
    return {name: round(float(value), 4) for name, value in sorted(quality.items())}


def _expressions(rows: Sequence[SampleRow]) -> torch.Tensor:
    return torch.from_numpy(np.stack([row.blendshapes for row in rows]))
