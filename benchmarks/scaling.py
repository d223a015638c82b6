"""What a thousand instances cost at every stage, and from that what 150 thousand to 1.5 billion would.

    OMP_NUM_THREADS=1 python benchmarks/scaling.py [--rounds 3]     # seconds and bytes per 1,000 instances, by stage
    OMP_NUM_THREADS=1 python benchmarks/scaling.py --plan [--cores 16] [--peak 989] [--utilisation 0.3] [--price 3]
    python benchmarks/scaling.py --crossover [--most 1000000] [--threads 2]     # exact product and FAISS: crossover.py

Stages run one after the other in one process, on one thread where the environment says so (threads that wait count as
busy); of several rounds the best counts. The plan goes by core seconds, of all threads together.
Descriptions and expressions are those of the synthetic sample. Pictures of 1024 x 1024 are its faces with noise, JPEGs
of about the published size (160 kB). ViT-B/32 has random weights, which cost what trained ones do.

`--plan` extrapolates in a straight line, stage after stage as the code runs them. What runs on the CPU is measured, and
divided by the cores beside the GPUs; summing up has one core of one machine. What runs on the GPU is an ASSUMPTION, for
nothing was run on one: the FLOPs of ViT-B/32 (counted by PyTorch) in bfloat16 and of the exact product in float32, over
peak x utilisation. The defaults are the data sheet of an H100, three tenths of it, and round numbers of cores and USD.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from crossover import markdown, print_crossover
from PIL import Image
from pyarrow import parquet
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from emo3d import load_generator
from emo3d.face import RenderSettings, render
from emo3d.scoring import Bank, HubBackbone, References, ScoreSettings, load_backbone, read_references
from emo3d.scoring.result import summarise
from emo3d_lab.landmarker import FaceReader
from emo3d_lab.sample import make_rows

ROWS, FACES, PICTURES, SUMMED = 10_000, 256, 64, 100_000
BANKS, WIDTH = (50_000, 500_000), 512  # rows, and numbers in an embedding of ViT-B/32
BATCH = 32
INSTANCES, GPUS = (150_000, 15_000_000, 1_500_000_000), (1, 8, 256)
SCORED, EXTRACTED = ("read rows", "render 224 px", "write"), ("read pictures", "decode 1024 px", "extract (MediaPipe)")
console = Console(width=120)


@dataclass(frozen=True)
class Stage:
    """Costs of 1,000 instances: seconds by the clock, core seconds, bytes and what they are."""

    name: str
    seconds: float
    core_seconds: float
    bytes: float
    what: str


def measure(name: str, rows: int, work: Callable[[], Any], size: float, what: str, *, rounds: int) -> Stage:
    work()  # compiles, loads
    runs = []
    for _ in range(rounds):
        start, busy = time.perf_counter(), time.process_time()
        work()
        runs.append((time.perf_counter() - start, time.process_time() - busy))
    return Stage(name, *(1000 * best / rows for best in (*map(min, zip(*runs, strict=True)), size)), what)


def data_stages(folder: Path, clock: Callable[..., Stage]) -> Iterator[Stage]:
    """Reading, decoding, extracting, generating, writing."""
    rng = np.random.default_rng(0)
    rows = make_rows("train", ROWS)
    described = {"description": [row.description for row in rows], "intensities": [row.intensities for row in rows]}
    columns = described | {"blendshapes": [row.blendshapes for row in rows]}
    values = {name: rng.random(ROWS) for name in ("kl_divergence", "match", "mse", "mae", "amplitude")}
    scored = described | values | {"row": np.arange(ROWS), "distribution": list(rng.random((ROWS, 8)))}
    faces = render(np.stack(columns["blendshapes"][:PICTURES]), settings=RenderSettings(size=1024))
    files = [jpeg(face, rng) for face in faces]

    def write(name: str, columns: dict[str, Any]) -> int:
        parquet.write_table(pa.table(columns), folder / name, compression="zstd")
        return (folder / name).stat().st_size

    def read(name: str) -> dict[str, list[Any]]:
        return parquet.read_table(folder / name).to_pydict()

    def decode() -> list[np.ndarray]:
        return [np.asarray(Image.open(io.BytesIO(file))) for file in files]

    yield clock("read rows", ROWS, lambda: read_references(read("rows")), write("rows", columns), "file")
    yield clock("read pictures", PICTURES, lambda: read("pictures"), write("pictures", {"image": files}), "file")
    pictures = decode()
    yield clock("decode 1024 px", PICTURES, decode, sum(picture.nbytes for picture in pictures), "pixels")
    with FaceReader(quiet=True) as reader:
        yield clock("extract (MediaPipe)", PICTURES, lambda: list(map(reader.read, pictures)), PICTURES * 204, "scores")
    generate = partial(load_generator("quickstart").generate, described["description"][:FACES])
    yield clock("generate (quickstart)", FACES, generate, FACES * 204, "scores")
    yield clock("write", ROWS, lambda: write("scored", scored), write("scored", scored), "file")


def jpeg(picture: np.ndarray, rng: np.random.Generator) -> bytes:
    """A picture whose file is as large as a photograph's: noise is what JPEG cannot shrink."""
    noisy = np.clip(picture + 4 * rng.standard_normal(picture.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def scoring_stages(clip: CLIPModel, clock: Callable[..., Stage]) -> Iterator[Stage]:
    """Rendering, encoding, retrieving."""
    expressions = np.stack([row.blendshapes for row in make_rows("train", FACES)])
    pictures = render(expressions)
    yield clock("render 224 px", FACES, lambda: render(expressions), pictures.nbytes, "pixels")
    vit = HubBackbone(clip, None, CLIPImageProcessor(), id="random-vit-b-32", revision="0")
    for name, backbone in (("quickstart", load_backbone("quickstart")), ("ViT-B/32", vit)):

        def encode(encode: Callable[[np.ndarray], torch.Tensor] = backbone.encode_pictures) -> torch.Tensor:
            return torch.cat([encode(pictures[start : start + BATCH]) for start in range(0, FACES, BATCH)])

        yield clock(f"encode ({name})", FACES, encode, encode().nbytes, "embeddings")
    queries = torch.nn.functional.normalize(torch.randn(FACES, WIDTH))
    for size in BANKS:
        embeddings = torch.nn.functional.normalize(torch.randn(size, WIDTH))
        bank = Bank(tuple(map(str, range(size))), np.ones((size, 8)), embeddings)
        yield clock(f"retrieve of {size:,}", FACES, partial(bank.nearest, queries, 10), FACES * 80, "rows of the bank")


def summing_up(clock: Callable[..., Stage]) -> Iterator[Stage]:
    """What one process does with the values of all faces: means, intervals, and the references' order and hash."""
    rows, times = make_rows("train", ROWS), SUMMED // ROWS

    def values() -> tuple[dict[str, np.ndarray], list[str], np.ndarray]:
        per_sample = {
            name: np.random.default_rng(0).random(SUMMED)
            for name in ("kl_divergence", "match", "mse", "mae", "amplitude")
        }
        per_sample["distribution"] = np.random.default_rng(0).random((SUMMED, 8))
        texts = [f"{row.description} {copy}" for copy in range(times) for row in rows]
        return per_sample, texts, np.tile([row.intensities.astype(float) for row in rows], (times, 1))

    def work(per_sample: dict[str, np.ndarray], texts: list[str], intensities: np.ndarray, **settings: int) -> None:
        summarise(per_sample, References(texts, intensities), ScoreSettings(**settings), "", 0)

    tracemalloc.start()
    work(*values(), n_bootstrap=1)  # as of two million faces on: so many fill the block that is drawn at once
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    yield clock("sum up", SUMMED, partial(work, *values()), peak, "memory")


def print_stages(stages: list[Stage]) -> None:
    table = markdown("Costs of 1,000 instances", "stage", "seconds", "core seconds", "MB", "of")
    for one in stages:
        numbers = (one.seconds, one.core_seconds, one.bytes / 1e6)
        table.add_row(one.name, *(f"{n:,.0f}" if n >= 100 else f"{n:.2g}" for n in numbers), one.what)
    console.print(table)


def print_plan(title: str, stages: list[Stage], on_gpu: float, last: float, given: argparse.Namespace) -> None:
    """Time, price and limit, for stages on all cores, seconds of a GPU and seconds of one core per 1,000 instances."""
    title = f"{title}, {given.cores} cores beside each GPU, {given.price:g} USD per GPU and hour"
    table = markdown(title, "instances", "GPUs", "on cores", "on GPUs", "on one core", "in all", "USD", "limit")
    slowest = max(stages, key=lambda stage: stage.core_seconds).name
    for instances in INSTANCES:
        for gpus in GPUS:
            on_cores = sum(stage.core_seconds for stage in stages) / given.cores
            spent = {slowest: on_cores / gpus, "GPU": on_gpu / gpus, "sum up": last}
            spent = {name: seconds * instances / 1000 for name, seconds in spent.items()}
            paid = gpus * (spent[slowest] + spent["GPU"]) + spent["sum up"]  # one machine stays to sum up
            limit = max(spent, key=lambda name: spent[name])
            times = map(duration, (*spent.values(), sum(spent.values())))
            table.add_row(f"{instances:,}", str(gpus), *times, f"{paid / 3600 * given.price:,.2f}", limit)
    console.print(table)


def duration(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.1f} s"


def plan(stages: dict[str, Stage], clip: CLIPModel, given: argparse.Namespace) -> None:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        clip.get_image_features(pixel_values=torch.zeros(1, 3, 224, 224))
    per_flop, per_flop32 = (1 / (peak * 1e12 * given.utilisation) for peak in (given.peak, given.peak32))
    encode = 1000 * counter.get_total_flops() * per_flop
    retrieve = [1000 * 2 * size * WIDTH * per_flop32 for size in BANKS]
    console.print(
        f"Assumed of a GPU: {given.peak:g} TFLOP/s in bfloat16, {given.peak32:g} in float32, {given.utilisation:.0%} "
        f"of either reached. Seconds per 1,000 faces: encode {encode:.3f} ({counter.get_total_flops() / 1e9:.2f} GFLOP "
        f"each; {encode * per_flop32 / per_flop:.3f} in float32), "
        + ", ".join(f"retrieve of {size:,} {cost:.4f}" for size, cost in zip(BANKS, retrieve, strict=True))
    )
    scored, read = ([stages[name] for name in names] for names in (SCORED, EXTRACTED))
    last = stages["read rows"].core_seconds + stages["sum up"].core_seconds  # the driver reads all references, too
    print_plan("Scoring expressions", scored, encode + retrieve[0], last, given)
    print_plan("Extracting from pictures", read, 0.0, 0.0, given)
    busy = sum(stage.core_seconds for stage in scored)
    console.print(f"Cores that would keep one GPU busy: {busy / (encode + retrieve[0]):,.0f}")
    table = markdown("GB", "instances", "sum up, memory", "samples, files", "pictures, files", "rendered, never kept")
    for instances in INSTANCES:
        names = ("sum up", "write", "read pictures", "render 224 px")
        table.add_row(f"{instances:,}", *(f"{stages[name].bytes * instances / 1e12:,.2f}" for name in names))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plan", action="store_true", help="extrapolate, too")
    parser.add_argument("--cores", type=int, default=16, help="beside each GPU")
    parser.add_argument("--peak", type=float, default=989, help="TFLOP/s of a GPU in bfloat16")
    parser.add_argument("--peak32", type=float, default=67, help="TFLOP/s of a GPU in float32")
    parser.add_argument("--utilisation", type=float, default=0.3, help="share of the peak that is reached")
    parser.add_argument("--price", type=float, default=3, help="USD per GPU and hour, its cores included")
    parser.add_argument("--crossover", action="store_true", help="measure searches of banks instead")
    parser.add_argument("--most", type=int, default=1_000_000, help="largest bank of --crossover")
    parser.add_argument("--threads", type=int, default=2, help="of --crossover")
    given = parser.parse_args()
    if given.crossover:
        print_crossover(given.most, given.threads)
        return
    torch.set_num_threads(1)
    torch.manual_seed(0)
    clip = CLIPModel(CLIPConfig()).eval()
    clock = partial(measure, rounds=given.rounds)
    with tempfile.TemporaryDirectory() as folder:
        found = [*data_stages(Path(folder), clock), *scoring_stages(clip, clock), *summing_up(clock)]
    print_stages(found)
    if given.plan:
        plan({stage.name: stage for stage in found}, clip, given)


if __name__ == "__main__":
    main()
