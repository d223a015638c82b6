"""Answers on disk: one line each, written through before anybody is told that it is kept."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from pathlib import Path
from threading import Lock
from typing import Any, Literal
from uuid import uuid4

from huggingface_hub import CommitScheduler, snapshot_download

from emo3d.emotions import as_intensities

logger = logging.getLogger(__name__)

FOLDER_IN_REPO = "answers"


@dataclass(frozen=True)
class Answer:
    """What an annotator said to a task.

    Attributes:
        annotator: a name of their choice; nothing else is kept of a person.
        task: its id, see `emo3d.judging.Task`.
        agrees: of a fit: whether the distribution fits. None for a pair.
        intensities: of a fit that does not: eight numbers in 0..1, order `EMOTIONS`, as the annotator would have them.
        better: of a pair: which face shows the description better. None for a fit.
        seconds: from the question to the answer.
        time: of the answer, ISO 8601, UTC.
        id: its own.

    Raises:
        ValueError: neither or both of `agrees` and `better`, a blank annotator, or bad intensities.
    """

    annotator: str
    task: str
    agrees: bool | None = None
    intensities: list[float] | None = None
    better: Literal["first", "second", "same"] | None = None
    seconds: float | None = None
    time: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))
    id: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        if not self.annotator.strip():
            raise ValueError("expected an annotator's name, got a blank one")
        if (self.agrees is None) == (self.better is None):
            raise ValueError("expected an answer to a fit (agrees) or to a pair (better)")
        if self.better not in (None, "first", "second", "same"):
            raise ValueError(f"expected first, second or same, got {self.better!r}")
        if self.intensities is not None:
            as_intensities([self.intensities])


class Answers:
    """Answers in a folder of JSON lines, and in a dataset on the Hub where one is named.

    Every process appends to a file of its own. A line is flushed to disk before `add` returns, so that a kill loses no
    answer that was confirmed; a line that a kill cut short is skipped with a warning and was never confirmed.

    Args:
        folder: where to keep them; made when it is not there.
        repo: id of a dataset on the Hub. Its answers are fetched first, and new ones are committed in the background.
        token: for the Hub; the saved one by default.
        minutes: between commits.

    Raises:
        OSError: the Hub or the dataset cannot be reached.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        repo: str | None = None,
        *,
        token: str | None = None,
        minutes: float = 5,
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = self.folder / f"answers-{uuid4().hex}.jsonl"
        self._read = [self.folder]
        self._lock = Lock()
        self.scheduler: CommitScheduler | None = None
        if repo:
            self.scheduler = CommitScheduler(
                repo_id=repo,
                repo_type="dataset",
                folder_path=self.folder,
                path_in_repo=FOLDER_IN_REPO,
                allow_patterns="*.jsonl",
                private=True,
                token=token,
                every=minutes,
            )
            kept = snapshot_download(repo, repo_type="dataset", allow_patterns=f"{FOLDER_IN_REPO}/*", token=token)
            self._read.append(Path(kept, FOLDER_IN_REPO))
        self._answers = {answer.id: answer for folder in self._read for answer in read_answers(folder)}

    def add(self, answer: Answer) -> None:
        """Keep an answer; it is on disk when this returns."""
        line = json.dumps(asdict(answer), ensure_ascii=False) + "\n"
        with self._lock, self.scheduler.lock if self.scheduler else nullcontext():
            with open(self._file, "a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            self._answers[answer.id] = answer

    def all(self) -> list[Answer]:
        """The answers, one for each annotator and task: the last that was given."""
        with self._lock:
            last = {
                (answer.annotator, answer.task): answer
                for answer in sorted(self._answers.values(), key=lambda one: one.time)
            }
        return list(last.values())

    def tasks_of(self, annotator: str) -> set[str]:
        """Ids of the tasks that an annotator has answered."""
        return {answer.task for answer in self.all() if answer.annotator == annotator}


def read_answers(folder: str | os.PathLike[str]) -> Iterator[Answer]:
    """Read every answer in a folder's `*.jsonl`, in the order of files and lines.

    A last line without its end, which a kill leaves, is skipped with a warning.

    Raises:
        ValueError: another line that is no answer; the message names file and line.
    """
    for path in sorted(Path(folder).glob("*.jsonl")):
        *lines, rest = path.read_text(encoding="utf-8").split("\n")
        if rest:
            logger.warning("%s ends in the middle of an answer, which was never confirmed", path.name)
        for number, line in enumerate(lines, 1):
            yield _parse(line, f"line {number} of {path.name}")


def _parse(line: str, where: str) -> Answer:
    try:
        given: Any = json.loads(line)
        return Answer(**{name.name: given[name.name] for name in fields(Answer)})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"expected an answer in {where}, got {line[:80]!r} ({error})") from error
