"""Every kind of baseline, trained on the synthetic sample and held against what learns nothing, in one table.

    python benchmarks/baselines.py OUT [--rows 6000 500 900] [--epochs N] [--threads 2] [--only minilm ...]

Test descriptions are made of words, situations and templates that no training description has. The bar for a model is
`nearest-neighbour`: the expression of the training description whose MiniLM embedding is most similar.

- minilm: the recipe as it is, a head on frozen all-MiniLM-L6-v2.
- bert: a small BERT and its vocabulary, both made from the training descriptions alone.
- clip, vae-clip: the published heads and losses, on the quickstart backbone instead of CLIP, whose weights are in no
  package. Its embeddings have unit length, CLIP's a larger one: the head learns faster (1e-3), and embeddings are
  brought to about the length of the latents before they are decoded.
- vae-clip-by-text: the same, but latents follow the descriptions' embeddings 250 times as strictly as published.
- the others are no models; `reference-expressions` is what is to be met, and `constant-prior` no face but the mean
  emotion distribution of the training descriptions, since the score rewards hedging.

The score looks through the quickstart backbone, whose text side is all-MiniLM-L6-v2: circular for all but bert, and
recall most of all.

OUT, a new folder, receives the dataset (data), every model, results for `emo3d leaderboard` (results; not that of the
prior, which has another signature) and the table (baselines.md).
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import load_dataset
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel, BertTokenizerFast, set_seed

from emo3d import load_generator
from emo3d.emotions import distribution
from emo3d.encoders import MINILM, load_text_encoder
from emo3d.scoring import QUICKSTART, Emo3DResult, ScoreSettings, score, score_distributions
from emo3d_lab.comparison import compare
from emo3d_lab.sample import write_sample
from emo3d_lab.training import load_recipe
from emo3d_lab.training.train import train

BAR = "nearest-neighbour"
COLUMNS = ("mse", "amplitude", "kl_divergence", "emo3d", "recall_at_k")
ON_QUICKSTART = [f"model.backbone={QUICKSTART}", "model.normalize=true"]
MODELS: dict[str, tuple[str, list[str]]] = {
    "minilm": ("minilm", []),
    "bert": (
        "bert",
        ["training.num_train_epochs=20", "training.learning_rate=3e-4", "training.early_stopping_patience=4"],
    ),
    "clip": ("clip", [*ON_QUICKSTART, "training.learning_rate=1e-3"]),
    "vae-clip": ("vae-clip", [*ON_QUICKSTART, "model.embedding_scale=25"]),
    "vae-clip-by-text": (
        "vae-clip",
        [*ON_QUICKSTART, "model.embedding_scale=20", "model.text_weight=1", "model.picture_weight=0"],
    ),
}
"""Name -> recipe, and what of it is overridden."""
CIRCULAR = {BAR, *MODELS} - {"bert"}


def small_bert(folder: Path, descriptions: list[str], seed: int) -> Path:
    """A BERT of 1.5 million parameters at random weights, and a vocabulary of the words it will read."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = BertWordPieceTokenizer(lowercase=True)
    vocabulary.train_from_iterator(descriptions, vocab_size=3000, min_frequency=2, show_progress=False)
    vocabulary.save_model(str(folder))
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64)
    set_seed(seed)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=384,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train_all(out: Path, names: list[str], descriptions: list[str], epochs: int | None) -> dict[str, float]:
    """Train by name, into folders of that name; seconds of each."""
    encoder = small_bert(out / "bert-encoder", descriptions, seed=0)
    seconds = {}
    for name in names:
        recipe, changes = MODELS[name]
        settings = [*changes, "score=null", "training.disable_tqdm=true"]
        settings += [f"model.encoder={encoder}"] if name == "bert" else []
        settings += [f"training.num_train_epochs={epochs}"] if epochs else []
        start = time.perf_counter()
        train(load_recipe(recipe, settings), str(out / "data"), out / name)
        seconds[name] = time.perf_counter() - start
    return seconds


def without_learning(training: Any, test: Any) -> dict[str, np.ndarray]:
    truth, known = (np.array(rows["blendshapes"][:], np.float32) for rows in (test, training))
    encoder = load_text_encoder(MINILM)
    asked, stored = (encoder.encode(list(rows["description"])).embeddings for rows in (test, training))
    return {
        "reference-expressions": truth,
        BAR: known[(asked @ stored.T).argmax(dim=1).numpy()],
        "mean-expression": np.tile(known.mean(axis=0), (len(truth), 1)),
        "neutral-face": np.zeros_like(truth),
    }


def cell(result: Emo3DResult, column: str) -> str:
    value = getattr(result, column)
    if value is None:
        return "-"
    low, high = result.intervals[column]
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def table(results: dict[str, Emo3DResult], seconds: dict[str, float]) -> str:
    lines = [
        "| system | MSE | amplitude | mean KL | Emo3D | recall@10 | seconds of training |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, result in sorted(results.items(), key=lambda item: item[1].kl_divergence):
        cells = [name + " (circular)" * (name in CIRCULAR), *(cell(result, column) for column in COLUMNS)]
        lines.append(f"| {' | '.join([*cells, f'{seconds[name]:.0f}' if name in seconds else '-'])} |")
    lines += ["", f"Against {BAR}, with p-values of paired permutation tests:", ""]
    for name in seconds:
        differences = compare(results[BAR], results[name]).differences
        verdicts = [
            f"{'better' if found.difference < 0 else 'worse'} by {shown} (p = {found.p_value:.4f})"
            for shown, found in (("MSE", differences["mse"]), ("mean KL", differences["kl_divergence"]))
        ]
        lines.append(f"- {name}: {', '.join(verdicts)}")
    return "\n".join([*lines, "", f"n = {results[BAR].n}, `{results[BAR].signature}`", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, nargs=3, default=(6000, 500, 900), metavar=("TRAIN", "VALIDATION", "TEST"))
    parser.add_argument("--epochs", type=int, help="of every model, for a trial; by default those of its recipe")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.out.exists() and any(arguments.out.iterdir()):
        parser.error(f"expected a new or empty folder, got {arguments.out}")
    torch.set_num_threads(arguments.threads)
    logging.basicConfig(level=logging.WARNING)

    begin = time.perf_counter()
    data = arguments.out / "data"
    write_sample(data, rows=dict(zip(("train", "validation", "test"), arguments.rows, strict=True)))
    parts = load_dataset(str(data)).remove_columns("image")
    training, test = parts["train"], parts["test"]
    seconds = train_all(arguments.out, arguments.only, list(training["description"]), arguments.epochs)

    settings = ScoreSettings(backbone=QUICKSTART)
    described = list(test["description"])
    answers = {name: load_generator(str(arguments.out / name)).generate(described) for name in seconds}
    results = {}
    (arguments.out / "results").mkdir()
    for name, expressions in (without_learning(training, test) | answers).items():
        results[name] = score(expressions, test, settings=settings)
        results[name].save(arguments.out / "results" / f"{name}.json")
    prior = distribution(training["intensities"][:]).mean(axis=0)
    results["constant-prior"] = score_distributions(prior, test, settings)

    text = table(results, seconds)
    (arguments.out / "baselines.md").write_text(text, encoding="utf-8")
    print(text)
    print(f"{time.perf_counter() - begin:.0f} s in all, {arguments.threads} threads")


if __name__ == "__main__":
    main()
