"""Generators on the sample's test split, by our score and by an emotion reader that nobody here trained.

    python benchmarks/generators.py [MODEL ...] [--reader face-api]   # both packaged models by default

For each model, the references and two constants: MSE, amplitude and mean KL (backbone quickstart); of the rows that are
mostly one emotion that the reader knows and not neutral, the share whose face it takes for that emotion; and its own
mean KL. It does not know contempt: rows that are contempt first of all are left out of that KL, in the others
contempt's share is taken out and the rest made to sum to one. In brackets: 95% intervals.
"""

from __future__ import annotations

import argparse

import numpy as np
from legibility import MOSTLY, share
from rich.console import Console
from rich.table import Table

from emo3d import load_generator
from emo3d.emotions import EMOTIONS, distribution, kl_divergence
from emo3d.scoring import QUICKSTART, Emo3DResult, open_references, score, score_distributions
from emo3d.scoring.core import bootstrap_means
from emo3d_lab.readers import known_shares, load_reader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["quickstart", "quickstart-multilingual"])
    parser.add_argument("--reader", default="face-api")
    options = parser.parse_args()
    train, test = (open_references("sample", split=split) for split in ("train", "test"))
    described, prior = distribution(test.intensities), distribution(train.intensities).mean(axis=0)
    reader = load_reader(options.reader)
    judged, known = known_shares(test.intensities, reader.emotions)
    known_prior = prior[[EMOTIONS.index(emotion) for emotion in reader.emotions]]
    strongest = np.array(reader.emotions)[known.argmax(axis=1)]
    counted = (described[judged].max(axis=1) > MOSTLY) & (strongest != "neutral")

    systems = {
        "the references": test.expressions,
        "mean expression": np.tile(train.expressions.mean(axis=0), (len(described), 1)),
    }
    systems |= {name: load_generator(name).generate(test.descriptions) for name in options.models}
    table = Table("", "MSE", "amplitude", "mean KL", f"reader: right of {counted.sum()}", f"its KL, {len(judged)} rows")
    for name, expressions in systems.items():
        result = score(expressions, test, backbone=QUICKSTART)
        seen = reader.read_expressions(expressions[judged])
        right = (seen.argmax(axis=1) == known.argmax(axis=1))[counted]
        ours = [cell(result, number) for number in ("mse", "amplitude", "kl_divergence")]
        table.add_row(name, *ours, share(int(right.sum()), len(right)), mean(kl_divergence(known, seen)))
    kl = score_distributions(prior, test)
    theirs = mean(kl_divergence(known, known_prior[None] / known_prior.sum()))
    table.add_row("prior", "", "", cell(kl, "kl_divergence"), "", theirs)
    Console(width=160).print(table)


def cell(result: Emo3DResult, number: str) -> str:
    """One of a result's numbers with its interval."""
    low, high = result.intervals[number]
    return f"{result.numbers[number]:.4f} [{low:.4f}, {high:.4f}]"


def mean(values: np.ndarray) -> str:
    low, high = np.quantile(bootstrap_means(values[:, None]), [0.025, 0.975])
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()
