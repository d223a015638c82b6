"""The pairs, and the files that hold them: one a family, in lines that are easy to write.

    # a comment
    == wink : more eyeBlinkLeft <> more eyeBlinkRight
    {She/The sailor} winks with {her/his} left eye. | {She/The sailor} winks with {her/his} right eye.

`== subfamily : check` heads the pairs below; with `<> check` each pair is asked the other way round, too. A line is
`first | second`, or `first` alone where the check asks no more. Groups in braces are turned together: the line above is
two pairs, one of each place; a shorter group starts again from its first.

    % emotion adjective
    % anger   furious
    % fear    panic-stricken
    == {emotion} : more-emotion {emotion}
    She is {adjective}. | She is not {adjective}.

Rows of `%` are a table, its columns apart by two blanks or more. A line or heading that names a column is written once
a row, and other groups take their place by the number of the row.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from emo3d.hints import did_you_mean
from emo3d_lab.checklist.checks import Check, parse_check

FAMILIES = tuple("negation contrast sides parts intensity paraphrase names blends situations languages".split())
"""Names of the families, in the order of tables."""

_GROUP = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Pair:
    """Two descriptions, and what must hold for their faces."""

    id: str  # family and a digest of the rest: it stays the same when others are added
    family: str
    subfamily: str  # such as a unit, an emotion or the code of a language
    first: str
    second: str  # "" where `check` looks at the first alone
    check: Check


def read_checklist(families: Sequence[str] | None = None) -> list[Pair]:
    """The pairs of all families, or of some, always in the same order.

    Raises:
        ValueError: an unknown family.
    """
    for name in families or ():
        if name not in FAMILIES:
            raise ValueError(f"expected families of {', '.join(FAMILIES)}, got {name!r}{did_you_mean(name, FAMILIES)}")
    folder = resources.files("emo3d_lab").joinpath("assets", "checklist")
    names = [name for name in FAMILIES if not families or name in families]
    return [
        pair for name in names for pair in parse_pairs(folder.joinpath(f"{name}.txt").read_text(encoding="utf-8"), name)
    ]


def parse_pairs(text: str, family: str) -> list[Pair]:
    """Read a family's file; see the module.

    Raises:
        ValueError: a line that cannot be read, or a pair that was there before; the message has the line's number.
    """
    pairs: dict[str, Pair] = {}
    head, table = "", _Table()
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        try:
            if line.startswith("%"):
                table = table.add(re.split(r"\s{2,}", line[1:].strip()))
            elif line.startswith("=="):
                head, table = line[2:].strip(), table.closed()
            elif line and not line.startswith("#"):
                table = table.closed()
                for pair in _expand(line, head, table, family):
                    if pair.id in pairs:
                        raise ValueError(f"expected each pair once, got {pair.first!r} again")
                    pairs[pair.id] = pair
        except ValueError as error:
            raise ValueError(f"{family}, line {number}: {error}") from None
    return list(pairs.values())


@dataclass(frozen=True)
class _Table:
    names: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    is_closed: bool = True  # the next row begins another

    def add(self, cells: list[str]) -> _Table:
        if self.is_closed:
            return _Table(tuple(cells), (), False)
        if len(cells) != len(self.names):
            raise ValueError(f"expected {len(self.names)} columns, got {len(cells)}: {', '.join(cells)}")
        return _Table(self.names, (*self.rows, tuple(cells)), False)

    def closed(self) -> _Table:
        return _Table(self.names, self.rows)


def _expand(line: str, head: str, table: _Table, family: str) -> Iterator[Pair]:
    if not head:
        raise ValueError(f"expected a heading '== subfamily : check' before {line!r}")
    groups = [group.split("/") for group in _GROUP.findall(head + line)]
    columns = [group[0] for group in groups if len(group) == 1]
    for name in columns:
        if name not in table.names:
            raise ValueError(f"expected columns of {', '.join(table.names) or 'a table'}, got {{{name}}}")
    count = len(table.rows) if columns else max(map(len, groups), default=1)
    for turn in range(count):
        cells = dict(zip(table.names, table.rows[turn], strict=True)) if columns else {}
        subfamily, checks = _read_head(_fill(head, cells, turn))
        sentences = [sentence.strip() for sentence in _fill(line, cells, turn).split("|")]
        yield _pair(family, subfamily, sentences, checks[0])
        for check in checks[1:]:
            yield _pair(family, subfamily, sentences[::-1], check)


def _fill(text: str, cells: dict[str, str], turn: int) -> str:
    def choose(match: re.Match[str]) -> str:
        group = match[1].split("/")
        words = cells[match[1]] if len(group) == 1 else group[turn % len(group)]
        begins = "|" in text and text[: match.start()].rstrip()[-1:] in ("", "|")
        return words[:1].upper() + words[1:] if begins else words

    return _GROUP.sub(choose, text)


def _read_head(head: str) -> tuple[str, list[Check]]:
    subfamily, colon, checks = (part.strip() for part in head.partition(":"))
    if not subfamily or not colon:
        raise ValueError(f"expected a heading '== subfamily : check', got {head!r}")
    return subfamily, [parse_check(check) for check in checks.split("<>")]


def _pair(family: str, subfamily: str, sentences: list[str], check: Check) -> Pair:
    count, expected = (2, "two sentences") if check.has_second else (1, "one sentence")
    if len(sentences) != count or not all(sentences):
        raise ValueError(f"expected {expected} for the check {str(check)!r}, got {' | '.join(sentences)!r}")
    first, second = (*sentences, "")[:2]
    digest = hashlib.sha256("\n".join([first, second, str(check)]).encode()).hexdigest()[:8]
    return Pair(f"{family}-{digest}", family, subfamily, first, second, check)
