"""Physical instructions in English descriptions ("winks with her left eye"), read by rule in front of the encoder.

The words and what they move are a table, `assets/instructions.yaml`. A description becomes tokens, each with one letter
that says its kind; commas, conjunctions and `with` cut it into segments. Every part of the face takes the nearest verb
or direction that the table has for it, and one without takes that of its neighbour ("closes the eyes and the mouth").
Left and right are the person's own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from emo3d.blendshapes import BLENDSHAPES, limit_mouth_close

_TABLE = Path(__file__).parent.parent / "assets" / "instructions.yaml"
_TAGS = dict(plain="p", manner="l", who="w", det="d", aux="a", neg="n", sep="c", stop=".", to="t", on="o", verb="V", part="P")
_TAGS |= dict(side="S", direction="D", degrees="G", parts="P", verbs="V", word="x")
_TOKEN = re.compile(r"[a-z]+(?=n't\b)|n't\b|'[a-z]+\b|[^\W\d_]+|\d+\s?(?:%|percent\b)|\d+|(?<=\s)-(?=\s)|[^\w\s-]", re.I)
_SYMBOL = re.compile(r"[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]|(?<!\S)[:;]-?'?[()DO](?!\w)")
_INVISIBLE = re.compile("[\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")  # joiner, variants, skin tones
_NOUN = re.compile("[plGVxy]{0,3}(od?)?[plGVxy]{0,2}P")  # after a side: the part that it is the side of
_VIEWERS = ("viewer", "camera", "screen", "observer", "audience")  # whose left is the person's right
_BOTH = ("Left", "Right")
_OTHER = {"left": "right", "right": "left"}
_ONE = re.compile("eye|eyebrow|(upper |lower )?eyelid|nostril|corner of.*|(lip|mouth) corner|side of.*")  # not two
_FAR, _NEXT = 12, 20  # tokens between a part and its verb at most, and what a segment between them counts as


@dataclass(frozen=True)
class Instruction:
    """What a description tells one part of the face to do."""

    words: str  # as written
    weights: dict[str, float]  # blendshape -> weight in 0..1 that the face must have; 0: off

    to_dict = asdict


@dataclass(frozen=True)
class Interpretation:
    """What a description was understood as."""

    description: str
    rest: str  # for the encoder; "" where nothing of meaning is left
    instructions: tuple[Instruction, ...] = ()
    notes: tuple[str, ...] = ()  # how symbols were read, and what has no blendshape

    to_dict = asdict


@dataclass(frozen=True)
class _Row:
    verbs: list[str]  # and directions, as ">up"
    strength: float
    targets: list[tuple[str, float, float]]  # blendshape, share of the strength, share on one side alone
    flags: str


@dataclass(eq=False)
class _Token:
    text: str
    start: int
    end: int
    tag: str = "x"
    value: str = ""
    place: int = 0
    segment: int = 0
    run: int = 0  # tokens that may belong together
    side: str = ""
    directions: list[str] = field(default_factory=list)
    strength: float | None = None
    single: bool = False  # an eye
    negated: bool = False
    around: list[_Token] = field(default_factory=list)  # its sides, degrees, directions and negations
    used: bool = False
    kept: bool = False  # the encoder reads its segment as well


@dataclass
class _Pair:
    part: _Token | None
    verb: _Token
    row: _Row
    side: str


@cache
def _table() -> dict[str, Any]:
    table = yaml.safe_load(_TABLE.read_text("utf-8"))
    rows: dict[str, list[_Row]] = {}
    for parts, verbs, strength, targets, flags in (re.split(r"\s*\|\s*", row) for row in table["rows"].splitlines()):
        shares = [re.fullmatch(r"([\w*]+):?([-.\d]+)?/?([.\d]+)?", target).groups() for target in targets.split()]  # type: ignore[union-attr]
        numbers = [(name, float(share or 1), float(alone or share or 1)) for name, share, alone in shares]
        for part in parts.split():
            rows.setdefault(part, []).append(_Row(verbs.split(), float(strength), numbers, flags))
    words = {kind: listed.split() for kind, listed in table["words"].items()}
    words["verb"] = [*words["move"], *words["look"], *(v for part in rows.values() for row in part for v in row.verbs)]
    tags = {word: _TAGS[kind] for kind in _TAGS for word in words.get(kind, ())}
    listed = [(kind, value, text) for kind in ("degrees", "parts", "verbs") for value, text in table[kind].items()]
    listed += [("direction", value, text) for value, text in table["directions"].items()] + [("", "", table["idioms"])]
    phrases = [(p.split(), kind, value) for kind, value, text in listed for p in re.split(r",\s*", text) if p]
    first: dict[str, list] = {}
    for words_, kind, value in sorted(phrases, key=lambda phrase: (bool(phrase[1]), -len(phrase[0]))):
        choices = [word.split("/") for word in words_]
        for word in choices[0]:
            first.setdefault(word, []).append((choices, kind, str(value)))
    forms = {form: base for forms, base in (line.split(": ") for line in table["forms"].splitlines()) for form in forms.split()}
    bases = {*tags, *first, *(word for phrase in phrases for part in phrase[0] for word in part.split("/"))}
    opposed = [
        (a.replace("*", side), b.replace("*", side))
        for a, b in (pair.split("-") for pair in table["opposed"].split())
        for side in _BOTH
    ]
    return {"rows": rows, "tags": tags, "phrases": first, "forms": forms, "bases": bases, "opposed": opposed,
            "emoji": table["emoji"], "move": {"", *words["move"], *words["look"]}, "look": words["look"]}


def read_instructions(description: str) -> Interpretation:
    """Read the physical instructions of a description.

    Args:
        description: English; of other languages only emoji are read.

    Returns:
        The instructions in the order of their verbs, and the rest: the description without them, symbols spelt out. A
        segment that says more than its instruction ("squints at the letter") stays in the rest.

    Example:
        >>> read_instructions("He winks with his left eye.").instructions[0].weights
        {'eyeBlinkLeft': 1.0, 'eyeBlinkRight': 0.0}
    """
    text, symbols, notes = _spell_symbols(description)
    if not any(char.isalpha() for char in text):
        return Interpretation(description, "", (), (*notes, f"no words in {description.strip()!r:.40}: a face at rest"))
    tokens = _read_tokens(text)
    for token in tokens:
        token.kept = any(start <= token.start < end for start, end in symbols)
    readings = []
    for pair in sorted(_pairs(tokens), key=lambda pair: pair.verb.place):
        words = _words(text, pair)
        weights, yielding = _weights(pair)
        if "!" in pair.row.flags:
            notes.append(f"{words!r}: {pair.row.flags.strip('! ')}")
        elif pair.side in ("left", "right") and not any(name.endswith(_BOTH) for name in weights):
            notes.append(f"{words!r}: no blendshape moves one side of it alone")
        if weights:
            readings.append((words, weights, yielding))
    on = {name for _, weights, _ in readings for name, weight in weights.items() if weight}
    for _, weights, yielding in readings:
        # mouthClose only keeps lips together over an open jaw
        for name in (yielding & on) | ({"mouthClose"} & {*weights} if "jawOpen" not in on else set()):
            del weights[name]
    instructions = tuple(Instruction(words, weights) for words, weights, _ in readings)
    return Interpretation(description, _rest(text, tokens) if instructions else text, instructions, tuple(notes))


def apply_instructions(weights: np.ndarray, instructions: Iterable[Instruction]) -> np.ndarray:
    """Give a face what its instructions ask for; of two that contradict each other the later one holds.

    Args:
        weights: (51,) in 0..1, order `BLENDSHAPES`, in the space of weights.
        instructions: of `read_instructions`.

    Returns:
        A new array (51,). What is opposed to a blendshape that is asked for is at most 1 minus it; mouthClose <= jawOpen.
    """
    targets = {name: weight for instruction in instructions for name, weight in instruction.weights.items()}
    result = np.array(weights)
    for pair in _table()["opposed"]:
        for name, other in (pair, pair[::-1]):
            place = BLENDSHAPES.index(other)
            result[place] = min(result[place], 1 - targets.get(name, 0))
    for name, weight in targets.items():
        result[BLENDSHAPES.index(name)] = weight
    limit_mouth_close(result[None])
    return result


def _spell_symbols(description: str) -> tuple[str, list[tuple[int, int]], list[str]]:
    """A text with emoji written as their names, where those names are, and how each was read."""
    text, spans, names, end = "", [], {}, 0
    plain = _INVISIBLE.sub("", description.replace("’", "'"))
    for match in _SYMBOL.finditer(plain):
        symbol, before = match[0], (text + plain[end : match.start()]).rstrip()
        name = re.sub("^(white|black|heavy) ", "", unicodedata.name(symbol, "").lower()) if len(symbol) == 1 else ""
        name = _table()["emoji"].get(symbol, name)
        text, end = before, match.end()
        if symbol not in names:  # once, however often it is there
            text += ", " if before[-1:].isalnum() else " " if before else ""
            spans.append((len(text), len(text) + len(name)))
            text += name
        names[symbol] = name
    after = plain[end:].strip() if spans else plain
    text += (", " if spans and after[:1].isalnum() else "") + after
    return text.strip(), spans, [f"read {symbol} as {name!r}" for symbol, name in names.items()]


@cache
def _base(word: str) -> str:
    """The form in which the table has a word; the word itself if it has none."""
    table = _table()
    stems = [word, *(word[: -len(end)] for end in ("s", "es", "d", "ed", "ing", "n") if word.endswith(end))]
    stems += [stem[:-1] for stem in stems if stem[-2:-1] == stem[-1:]] + [word[:-3] + "e"] * word.endswith("ing")
    return table["forms"].get(word) or next((stem for stem in stems if stem in table["bases"]), word)


def _phrase(words: Sequence[str], place: int) -> tuple[int, str, str] | None:
    """Length, kind and value of the longest phrase of the table at a place; idioms first."""
    for choices, kind, value in _table()["phrases"].get(_base(words[place]), []) + _table()["phrases"].get("&", []):
        at = place
        for choice in choices:
            if choice == ["_"]:
                while at < len(words) and _table()["tags"].get(words[at], "") in ("d", "S"):
                    at += 1
            elif at < len(words) and (words[at] in choice or _base(words[at]) in choice):
                at += 1
            elif choice == ["&"] and _table()["tags"].get(_base(words[place]), "x") in "xpw":
                at += 1
            else:
                break
        else:
            return at - place, kind, value
    return None


def _cut(text: str) -> list[_Token]:
    """Words and phrases with their tags."""
    spans = [(match[0].lower(), *match.span()) for match in _TOKEN.finditer(re.sub("[\"'“](\\w)[\"'”]", r" \1 ", text))]
    words, tokens, place, tags = [span[0] for span in spans], [], 0, _table()["tags"]
    while place < len(words):
        word = words[place]
        length, kind, value = _phrase(words, place) or (1, "word", _base(word))
        end = place + length
        if not kind:  # an idiom
            tokens += [_Token(*span) for span in spans[place:end]]
        elif re.fullmatch(r"\d+\D+", word):
            tokens.append(_Token(*spans[place], "G", str(int(re.sub(r"\D", "", word)) / 100)))
        else:
            tag = tags.get(value, "y" if word.endswith("ly") else "x") if kind == "word" else _TAGS[kind]
            side = next((word for word in words[place:end] if length > 1 and word in ("left", "right", "both")), "")
            tokens.append(_Token(" ".join(words[place:end]), spans[place][1], spans[end - 1][2], tag, value, side=side))
        place = end
    return tokens


def _tell_sides(tokens: list[_Token]) -> None:
    """Whether "left" is a side, a direction or a verb, and what "the other" and "an eye" mean."""
    part, side = "", "left"
    for place, token in enumerate(tokens):
        before, after = ("".join(t.tag for t in piece) for piece in (tokens[:place], tokens[place + 1 :]))
        if token.tag == "P":
            part = token.value
            if _ONE.fullmatch(token.text) or (token.text in ("brow", "lid") and _article(tokens[:place])):
                token.single = True
        elif token.tag == "S":
            sided, on, to = token.value in _OTHER, re.search("o[dwp]*$", before), re.search("t[dwp]*$", before)
            if sided and any(t.text in _VIEWERS for t in tokens[max(place - 2, 0) : place]):
                token.value = _OTHER[token.value]
            pronoun = re.match("$|S?l?[aVcG.]|S$", after) and before.endswith("d")
            if sided and after.startswith("d") and not (on or to):  # "left her mouth open"
                token.tag = "p"
            elif not _NOUN.match(after) and not on:
                token.tag = "D" if sided and (to or not pronoun) else "P" if pronoun and part else "p"
            if token.tag in "SP":
                side = {"one": "left", "other": _OTHER.get(side, "both"), "opposite": _OTHER.get(side, "both"), "either": "both"}.get(token.value, token.value)
                token.side = token.value = side
            if token.tag == "P":
                token.value = part


def _article(tokens: Sequence[_Token]) -> bool:
    return next((token.text in ("a", "an") for token in reversed(tokens) if token.tag == "d"), False)


def _read_tokens(text: str) -> list[_Token]:
    """Tokens with their segments, and what belongs to each part and each verb."""
    tokens = _cut(text)
    _tell_sides(tokens)
    tags = "".join(token.tag for token in tokens)
    inner = {place for match in re.finditer("d[SGV]*(x{1,2})(?=[SGVy]*P)|P(x)(?=[VD])", tags) for place in range(*match.span(match.lastindex or 0))}
    segment = run = 0
    for place, token in enumerate(tokens):
        segment += token.tag in "c."
        run += token.tag == "." or (token.tag == "x" and place not in inner)
        token.place, token.segment, token.run = place, segment, run
    # "opens the door", "the raised hand": a verb of something else; "he eyes the door": no part
    for match in re.finditer("V(?=D?d[SGpl]*x+(?![xP]))|(?<![Paly])V(?=x+(?![xP]))|(?<=w)P|(?<=t)P|(?<=t[dSGpl])P|(?<=t[dSGpl]{2})P", tags):
        tokens[match.start()].tag = "x"
    for token in tokens:
        own = [other for other in tokens if other.segment == token.segment and other is not token]
        verbs = [other for other in own if other.tag == "V"]
        if token.tag == "D":
            near = [verb for verb in verbs if verb.run == token.run and verb.place <= token.place + 1]
            verb = near[-1] if near else token
            verb.directions.append(token.value)
            if verb is token:
                token.tag, token.value = "V", ""
            else:
                verb.around.append(token)
    for token in tokens:
        own = [other for other in tokens if other.run == token.run and other is not token]
        verbs = [other for other in own if other.tag == "V" and other.segment == token.segment]
        if token.tag == "G" and not verbs:  # "lips tight"
            token.tag, token.value = "V", token.text
        elif token.tag == "G":
            verb = min(verbs, key=lambda verb: abs(verb.place - token.place))
            verb.strength = min(float(token.value), verb.strength or 1)
            verb.around.append(token)
        elif token.tag == "n" or token.text in ("without", "nor", "neither"):
            ends = (t.place for t in tokens[token.place + 1 :] if t.tag in "c.x" and t.text not in ("or", "nor"))
            scope = [t for t in tokens[token.place : next(ends, None)] if t.tag in "VP"]
            for other in scope:
                other.negated = True
            for other in scope[:1]:
                other.around.append(token)
        elif token.tag == "S":
            noun = _NOUN.match("".join(t.tag for t in tokens[token.place + 1 :]))
            parts = [t for t in own if t.tag == "P" and t.place < token.place]
            owner = tokens[token.place + noun.end()] if noun else [*[t for t in own if t.tag == "V"][-1:], *parts][-1:]
            for other in [owner] if noun else owner:  # type: ignore[list-item,union-attr]
                other.side = token.value
                other.around.append(token)
    return tokens


def _pairs(tokens: Sequence[_Token]) -> list[_Pair]:
    """Parts with their verbs, and verbs that need no part."""
    verbs, parts = ([token for token in tokens if token.tag == tag] for tag in "VP")
    pairs: list[_Pair] = []
    for part in parts:
        for verb in sorted((verb for verb in verbs if _distance(tokens, part, verb) < np.inf), key=lambda verb: _distance(tokens, part, verb)):
            if rows := _rows(part.value, verb):
                pairs += [_Pair(part, verb, row, part.side or verb.side or side) for row, side in rows]
                break
    taken = {pair.verb.place for pair in pairs}
    for verb in (verb for verb in verbs if verb.place not in taken):
        last = next((part for part in reversed(parts) if part.run == verb.run and part.place < verb.place), None)
        looks = [other for other in verbs if other.value in _table()["look"] and other.run == verb.run]
        looks = [look for look in looks if look is verb or (not verb.value and look.place < verb.place)]
        rows = _rows("gaze" if looks else "-", verb)  # "looks up and to the left"
        start = next(token.place for token in tokens if token.segment == verb.segment)
        alone = all(token.tag in "clyntdo" for token in tokens[start : verb.place])
        if not rows and last and last.segment < verb.segment and alone:  # "her eyes widen, then close"
            pairs += [_Pair(last, verb, row, verb.side or last.side or side) for row, side in _rows(last.value, verb)]
        pairs += [_Pair(None, verb, row, verb.side or side) for row, side in rows if "~" not in row.flags or verb.side or side or verb.negated]
    for pair in pairs:
        single = pair.part.single if pair.part else "1" in pair.row.flags and not pair.verb.negated
        pair.side = pair.side or ("left" if single else "")
        for token in filter(None, (pair.part, pair.verb)):
            for other in (token, *token.around):
                other.used = True
            token.kept |= "+" in pair.row.flags
    return pairs


def _distance(tokens: Sequence[_Token], part: _Token, verb: _Token) -> float:
    """Tokens between a part and a verb; infinite where they cannot belong together."""
    distance = abs(part.place - verb.place) + (0.5 if verb.place > part.place else 0)
    if part.run != verb.run or distance > _FAR:
        return np.inf
    if part.segment == verb.segment:
        return distance
    # Of a list ("eyes and mouth closed"), or with no verb of its own ("winks with her left eye").
    own = [token for token in tokens if token.segment == part.segment]
    ends = own[-1] is part
    return np.inf if any(t.tag in "Vax" for t in own) or (part.place < verb.place and not ends) else distance + _NEXT


def _rows(part: str, verb: _Token) -> list[tuple[_Row, str]]:
    """Rows for a part and a verb, and the side where its direction turns out to be one ("the eyebrow left")."""
    rows, found, side = _table()["rows"].get(part, ()), [], ""
    for direction in verb.directions:
        turns = verb.value in _table()["move"] or direction in _OTHER
        row = next((row for row in rows if f">{direction}" in row.verbs), None) if turns else None
        found += [row] if row else []
        side = direction if row is None and direction in ("left", "right") else side
    if not found or verb.value not in _table()["move"]:
        found += [row for row in rows if verb.value in row.verbs][:1]
    return [(row, side) for row in found]


def _weights(pair: _Pair) -> tuple[dict[str, float], set[str]]:
    """Blendshape -> weight, and those that are off only if no other instruction needs them."""
    row, verb = pair.row, pair.verb
    negated = verb.negated or bool(pair.part and pair.part.negated)
    strength = verb.strength or (1 if "wide" in verb.directions else row.strength)
    sides = [side for side in _BOTH if pair.side in ("", "both", side.lower())]
    weights: dict[str, float] = {}
    yielding: set[str] = set()
    for pattern, both, alone in row.targets:
        share = alone if len(sides) == 1 else both
        names = [pattern.replace("*", side) for side in (sides if "*" in pattern else "-")]
        if pattern.startswith("eyeLook") and len(sides) == 1:
            names = [name for name in names if name.endswith(sides[0])]
        if negated:
            weights |= dict.fromkeys(names if share else (), float(share < 0))
            continue
        weights |= dict.fromkeys(names, round(1 - strength if share < 0 else strength * share, 3))
        others = [pattern.replace("*", side) for side in _BOTH if side not in sides and "*" in pattern and share > 0]
        weights |= dict.fromkeys(others, 0.0)  # one eyebrow is not two
        yielding |= {*others, *(() if share else names)}
    return weights, yielding


def _words(text: str, pair: _Pair) -> str:
    """What was read, as written; with dots where another part stands in between."""
    tokens = sorted([pair.verb, *pair.verb.around, *([pair.part, *pair.part.around] if pair.part else [])], key=lambda token: token.place)
    return text[tokens[0].start : max(token.end for token in tokens)]


def _rest(text: str, tokens: Sequence[_Token]) -> str:
    """The text without the segments, or their ends, that are instructions and nothing else."""
    rest, meaning, end = "", False, 0
    tags = "".join("v" if token.used and token.tag == "V" else token.tag for token in tokens)
    subjects = {match.end() - 1 for match in re.finditer("(?:d[pS]*|^|(?<=[c.]))x(?=d|[anGyl]*v)", tags)}
    for segment in range(tokens[-1].segment + 1):
        own = [token for token in tokens if token.segment == segment and token.tag not in "c."]
        used = [token.place for token in own if token.used]
        kept = any(token.kept for token in own)
        words = [t.place for t in own if t.kept or t.tag in "xy" or (t.tag == "P" and not used) or (t.tag == "V" and not t.used and t.value not in _table()["move"])]
        if used and not kept and all(place < used[0] for place in words):
            own = [token for token in own if token.place < used[0]] if {*words} - subjects else []
        elif used:
            words, subjects = [-1], subjects - {-1}
        if own:
            rest += text[end if rest else own[0].start : own[-1].end]
            meaning |= bool({*words} - subjects)
        end = max([token.end for token in tokens if token.segment == segment], default=end)
    return rest if meaning else ""
