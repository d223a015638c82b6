"""A vision-language model as a judge: which of two faces fits a sentence better, asked in both orders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from emo3d.documents import parse_json, read_text
from emo3d.pictures import encode_picture
from emo3d.scoring.core import wilson_interval
from emo3d_lab.chat import AnswerError, ChatModel, Form, Message, unwrapped
from emo3d_lab.judging.exporting import Judgements, write_judgements
from emo3d_lab.judging.study import PORTRAIT, Study

PROMPT = Path(__file__).parent.parent / "assets" / "language-model" / "judge.txt"
CHOICES = ("a", "b", "same")
SCHEMA = {
    "type": "object",
    "properties": {"better": {"enum": ["A", "B", "same"]}},
    "required": ["better"],
    "additionalProperties": False,
}
_TURNED = {"a": "b", "b": "a", "same": "same"}


def parse_choice(text: str) -> str:
    """Read `"a"`, `"b"` or `"same"` from a model's text: the word alone, or JSON, `{"better": "A"}`, in any capitals.

    Raises:
        ValueError: anything else.
    """
    content = unwrapped(text).strip()
    word: Any = content
    if content.startswith("{"):
        plain = parse_json(content)
        word = plain["better"] if list(plain) == ["better"] else None
    if isinstance(word, str) and word.lower() in CHOICES:
        return word.lower()
    raise ValueError(f'expected A, B or same, alone or as {{"better": "A"}}, got {content!r:.60}')


@dataclass(frozen=True, eq=False)
class Pair:
    """Two faces of one description.

    Attributes:
        item: id of the description.
        description: the text.
        systems: names of what made the faces; the model is not told.
        pictures: of the faces, as data URIs (`emo3d.pictures.encode_picture`).
        attention: it is an attention check, whose first face is the one described.
    """

    item: str
    description: str
    systems: tuple[str, str]
    pictures: tuple[str, str]
    attention: bool = False


def study_pairs(study: Study, judge: str, limit: int | None = None) -> Iterator[Pair]:
    """The pairs of a study, attention checks among them, in a judge's order; their faces are rendered one by one.

    Args:
        study: of which a machine is asked everything, however few questions one person is asked.
        judge: its name.
        limit: of the pairs; None is all.

    Raises:
        ValueError: the study has no pairs.
    """
    tasks = replace(study, questions=None).order(judge, "pair")
    if not tasks:
        raise ValueError("expected a study of pairs, this one asks about single faces only")
    for task in tasks[:limit]:
        names = [f"prototype of {emotion}" for emotion in task.systems] if task.attention else task.systems
        faces = [encode_picture(picture, side=PORTRAIT.size) for picture in study.pictures(task)]
        description = study.by_item[task.item].description
        yield Pair(task.item, description, (names[0], names[1]), (faces[0], faces[1]), task.attention)


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a model said to a pair.

    Attributes:
        pair: the question.
        orders: `"a"`, `"b"` or `"same"`, the first of the pair's systems, the second, or neither: with the first face
            shown first, and with the second. None where an answer could not be used.
        problem: why, and the answer; empty otherwise.
    """

    pair: Pair
    orders: tuple[str, str] | None
    problem: str = ""

    @property
    def preferred(self) -> str:
        """`"a"`, `"b"` or `"same"`: the face that was chosen in both orders, if there is one."""
        first, second = self.orders or ("same", "same")
        return first if first == second else "same"

    @property
    def passed(self) -> bool:
        """Of an attention check: whether the face described was chosen; not where an answer could not be used."""
        return self.orders is not None and self.preferred == "a"


class MachineJudge(ChatModel):
    """A vision-language model that compares faces; see `ChatModel` for what it is made of.

    Example:
        >>> judge = MachineJudge(lambda messages: "A", "always-the-first", revision="1")
        >>> verdict = judge.judge(Pair("1", "She beams", ("ours", "theirs"), ("data:,", "data:,")))
        >>> judge.name, verdict.orders, verdict.preferred
        ('always-the-first@1', ('a', 'b'), 'same')
    """

    form = Form("choice", "A, B or same", parse_choice, SCHEMA)
    task = "image-text-to-text"

    @property
    def name(self) -> str:
        """Its name in tables of judgements, `MODEL@REVISION`."""
        return f"{self.id}@{self.revision or 'unknown'}"

    def judge(self, pair: Pair, seed: int = 0) -> Verdict:
        """Ask which face of a pair fits better, twice: with the first face shown first, and with the second.

        Raises:
            OSError: the model could not be asked.
        """
        questions = [make_question(pair.description, *pictures) for pictures in (pair.pictures, pair.pictures[::-1])]
        try:
            first, second = (self.ask(question, pair.description, seed) for question in questions)
        except AnswerError as error:
            return Verdict(pair, None, f"{' or '.join(pair.systems)} for {pair.description!r:.80}: {error}")
        return Verdict(pair, (first, _TURNED[second]))


def make_question(description: str, first: str, second: str) -> list[Message]:
    """A chat's message that asks which of two pictures, as data URIs, fits a description better."""
    parts: list[dict[str, Any]] = [{"type": "text", "text": read_text(PROMPT)}]
    for name, picture in (("A", first), ("B", second)):
        parts += [{"type": "text", "text": f"Picture {name}:"}, {"type": "image_url", "image_url": {"url": picture}}]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": f"The sentence: {description}"}]}]


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What a model said to pairs, as judgements, and how far it can be trusted.

    Attributes:
        judge: its name, `MODEL@REVISION`.
        verdicts: one for each pair.
    """

    judge: str
    verdicts: Sequence[Verdict]

    @property
    def problems(self) -> list[str]:
        """Of the pairs that have no judgement, since an answer could not be used."""
        return [verdict.problem for verdict in self.verdicts if verdict.problem]

    def rows(self) -> list[dict[str, Any]]:
        """Judgements, a row of `emo3d_lab.judging.exporting.COLUMNS` each, marked as a machine's.

        An attention check without a usable answer has a row, too: nothing is preferred, and it is not passed.
        """
        return [
            {
                "item": verdict.pair.item,
                "judge": self.judge,
                "kind": "machine",
                "system_a": verdict.pair.systems[0],
                "system_b": verdict.pair.systems[1],
                "preferred": verdict.preferred if verdict.orders else "",
                "description": verdict.pair.description,
                "attention": str(verdict.pair.attention).lower(),
                "passed": str(verdict.passed).lower() if verdict.pair.attention else "",
            }
            for verdict in self.verdicts
            if verdict.orders or verdict.pair.attention
        ]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the judgements as CSV, which `emo3d meta` reads."""
        write_judgements(Judgements(self.rows(), 0, {self.judge: self.attention}), path)

    @property
    def orders(self) -> dict[str, int]:
        """How the two orders of the pairs went: `consistent` (the same face, or neither, both times), `first` and
        `second` (the face shown there, both times: its place decided), `undecided` (neither, but only one time)."""
        counts = dict.fromkeys(("consistent", "first", "second", "undecided"), 0)
        names = {("a", "b"): "first", ("b", "a"): "second"}
        for verdict in self.verdicts:
            if verdict.orders and not verdict.pair.attention:
                is_consistent = verdict.orders[0] == verdict.orders[1]
                counts["consistent" if is_consistent else names.get(verdict.orders, "undecided")] += 1
        return counts

    @property
    def attention(self) -> tuple[int, int]:
        """How many attention checks it passed, and of how many; one without a usable answer is failed."""
        checks = [verdict for verdict in self.verdicts if verdict.pair.attention]
        return sum(check.passed for check in checks), len(checks)

    def __str__(self) -> str:
        """Sentences: how many judgements there are, the two orders, attention checks, and what could not be used."""
        counts = self.orders
        n = sum(counts.values())
        lines = [f"{self.judge}: {n} judgements"]
        if n:
            low, high = wilson_interval(counts["consistent"] / n, n)
            share = f"{counts['consistent'] / n:.0%} [{low:.0%}, {high:.0%}]"
            lines[0] += (
                f"; the two orders agree in {share}; where they do not, which counts as the same: the first picture "
                f"both times {counts['first']}, the second {counts['second']}, undecided once {counts['undecided']}"
            )
        passed, checks = self.attention
        if checks:
            lines.append(f"attention checks passed: {passed} of {checks}")
        if self.problems:
            lines.append(f"no judgement of {len(self.problems)} pairs, whose answers could not be used:")
            lines += [f"  {problem}" for problem in self.problems[:3]]
        return "\n".join(lines)


def judge_pairs(pairs: Iterable[Pair], judge: MachineJudge, *, parallel: int = 1, seed: int = 0) -> Verdicts:
    """Have a model judge pairs of faces, each in both orders.

    A run that was killed goes on where it was, if the judge has a cache.

    Args:
        pairs: the questions.
        judge: the model.
        parallel: questions asked at a time; a pipeline is asked one by one.
        seed: of a temperature above 0.

    Raises:
        ValueError: no pairs, or no question can be answered: of all pairs an answer could not be used.
        OSError: the model could not be asked.
    """
    if parallel < 1:
        raise ValueError(f"expected at least one question at a time, got {parallel}")
    with ThreadPoolExecutor(1 if judge.is_local else parallel) as pool:
        answers = pool.map(lambda pair: judge.judge(pair, seed), pairs)
        verdicts = list(tqdm(answers, "Asking", unit=" pairs", delay=2, leave=False))
    result = Verdicts(judge.name, verdicts)
    if not verdicts:
        raise ValueError("expected pairs to judge, got none")
    if len(result.problems) == len(verdicts):
        raise ValueError(f"no answer of {judge.name} could be used; the first: {result.problems[0]}")
    return result
