"""Train the packaged generators: an adapter of MiniLM with a head, and a head on the encoder of sixteen languages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emo3d.documents import read_json
from emo3d.encoders import MINILM, load_text_encoder, no_bars
from emo3d.generation import ExpressionConfig, ExpressionModel
from emo3d.multilingual import MULTILINGUAL, load_encoder
from emo3d_lab.baselines import fit_gain
from emo3d_lab.quickstart.steps import add_noise, take_steps
from emo3d_lab.sample import SampleRow
from emo3d_lab.sample.languages import make_multilingual_rows
from emo3d_lab.sample.training import STRONGEST, TrainingRow, expression_at, make_training_rows

_RANK = 8  # of the adapter
# Chosen on held-out words and templates of the training grammar (`make_training_rows(held_out=True)`).
_HEAD: dict[str, Any] = {
    "hidden_sizes": (512, 512),
    "dropout": 0.3,
    "proposals": 8,
    "spread": 0.3,
    "focus": 1.5,
    "takes_strength": True,
    "reads_instructions": True,
}
_TEXT_NOISE, _FROZEN_NOISE = 0.3, 0.6  # of embeddings, of those that are not learnt
_NEAR = 0.5  # least cosine of an answer that is of the described kind
_VARIED = 0.4  # of the rows are learnt at another strength than 1


def vary_strength(rows: Sequence[TrainingRow], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Strengths (N,) and the expressions (N, 51) of rows at them; 1 for most rows, which keep their expression."""
    rng = np.random.default_rng(seed)
    varied = rng.random(len(rows)) < _VARIED
    strengths = np.where(varied, rng.uniform(0, STRONGEST, len(rows)), 1.0)
    expressions = [
        expression_at(row, float(strength), rng) if changed else row.blendshapes
        for row, strength, changed in zip(rows, strengths, varied, strict=True)
    ]
    return torch.from_numpy(strengths).float(), torch.from_numpy(np.stack(expressions))


def train_generator(rows: Sequence[TrainingRow], seed: int, epochs: int, batch_size: int) -> ExpressionModel:
    """Fit an adapter and a head on descriptions."""
    texts = [row.description for row in rows]
    strengths, expressions = vary_strength(rows, seed)
    encoder = load_text_encoder(MINILM)
    layers = {
        name: [layer.out_features, _RANK, layer.in_features]
        for name, layer in encoder.model.named_modules()
        if isinstance(layer, torch.nn.Linear) and name.startswith("encoder.")
    }
    config = ExpressionConfig(adapter=layers, **_HEAD)
    model = ExpressionModel(config).train()
    adapter = {"params": list(model.adapter.parameters()), "lr": 1e-3, "weight_decay": 0.0}
    groups = [adapter, {"params": list(model.head.parameters()), "lr": 2e-3}]
    lengths = encoder.tokenize(texts)["attention_mask"].sum(1).float()
    encoder.model.train()  # for its dropout; the model is everybody's
    try:
        for batch in take_steps(groups, lengths, epochs, batch_size, 1e-3, "Training the generator"):
            noisy = add_noise(model.embed(**encoder.tokenize([texts[row] for row in batch])), _TEXT_NOISE)
            model(embeddings=noisy, labels=expressions[batch], strength=strengths[batch]).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.adapter.parameters(), 1.0)
    finally:
        encoder.model.eval()
    return model.eval()


def train_multilingual(
    english: Sequence[TrainingRow], others: int, seed: int, epochs: int, batch_size: int
) -> ExpressionModel:
    """Fit a head on descriptions in sixteen languages (`others` of them) and on English ones."""
    strengths, expressions = vary_strength(english, seed)
    rows: list[SampleRow] = make_multilingual_rows(others, seed)
    expressions = torch.cat([expressions, torch.from_numpy(np.stack([row.blendshapes for row in rows]))])
    strengths = torch.cat([strengths, torch.ones(len(rows))])
    texts = [row.description for row in (*english, *rows)]
    embeddings = load_encoder(MULTILINGUAL).encode(texts).embeddings
    model = ExpressionModel(ExpressionConfig(MULTILINGUAL, embedding_size=embeddings.shape[1], **_HEAD)).train()
    lengths = torch.zeros(len(texts))
    for batch in take_steps(model.parameters(), lengths, epochs, batch_size, 2e-3, "Training sixteen languages"):
        noisy = add_noise(embeddings[batch], _FROZEN_NOISE)
        model(embeddings=noisy, labels=expressions[batch], strength=strengths[batch]).loss.backward()
    return model.eval()


def fit_reach(model: ExpressionModel, seed: int, count: int = 1_500) -> None:
    """Fit the gain of answers to words that training never saw, where they are of the described kind.

    Proposals stay short of what they are not sure of. Answers of another kind have no strength in the direction of
    their references, and would call for any gain.
    """
    rows = make_training_rows(count, seed, held_out=True)
    answers, truth = model.generate([row.description for row in rows]), np.stack([row.blendshapes for row in rows])
    near = (answers * truth).sum(1) >= _NEAR * np.linalg.norm(answers, axis=1) * np.linalg.norm(truth, axis=1)
    model.config.gain = round(fit_gain(answers[near], truth[near]), 3)


def save_generator(model: ExpressionModel, folder: Path, about: dict[str, Any]) -> None:
    """Write a generator as the package carries it: without the code that lets it run where there is no package."""
    model.config.trained = about
    with no_bars():
        model.save_pretrained(folder)
    for code in folder.glob("emo3d_*.py"):
        code.unlink()
    config = read_json(folder / "config.json")
    plain = {name: value for name, value in config.items() if name not in ("auto_map", "custom_pipelines")}
    (folder / "config.json").write_text(json.dumps(plain, indent=2) + "\n")
