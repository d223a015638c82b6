"""From a description to its physical instructions.

Every part of the face takes the nearest verb or direction that the table of words has for it; one without takes that of
its neighbour ("closes the eyes and the mouth"). Left and right are the person's own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from emo3d.instructions import Instruction, Interpretation
from emo3d_lab.instructions.sides import plain_sides
from emo3d_lab.instructions.tokens import read_tokens
from emo3d_lab.instructions.vocabulary import BOTH, OTHER, Row, Token, vocabulary

_LONGEST = 2_000  # characters of a description that is looked into
_FAR, _NEXT = 12, 20  # tokens between a part and its verb at most; what a segment between them counts as
_SUBJECT = re.compile("(?:d[pS]*|^|(?<=[c.]))x(?=d|[anGyl]*U)")  # "the baker", "Anna" before a verb that was read (U)
_OWN = re.compile("d[SGplx]*(VP)")  # "her closed eyes"
SYMBOL = re.compile(r"[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]|(?<!\S)[:;]-?'?[()DO](?!\w)")
# Joiner, variants, skin tones, letters of flags.
_INVISIBLE = re.compile("[\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff]")


class _Pair(NamedTuple):
    part: Token | None
    verb: Token
    row: Row
    side: str


def read(description: str) -> Interpretation:
    """Read the physical instructions of a description; see `emo3d.instructions.read_instructions`."""
    if len(description) > _LONGEST:
        return Interpretation(description, description)
    text, symbols, notes = _spell_symbols(description)
    letters = [script_name(char) for char in text if char.isalpha()]
    if not letters:
        return Interpretation(description, "", (), (*notes, f"no words in {description.strip()!r:.40}: a face at rest"))
    scripts = [name for name in letters if name != "Latin"]
    if 2 * len(scripts) > len(letters):
        notes.append(f"letters of {scripts[0]}: instructions are read in English only")
    tokens = read_tokens(plain_sides(text))
    for token in tokens:
        token.kept = any(start <= token.start < end for start, end in symbols)
    instructions, soft = [], []
    for pair in _pairs(tokens):
        own = [pair.verb, *pair.verb.around, *((pair.part, *pair.part.around) if pair.part else ())]
        words = text[min(token.start for token in own) : max(token.end for token in own)]
        weights, yielding = _weights(pair)
        if "!" in pair.row.flags:
            notes.append(f"{words!r}: {pair.row.flags.strip('! ')}")
        elif pair.side in OTHER and not any(name.endswith(BOTH) for name in weights):
            notes.append(f"{words!r}: no blendshape moves one side of it alone")
        instructions.append(Instruction(words, weights))
        soft.append(yielding)
    on = {name for instruction in instructions for name, weight in instruction.weights.items() if weight}
    for instruction, yielding in zip(instructions, soft, strict=True):
        for name in yielding & on:
            del instruction.weights[name]
        if "jawOpen" not in on:  # mouthClose only keeps the lips together over an open jaw
            instruction.weights.pop("mouthClose", None)
    instructions = [instruction for instruction in instructions if instruction.weights]
    rest = "" if instructions and not _says_more(tokens) else text if symbols else description
    return Interpretation(description, rest, tuple(instructions), tuple(notes))


@lru_cache(10_000)
def script_name(letter: str) -> str:
    """The script of a letter, by the first word of its name in Unicode."""
    return unicodedata.name(letter, "unknown").split()[0].title()


def symbol_name(symbol: str) -> str:
    """What a symbol is read as, by the table or by its name in Unicode; "" where neither has one."""
    name = unicodedata.name(symbol, "").lower() if len(symbol) == 1 else ""
    return vocabulary()["emoji"].get(symbol) or re.sub("^(white|black|heavy) ", "", name)


def _spell_symbols(description: str) -> tuple[str, list[tuple[int, int]], list[str]]:
    """A text with emoji written as their names, the spans of those, and how each was read."""
    text, spans, names, end = "", [], {}, 0
    plain = _INVISIBLE.sub("", description.replace("’", "'"))
    for match in SYMBOL.finditer(plain):
        symbol, text, end = match[0], (text + plain[end : match.start()]).rstrip(), match.end()
        if symbol not in names:  # once, however often it is there
            names[symbol] = symbol_name(symbol)
            text += ", " if text[-1:].isalnum() else " " if text else ""
            spans.append((len(text), len(text) + len(names[symbol])))
            text += names[symbol]
    after = plain[end:].strip()
    text = text + (", " if after[:1].isalnum() else "") + after if spans else plain
    return text, spans, [f"read {symbol} as {name!r}" for symbol, name in names.items()]


def _pairs(tokens: Sequence[Token]) -> list[_Pair]:
    """Parts with their verbs, and verbs that need no part, in the order of the verbs."""
    verbs, parts = ([token for token in tokens if token.tag == tag] for tag in "VP")
    found: list[tuple[Token | None, Token, Row, str]] = []
    for part in parts:
        near = [(distance, verb) for verb in verbs if (distance := _distance(tokens, part, verb)) is not None]
        listed = (_rows(part, verb) for _, verb in sorted(near, key=lambda entry: entry[0]))
        found += [(part, *entry) for entry in next(filter(None, listed), [])]
    taken = {verb for _, verb, *_ in found}
    for verb in (verb for verb in verbs if verb not in taken):
        earlier = [other for other in verbs if other.run == verb.run and other.place < verb.place and not verb.value]
        looks = any(other.value in vocabulary()["look"] for other in [*earlier, verb])  # "looks up and to the left"
        rows = _rows(Token("", 0, 0, value="gaze" if looks else "-"), verb)
        found += [(None, *e) for e in rows if "~" not in e[1].flags or verb.side or e[2] or verb.negated]
        last = [part for part in parts if part.run == verb.run and part.segment < verb.segment][-1:]
        lead = [other.tag for other in tokens[: verb.place] if other.segment == verb.segment]
        if not rows and last and {*lead} <= {*"clyntdo"}:  # "her eyes widen, then close"
            found += [(last[0], *entry) for entry in _rows(last[0], verb)]
        elif not rows:  # "her pursed lips move to the left": a part has more than one
            order = sorted((abs(part.place - verb.place), part.place) for part in parts if _same(part, verb))
            owner = next((tokens[place] for _, place in order if _rows(tokens[place], verb)), None)
            found += [(owner, *entry) for entry in _rows(owner, verb)] if owner else []
    pairs = []
    tags = "".join(token.tag for token in tokens)
    first = {match.start(1) for match in _OWN.finditer(tags)}  # how a part is, before what it does
    for owner, verb, row, side in sorted(found, key=lambda entry: (entry[1].place not in first, entry[1].place)):
        single = (owner.single if owner else "1" in row.flags) and not (verb.negated or (owner and owner.negated))
        pairs.append(_Pair(owner, verb, row, (owner.side if owner else "") or verb.side or side or "left" * single))
        verb.kept |= "+" in row.flags
        for token in (verb, *verb.around, *((owner, *owner.around) if owner else ())):
            token.used = True
    return pairs


def _same(part: Token, verb: Token) -> bool:
    return part.run == verb.run and part.segment == verb.segment and abs(part.place - verb.place) <= _FAR


def _distance(tokens: Sequence[Token], part: Token, verb: Token) -> float | None:
    """Tokens between a part and a verb, or None where they cannot belong together."""
    distance = abs(part.place - verb.place) + (0.5 if verb.place > part.place else 0)
    if part.run != verb.run or distance > _FAR:
        return None
    if part.segment == verb.segment:
        return distance
    # Of a list ("eyes and mouth closed"), or with no verb of its own ("winks with her left eye").
    own = [token for token in tokens if token.segment == part.segment]
    alone = {token.tag for token in own}.isdisjoint("Vax") and (verb.place < part.place or own[-1] is part)
    if part.value in ("mouth", "lip") and any(o.value == "corner" and o.segment == verb.segment for o in tokens):
        return None  # "a mouth whose left corner droops"
    object_ = any(o.tag == "P" and o.segment == verb.segment and o.place > verb.place for o in tokens)
    return distance + _NEXT if alone and not (object_ and verb.place > part.place) else None


def _rows(part: Token, verb: Token) -> list[tuple[Token, Row, str]]:
    """The verb with its rows for a part, and the side where its direction turns out to be one ("the eyebrow left")."""
    table, found, side = vocabulary()["rows"], [], ""
    sided = part.side in OTHER
    rows = [*(table["corner"] if sided and part.value == "mouth" else ()), *table.get(part.value, ())]
    own = [row for row in rows if verb.value in row.verbs][:1]
    moves = verb.value in vocabulary()["move"]
    for direction in dict.fromkeys(verb.directions):
        if sided and direction in (part.side, "aside"):  # a corner outwards, an eye to its own side
            direction = "outward" if part.value in ("mouth", "lip", "corner") else part.side
        turns = [
            row
            for row in rows
            if {f">{direction}", f"{verb.value}>{direction}"} & {*row.verbs}
            and (direction in OTHER or moves or not own)
        ]
        found += turns[:1]
        side = direction if direction in OTHER and not turns else side
    return [(verb, row, side) for row in (found if found and moves else found + own)]


def _weights(pair: _Pair) -> tuple[dict[str, float], set[str]]:
    """Blendshape -> weight, and those that are off only if no other instruction needs them."""
    verb, row = pair.verb, pair.row
    stated = [token.strength for token in (pair.part, verb) if token and token.strength is not None]
    strength = stated[0] if stated else 1 if "wide" in verb.directions else row.strength
    sides = [side for side in BOTH if pair.side in ("", "both", side.lower())]
    weights: dict[str, float] = {}
    yielding: set[str] = set()
    for pattern, both, alone in row.targets:
        share = both if len(sides) == 2 else alone
        names = [pattern.replace("*", side) for side in (sides if "*" in pattern else [""])]
        others = [pattern.replace("*", side) for side in BOTH if "*" in pattern and side not in sides and share > 0]
        if pattern.startswith("eyeLook"):  # of which left and right are directions
            names = [name for name in names if name.endswith(tuple(sides))]
        if verb.negated or (pair.part and pair.part.negated):
            weights |= dict.fromkeys(names if share else (), float(share < 0))
        else:  # one eyebrow is not two
            weights |= dict.fromkeys(names, round(1 - strength if share < 0 else strength * share, 3))
            weights |= dict.fromkeys(others, 0.0)
            if share < 0 and pair.part and pair.part.only:  # "only the left eye is open"
                weights |= dict.fromkeys((pattern.replace("*", side) for side in BOTH if side not in sides), strength)
            yielding |= {*others, *(() if share else names)}
    return weights, yielding


def _says_more(tokens: Sequence[Token]) -> bool:
    """Whether there is anything of meaning beside what is an instruction and nothing else."""
    moves = vocabulary()["move"]
    tags = "".join("U" if token.used and token.tag == "V" else token.tag for token in tokens)
    subjects = {match.end() - 1 for match in _SUBJECT.finditer(tags)}
    for segment in range(tokens[-1].segment + 1):
        inner = [token for token in tokens if token.segment == segment and token.tag not in "c."]
        used = [token.place for token in inner if token.used]
        words = {token.place for token in inner if token.kept or token.tag in "xy"}
        idle = [token for token in inner if not token.used and (token.tag == "V" or (token.tag == "P" and not used))]
        words |= {token.place for token in idle if token.tag == "P" or token.value not in moves}
        if words - subjects:
            return True
    return False
