"""What the Hub's benchmark pages read: `eval.yaml` of a dataset, and `.eval_results/*.yaml` of a model.

Formats: huggingface.co/docs/hub/eval-results. Nothing else knows them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from emo3d.backbones import DEFAULT_BACKBONE
from emo3d.dataset import sample_folder
from emo3d.scoring.protocols import PROTOCOLS
from emo3d.scoring.references import content_hash, read_references_file
from emo3d.scoring.settings import signature_fields

if TYPE_CHECKING:
    from huggingface_hub import EvalResultEntry

    from emo3d.blendshapes import Space
    from emo3d.scoring import Emo3DResult
    from emo3d_lab.headline import Headline

TASKS = {"sample": "emo3d-2026-quickstart", "pairs": "emo3d-2026"}
"""Configs with a description and intensities a row, whose split `SPLIT` is a task under the same name, and the protocol
by which it is scored."""
SPLIT = "test"
BENCHMARK_FILE = "eval.yaml"
ENTRY_FILE = ".eval_results/emo3d.yaml"

_NAME = "Emo3D"
_DESCRIPTION = (
    "Do generated 3D faces show the emotions that a text describes? A model turns each description into 51 ARKit "
    "blendshape scores; the face is rendered and read, and its emotions are held against those described. The value is "
    "0 to 100, higher is better: 100 for perfect retrieval, 0 for the constant prior, linear in the mean KL divergence "
    "between them. Notes have the divergence, the prior's, and the signature of all settings."
)
_OF_TASKS = {
    "sample": "The task `sample` is synthetic, and seen by the quickstart backbone.",
    "pairs": f"The task `pairs` is the published data, seen by {DEFAULT_BACKBONE}.",
}


def benchmark_yaml(configs: Collection[str]) -> str | None:
    """Write `eval.yaml`, which makes a dataset a benchmark, for those of its configs that are tasks; None without any.

    It names no evaluation framework: those that the Hub lists run language models.
    """
    tasks = [{"id": name, "config": name, "split": SPLIT} for name in TASKS if name in configs]
    if not tasks:
        return None
    description = " ".join([_DESCRIPTION, *(_OF_TASKS[task["id"]] for task in tasks)])
    return _dump({"name": _NAME, "description": description, "tasks": tasks})


@dataclass(frozen=True)
class Benchmark:
    """A task of a dataset on the Hub; a ValueError where it cannot be called like this."""

    dataset_id: str  # as in namespace/emo3d
    task: str  # one of `TASKS`
    revision: str | None = None  # commit of the dataset

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.dataset_id) or Path(self.dataset_id).exists():
            raise ValueError(f"expected the id of a dataset on the Hub, as in namespace/emo3d, got {self.dataset_id!r}")
        if self.task not in TASKS:
            raise ValueError(f"expected a task of {', '.join(TASKS)}, got {self.task!r}")
        if self.revision is not None and not re.fullmatch("[0-9a-f]{40}", self.revision):
            raise ValueError(f"expected the commit of the dataset, 40 hexadecimal digits, got {self.revision!r}")


def find_benchmark(
    dataset: str,
    config: str | None,
    split: str,
    dataset_id: str | None = None,
    revision: str | None = None,
    task: str | None = None,
) -> Benchmark | None:
    """Find the task that a dataset, config and split are on the Hub; None where they are none that is known.

    Args:
        dataset, config, split: that are evaluated.
        dataset_id, revision, task: as the user says it. Else they are the dataset where it is an id, its latest commit
            where the Hub can be asked, and the config.

    Raises:
        ValueError: an id is given, and the split or the task are none of the benchmark.
    """
    task = task or config or (dataset if dataset in TASKS else None)
    own = "/" in dataset and not Path(dataset).exists()
    if dataset_id is None and not (own and task in TASKS and split == SPLIT):
        return None
    if split != SPLIT:
        raise ValueError(f"expected the split {SPLIT} for an entry of a benchmark, got {split}")
    benchmark = Benchmark(dataset_id or dataset, task or "", revision)
    if revision is None and benchmark.dataset_id == dataset:
        with suppress(Exception):  # one of several kinds, by what the network does; an entry may do without
            benchmark = replace(benchmark, revision=_hub().HfApi().dataset_info(dataset, timeout=10).sha)
    return benchmark


def result_entry(
    headline: Headline,
    result: Emo3DResult,
    benchmark: Benchmark,
    *,
    date: str | None = None,
    source_url: str | None = None,
) -> EvalResultEntry:
    """Make the entry of a score, in the class of huggingface_hub.

    Args:
        headline: of `result`; its value is the entry's, all the rest is in the notes.
        date: as in 2026-11-30.
        source_url: of logs or a paper.

    Raises:
        ValueError: a score under other settings than those of the task, of other references, or of another prior.
        ImportError: an older huggingface_hub.
    """
    expected = _expected(benchmark.task, result)
    settings = signature_fields(result.signature) | {"references": result.references, "prior": headline.prior}
    if others := {name: settings.get(name) for name, value in expected.items() if settings.get(name) != value}:
        texts = ", ".join(f"{name} {expected[name]} (got {value})" for name, value in others.items())
        raise ValueError(
            f"expected the settings of the task {benchmark.task}, those of --protocol {TASKS[benchmark.task]}: {texts}"
        )
    return _hub().EvalResultEntry(
        dataset_id=benchmark.dataset_id,
        task_id=benchmark.task,
        value=round(headline.value, 2),
        dataset_revision=benchmark.revision,
        date=date,
        source_url=source_url,
        source_name="Emo3D score" if source_url else None,
        notes=f"{headline}; n={result.n} | references:{result.references}|{result.signature}",
    )


def entries_yaml(entry: EvalResultEntry, before: bytes = b"") -> str:
    """Put an entry into a file of entries: that of the same benchmark and task is replaced, all others stay.

    Args:
        before: what the file holds; of others' entries all fields are kept, known here or not.

    Raises:
        ValueError: it holds no entries.
    """
    hub = _hub()
    own = (entry.dataset_id, entry.task_id)
    try:
        content = yaml.safe_load(before)
        entries = [] if content is None else [*content]
        hub.parse_eval_result_entries(entries)  # raises where one is none
        others = [old for old in entries if (old["dataset"]["id"], old["dataset"]["task_id"]) != own]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"expected a list of evaluation results in {ENTRY_FILE}, got something else") from error
    return _dump([*others, *hub.eval_result_entries_to_yaml([entry])])


def write_entry(path: str | os.PathLike[str], entry: EvalResultEntry) -> None:
    """Write an entry into a file, see `entries_yaml`; its folder is made."""
    path = Path(path)
    text = entries_yaml(entry, path.read_bytes() if path.is_file() else b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _expected(task: str, result: Emo3DResult) -> dict[str, str]:
    """What an entry is made of, by name: a leaderboard has one number for each model, and no settings.

    Free are the space of the predictions and the version. The references of `pairs` are nowhere in this package.
    """
    protocol = PROTOCOLS[TASKS[task]]
    references = sample_references() if task == "sample" else result.references
    space: Space = "reading" if signature_fields(result.signature).get("space") == "reading" else "weights"
    settings = replace(protocol.settings, bank=references, space=space)
    expected = signature_fields(settings.sign(calibration=protocol.parts[2]))
    del expected["version"]
    return expected | {"references": references, "prior": "training split"}


@cache
def sample_references() -> str:
    """Hash of the references of the task `sample`: the test split of the packaged sample."""
    references = read_references_file(sample_folder() / f"{SPLIT}.parquet").canonical()
    return content_hash(references.descriptions, references.intensities)


def _dump(content: Any) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _hub() -> Any:
    import huggingface_hub

    if not hasattr(huggingface_hub, "EvalResultEntry"):
        raise ImportError("needs a huggingface_hub with benchmark results: pip install -U huggingface_hub")
    return huggingface_hub
