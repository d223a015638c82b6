"""How many pairs of each family hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from emo3d.scoring.core import wilson_interval
from emo3d_lab.checklist.pairs import Pair


@dataclass(frozen=True)
class Tally:
    """How many of some pairs hold."""

    n: int  # pairs that were asked
    passed: int
    left_out: int  # of an emotion that the reader does not know
    median_ratio: float | None  # of the norms of first and second, where the pairs are `weaker`
    outright: float | None = None  # share of the pairs that are `strongest` whose emotion is above neutral, too

    @property
    def share(self) -> float | None:
        """Of the pairs that were asked; None where there were none."""
        return self.passed / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95% interval of `share`, as if each pair were independent of the others."""
        return wilson_interval(self.passed / self.n, self.n) if self.n else None

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> Tally:
        """Count answers."""
        answers = list(answers)
        held = [answer.held for answer in answers if answer.held is not None]
        ratios = _values(answers, "weaker")
        leads = _values(answers, "strongest")
        outright = sum(lead > 0 for lead in leads) / len(leads) if leads else None
        return cls(len(held), sum(held), len(answers) - len(held), median(ratios) if ratios else None, outright)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python that JSON can hold."""
        interval = list(self.interval) if self.interval else None
        return {**vars(self), "share": self.share, "interval": interval}


@dataclass(frozen=True)
class Answer:
    """What came of one pair: whether it held and by which number (`Check.measure`), None where it was left out."""

    pair: Pair
    held: bool | None
    value: float | None


def _values(answers: Iterable[Answer], kind: str) -> list[float]:
    return [answer.value for answer in answers if answer.pair.check.kind == kind and answer.value is not None]


@dataclass(frozen=True)
class ChecklistResult:
    """The answers to all pairs, and what read the emotions."""

    answers: tuple[Answer, ...]
    reader: str

    @property
    def families(self) -> dict[str, Tally]:
        """Tallies by family, in the order of the pairs."""
        return self._by(lambda pair: pair.family)

    @property
    def subfamilies(self) -> dict[str, Tally]:
        """Tallies by `family/subfamily`, in the order of the pairs."""
        return self._by(lambda pair: f"{pair.family}/{pair.subfamily}")

    @property
    def failures(self) -> list[Answer]:
        """Pairs that did not hold."""
        return [answer for answer in self.answers if answer.held is False]

    def to_dict(self, *, per_pair: bool = True) -> dict[str, Any]:
        """Plain Python that JSON can hold."""
        plain: dict[str, Any] = {
            "reader": self.reader,
            "families": {name: tally.to_dict() for name, tally in self.families.items()},
            "subfamilies": {name: tally.to_dict() for name, tally in self.subfamilies.items()},
        }
        if per_pair:
            rows = [{"id": answer.pair.id, "held": answer.held, "value": answer.value} for answer in self.answers]
            plain["pairs"] = rows
        return plain

    def _by(self, key: Any) -> dict[str, Tally]:
        groups: dict[str, list[Answer]] = {}
        for answer in self.answers:
            groups.setdefault(key(answer.pair), []).append(answer)
        return {name: Tally.of(answers) for name, answers in groups.items()}
