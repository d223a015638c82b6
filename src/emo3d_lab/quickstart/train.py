"""Train the packaged quickstart parts from nothing: descriptions, generators, the picture tower, and measure them."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emo3d.backbones import Backbone, load_backbone
from emo3d.emotions import distribution
from emo3d.encoders import MINILM, load_text_encoder
from emo3d.face import RenderSettings
from emo3d.generation import ExpressionModel, load_generator
from emo3d.scoring import QUICKSTART, Bank, ScoreSettings, score, score_distributions
from emo3d_lab.quickstart.generator import fit_reach, save_generator, train_generator, train_multilingual
from emo3d_lab.quickstart.tower import Sides, SidesBackbone, save_backbone, train_backbone
from emo3d_lab.sample import EMBEDDED_ROWS, SampleRow, make_rows
from emo3d_lab.sample.training import make_training_rows

logger = logging.getLogger(__name__)

ROWS = {"generator": 40_000, "multilingual": 16_000, "backbone": 20_000}
"""Descriptions to train each part on."""

PARTS = tuple(ROWS)
_EPOCHS = {"generator": 4, "multilingual": 30, "backbone": 8}
_TOLD = 1.2  # rows of which only the backbone's text head learns, of each one that is pictured
_BATCH = {"generator": 64, "multilingual": 256, "backbone": 256}


def retrain(
    out: str | Path,
    seed: int = 0,
    parts: Sequence[str] = PARTS,
    *,
    rows: Mapping[str, int] = ROWS,
    epochs: Mapping[str, int] = _EPOCHS,
    batch_size: Mapping[str, int] = _BATCH,
    test_rows: int = EMBEDDED_ROWS["test"],
) -> dict[str, dict[str, float]]:
    """Train the packaged parts and measure them on held-out words.

    Epochs are fixed: descriptions of the validation split share their words with training, so it still improves when
    the test split no longer does.

    Args:
        out: folder that receives `quickstart-generator`, `quickstart-multilingual-generator`, `quickstart-backbone`.
        seed: decides the descriptions, the first weights and the batches.
        parts: which of `PARTS`; what is not among them is taken from the package where it is measured with.
        rows: descriptions to train each part on, at least a batch; the multilingual one gets as many English ones too.
        epochs: passes over them.
        batch_size: descriptions per step.
        test_rows: descriptions of the sample's test split to measure on; they are also the bank.

    Returns:
        By part its quality by name, as it is also written into its `config.json`: mean squared errors, mean divergences
        (variant `paper`), recall@10.

    Raises:
        ValueError: an unknown part, or fewer rows than one batch.
        EncoderUnavailableError: a text encoder is not installed.
    """
    for part in parts:
        if part not in PARTS:
            raise ValueError(f"expected parts of {', '.join(PARTS)}, got {part!r}")
        if rows[part] < batch_size[part]:
            raise ValueError(f"expected at least one batch of {batch_size[part]} rows for {part}, got {rows[part]}")
    start = time.monotonic()
    generators: dict[str, Any] = {}
    sides: Sides | None = None
    backbone: Backbone | None = None
    for part in parts:
        count, passes, size = rows[part], epochs[part], batch_size[part]
        with torch.random.fork_rng(devices=[]):  # dropout and first weights draw from the global state
            torch.manual_seed(seed)
            if part == "generator":
                generators[part] = train_generator(make_training_rows(count, seed), seed, passes, size)
                fit_reach(generators[part], seed)
            elif part == "multilingual":
                generators[part] = train_multilingual(make_training_rows(count, seed), count, seed, passes, size)
            else:
                train, others = make_rows("train", count, seed), make_training_rows(round(_TOLD * count), seed)
                encoder = load_text_encoder(MINILM)
                sides = train_backbone(train, others, encoder, seed, passes, size)
                backbone = SidesBackbone(sides, encoder)
        logger.info("%s trained after %.0f s", part, time.monotonic() - start)
    backbone = backbone or load_backbone(QUICKSTART)
    if "generator" not in generators and "backbone" in parts:  # beside whose figures stand those of a generator
        generators["generator"] = load_generator(QUICKSTART)
    measured = measure(generators, backbone, make_rows("test", test_rows, seed), seed)
    qualities = {part: measured["generator" if part == "backbone" else part] for part in parts}
    for part, quality in qualities.items():
        about = {
            "training_data": f"synthetic descriptions of emo3d, {rows[part]}, seed {seed}",
            "test_rows": test_rows,
            "test_quality": quality,
            "render": str(RenderSettings()),
            "versions": {name: version(name) for name in ("emo3d", "torch", "transformers", "anny")}
            | {"python": platform.python_version()},
        }
        if sides and part == "backbone":
            save_backbone(sides, Path(out) / "quickstart-backbone", {"text_encoder": MINILM, "trained": about})
        else:
            name = "quickstart" if part == "generator" else f"quickstart-{part}"
            save_generator(generators[part], Path(out) / f"{name}-generator", about)
    return qualities


def measure(
    generators: Mapping[str, ExpressionModel], backbone: Backbone, test: Sequence[SampleRow], seed: int
) -> dict[str, dict[str, float]]:
    """Score generators, each beside the references and two constants, on the test rows, which are also the bank."""
    train = make_rows("train", 2_000, seed)
    references = [
        {"description": row.description, "intensities": row.intensities, "blendshapes": row.blendshapes} for row in test
    ]
    descriptions = [row.description for row in test]
    bank = Bank.encode(descriptions, [row.intensities for row in test], backbone)
    settings = ScoreSettings(k=min(10, len(test)))

    def numbers(name: str, expressions: np.ndarray) -> dict[str, float | None]:
        result = score(expressions, references, bank=bank, backbone=backbone, settings=settings)
        quality: dict[str, float | None] = {f"kl_{name}": result.kl_divergence}
        if name != "references":
            quality |= {f"mse_{name}": result.mse, f"amplitude_{name}": result.amplitude}
        if name != "mean_expression":
            quality[f"recall_{name}"] = result.recall_at_k
        return quality

    prior = distribution([row.intensities for row in train]).mean(axis=0)
    beside: dict[str, float | None] = {
        **numbers("references", _expressions(test)),
        **numbers("mean_expression", np.tile(_expressions(train).mean(axis=0), (len(test), 1))),
        "kl_prior": score_distributions(prior, references).kl_divergence,
    }
    qualities = {
        part: beside | numbers("generator", model.generate(descriptions)) for part, model in generators.items()
    }
    return {
        part: {name: round(float(value), 4) for name, value in sorted(quality.items()) if value is not None}
        for part, quality in qualities.items()
    }


def _expressions(rows: Sequence[SampleRow]) -> np.ndarray:
    return np.stack([row.blendshapes for row in rows])
