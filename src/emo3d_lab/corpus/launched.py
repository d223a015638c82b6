"""The Emo3D score by the processes of `accelerate launch`, on the GPUs of one machine or of several."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch

from emo3d.scoring.bank import Bank
from emo3d.scoring.predictions import Pictures, read_batch
from emo3d.scoring.result import Emo3DResult
from emo3d.scoring.scorer import Emo3DScorer
from emo3d.scoring.settings import ScoreSettings


def score_launched(
    predictions: Any,
    references: Any,
    *,
    bank: Bank | None = None,
    settings: ScoreSettings | None = None,
    device: str | None = None,
    batch_size: int = 32,
    join: str | None = None,
) -> Emo3DResult | None:
    """Score as `score` does, with the same result, each process its share of the rows; all processes call this.

    `accelerate launch -m emo3d.cli score` does; `docs/examples/score_on_processes.py` has its options, for several
    machines too.

    Args:
        predictions: see `score`; all of them, in every process.
        references: see `score`.
        bank: see `score`; only the main process searches it.
        settings: see `score`.
        device: of the backbone; the process's own when None.
        batch_size: faces encoded at a time.
        join: see `score`.

    Returns:
        The result in the main process, None in the others.

    Raises:
        ValueError: see `score`.
        OSError: accelerate is missing, or the backbone cannot be loaded.
    """
    try:
        from accelerate import PartialState
        from accelerate.utils import gather_object
    except ImportError as error:
        raise OSError('scoring on processes needs accelerate: install it with `pip install "emo3d[train]"`') from error

    # The first to finish wait for the slowest; the launcher notices a dead process.
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(days=1))
    faces, rows = read_batch(predictions, references, join=join)
    scorer = Emo3DScorer(settings, device=device or str(state.device), batch_size=batch_size)
    if state.is_main_process:  # before the work, since a bank may be refused
        bank = scorer.fit(rows if bank is None else bank).bank
        scorer.bank = None  # the others need not receive it
    ends = [len(faces) * index // state.num_processes for index in range(state.num_processes + 1)]
    start, stop = ends[state.process_index], ends[state.process_index + 1]
    if start < stop:
        share = faces.source[start:stop] if isinstance(faces, Pictures) else faces[start:stop]
        scorer.update(share, rows.part(slice(start, stop)))
    scorers = gather_object([scorer])  # they travel without their backbones
    if not state.is_main_process:
        return None
    return scorer.merge(*scorers[1:]).fit(bank).compute()
