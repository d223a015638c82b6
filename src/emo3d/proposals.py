"""What a generator's head takes and ends in: a strength, and several proposals that make one answer together."""

from __future__ import annotations

import torch

_STRENGTH_SCALE = 0.2  # beside the numbers of an embedding of unit length


def check_strength(strength: float, learnt: bool) -> None:
    """Refuse a strength beyond 0..1.5, and any but 1 for a head that learnt no other."""
    if not 0 <= strength <= 1.5 or (strength != 1 and not learnt):
        expected = "of 0 to 1.5" if learnt else "of 1, since this model learnt no other"
        raise ValueError(f"expected a strength {expected}, got {strength}")


def add_strength(embeddings: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """What a head takes that knows strength, (N, D + 1), of embeddings (N, D) and strengths (N,)."""
    return torch.cat([embeddings, _STRENGTH_SCALE * (strength.to(embeddings)[:, None] - 1)], dim=1)


def leave_rest(answers: torch.Tensor, at_rest: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Answers (N, ..., 51) less what a head still answers at strength 0, as far as strengths (N,) lack of 1.

    A head learns only roughly that 0 is a face at rest: unchanged, a third of a strong expression would be left there.
    """
    lack = (1 - strength).clamp(min=0).reshape(-1, *[1] * (answers.ndim - 1))
    return (answers - lack * at_rest).clamp(min=0)


def read_proposals(scores: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Split what a head ends in, (N, K * (1 + 51)): log shares (N, K), and proposals (N, K, 51) in 0..1."""
    return scores[:, :count].log_softmax(dim=1), scores[:, count:].unflatten(1, (count, -1)).sigmoid()


def join_proposals(
    log_shares: torch.Tensor, proposals: torch.Tensor, focus: float, gain: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The answer (N, 51) in 0..1 to log shares (N, K) and proposals (N, K, 51), and the shares (N, K) that made it.

    It has the direction of the proposals' mean and the mean of their lengths, times `gain`: where they disagree the
    mean alone would be a bland face. `focus` is the exponent of the shares.
    """
    shares = (focus * log_shares).softmax(dim=1)
    mean = (shares[:, :, None] * proposals).sum(dim=1)
    length = gain * (shares * proposals.norm(dim=2)).sum(dim=1) / mean.norm(dim=1)
    return (length[:, None] * mean).clamp(max=1), shares


def mixture_loss(
    log_shares: torch.Tensor, proposals: torch.Tensor, labels: torch.Tensor, spread: float
) -> torch.Tensor:
    """Mean negative log likelihood of labels (N, 51) under normal densities of one `spread` around the proposals."""
    distances = (proposals - labels[:, None]).square().sum(dim=2)
    return -torch.logsumexp(log_shares - distances / (2 * spread**2), dim=1).mean()


def draw_proposals(
    answers: torch.Tensor, proposals: torch.Tensor | None, shares: torch.Tensor | None, count: int, seed: int
) -> torch.Tensor:
    """Answers (N, 51) and proposals drawn by their shares: (N, count, 51). All rows are drawn by the same numbers."""
    if proposals is None or shares is None or count == 1:
        return answers[:, None].expand(-1, count, -1)
    ends = shares.float().cumsum(dim=1)
    draws = torch.rand(count - 1, generator=torch.Generator().manual_seed(seed)).to(ends)
    places = torch.searchsorted(ends, draws.expand(len(ends), -1).contiguous()).clamp(max=ends.shape[1] - 1)
    return torch.cat([answers[:, None], proposals[torch.arange(len(ends))[:, None], places]], dim=1)
