"""What happened to the rows of a build: counts, and every row that was left out with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """Something that could not be read, and what it cost.

    Attributes:
        kind: a short word to count by, e.g. `"scores"` or `"missing picture"`.
        file: where it is, e.g. `"train_data.csv"`.
        row: 0-based number of the data row in that file, None for the file as a whole.
        column: of the row, `""` for the row as a whole.
        message: one sentence: what was expected, what came.
        count: output rows that are missing because of it.
    """

    kind: str
    file: str
    row: int | None
    column: str
    message: str
    count: int = 1

    def __post_init__(self) -> None:
        for name in ("kind", "file", "column", "message"):  # bytes that are no UTF-8 are shown as they are
            text = getattr(self, name).encode("utf-8", "backslashreplace").decode()
            object.__setattr__(self, name, text)

    def __str__(self) -> str:
        where = (
            self.file + (f" row {self.row}" if self.row is not None else "") + (f", {self.column}" * bool(self.column))
        )
        return f"{where}: {self.message}"


@dataclass
class Tally:
    """Counts and problems of a shard, or of several added up.

    Attributes:
        strict: raise the first problem as a ValueError instead of noting it.
        counts: name -> how many.
        problems: in the order in which they were met.
    """

    strict: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a count."""
        self.counts[name] += n

    def report(self, problem: Problem) -> None:
        """Note a problem.

        Raises:
            ValueError: the tally is strict.
        """
        if self.strict:
            raise ValueError(str(problem))
        self.problems.append(problem)

    def add(self, other: Tally) -> None:
        """Take over the counts and problems of another tally."""
        self.counts.update(other.counts)
        self.problems.extend(other.problems)

    def to_dict(self) -> dict[str, Any]:
        """Write as JSON-able values, counts by name."""
        return {"counts": dict(sorted(self.counts.items())), "problems": [asdict(problem) for problem in self.problems]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Tally:
        """Read what `to_dict` wrote."""
        return cls(counts=Counter(values["counts"]), problems=[Problem(**problem) for problem in values["problems"]])
