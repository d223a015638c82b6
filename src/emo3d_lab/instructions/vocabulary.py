"""The words of physical instructions, and descriptions cut into tokens that know what belongs to them.

The words, and what they move, are the table `assets/instructions.yaml`. A token has a letter for its kind, on which
patterns work; commas, conjunctions and `with` cut a description into segments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

BOTH, OTHER = ("Left", "Right"), {"left": "right", "right": "left"}
_FILE = Path(__file__).parent.parent / "assets" / "instructions.yaml"
# Beside these, x is an unknown word, and y one that ends in -ly.
_TAGS = dict(plain="p", manner="l", who="w", det="d", aux="a", neg="n", sep="c", stop=".", to="t", on="o", verb="V")
_TAGS |= dict(side="S", direction="D", degrees="G", parts="P", verbs="V")
_WORD = re.compile(
    r"[a-z]+(?=n't\b)|n't\b|'[a-z]+\b|[^\W\d_]+|\d+(?:\.\d+)?\s?(?:%|percent\b)|\d+|(?<=\s)-(?=\s)|[^\w\s-]", re.I
)
_QUOTED = re.compile("[\"'“](\\w)[\"'”]")  # "O" is a shape
_NOUN = re.compile("[plGVxy]{0,3}(od?)?[plGVxy]{0,2}P")  # after a side: up to the part that it is the side of
_ADJECTIVES = re.compile("d[SGV]*(x{1,2})(?=[SGVy]*P)|P(x)(?=[VD])")  # "her tired eyes"; also "her eyes fluttered shut"
# "opens the door", "the raised hand": a verb of something else. "He eyes the door", "a hand to her lips": no part.
_FOREIGN = re.compile(
    "V(?=D?d[SGpl]*x+(?![xP]))|(?<![Paly])V(?=x+(?![xP]))|(?<=[wt])P|(?<=t[dSGpl])P|(?<=t[dSGpl]{2})P"
)
_ONE = re.compile("eye|eyebrow|(upper |lower )?eyelid|nostril|corner of.*|(lip|mouth) corner|side of.*")
_VIEWERS = ("viewer", "camera", "screen", "observer", "audience")  # whose left is the person's right


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
    kinds = [(_TAGS[kind], table[kind]) for kind in ("degrees", "parts", "verbs", "direction")]
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
    return table | dict(verbs={*words["verb"]}, move={"", *words["move"], *words["look"]})


@lru_cache(10_000)
def _base(word: str) -> str:
    """The form in which the table has a word; the word itself if it has none."""
    stems = [word, *(word[: -len(end)] for end in ("s", "es", "d", "ed", "ing", "n", "er") if word.endswith(end))]
    stems += [stem[:-1] for stem in stems if stem[-2:-1] == stem[-1:]] + [word[:-3] + "e"] * word.endswith("ing")
    return vocabulary()["forms"].get(word) or next((stem for stem in stems if stem in vocabulary()["bases"]), word)


def _phrase(words: Sequence[str], place: int) -> tuple[int, str, str]:
    """Length, tag and value of the longest phrase of the table at a place; an idiom has no tag."""
    base, tags = _base(words[place]), vocabulary()["tags"]
    for choices, tag, value in vocabulary()["phrases"].get(base, []) + vocabulary()["phrases"]["&"]:
        at = place
        for choice in choices:
            if choice == ["_"]:
                while at < len(words) and tags.get(words[at]) in ("d", "S"):
                    at += 1
            elif at < len(words) and (
                {words[at], _base(words[at])} & {*choice} or (choice == ["&"] and tags.get(base, "x") in "xpw")
            ):
                at += 1
            else:
                break
        else:
            return at - place, tag, value
    if percent := re.fullmatch(r"([\d.]+)\s?(%|percent)", words[place]):
        return 1, "G", str(min(float(percent[1]) / 100, 1))
    return 1, tags.get(base, "y" if words[place].endswith("ly") else "x"), base


def read_tokens(text: str) -> list[Token]:
    """Words and phrases with what belongs to each part and each verb."""
    spans = [(match[0].lower(), *match.span()) for match in _WORD.finditer(_QUOTED.sub(r" \1 ", text))]
    words, tokens, end = [span[0] for span in spans], [], 0
    while (place := end) < len(words):
        length, tag, value = _phrase(words, place)
        end = place + length
        if tag:
            side = next((word for word in words[place:end] if length > 1 and word in OTHER), "")
            tokens.append(Token(" ".join(words[place:end]), spans[place][1], spans[end - 1][2], tag, value, side))
        else:
            tokens += [Token(*span) for span in spans[place:end]]
    _tell_sides(tokens)
    tags = "".join(token.tag for token in tokens)
    inner = {place for match in _ADJECTIVES.finditer(tags) for place in range(*match.span(match.lastindex or 0))}
    segment = run = 0
    for place, token in enumerate(tokens):
        segment += token.tag in "c." and not (token.text == ":" and tags[:place].endswith("P"))  # "mouth: open"
        run += token.tag == "." or (token.tag == "x" and place not in inner)
        token.place, token.segment, token.run = place, segment, run
    for match in _FOREIGN.finditer(tags):
        tokens[match.start()].tag = "x"
    for tag in "DGSn":
        for token in (
            token for token in tokens if token.tag == tag or (tag == "n" and token.text in ("without", "nor"))
        ):
            _attach(tokens, token, tag)
    return tokens


def _tell_sides(tokens: list[Token]) -> None:
    """Whether "left" is a side, a direction or a verb, and what "the other" and "an eye" mean."""
    part, side, tags = "", "left", "".join(token.tag for token in tokens)
    for place, token in enumerate(tokens):
        near, before, after = tokens[max(place - 3, 0) : place], tags[:place][-6:], tags[place + 1 :][:9]
        if token.tag == "P":
            part = token.value
            article = token.text in ("brow", "lid") and any(other.text in ("a", "an") for other in near)
            rolling = "".join(other.text for other in tokens[place + 1 : place + 2]).endswith("ing")  # "eye-rolling"
            token.single = article or (bool(_ONE.fullmatch(token.text)) and not rolling)
        elif token.tag == "S":
            sided, on, to = token.value in OTHER, re.search("o[dwp]*$", before), re.search("t[dwp]*$", before)
            if sided and any(other.text in _VIEWERS for other in near[-2:]):
                token.value = OTHER[token.value]
            pronoun = re.match("$|S?l?[aVcG.]|S$", after) and before.endswith("d")
            if sided and after.startswith("d") and not (on or to):  # "left her mouth open"
                token.tag = "p"
            elif not _NOUN.match(after) and not on:
                turns = sided and (to or not before.endswith("d"))
                token.tag = "D" if turns else "P" if pronoun and part else "p"
            if token.tag in "SP":
                other = OTHER.get(side, "both")
                names = {"one": "left", "other": other, "opposite": other, "either": "both"}
                token.side = token.value = side = names.get(token.value, token.value)
            if token.tag == "P":
                token.value = part
            tags = tags[:place] + token.tag + tags[place + 1 :]


def _attach(tokens: Sequence[Token], token: Token, tag: str) -> None:
    """Give a direction, a degree, a side or a negation to the verbs and parts that it is of."""
    own = [other for other in tokens if other.run == token.run and other is not token]
    verbs = [other for other in own if other.tag == "V" and other.segment == token.segment]
    owners: list[Token] = []
    if tag == "D":
        owners = [verb for verb in verbs if verb.place <= token.place + 1][-1:]
        (owners or [token])[0].directions.append(token.value)
        if not owners:
            token.tag, token.value = "V", ""  # "eyes up"
    elif tag == "G" and not verbs and token.text in vocabulary()["verbs"]:  # "lips tight"
        token.tag, token.value = "V", token.text
    elif tag == "G":  # of a part where there is no verb: "right eyebrow 50%"
        parts = [other for other in own if other.tag == "P" and other.segment == token.segment]
        earlier = [other for other in own if other.tag == "V"]  # "jaw open: 50%"
        owners = sorted(verbs or parts or earlier, key=lambda other: abs(other.place - token.place))[:1]
        for owner in owners:
            owner.strength = min(float(token.value), 1 if owner.strength is None else owner.strength)
    elif tag == "S":
        noun = _NOUN.match("".join(other.tag for other in tokens[token.place + 1 :][:9]))
        parts = [other for other in own if other.tag == "P" and other.place < token.place]
        verbs = [other for other in own if other.tag == "V"]
        owners = [tokens[token.place + noun.end()]] if noun else (verbs + parts)[-1:] if parts else verbs[-1:]
        for owner in owners:
            owner.side = token.value
    else:  # a negation holds up to the end of its segment, over "or", but not behind another verb
        ends = (t.place for t in tokens[token.place + 1 :] if t.tag in "c.x" and t.text not in ("or", "nor"))
        scope = [other for other in tokens[token.place : next(ends, None)] if other.tag in "VP"]
        for other in scope:
            other.negated = True
        owners = scope[:1]
    for owner in owners:
        owner.around.append(token)
