"""What the quickstart parts have in common in training: steps of an optimiser, and noise on embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from tqdm.auto import tqdm


def take_steps(
    parameters: Iterable[torch.nn.Parameter], count: int, epochs: int, batch_size: int, rate: float, title: str
) -> Iterator[torch.Tensor]:
    """Yield the rows of each batch; step the optimiser with the gradients that the caller leaves."""
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=0.02)
    batches = count // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * batches, pct_start=0.1)
    with tqdm(total=epochs * batches, desc=title, delay=1, leave=False) as bar:
        for _ in range(epochs):
            for batch in torch.randperm(count)[: batches * batch_size].split(batch_size):
                optimizer.zero_grad()
                yield batch
                optimizer.step()
                schedule.step()
                bar.update()


def add_noise(embeddings: torch.Tensor, strength: float) -> torch.Tensor:
    """Add noise of about this length to every embedding."""
    return embeddings + strength * torch.randn_like(embeddings) / embeddings.shape[1] ** 0.5
