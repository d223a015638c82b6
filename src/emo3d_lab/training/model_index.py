"""The measured figures of a model card: its header's `model-index`, which the Hub shows beside the model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard

from emo3d.generation.pipeline import TASK
from emo3d_lab.training.evaluate import Evaluation

_METRICS = {
    "emo3d": "Emo3D (lower is better)",
    "kl_divergence": "mean KL divergence in nats (lower is better)",
    "recall_at_k": "recall@{k}",
    "mse": "mean squared error of the expressions",
    "mae": "mean absolute error of the expressions",
}


def update_card(path: str | os.PathLike[str], evaluation: Evaluation) -> None:
    """Put an evaluation into a card's `model-index`; the rest of the card stays as it is.

    Figures of the same dataset, config and split under the same signature are replaced, all others are kept. Each says
    its interval, signature and day.

    Args:
        path: of the card, a README.md.
        evaluation: of the model that the card describes.

    Raises:
        FileNotFoundError: no such card.
        ValueError: its header is none that a model card has.
    """
    path = Path(path)
    try:
        card = ModelCard(path.read_bytes().decode("utf-8-sig"))  # in bytes, for line ends as they are
    except OSError:
        raise
    except Exception as error:  # whatever a header of other types than a card's comes to in huggingface_hub
        raise ValueError(f"expected a model card, {path} is none: {' '.join(str(error).split())}") from error
    data: Any = card.data
    data.model_name = data.model_name or path.absolute().parent.name
    new = _entries(evaluation)
    replaced = [_identity(entry) for entry in new]
    data.eval_results = [entry for entry in data.eval_results or [] if _identity(entry) not in replaced] + new
    card.save(path)


def _entries(evaluation: Evaluation) -> list[EvalResult]:
    result = evaluation.result
    settings = dict(part.partition(":")[::2] for part in result.signature.split("|"))
    dataset = evaluation.dataset or f"references {result.references}"
    if Path(dataset).exists():  # the card goes where this folder is not
        dataset = Path(dataset).name
    entries = []
    for name, shown in _METRICS.items():
        value = getattr(result, name)
        if value is None:
            continue
        args: dict[str, Any] = {"n": result.n, "signature": result.signature}
        if name in result.intervals:
            args = {"interval": [round(end, 6) for end in result.intervals[name]], **args}
        if evaluation.date:
            args["date"] = evaluation.date
        entries.append(
            EvalResult(
                task_type=TASK,
                dataset_type=dataset,
                dataset_name="synthetic sample of emo3d" if dataset == "sample" else dataset,
                dataset_config=evaluation.config,
                dataset_split=evaluation.split,
                metric_type=name,
                metric_name=shown.format(k=settings.get("k", "k")),
                metric_value=round(value, 6),
                metric_args=args,
            )
        )
    return entries


def _identity(result: EvalResult) -> tuple[Any, ...]:
    """What two figures of one measurement have in common."""
    args: Any = result.metric_args  # anything, in the cards of others
    signature = args.get("signature") if isinstance(args, dict) else None
    return (*result.unique_identifier, result.metric_type, signature)
