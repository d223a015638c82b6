"""How fast descriptions become expressions, and what share of that the encoder has.

    python benchmarks/generation.py [--rounds 5] [--threads 2] [--single 200]

Two generators: the packaged one (head on all-MiniLM-L6-v2; extra `offline`), and the published CLIP baseline's head on
the text side of a CLIP ViT-B/32 at random weights. Descriptions are those of the synthetic sample's test split.

- expressions a second in batches of 1, 8 and 64, the best of the rounds, and the encoder's share: seconds of the
  encoder alone, tokens included, over seconds of `generate`. The two take turns, so that a busy machine slows both.
- milliseconds for one description, as a service would see them: median and 95th percentile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_clip import save_random_clip
from rich.console import Console
from rich.table import Table

from emo3d import load_generator
from emo3d.backbones import load_backbone
from emo3d.generation import ClipExpressionConfig, ClipExpressionModel
from emo3d_lab.sample import make_rows

BATCH_SIZES = (1, 8, 64)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(
    generate: Callable[[list[str]], Any], encode: Callable[[list[str]], Any], texts: list[str], rounds: int, single: int
) -> list[str]:
    """Rates and shares by batch size, then the two percentiles."""

    def turns(batch: list[str]) -> tuple[float, float]:
        generate(batch), encode(batch)
        runs = [(seconds(lambda: generate(batch)), seconds(lambda: encode(batch))) for _ in range(rounds)]
        return min(whole for whole, _ in runs), min(alone for _, alone in runs)

    best = {size: turns(texts[:size]) for size in BATCH_SIZES}
    each = [1000 * seconds(lambda text=text: generate([text])) for text in texts[:single]]
    rates = [f"{size / whole:.0f}" for size, (whole, _) in best.items()]
    shares = [f"{alone / whole:.2f}" for whole, alone in best.values()]
    return [*rates, *shares, *(f"{value:.1f}" for value in np.percentile(each, [50, 95]))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--single", type=int, default=200, help="descriptions generated one at a time")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    count = max(*BATCH_SIZES, arguments.single)
    descriptions = [row.description for row in make_rows("test", count)]
    with tempfile.TemporaryDirectory() as folder:
        clip = save_random_clip(Path(folder), descriptions)
        minilm, head = load_generator("quickstart"), ClipExpressionModel(ClipExpressionConfig(backbone=clip)).eval()
        encoder, backbone = minilm.text_encoder(), load_backbone(clip)
    systems = {
        "MiniLM + head": (minilm.generate, encoder.encode),
        "CLIP + head": (head.generate, lambda texts: backbone.encode_texts(texts, normalize=False)),
    }

    table = Table(title=f"{arguments.threads} threads, best of {arguments.rounds} rounds")
    for column in ("", *(f"{size}: a second" for size in BATCH_SIZES), *(f"{size}: encoder" for size in BATCH_SIZES)):
        table.add_column(column, justify="right" if column else "left")
    table.add_column("one, p50 ms", justify="right")
    table.add_column("one, p95 ms", justify="right")
    for name, system in systems.items():
        table.add_row(name, *measure(*system, descriptions, arguments.rounds, arguments.single))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
