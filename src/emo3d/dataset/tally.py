"""What happened to the rows of a build: counts, and every row that was left out with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Problem:
    """Something that could not be read, and what it cost."""

    kind: str  # to count by, e.g. "scores" or "missing picture"
    file: str  # e.g. "train_data.csv"
    row: int | None  # 0-based number of the data row; None: the file as a whole
    column: str  # "": the row as a whole
    message: str  # one sentence: what was expected, what came
    count: int = 1  # output rows that are missing because of it

    def __post_init__(self) -> None:
        for name in ("kind", "file", "column", "message"):  # bytes that are no UTF-8 are shown as they are
            text = getattr(self, name).encode("utf-8", "backslashreplace").decode()
            object.__setattr__(self, name, text)

    def __str__(self) -> str:
        row = "" if self.row is None else f" row {self.row}"
        column = f", {self.column}" if self.column else ""
        return f"{self.file}{row}{column}: {self.message}"


@dataclass
class Tally:
    """Counts, by name, and problems of a shard; a strict tally raises the first problem as a ValueError."""

    strict: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a count."""
        self.counts[name] += n

    def report(self, problem: Problem) -> None:
        """Note a problem, or raise it."""
        if self.strict:
            raise ValueError(str(problem))
        self.problems.append(problem)
