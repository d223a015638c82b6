"""Every kind of baseline, trained on the synthetic sample and held against what learns nothing, in one table.

    python benchmarks/baselines.py OUT [--rows 6000 500 900] [--epochs N] [--threads 2] [--only minilm ...]
                                   [--reader face-api]

Test descriptions are made of words, situations and templates that no training description has. The bar for a model is
`nearest-neighbour`: the expression of the training description whose MiniLM embedding is most similar.

- minilm: the recipe as it is, a head on frozen all-MiniLM-L6-v2.
- bag-of-words: ridge regression on the words of the training descriptions; its penalty is chosen on the validation
  split.
- clip, vae-clip: the published heads and losses, on the quickstart backbone instead of CLIP, whose weights are in no
  package. Its embeddings have unit length, CLIP's a larger one: the head learns faster (1e-3), and embeddings are
  brought to about the length of the latents before they are decoded.
- vae-clip-decoded: the same of descriptions alone, with a term that is not published: the error of expressions decoded
  from embeddings, which are made 8 long.
- NAME x 1.50: the expressions of a model times one number, fitted on the validation split for an amplitude of 1
  (`fit_gain`), the cheapest cure of faces that are too weak.
- the others are no models; `reference-expressions` is what is to be met, and `constant-prior` and `text-only` are the
  sentinels without a face. Below the table stands which sentinels a model does not beat (`emo3d_lab.sentinels`).

An emotion reader (--reader), which nobody here trained, has two columns: its mean KL over the emotions that it knows,
and the share of faces whose likeliest emotion is the one described.

The score looks through the quickstart backbone, whose text side is all-MiniLM-L6-v2: circular for all but
bag-of-words, and recall most of all.

OUT, a new folder, receives the dataset (data), every model, results for `emo3d leaderboard` (results; without the
sentinels) and the table (baselines.md).
"""

from __future__ import annotations

import argparse
import logging
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import load_dataset

from emo3d import load_generator
from emo3d.encoders import MINILM, load_text_encoder
from emo3d.scoring import QUICKSTART, Emo3DResult, ScoreSettings, read_references
from emo3d.scoring.readers import ReaderResult
from emo3d_lab.baselines import fit_gain, with_gain
from emo3d_lab.comparison import compare
from emo3d_lab.readers import load_reader
from emo3d_lab.sample.write import write_sample
from emo3d_lab.sentinels import (
    PRIOR,
    TEXT_ONLY,
    compare_sentinels,
    readings_of,
    save_beside,
    score_beside_sentinels,
    verdict_line,
)
from emo3d_lab.training import load_recipe
from emo3d_lab.training.train import train

BAR = "nearest-neighbour"
COLUMNS = ("mse", "amplitude", "kl_divergence", "emo3d", "recall_at_k")
ON_QUICKSTART = [f"model.backbone={QUICKSTART}", "model.normalize=true"]
MODELS: dict[str, tuple[str, list[str]]] = {
    "minilm": ("minilm", []),
    "clip": ("clip", [*ON_QUICKSTART, "training.learning_rate=1e-3"]),
    "vae-clip": ("vae-clip", [*ON_QUICKSTART, "model.embedding_scale=25"]),
    "vae-clip-decoded": (
        "vae-clip",
        [*ON_QUICKSTART, "model.embedding_scale=8", "model.decoded_weight=1", "data.inputs=descriptions"],
    ),
}
"""Name -> recipe, and what of it is overridden."""
CIRCULAR = {BAR, *MODELS}
BAG = "bag-of-words"


def bag_of_words(parts: Any) -> dict[str, np.ndarray]:
    """Expressions for the splits "validation" and "test" by what the words of "train" say."""
    counts = Counter(word for text in parts["train"]["description"] for word in words(text))
    places = {word: place for place, word in enumerate(word for word, count in counts.items() if count > 1)}

    def features(split: str) -> np.ndarray:
        matrix = np.zeros((len(parts[split]), len(places) + 1), np.float32)
        matrix[:, -1] = 1  # what is left where no word is known
        for row, text in enumerate(parts[split]["description"]):
            matrix[row, [places[word] for word in words(text) if word in places]] = 1
        return matrix

    rows, inputs = features("train"), {split: features(split) for split in ("validation", "test")}
    squares, products = rows.T @ rows, rows.T @ np.array(parts["train"]["blendshapes"][:], np.float32)
    truth = np.array(parts["validation"]["blendshapes"][:], np.float32)
    candidates = []
    for penalty in (1, 3, 10, 30, 100):
        weights = np.linalg.solve(squares + penalty * np.eye(len(squares), dtype=np.float32), products)
        answers = {split: (matrix @ weights).clip(0, 1) for split, matrix in inputs.items()}
        candidates.append((float(np.square(answers["validation"] - truth).mean()), answers))
    return min(candidates, key=lambda candidate: candidate[0])[1]


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def train_all(out: Path, names: list[str], epochs: int | None) -> dict[str, float]:
    """Train by name, into folders of that name; seconds of each."""
    seconds = {}
    for name in names:
        recipe, changes = MODELS[name]
        settings = [*changes, "score=null", "training.disable_tqdm=true"]
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


def cell(result: Emo3DResult | ReaderResult, column: str) -> str:
    value, ends = getattr(result, column), result.intervals.get(column)
    if value is None:
        return "-"
    return f"{value:.4f}" + (" [{:.4f}, {:.4f}]".format(*ends) if ends else "")


def table(results: dict[str, Emo3DResult], seconds: dict[str, float], verdicts: dict[str, str]) -> str:
    readers = list(results[BAR].readers)
    headings = ["system", "MSE", "amplitude", "mean KL", "Emo3D", "recall@10"]
    headings += [f"{number}, {name}" for name in readers for number in ("KL", "top-1")]
    headings += ["seconds of training"]
    lines = [f"| {' | '.join(headings)} |", f"| {' | '.join('---' for _ in headings)} |"]
    for name, result in sorted(results.items(), key=lambda item: item[1].kl_divergence):
        cells = [
            name + " (circular)" * (name.partition(" ")[0] in CIRCULAR),
            *(cell(result, column) for column in COLUMNS),
            *(cell(result.readers[name], number) for name in readers for number in ("kl_divergence", "top1")),
        ]
        lines.append(f"| {' | '.join([*cells, f'{seconds[name]:.0f}' if name in seconds else '-'])} |")
    lines += ["", f"Against {BAR}, with p-values of paired permutation tests:", ""]
    for name in seconds:
        differences = compare(results[BAR], results[name]).differences
        changes = [
            f"{'better' if found.difference < 0 else 'worse'} by {shown} (p = {found.p_value:.4f})"
            for shown, found in (("MSE", differences["mse"]), ("mean KL", differences["kl_divergence"]))
        ]
        lines.append(f"- {name}: {', '.join(changes)}")
    lines += ["", "Beside sentinels:", "", *(f"- {name}: {verdict}" for name, verdict in verdicts.items())]
    lines += ["", *(f"{name}: `{results[BAR].readers[name].signature}`" for name in readers)]
    return "\n".join([*lines, "", f"n = {results[BAR].n}, `{results[BAR].signature}`", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, nargs=3, default=(6000, 500, 900), metavar=("TRAIN", "VALIDATION", "TEST"))
    parser.add_argument("--epochs", type=int, help="of every model, for a trial; by default those of its recipe")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--reader", help="an emotion reader, see emo3d_lab.readers.load_reader")
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
    training, validation, test = (parts[split] for split in ("train", "validation", "test"))
    seconds = train_all(arguments.out, arguments.only, arguments.epochs)

    settings = ScoreSettings(backbone=QUICKSTART)
    answers = {
        name: {
            split: load_generator(str(arguments.out / name)).generate(list(rows["description"]))
            for split, rows in (("validation", validation), ("test", test))
        }
        for name in seconds
    }
    start = time.perf_counter()
    answers[BAG] = bag_of_words(parts)
    seconds[BAG] = time.perf_counter() - start
    systems = without_learning(training, test) | {name: answer["test"] for name, answer in answers.items()}
    truth = np.array(validation["blendshapes"][:], np.float32)
    for name, answer in answers.items():
        gain = fit_gain(answer["validation"], truth)
        systems[f"{name} x {gain:.2f}"] = with_gain(answer["test"], gain)
    results: dict[str, Emo3DResult] = {}
    verdicts = {}
    (arguments.out / "results").mkdir()
    readers = [load_reader(arguments.reader)] if arguments.reader else []
    options: dict[str, Any] = {"training": read_references(training), "settings": settings, "readers": readers}
    for name, expressions in systems.items():
        results[name], sentinels = score_beside_sentinels(expressions, test, **options)
        figures = compare_sentinels(results[name], sentinels)
        save_beside(arguments.out / "results" / f"{name}.json", results[name], figures)
        verdicts[name] = verdict_line(results[name].kl_divergence, figures, readings_of(results[name].readers))
    results |= {"constant-prior": sentinels[PRIOR], TEXT_ONLY: sentinels[TEXT_ONLY]}  # the same beside every system

    text = table(results, seconds, verdicts)
    (arguments.out / "baselines.md").write_text(text, encoding="utf-8")
    print(text)
    print(f"{time.perf_counter() - begin:.0f} s in all, {arguments.threads} threads")


if __name__ == "__main__":
    main()
