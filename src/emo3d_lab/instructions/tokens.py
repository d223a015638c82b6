"""Descriptions cut into tokens that know what belongs to them: sides, directions, degrees and negations.

A token has a letter for its kind, on which patterns work; commas, conjunctions and `with` cut a description into
segments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from emo3d_lab.instructions.sides import attach_side, carry_sides, gaze_verb, join_parts, tell_sides
from emo3d_lab.instructions.vocabulary import OTHER, Token, vocabulary

_WORD = re.compile(
    r"[a-z]+(?=n't\b)|n't\b|'[a-z]+\b|[^\W\d_]+|\d+(?:\.\d+)?\s?(?:%|percent\b)|\d+|(?<=\s)-(?=\s)|[^\w\s-]", re.I
)
_QUOTED = re.compile("[\"'“](\\w)[\"'”]")  # "O" is a shape
_ADJECTIVES = re.compile(
    "d[SGV]*(x{1,2})(?=[SGVy]*P)|Pa?(x)(?=[VD])"
)  # "her tired eyes"; also "her eyes fluttered shut"
# "opens the door", "the raised hand": a verb of something else. "He eyes the door", "a hand to her lips": no part.
_FOREIGN = re.compile(
    "V(?=D?d[SGpl]*x+(?![xP]))|(?<![Paly])V(?=x+(?![xP]))|(?<=[wt])P|(?<=t[dSGpl])P|(?<=t[dSGpl]{2})P"
)


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
                owner = next((k for k in range(at, min(at + 6, len(words))) if words[k] in ("'s", "'")), None)
                at = at if owner is None else owner + 1  # "the corner of the old woman's mouth"
                while at < len(words) and (
                    tags.get(_base(words[at])) in ("d", "S") or words[at] in vocabulary()["shape"]
                ):
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
            if tag == "S" and value != "one" and end < len(words) and words[end] in ("one", "ones"):  # "the right one"
                end += 1
            tokens.append(Token(" ".join(words[place:end]), spans[place][1], spans[end - 1][2], tag, value, side))
        else:
            tokens += [Token(*span) for span in spans[place:end]]
    for place, token in enumerate(tokens):  # "pulls her lips in"
        if token.text == "in" and (place + 1 == len(tokens) or tokens[place + 1].tag in "c."):
            token.tag, token.value = "D", "inward"
    if [token.value for token in tokens[:2]] == ["open", "wide"] and all(token.tag != "P" for token in tokens):
        tokens[0].value = "ah"  # of a mouth
    join_parts(tokens)
    tell_sides(text, tokens)
    tags = "".join(token.tag for token in tokens)
    inner = {place for match in _ADJECTIVES.finditer(tags) for place in range(*match.span(match.lastindex or 0))}
    segment = run = 0
    for place, token in enumerate(tokens):
        segment += token.tag in "c." and not (token.text == ":" and tags[:place].endswith("P"))  # "mouth: open"
        run += token.tag == "." or (token.tag == "x" and place not in inner)
        token.place, token.segment, token.run = place, segment, run
    for match in _FOREIGN.finditer(tags):
        verb, near = tokens[match.start()], {token.value for token in tokens[max(match.start() - 2, 0) : match.start()]}
        looks = verb.value in vocabulary()["look"] and tags[match.start() + 1 :][:1] != "D"  # "looks up the word"
        if not looks and not (verb.tag == "V" and near & {"eye", "gaze"}):
            verb.tag = "x"
    for tag in "DGSn":
        for token in (
            token for token in tokens if token.tag == tag or (tag == "n" and token.text in ("without", "nor"))
        ):
            _attach(tokens, token, tag)
    carry_sides(tokens)
    return tokens


def _attach(tokens: Sequence[Token], token: Token, tag: str) -> None:
    """Give a direction, a degree, a side or a negation to the verbs and parts that it is of."""
    own = [other for other in tokens if other.run == token.run and other is not token]
    verbs = [other for other in own if other.tag == "V" and other.segment == token.segment]
    owners: list[Token] = []
    if tag == "D":
        owners = [verb for verb in verbs if verb.place <= token.place + 1][-1:]
        owners = owners or [verb for verb in [gaze_verb(tokens, token)] if verb]
        high = {"upper": "up", "top": "up", "lower": "down", "bottom": "down"}
        before = tokens[token.place - 1].text if token.place and token.value in OTHER else ""  # "to the upper left"
        (owners or [token])[0].directions += [token.value, *filter(None, [high.get(before)])]
        if not owners:
            token.tag, token.value = "V", ""  # "eyes up"
    elif tag == "G" and not verbs and _base(token.text) in vocabulary()["verbs"]:  # "lips tight"
        token.tag, token.value = "V", _base(token.text)
    elif tag == "G":  # of a part where there is no verb: "right eyebrow 50%"
        parts = [other for other in own if other.tag == "P" and other.segment == token.segment]
        earlier = [other for other in own if other.tag == "V"]  # "jaw open: 50%"
        owners = sorted(verbs or parts or earlier, key=lambda other: abs(other.place - token.place))[:1]
        for owner in owners:
            owner.strength = min(float(token.value), 1 if owner.strength is None else owner.strength)
    elif tag == "S":
        owners = attach_side(tokens, token)
    else:  # a negation holds up to the end of its segment, over "or", but not behind another verb or its subject
        spoken = [place for place, other in enumerate(tokens) if place > token.place and other.tag in "VP"][:1]
        ends = (
            t.place
            for t in tokens[token.place + 1 :]
            if (t.tag in "c.x" and t.text not in ("or", "nor")) or (t.tag == "w" and spoken and t.place > spoken[0])
        )
        scope = [other for other in tokens[token.place : next(ends, None)] if other.tag in "VP"]
        for other in scope:
            other.negated = True
        owners = scope[:1]
    for owner in owners:
        owner.around.append(token)
