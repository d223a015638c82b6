"""The exact product and FAISS side by side, for banks of 1,000 to a million texts; `scaling.py --crossover` runs it.

Two kinds of embeddings:

- descriptions: 10,000 of the synthetic sample in the packaged backbone's space (384 numbers), looked up by the pictures
  of 1,000 rendered faces. Larger banks have perturbed copies of them (cosine 0.96 with their original).
- random: unit vectors of 512 numbers, as many as ViT-B/32 has, in texts and queries. Nothing is near anything, so
  there is nothing for a clustering or a graph to use: the worst case.

An index is built once and searched at several settings. Recall@10 is the share of the exact ten that is found; the
divergence is the score's own, of the same faces. Memory is that of the index, beside the embeddings. A graph is built
by one thread, so that it is always the same one (see `Bank.indexed`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import faiss
import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table

from emo3d.emotions import distribution
from emo3d.face import render_batches
from emo3d.scoring import Bank, divergence, load_backbone
from emo3d_lab.index import Index
from emo3d_lab.sample import make_rows

SIZES = (1_000, 10_000, 100_000, 300_000, 1_000_000)
QUERIES = 1_000
DESCRIPTIONS = 10_000  # distinct ones
NOISE = 0.3  # length of what is added to a copy of unit length
GRAPHS_TO = {384: 300_000, 512: 100_000}  # by numbers in an embedding; a larger one takes one thread many minutes
ASKED = (10_000, 15_000_000)  # faces to score, for which the cheapest method is named
AGAIN = 2.0  # seconds; a search that took less is done twice
GOOD = 0.95  # recall that a method needs to be named


@dataclass(frozen=True)
class Search:
    """One method on one bank."""

    method: str
    build: float  # seconds
    each: float  # seconds per 1,000 queries
    recall: float
    moved: float  # mean divergence less that of the exact search; nan without intensities to compare with
    memory: float  # GB

    def total(self, queries: int) -> float:
        """Seconds for building and all queries."""
        return self.build + self.each * queries / 1000


def factories(size: int, width: int) -> dict[str, list[str]]:
    """Factory string -> search parameters to try."""
    lists = 2 ** round(np.log2(size) / 2)  # about the root of the size
    graph = {"HNSW32": [f"efSearch{n}" for n in (128, 256, 512, 1024)]} if size <= GRAPHS_TO[width] else {}
    return {"Flat": [""], f"IVF{lists},Flat": [f"nprobe{n}" for n in (4, 16, 64, 256) if n < lists]} | graph


def described(sizes: list[int]) -> tuple[torch.Tensor, np.ndarray, torch.Tensor, np.ndarray]:
    """Embeddings (U, 384) and intensities (U, 8) of a bank, embeddings (N, 384) and intensities (N, 8) of queries."""
    backbone = load_backbone("quickstart")
    rows, asked = make_rows("train", min(DESCRIPTIONS, max(sizes))), make_rows("test", QUERIES)
    embeddings = backbone.encode_texts([row.description for row in rows]).embeddings
    faces = render_batches([row.blendshapes for row in asked])
    queries = torch.cat([backbone.encode_pictures(pictures) for pictures in faces])
    times = -(-max(sizes) // len(rows))
    generator = torch.Generator().manual_seed(0)
    parts = [embeddings]
    for _ in range(times - 1):
        noise = torch.nn.functional.normalize(torch.randn(embeddings.shape, generator=generator))
        parts.append(torch.nn.functional.normalize(embeddings + NOISE * noise))
    intensities = np.tile([row.intensities for row in rows], (times, 1))
    return torch.cat(parts), intensities, queries, np.array([row.intensities for row in asked])


def random(sizes: list[int]) -> tuple[torch.Tensor, np.ndarray, torch.Tensor, None]:
    generator = torch.Generator().manual_seed(0)
    texts, queries = (
        torch.nn.functional.normalize(torch.randn(count, 512, generator=generator)) for count in (max(sizes), QUERIES)
    )
    return texts, np.ones((max(sizes), 8)), queries, None


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done


def searches(bank: Bank, queries: torch.Tensor, wanted: np.ndarray | None) -> Iterator[Search]:
    """The exact product, then every index; of short searches the better of two."""

    def look_up(bank: Bank) -> tuple[float, np.ndarray]:
        once, found = seconds(partial(bank.nearest, queries, 10))
        if once < AGAIN:
            once = min(once, seconds(partial(bank.nearest, queries, 10))[0])
        return 1000 * once / len(queries), found

    def mean_divergence(found: np.ndarray) -> float:
        return np.nan if wanted is None else divergence(distribution(wanted), bank.intensities[found]).mean()

    each, exact = look_up(bank)
    yield Search("exact product", 0.0, each, 1.0, 0.0, 0.0)
    for factory, parameters in factories(*bank.embeddings.shape).items():
        build, indexed = seconds(partial(bank.indexed, factory))
        memory = gigabytes(indexed.index)
        for parameter in parameters:
            name = "/".join(filter(None, (factory, parameter)))
            each, found = look_up(replace(bank, index=Index(name, indexed.index.faiss, indexed.index.embeddings)))
            hits = [len(np.intersect1d(one, other)) for one, other in zip(exact, found, strict=True)]
            moved = mean_divergence(found) - mean_divergence(exact)
            yield Search(name, build, each, np.mean(hits) / 10, moved, memory)


def gigabytes(index: Index) -> float:
    """What an index would fill in a file, counted without making one: so much it takes in memory, too."""
    sizes: list[int] = []
    faiss.write_index(index.faiss, faiss.PyCallbackIOWriter(lambda part: sizes.append(len(part))))
    return sum(sizes) / 1e9


def crossing(by_size: dict[int, list[Search]], queries: int, exactly: bool) -> str:
    """From which size of bank on FAISS beats the exact product, building included; between sizes on logarithms."""
    gains = {}
    for size, (exact, flat, *approximate) in by_size.items():
        others = [flat] if exactly else [other for other in approximate if other.recall >= GOOD]
        if others:
            gains[size] = np.log(exact.total(queries) / min(other.total(queries) for other in others))
    behind = [size for size, gain in gains.items() if gain < 0]
    ahead = [f"{size:,}" for size in gains if size not in behind]
    if not ahead:
        return f"nowhere up to {max(by_size):,} rows"
    if max(gains) in behind:
        return f"at {', '.join(ahead)} rows, but not at {max(gains):,}"
    if not behind:
        return f"from {min(gains):,} rows on, or fewer"
    low, high = max(behind), min(size for size in gains if size > max(behind))
    share = gains[low] / (gains[low] - gains[high])
    return f"from about {low * (high / low) ** share:,.0f} rows on"


def markdown(title: str, *columns: str) -> Table:
    """A table that can be pasted into a document."""
    table = Table(*columns, title=title, title_justify="left", box=box.MARKDOWN)
    for column in table.columns:
        column.justify = "left" if column.header in ("method", "stage", "of", "limit") else "right"
    return table


def print_crossover(most: int, threads: int) -> None:
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    sizes = [size for size in SIZES if size <= most]
    console = Console(width=120)
    for kind, make in (("descriptions", described), ("random", random)):
        texts, intensities, queries, wanted = make(sizes)
        title = f"{kind}: {texts.shape[1]} numbers, {len(queries):,} queries, {threads} threads"
        table = markdown(title, "bank", "method", "build, s", "ms/1,000", "recall@10", "KL less exact", "memory, GB")
        by_size = {}
        for size in sizes:
            bank = Bank(tuple(map(str, range(size))), intensities[:size], texts[:size])
            by_size[size] = list(searches(bank, queries, wanted))
            for one in by_size[size]:
                table.add_row(
                    f"{size:,}", one.method, f"{one.build:.1f}", f"{1000 * one.each:,.0f}", f"{one.recall:.3f}",
                    "-" if wanted is None else f"{one.moved:+.4f}", f"{one.memory:.2f}",
                )  # fmt: skip
        console.print(table)
        for count in ASKED:
            for what, exactly in (("Flat", True), (f"an approximate index of recall {GOOD} or more", False)):
                console.print(f"{count:,} faces: {what} pays {crossing(by_size, count, exactly)}")
        del texts, bank
