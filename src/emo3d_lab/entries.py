"""What the Hub's benchmark pages read: `eval.yaml` of a dataset, and `.eval_results/*.yaml` of a model.

Formats: huggingface.co/docs/hub/eval-results. Only these two functions know them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from emo3d.scoring import Emo3DResult
from emo3d_lab.headline import Headline

if TYPE_CHECKING:
    from huggingface_hub import EvalResultEntry

TASKS = ("sample", "pairs")
"""Configs with a description and intensities a row, whose split `SPLIT` is a task under the same name."""
SPLIT = "test"
BENCHMARK_FILE = "eval.yaml"
ENTRY_FILE = ".eval_results/emo3d.yaml"

_NAME = "Emo3D"
_DESCRIPTION = (
    "Do generated 3D faces show the emotions that a text describes? A model turns each description into 51 ARKit "
    "blendshape scores; the face is rendered and read, and its emotions are held against those described. The value is "
    "0 to 100, higher is better: 100 for perfect retrieval, 0 for the constant prior, linear in the mean KL divergence "
    "between them. Notes have the divergence, the prior's, and the signature of all settings; values of different "
    "signatures must not be compared."
)
_OF_TASKS = {"sample": "The task `sample` is synthetic."}


def benchmark_yaml(configs: Collection[str]) -> str | None:
    """Write `eval.yaml`, which makes a dataset a benchmark, for those of its configs that are tasks; None without any.

    It names no evaluation framework: those that the Hub lists run language models.
    """
    tasks = [{"id": name, "config": name, "split": SPLIT} for name in TASKS if name in configs]
    if not tasks:
        return None
    description = " ".join([_DESCRIPTION, *(_OF_TASKS[task["id"]] for task in tasks if task["id"] in _OF_TASKS)])
    return _dump({"name": _NAME, "description": description, "tasks": tasks})


def result_entry(
    headline: Headline,
    result: Emo3DResult,
    dataset_id: str,
    task: str,
    *,
    dataset_revision: str | None = None,
    date: str | None = None,
    source_url: str | None = None,
) -> EvalResultEntry:
    """Make the entry of a score, in the class of huggingface_hub.

    Args:
        headline: of `result`; its value is the entry's, all the rest is in the notes.
        dataset_id: of the benchmark on the Hub, as in namespace/name.
        task: one of `TASKS`.
        dataset_revision: its commit.
        date: as in 2026-11-30.
        source_url: of logs or a paper.

    Raises:
        ValueError: an id, a task or a commit of another form.
        ImportError: an older huggingface_hub.
    """
    check_benchmark(dataset_id, task, dataset_revision)
    return _hub().EvalResultEntry(
        dataset_id=dataset_id,
        task_id=task,
        value=round(headline.value, 2),
        dataset_revision=dataset_revision,
        date=date,
        source_url=source_url,
        source_name="Emo3D score" if source_url else None,
        notes=f"{headline}; n={result.n} | references:{result.references}|{result.signature}",
    )


def check_benchmark(dataset_id: str, task: str | None, dataset_revision: str | None = None) -> None:
    """Raise a ValueError where a benchmark cannot be called like this."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", dataset_id) or Path(dataset_id).exists():
        raise ValueError(f"expected the id of a dataset on the Hub, as in namespace/emo3d, got {dataset_id!r}")
    if task not in TASKS:
        raise ValueError(f"expected a task of {', '.join(TASKS)}, got {task!r}")
    if dataset_revision is not None and not re.fullmatch("[0-9a-f]{40}", dataset_revision):
        raise ValueError(f"expected the commit of the dataset, 40 hexadecimal digits, got {dataset_revision!r}")


def entries_yaml(entry: EvalResultEntry, before: str = "") -> str:
    """Put an entry into a file of entries: that of the same benchmark and task is replaced, all others stay.

    Args:
        before: what the file holds.

    Raises:
        ValueError: it holds no entries.
    """
    hub = _hub()
    try:
        entries = hub.parse_eval_result_entries(yaml.safe_load(before) or [])
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"expected a list of evaluation results in {ENTRY_FILE}, got something else") from error
    others = [old for old in entries if (old.dataset_id, old.task_id) != (entry.dataset_id, entry.task_id)]
    return _dump(hub.eval_result_entries_to_yaml([*others, entry]))


def write_entry(path: str | os.PathLike[str], entry: EvalResultEntry) -> None:
    """Write an entry into a file, see `entries_yaml`; its folder is made."""
    path = Path(path)
    text = entries_yaml(entry, path.read_text("utf-8") if path.is_file() else "")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _dump(content: Any) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _hub() -> Any:
    import huggingface_hub

    if not hasattr(huggingface_hub, "EvalResultEntry"):
        raise ImportError("needs a huggingface_hub with benchmark results: pip install -U huggingface_hub")
    return huggingface_hub
