"""Answers on disk: one line each, flushed before an answer is confirmed; deleted when their judge asks for it."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from threading import Lock
from typing import Literal, get_args
from uuid import uuid4

from filelock import FileLock
from huggingface_hub import CommitScheduler, cached_assets_path, snapshot_download

from emo3d.documents import parse_json, read_text
from emo3d.emotions import as_intensities
from emo3d.files import whole_file
from emo3d_lab.plain import from_plain

logger = logging.getLogger(__name__)

FOLDER_IN_REPO = "answers"

CONSENT = """You take part of your own free will and can stop at any time. Of each answer, whoever runs this study
stores: the name that you choose, the question, your answer, how long it took, and the time. Nothing else of you is
stored: no e-mail, no address of your computer, no cookie. The answers may be published, with a number in place of
your name. A few questions have a clear answer and check whether people look at the faces. You can delete your
answers here at any time. Whoever knows your name can do so, too, and can answer under it: choose one that nobody
guesses."""

Better = Literal["first", "second", "same"]

_START = '{"annotator"'  # of every line
_LATER = {"sequence": 0, "swapped": False, "withdrawn": False}  # what files of earlier versions lack


@dataclass(frozen=True)
class Answer:
    """An annotator's answer to a task, or their wish that all earlier ones be deleted.

    Attributes:
        annotator: a name of their choice; nothing else is stored of a person.
        task: its id, see `emo3d_lab.judging.study.Task`; empty for such a wish.
        agrees: of a fit: whether the distribution fits. None for a pair.
        intensities: of a fit that does not: eight numbers in 0..1, order `EMOTIONS`, as the annotator would have them.
        better: of a pair: which face fits the description better, in the order of the task's systems. None for a fit.
        seconds: from the question to the answer.
        time: of the answer, ISO 8601, UTC.
        id: its own.
        sequence: orders answers independently of clocks; `Answers.add` sets it.
        swapped: of a pair: whether the task's second face was shown first.
        withdrawn: it is a wish: no earlier answer of the annotator counts.

    Raises:
        ValueError: not one of `agrees`, `better` and `withdrawn`, a blank annotator, or bad intensities.
    """

    annotator: str
    task: str
    agrees: bool | None = None
    intensities: list[float] | None = None
    better: Better | None = None
    seconds: float | None = None
    time: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))
    id: str = field(default_factory=lambda: uuid4().hex)
    sequence: int = 0
    swapped: bool = False
    withdrawn: bool = False

    def __post_init__(self) -> None:
        if not self.annotator.strip():
            raise ValueError("expected an annotator's name, got a blank one")
        if (self.agrees is not None) + (self.better is not None) + self.withdrawn != 1:
            raise ValueError("expected an answer to a fit (agrees) or to a pair (better)")
        if self.better not in (None, *get_args(Better)):
            raise ValueError(f"expected first, second or same, got {self.better!r}")
        if self.intensities is not None:
            as_intensities([self.intensities])


class Answers:
    """Answers in a folder of JSON lines and, if `repo` is set, in a dataset on the Hub.

    Every process appends to a file of its own. A line is flushed to disk before `add` returns, so that neither a kill
    nor a full disk loses an answer that was confirmed; a line that is cut short was never confirmed, and is skipped
    with a warning.

    Args:
        folder: made if needed.
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
        folders = [self.folder]
        self._lock, self._processes = Lock(), FileLock(self.folder / ".lock")
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
            snapshot = snapshot_download(repo, repo_type="dataset", allow_patterns=f"{FOLDER_IN_REPO}/*", token=token)
            folders.append(Path(snapshot, FOLDER_IN_REPO))
        self._answers = {answer.id: answer for folder in folders for answer in read_answers(folder)}
        self._last = max((answer.sequence for answer in self._answers.values()), default=0)

    def add(self, answer: Answer) -> None:
        """Store an answer; it is on disk when this returns.

        Raises:
            OSError: it could not be written, for example to a full disk; nothing of it is stored then.
        """
        with self._locked():
            # The clock orders answers of several processes, but may be set back.
            answer = replace(answer, sequence=max(self._last + 1, time.time_ns() // 1000))
            try:
                _append(self._file, json.dumps(asdict(answer), ensure_ascii=False) + "\n")
            except OSError as error:
                raise OSError(f"the answer could not be kept in {self.folder}: {error.strerror}") from error
            self._last = answer.sequence
            self._answers[answer.id] = answer

    def withdraw(self, annotator: str) -> int:
        """Delete an annotator's answers; gives how many there were.

        Their lines go from the files of this folder. A line with the name and the time stays, so that answers that lie
        elsewhere, as in a dataset on the Hub, do not count either.

        Raises:
            OSError: the wish could not be written; everything is as it was then.
        """
        count = len(self.tasks_of(annotator))
        self.add(Answer(annotator, "", withdrawn=True))
        with self._locked():
            for path in self.folder.glob("*.jsonl"):
                lines = read_text(path).split("\n")
                kept = [line for line in lines if not _is_of(line, annotator)]
                if len(kept) < len(lines):
                    with whole_file(path) as part:
                        part.write_text("\n".join(kept), encoding="utf-8")
        return count

    def latest(self) -> list[Answer]:
        """The answers, one for each annotator and task: the last, where none was withdrawn after it."""
        with self._lock:
            in_order = sorted(self._answers.values(), key=lambda answer: answer.sequence)
        ends = {answer.annotator: answer.sequence for answer in in_order if answer.withdrawn}
        counted = [answer for answer in in_order if answer.sequence > ends.get(answer.annotator, -1)]
        return list({(answer.annotator, answer.task): answer for answer in counted}.values())

    def tasks_of(self, annotator: str) -> set[str]:
        """Ids of the tasks that an annotator has answered."""
        return {answer.task for answer in self.latest() if answer.annotator == annotator}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among the threads and processes that write to this folder."""
        with self._lock, self._processes, self.scheduler.lock if self.scheduler else nullcontext():
            yield


def answers_folder(study: str | os.PathLike[str] | None = None) -> Path:
    """Where answers are kept: `EMO3D_ANSWERS`, or the folder `answers` of a study, or one in this user's Hub cache."""
    if folder := os.environ.get("EMO3D_ANSWERS"):
        return Path(folder)
    return Path(study, "answers") if study else cached_assets_path("emo3d", namespace="answers")


def read_answers(folder: str | os.PathLike[str]) -> Iterator[Answer]:
    """Read every answer in a folder's `*.jsonl`, in the order of files and lines.

    A line that a kill or a full disk cut short is skipped with a warning; a whole answer after it is read.

    Raises:
        ValueError: a file that holds something else; the message names file and line.
    """
    for path in sorted(Path(folder).glob("*.jsonl")):
        last = 0
        *lines, rest = read_text(path).split("\n")
        if rest:
            logger.warning("%s ends in the middle of an answer, which was never confirmed", path.name)
        for number, line in enumerate(lines, 1):
            answer = _parse(line, f"line {number} of {path.name}")
            if answer is not None:
                last = answer.sequence or max(last + 1, _microseconds(answer.time))  # older files have no sequence
                yield replace(answer, sequence=last)


def _append(path: Path, line: str) -> None:
    """Append a line and flush it to disk, or leave the file as it was."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        size = os.fstat(file).st_size
        is_torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"  # where even cutting it off had failed
        content = b"\n" * is_torn + line.encode()
        try:
            while content:
                content = content[os.write(file, content) :]
            os.fsync(file)
        except OSError:
            os.ftruncate(file, size)
            raise
    finally:
        os.close(file)


def _parse(line: str, where: str) -> Answer | None:
    """An answer; None for a line that was cut short."""
    try:
        plain = parse_json(line)
    except ValueError:
        logger.warning("%s was cut short, and is set aside: %.80r", where, line)
        next_answer = line.rfind(_START)  # earlier versions glued it to what a full disk had cut short
        return _parse(line[next_answer:], where) if next_answer > 0 else None
    try:
        answer: Answer = from_plain(Answer, _LATER | plain, "the answer", "an answer")
        if not answer.sequence < 2**53:  # about the year 2255; more has no room to count on
            raise ValueError(f"sequence is {answer.sequence}")
        _microseconds(answer.time)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"expected an answer in {where}, got {line[:80]!r} ({error})") from error
    return answer


def _is_of(line: str, annotator: str) -> bool:
    """Whether a line is an annotator's answer, and no wish."""
    try:
        plain = parse_json(line)
    except ValueError:
        return False
    return isinstance(plain, dict) and plain.get("annotator") == annotator and not plain.get("withdrawn")


def _microseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1e6)
