"""The words of physical instructions, and what they move: the table `assets/instructions.yaml`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

BOTH, OTHER = ("Left", "Right"), {"left": "right", "right": "left"}
_FILE = Path(__file__).parent.parent / "assets" / "instructions.yaml"
# Beside these, x is an unknown word, and y one that ends in -ly.
_TAGS = dict(plain="p", manner="l", who="w", det="d", aux="a", neg="n", sep="c", stop=".", to="t", on="o", verb="V")
_TAGS |= dict(side="S", direction="D", degrees="G", parts="P", verbs="V", joints="c")


class Row(NamedTuple):
    """What verbs and directions do to a part of the face."""

    verbs: list[str]  # and directions, as ">up"
    strength: float
    targets: list[tuple[str, float, float]]  # blendshape, share of the strength, share on one side alone
    flags: str


@dataclass(eq=False)
class Token:
    """A word or a phrase of a description."""

    text: str
    start: int
    end: int
    tag: str = "x"
    value: str = ""
    side: str = ""
    place: int = 0
    segment: int = 0
    run: int = 0  # of tokens that may belong together
    directions: list[str] = field(default_factory=list)
    strength: float | None = None
    single: bool = False  # an eye
    only: bool = False  # of two
    pronoun: bool = False  # "the right one"
    negated: bool = False
    around: list[Token] = field(default_factory=list)  # its sides, degrees, directions and negations
    used: bool = False
    kept: bool = False  # the encoder reads its segment as well


@cache
def vocabulary() -> dict[str, Any]:
    """The table: `rows` of each part, `tags` of words, `phrases` by first word, `forms`, and more."""
    table = yaml.safe_load(_FILE.read_text("utf-8"))
    rows: dict[str, list[Row]] = {}
    for parts, verbs, strength, targets, flags in (re.split(r"\s*\|\s*", row) for row in table["rows"].splitlines()):
        shares = re.findall(r"([A-Za-z]+\*?)(?::([-.\d]+)(?:/([.\d]+))?)?", targets)
        numbers = [(name, float(share or 1), float(alone or share or 1)) for name, share, alone in shares]
        for part in parts.split():
            rows.setdefault(part, []).append(Row(verbs.split(), float(strength), numbers, flags))
    words = {kind: listed.split() for kind, listed in table["words"].items()}
    words["verb"] = [
        *words["move"],
        *words["look"],
        *(v for listed in rows.values() for row in listed for v in row.verbs),
    ]
    tags = {word: tag for kind, tag in _TAGS.items() for word in words.get(kind, ())}
    phrases: dict[str, list] = {}
    kinds = [(_TAGS[kind], table[kind]) for kind in ("degrees", "parts", "verbs", "direction", "joints")]
    for tag, value, text in [
        ("", "", table["idioms"]),
        *((tag, *entry) for tag, kind in kinds for entry in kind.items()),
    ]:
        for phrase in re.split(r",\s*", text):
            choices = [word.split("/") for word in phrase.split()]
            for word in choices[0]:
                phrases.setdefault(word, []).append((choices, tag, str(value)))
    for entries in phrases.values():
        entries.sort(key=lambda entry: (entry[1] != "", -len(entry[0])))  # idioms first, then the longest
    bases = {word for entries in phrases.values() for entry in entries for choice in entry[0] for word in choice} | {
        *tags
    }
    forms = {form: base for base, listed in table["forms"].items() for form in listed.split()}
    table |= dict(rows=rows, tags=tags, phrases=phrases, bases=bases, forms=forms, look=words["look"])
    table["shape"] = {*words["shape"]}
    return table | dict(verbs={*words["verb"]}, move={"", *words["move"], *words["look"]})
