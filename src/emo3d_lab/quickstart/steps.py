"""What the quickstart parts have in common in training: steps of an optimiser, and noise on embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from tqdm.auto import tqdm

_BLUR = 3.0  # tokens by which rows of one batch differ, so that no two batches are alike


def take_steps(
    parameters: Iterable[Any],
    lengths: torch.Tensor,
    epochs: int,
    batch_size: int,
    rate: float,
    title: str,
) -> Iterator[torch.Tensor]:
    """Yield the rows of each batch, of about one length; step the optimiser with the gradients that the caller leaves.

    `parameters` are those of the optimiser, or groups of them, which may have rates of their own. `lengths` (N,) are
    those of the rows, in tokens; rows of equal length are batched at random.
    """
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=0.02)
    rates = [group["lr"] for group in optimizer.param_groups]
    steps = epochs * (len(lengths) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps, pct_start=0.1)
    with tqdm(total=steps, desc=title, delay=1, leave=False) as bar:
        for _ in range(epochs):
            for batch in _draw_batches(lengths, batch_size):
                optimizer.zero_grad()
                yield batch
                optimizer.step()
                schedule.step()
                bar.update()


def _draw_batches(lengths: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    count = len(lengths) // size
    if lengths.any():
        order = torch.argsort(lengths + _BLUR * torch.rand(len(lengths)))[: count * size]
    else:
        order = torch.randperm(len(lengths))[: count * size]
        order = order[torch.randn(len(order)).argsort()]  # drawn twice, as the packaged parts were
    batches = order.view(count, size)
    return (batches[place] for place in torch.randperm(count).tolist())


def add_noise(embeddings: torch.Tensor, strength: float) -> torch.Tensor:
    """Add noise of about this length to every embedding."""
    return embeddings + strength * torch.randn_like(embeddings) / embeddings.shape[1] ** 0.5


def half_precision() -> torch.autocast:
    """Compute in bfloat16 where the processor knows it: twice as fast there."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu.get_capabilities().get("avx512_bf16", False))
