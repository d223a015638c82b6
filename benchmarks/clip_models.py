"""The director against learnt generators of clips: the same texts and lengths, the same score, with intervals.

    python benchmarks/clip_models.py runs/clip-model [...] [--split validation] [--clips 200] [--aligned 66] [--seed 0]

Clips are those of the synthetic sample; each system is told a text and how long its clip is, and draws by a seed of its
own for every clip. `reference` are the sample's own clips, above which no system can be expected. `--aligned` of the
clips are also scored by Emo3D over time (quickstart backbone, their beats as the bank), which renders faces.

Intervals are of 95%, by resamples of the clips: 1,000, of FID 200. `against the director` are differences on the same
clips and resamples; what lies beyond 0 with its whole interval is better or worse. Choose settings on the validation
split: the test split is for one look.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from emo3d.clips import Clip
from emo3d_lab.clips.director import Director
from emo3d_lab.clips.loading import load_clip_generator
from emo3d_lab.clips.rows import clip_of_row
from emo3d_lab.clips.scoring import score_clips
from emo3d_lab.clips.scoring.embedder import EMBEDDER, load_embedder
from emo3d_lab.clips.scoring.field import Embedder, frechet_distance, retrieval_ranks
from emo3d_lab.sample.clips import make_clips

CONSOLE = Console(width=150)
_HITS, _FRECHET = 1000, 200  # resamples; an FID takes far longer than a mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="folders or ids of clip models")
    parser.add_argument("--split", default="validation", choices=("validation", "test"))
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--aligned", type=int, default=66, help="clips that are scored over time; 0 for none")
    parser.add_argument("--embedder", default=EMBEDDER, help="the packaged one, or a folder")
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    references = [clip_of_row(row) for row in make_clips(options.split, options.clips, options.seed)]
    systems = {"reference": references, "director": perform(Director(), references, options.rate)}
    for name in options.models:
        systems[name] = perform(load_clip_generator(name), references, options.rate)
    embedder = load_embedder(options.embedder)
    measures = {name: measure(clips, references, embedder, options) for name, clips in systems.items()}
    show(measures, f"{options.split}: {options.clips} clips, {options.aligned} of them over time; {embedder}")


def perform(generator: Any, references: list[Clip], rate: float) -> list[Clip]:
    """The clip of every reference's text, as long as that."""
    start, clips = time.perf_counter(), []
    for place, clip in enumerate(references):
        clips += generator.generate([clip.description], seconds=clip.duration, rate=rate, seed=place)
    seconds = time.perf_counter() - start
    CONSOLE.print(f"{type(generator).__name__}: {seconds / len(clips):.3f} s a clip", highlight=False)
    return clips


def measure(
    clips: list[Clip], references: list[Clip], embedder: Embedder, options: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Value of each number, and of its resamples behind it; resamples are the same for all systems."""
    texts, aligned = [clip.description or "" for clip in references], options.aligned
    shown, told, real = embedder.encode_clips(clips), embedder.encode_texts(texts), embedder.encode_clips(references)
    rng = np.random.default_rng(options.seed)
    ranks = np.stack([retrieval_ranks(shown, told, texts, rng) for _ in range(20)])  # of as many pools
    draws = rng.integers(len(clips), size=(_HITS, len(clips)))
    numbers = {f"R-precision@{top}": hits_of(ranks < top, draws) for top in (1, 3)}
    fids = [frechet_distance(shown, real)]
    fids += [frechet_distance(shown[rows], real[rows]) for rows in draws[:_FRECHET]]
    numbers["FID"] = np.array(fids)
    if aligned:
        divergences = score_clips(clips[:aligned], references[:aligned], backbone="quickstart").per_sample[
            "kl_divergence"
        ]
        rows = rng.integers(aligned, size=(_HITS, aligned))
        numbers["KL over time"] = np.append(divergences.mean(), divergences[rows].mean(1))
    return numbers


def hits_of(hits: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Mean of hits (pools, N), then those of resampled clips."""
    shares = hits.mean(0)
    return np.append(shares.mean(), shares[draws].mean(1))


def show(measures: dict[str, dict[str, np.ndarray]], title: str) -> None:
    columns = list(measures["director"])
    for heading, base in ((title, None), ("against the director", measures["director"])):
        table = Table("", *columns, title=heading)
        for name, numbers in measures.items():
            if base is None or numbers is not base:
                values = [numbers[column] - (0 if base is None else base[column]) for column in columns]
                table.add_row(name, *map(interval_of, values))
        CONSOLE.print(table)


def interval_of(values: np.ndarray) -> str:
    lower, upper = np.quantile(values[1:], (0.025, 0.975))
    return f"{values[0]:.3f} [{lower:.3f}, {upper:.3f}]"


if __name__ == "__main__":
    main()
