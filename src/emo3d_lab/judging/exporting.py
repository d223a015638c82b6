"""Answers as the judgements table that `emo3d meta` reads, and who passed the attention checks."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from emo3d.files import whole_file
from emo3d_lab.judging.answers import Answer
from emo3d_lab.judging.study import METRICS, Study

COLUMNS = (
    *("item", "judge", "kind", "system_a", "system_b", "preferred", "system", "rating"),
    *("description", "seconds", "time", "attention", "passed", "swapped"),
)
_PREFERRED = {"first": "a", "second": "b", "same": "same"}


@dataclass(frozen=True)
class Judgements:
    """Answers to a study as rows.

    Attributes:
        rows: one mapping of `COLUMNS` for each answer, attention checks among them; what does not apply is empty.
        unknown: answers to tasks that the study does not have; they are not among the rows.
        checks: judge -> attention checks passed, and answered.
    """

    rows: list[dict[str, Any]]
    unknown: int
    checks: dict[str, tuple[int, int]]

    @property
    def uses(self) -> list[Literal["pairs", "ratings"]]:
        """What `emo3d meta` can read of them, pairs first: attention checks are not counted."""
        counted = [row for row in self.rows if row["attention"] == "false"]
        pairs, ratings = any(row["preferred"] for row in counted), any(row.get("rating", "") != "" for row in counted)
        return [*(("pairs",) if pairs else ()), *(("ratings",) if ratings else ())]


def export_judgements(answers: Sequence[Answer], study: Study) -> Judgements:
    """Make the judgements table.

    Judges get a name made of the study's hash and their own (`judge-` and eight hexadecimal digits).

    Args:
        answers: one for each annotator and task, as `Answers.latest` returns them.
        study: that they are answers to.

    Raises:
        ValueError: there are answers, and all are to another study.
    """
    rows: list[dict[str, Any]] = []
    checks: dict[str, tuple[int, int]] = {}
    unknown = sum(answer.task not in study.by_task for answer in answers)
    if answers and unknown == len(answers):
        raise ValueError(
            f"expected answers to this study ({study.hash}), all {unknown} are to tasks that it does not have: "
            "they are of another study, or of this one before it was made again"
        )
    for answer in answers:
        if answer.task in study.by_task:
            row = _row(answer, study)
            rows.append(row)
            passed, count = checks.get(row["judge"], (0, 0))
            checks[row["judge"]] = passed + (row["passed"] == "true"), count + (row["attention"] == "true")
    return Judgements(rows, unknown, checks)


def _row(answer: Answer, study: Study) -> dict[str, Any]:
    task = study.by_task[answer.task]
    judge = hashlib.sha256(f"{study.hash} {answer.annotator}".encode()).hexdigest()[:8]
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {
        "item": task.item,
        "judge": f"judge-{judge}",
        "kind": "person",
        "description": study.by_item[task.item].description,
        "seconds": "" if answer.seconds is None else answer.seconds,
        "time": answer.time,
        "attention": str(task.attention).lower(),
    }
    if task.kind == "fit":
        return row | {"system": task.systems[0], "rating": int(bool(answer.agrees))}
    preferred = _PREFERRED[answer.better or "same"]
    if task.attention:
        row["passed"] = str(preferred == "a").lower()
    names = [f"prototype of {emotion}" for emotion in task.systems] if task.attention else task.systems
    return row | {
        "system_a": names[0],
        "system_b": names[1],
        "preferred": preferred,
        "swapped": str(answer.swapped).lower(),
    }


def meta_options(judgements: Judgements, folder: Path) -> list[str]:
    """Options with which `emo3d meta` measures a study's metrics against its judgements."""
    options = ["--use", "pairs"] if len(judgements.uses) > 1 else []
    if (path := folder / METRICS).is_file():
        with open(path, newline="", encoding="utf-8") as file:
            if any("" in row for row in csv.reader(file)):  # a reader has no value for an emotion that it does not know
                options.append("--drop-missing")
    return options


def write_judgements(judgements: Judgements, path: str | os.PathLike[str]) -> None:
    """Write the rows as CSV."""
    with whole_file(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(judgements.rows)
