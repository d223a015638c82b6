"""Scoring end to end, beside its picture encoder alone and beside the published procedure, on one machine in one run.

    python benchmarks/scoring.py [--faces 128] [--rounds 3] [--threads 2]
    python benchmarks/scoring.py --scale 1000 10000 100000 150000

In the first form, all use one ViT-B/32 with random weights. Rates vary with the machine; the ratios are what to read.

- `encoder alone`: `get_image_features` on ready pixels, at the best of several batch sizes (16, 32, 64).
- `emo3d, end to end`: 51 scores -> picture -> embedding -> nearest 10 of the bank -> divergence -> interval, in batches
  of the same size.
- `emo3d, given pictures`: the same from pictures in memory, which is what the published procedure starts from.
- `published procedure`: re-created from its description. One picture at a time: PIL image -> image processor -> model
  -> cosine with every description -> top 10 -> divergence.

Descriptions are embedded once in all of them, before the clock starts. The published procedure runs in float32, so
that is the last column's peer for bfloat16 too.

In the second form, what scoring costs beside the encoder: as many expressions as are named, each number in a process of
its own, against a bank of 50,000 descriptions with 512 numbers each. The backbone is a tiny one with random weights and
pictures of 32 pixels. Time is that of `score`, references read from columns, by the clock and, since machines are
noisy, in seconds of CPU; peak memory is the process's resident set, PyTorch and everything else included.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from emo3d.emotions import distribution, kl_divergence
from emo3d.face import render
from emo3d.scoring import Bank, HubBackbone, References, ScoreSettings, score
from emo3d.scoring.bank import full_name

BANK = 1000
LARGE_BANK = 50_000
BATCH_SIZES = (16, 32, 64)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def published(pictures: list[Image.Image], model: CLIPModel, processor: CLIPImageProcessor, bank: Bank) -> float:
    total = 0.0
    p = distribution(bank.intensities)
    for index, picture in enumerate(pictures):
        pixels = processor(images=picture, return_tensors="pt")["pixel_values"].to(model.dtype)
        with torch.no_grad():
            features = model.get_image_features(pixel_values=pixels)
        features = (features if torch.is_tensor(features) else features.pooler_output).float()
        nearest = torch.nn.functional.cosine_similarity(features, bank.embeddings).topk(10).indices
        q = bank.intensities[nearest].sum(axis=0)
        total += float(kl_divergence(p[index], q / q.sum()))
    return total / len(pictures)


def rates(dtype: torch.dtype, faces: int, rounds: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig()).eval().to(dtype)
    processor = CLIPImageProcessor()
    backbone = HubBackbone(model, None, processor, id="random-vit-b-32", revision="0")
    intensities = rng.random((BANK, 8))
    embeddings = torch.nn.functional.normalize(torch.randn(BANK, 512), dim=1)
    descriptions = tuple(f"description {row}" for row in range(BANK))
    bank = Bank(descriptions, intensities, embeddings, backbone=full_name(backbone))
    references = References(list(descriptions[:faces]), intensities[:faces])
    expressions = rng.random((faces, 51)).astype(np.float32) * 0.5
    pictures = render(expressions)
    opened = [Image.fromarray(picture) for picture in pictures]
    settings = ScoreSettings(dtype=str(dtype).removeprefix("torch."))

    def alone(batch_size: int) -> None:
        with torch.inference_mode():
            for _ in range(faces // batch_size):
                model.get_image_features(pixel_values=ready[:batch_size])

    def ours(predictions: np.ndarray) -> None:
        score(predictions, references, bank=bank, settings=settings, backbone=backbone, batch_size=best)

    ready = torch.randn(max(BATCH_SIZES), 3, 224, 224, dtype=dtype)
    best = min(BATCH_SIZES, key=lambda size: min(seconds(lambda: alone(size)) for _ in range(2)))
    rows: dict[str, Callable[[], object]] = {
        f"encoder alone, batches of {best}": lambda: alone(best),
        "emo3d, end to end": lambda: ours(expressions),
        "emo3d, given pictures": lambda: ours(pictures),
        "published procedure": lambda: published(opened, model, processor, bank),
    }
    # Row by row in every round, so that a busy machine slows all of them; the best round counts.
    runs = [{name: seconds(work) for name, work in rows.items()} for _ in range(rounds)]
    return {name: faces / min(run[name] for run in runs) for name in rows}


def at_scale(faces: int, threads: int) -> tuple[float, float, float]:
    """Seconds, seconds of CPU, and peak memory of this process in GB."""
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    tiny = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(vision_config=tiny | {"image_size": 32, "patch_size": 16}, text_config=tiny)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    backbone = HubBackbone(CLIPModel(config).eval(), None, processor, id="tiny", revision="0")
    descriptions = [f"description {row}" for row in range(LARGE_BANK)]
    intensities = rng.random((LARGE_BANK, 8))
    embeddings = torch.nn.functional.normalize(torch.randn(LARGE_BANK, 512), dim=1)
    bank = Bank(tuple(descriptions), intensities, embeddings, backbone=full_name(backbone))
    expressions = rng.random((faces, 51)).astype(np.float32) * 0.5
    rows = np.arange(faces) % LARGE_BANK
    columns = {
        "description": [descriptions[row] for row in rows],
        "intensities": list(intensities[rows]),
        "blendshapes": list(expressions[::-1]),
    }
    render(np.zeros((1, 51)))  # compile the rasteriser, build the rig
    before = time.process_time()
    taken = seconds(lambda: score(expressions, columns, bank=bank, backbone=backbone))
    busy = time.process_time() - before
    return taken, busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB


def print_scale(numbers: list[int], threads: int) -> None:
    table = Table(title=f"A bank of {LARGE_BANK:,} descriptions, a tiny backbone, {threads} threads")
    for column in ("faces", "seconds", "ms a face", "ms of CPU a face", "peak memory, GB"):
        table.add_column(column, justify="right")
    for faces in numbers:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            taken, busy, peak = pool.submit(at_scale, faces, threads).result()
        each = (f"{1000 * spent / faces:.2f}" for spent in (taken, busy))
        table.add_row(f"{faces:,}", f"{taken:.1f}", *each, f"{peak:.2f}")
    Console(width=110).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=128, help=f"faces to score, a multiple of 64 up to {BANK}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scale", type=int, nargs="+", metavar="FACES", help="measure time and memory by size instead")
    arguments = parser.parse_args()
    if arguments.scale:
        print_scale(arguments.scale, arguments.threads)
        return
    torch.set_num_threads(arguments.threads)
    render(np.zeros((1, 51)))  # compile the rasteriser, build the rig
    in_float32 = 0.0
    for dtype in (torch.float32, torch.bfloat16):
        measured = rates(dtype, arguments.faces, arguments.rounds)
        alone, *_, published_rate = measured.values()
        in_float32 = in_float32 or published_rate
        table = Table(title=f"ViT-B/32, {dtype}, {arguments.threads} threads, {arguments.faces} faces, bank of {BANK}")
        for column in ("", "faces/s", "x encoder alone", "x published", "x published, float32"):
            table.add_column(column, justify="left" if not column else "right")
        for name, rate in measured.items():
            table.add_row(
                name, f"{rate:.1f}", f"{rate / alone:.2f}", f"{rate / published_rate:.2f}", f"{rate / in_float32:.2f}"
            )
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
