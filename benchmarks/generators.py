"""Generators on the sample's test split, by our score and by an emotion reader that nobody here trained.

    python benchmarks/generators.py [MODEL ...] [--reader FOLDER]   # quickstart and quickstart-multilingual by default

For each model, the references and two constants: MSE, amplitude and mean KL (backbone quickstart); of the rows that are
mostly one emotion that the reader knows and not neutral, the share whose face it takes for that emotion; and its own
mean KL. It does not know contempt: rows that are contempt first of all are left out of that KL, in the others
contempt's share is taken out and the rest made to sum to one. In brackets: 95% intervals.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from legibility import MOSTLY, share
from people import KNOWN, known_shares
from rich.console import Console
from rich.table import Table

from emo3d import load_generator
from emo3d.emotions import distribution, kl_divergence
from emo3d.face import RenderSettings, render
from emo3d.scoring import QUICKSTART, Emo3DResult, open_references, score, score_distributions
from emo3d.scoring.core import bootstrap_means
from emo3d_lab.landmarker import FaceReader
from emo3d_lab.readers import FaceApiReader, face_api


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["quickstart", "quickstart-multilingual"])
    parser.add_argument("--reader", type=Path, default=Path(__file__).parents[2] / "shared" / "readers" / "face-api")
    options = parser.parse_args()
    train, test = (open_references("sample", split=split) for split in ("train", "test"))
    described, prior = distribution(test.intensities), distribution(train.intensities).mean(axis=0)
    (judged, known), known_prior = known_shares(test.intensities), prior[KNOWN] / prior[KNOWN].sum()
    strongest = known.argmax(axis=1)
    counted = (described[judged].max(axis=1) > MOSTLY) & (strongest != face_api.EMOTIONS.index("neutral"))
    reader = FaceApiReader(options.reader)

    systems = {
        "the references": test.expressions,
        "mean expression": np.tile(train.expressions.mean(axis=0), (len(described), 1)),
    }
    systems |= {name: load_generator(name).generate(test.descriptions) for name in options.models}
    table = Table("", "MSE", "amplitude", "mean KL", f"reader: right of {counted.sum()}", f"its KL, {len(judged)} rows")
    with FaceReader(quiet=True) as landmarker:
        for name, expressions in systems.items():
            result = score(expressions, test, backbone=QUICKSTART)
            pictures = list(render(expressions[judged], settings=RenderSettings(size=256)))
            seen, lost = reader.read_faces(pictures, landmarker)
            right = (seen.argmax(axis=1) == strongest)[counted]
            ours = [cell(result, number) for number in ("mse", "amplitude", "kl_divergence")]
            table.add_row(name, *ours, share(int(right.sum()), len(right)), mean(kl_divergence(known, seen)))
            if lost:
                print(f"no face found in {lost} pictures of {name}")
    kl = score_distributions(prior, test)
    table.add_row("prior", "", "", cell(kl, "kl_divergence"), "", mean(kl_divergence(known, known_prior[None])))
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
