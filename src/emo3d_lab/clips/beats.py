"""A text is split into what happens in order: its beats.

English, by rule. A connective is what parts two beats ("then", "until", a comma before a verb); words of manner and
length ("suddenly", "for two seconds") stay in the description of their beat. What happens at the same time ("while",
"as", a plain "and") is one beat. The words are in `assets/beats.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from emo3d.descriptions import check_descriptions
from emo3d.instructions import Instruction, read_instructions
from emo3d_lab.clips.words import NUMBERS, UNITS, patterns

Manner = Literal["plain", "sudden", "slow"]

# Quoted words and brackets are not looked into; sentences end where the next word begins, but not after titles.
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|\([^()]*\)')
_SENTENCE = re.compile(
    r"(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bSt\.)(?<=[.!?…;])\s+|(?<=[。！？])|\s*\n\s*|\s*(?:->|→)\s*"
)
LONGEST_TEXT = 3_000  # characters
LONGEST = 600.0  # seconds of a clip
_AHEAD = 300  # characters behind a connective that are looked into
_BEHIND = 150  # before it, and of the beginning of its clause
_FIRST = re.compile(r"\b(?:at first|initially|first|to begin with|one moment)\b", re.I)
_LOOK = re.compile(r"\b(?:looks?|glances?|gazes?|turns?|peers?|stares?|looked|glanced|turned)\b", re.I)
_WAY = re.compile(r"^(?:back )?(?:to (?:the|her|his) )?(?:left|right|up|down|(?:straight )?ahead|away)\W*$", re.I)
_AROUND = re.compile(r"\b(?:before|after)\b(?! that)", re.I)
_LEAVING = re.compile(r"^(?:leaving|replaced by|giving way)\b", re.I)


@dataclass(frozen=True)
class BeatText:
    """One thing that a text says happens."""

    description: str
    connective: str = ""  # the words of the text that led here and are not in the description
    manner: Manner = "plain"
    seconds: float | None = None  # how long, where the text says it
    later: float | None = None  # seconds after the start of the beat before, where the text says it
    momentary: bool = False  # afterwards the face goes back to what was before
    releases: bool = False  # it ends what was before: a face at rest
    keeps: bool = False  # no face of its own ("nods"): the one before stays
    winks: bool = False  # winks or blinks, perhaps with a face ("winks with a smile")

    @property
    def face(self) -> str:
        """The description without words of manner and length, for a generator; what does not stop goes on."""
        words, text = patterns(), self.description
        for pattern in (words.sudden, words.slow, words.moment, words.lasting):
            text = pattern.sub("", text)
        text = _undenied(text)
        text = re.sub(r"\s+([,.;!?])", r"\1", " ".join(text.split())).strip(" ,;")
        return text if re.search(r"\w", text) else self.description

    @property
    def instructions(self) -> Sequence[Instruction]:
        """What a part of the face is told, of a text that says nothing else ("winks with her left eye")."""
        reading = read_instructions(self.face)
        return () if reading.rest else reading.instructions


class _Piece(NamedTuple):
    connective: str
    text: str


def read_beats(text: str) -> tuple[BeatText, ...]:
    """Split a text into its beats, in the order in which they happen; a text of one thing is one beat.

    All words of the text are in the descriptions and connectives of the beats. A first beat that ends a feeling ("her
    smile fades") has that feeling as a beat before it, and a direction alone ("looks left, then right") its verb.

    Raises:
        ValueError: a text that is blank, longer than 3,000 characters or no string, or a length in it that is no more
            than 0 or over 600 seconds.

    Example:
        >>> [beat.description for beat in read_beats("She holds back tears, then breaks into a smile")]
        ['She holds back tears', 'breaks into a smile']
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expected a text that says what happens, got {text!r:.80}")
    if len(text) > LONGEST_TEXT:
        raise ValueError(
            f"expected a text of at most {LONGEST_TEXT:,} characters, got {len(text):,}: make several clips"
        )
    (text,) = check_descriptions([text])
    text = "\n".join(" ".join(line.split()) for line in text.splitlines())
    is_english = bool(patterns().verb.search(text) or patterns().feeling.search(text))
    pieces: list[_Piece] = []
    waiting = ""  # "Wow!": too little to be a beat
    for sentence in _sentences(text):
        first, *others = _split(waiting + sentence)
        waiting = ""
        if not others and not first.connective and _is_scrap(first.text, is_english):
            waiting = first.text + ("" if first.text[-1] in "。！？" else " ")
        elif pieces and not first.connective and _is_part(first.text):
            pieces[-1] = _Piece(pieces[-1].connective, f"{pieces[-1].text} {first.text}")
            pieces += others
        else:
            pieces += [first, *others]
    if waiting:
        last = pieces.pop() if pieces else _Piece("", "")
        pieces.append(_Piece(last.connective, f"{last.text} {waiting}".strip()))
    for place, piece in enumerate(pieces[1:], 1):  # "looks left, then right"
        look = _LOOK.search(pieces[place - 1].text)
        if look and _WAY.search(piece.text):
            pieces[place] = _Piece(piece.connective, f"{look[0]} {piece.text}")
    return _with_first(tuple(beat_text(piece.text, piece.connective) for piece in pieces))


def beat_text(description: str, connective: str = "") -> BeatText:
    """What the words of one beat, and those that lead to it, say of its manner and length."""
    words = patterns()
    connective = connective.strip(" ,;:—–-\n")
    manner: Manner = "plain"
    for kind, pattern in (("slow", words.slow), ("sudden", words.sudden)):
        if pattern.search(description):
            manner = kind  # type: ignore[assignment]
        elif match := pattern.search(connective):  # "her smile slowly turns into a frown"
            manner, description = kind, f"{match[0]} {description}"  # type: ignore[assignment]
            connective = " ".join((connective[: match.start()] + connective[match.end() :]).split())
    if manner == "plain" and words.bursts.search(description):
        manner = "sudden"
    momentary = bool(words.moment.search(description))
    lasting = words.lasting.search(description)
    seconds = _seconds(lasting[0]) if lasting and not momentary else None
    later = words.later.search(re.sub(r"^(?:and|but|yet)\s+", "", connective, flags=re.I))
    text = BeatText(
        description,
        connective,
        manner,
        seconds,
        _seconds(later["span"] or later["late"]) if later else None,
        momentary,
        _releases(description),
        bool(words.keeps.search(description)) or _goes_on(description),
        bool(words.winking.search(description)),
    )
    return replace(text, momentary=True) if text.winks and text.instructions else text


def _releases(text: str) -> bool:
    """Whether a feeling ends; not where that is denied: "cannot stop laughing"."""
    words = patterns()
    return any(not words.denial.search(text[: match.start()]) for match in words.release.finditer(text))


def _goes_on(text: str) -> bool:
    """Whether all that a clause says is that nothing ends: "never stops", "does not calm down"."""
    words = patterns()
    match = words.release.search(text)
    denial = match and words.denial.search(text[: match.start()])
    if not (match and denial) or re.search(r"ing\b", match[0]):
        return False
    before = text[: denial.start()].strip(" ,")
    return len(before.split()) < 2 and not re.search(r"\w", text[match.end() :])


def _undenied(text: str) -> str:
    """What does not stop goes on, and says nothing of a calm: generators hear words, hardly a "not"."""
    words = patterns()
    stop = words.release.search(text)
    denial = stop and words.denial.search(text[: stop.start()])
    if not (stop and denial):
        return text
    if re.search(r"ing\b", stop[0]):
        return text[: denial.start()] + re.sub(r"^(?:stop|quit)\w*\b", "keeps", text[stop.start() :], flags=re.I)
    before = re.sub(r"[\s,]*(?:\b(?:and|but|yet))?\s*$", "", text[: denial.start()], flags=re.I)
    return before + text[stop.end() :] if len(before.split()) > 1 else text


def _seconds(words: str) -> float:
    span = words.removeprefix("for ").removeprefix("For ")
    number = next((name for name in NUMBERS if re.search(rf"\b{name} ", span, re.I)), "")
    digits = re.search(r"\d+(?:\.\d+)?", span)
    unit = next((seconds for name, seconds in UNITS.items() if name in span), 1.0)
    seconds = (float(digits[0]) if digits else NUMBERS.get(number, 1.0)) * unit
    if not 0 < seconds <= LONGEST:
        raise ValueError(
            f"expected a length above 0 and up to {LONGEST:g} seconds in the text, got {words.strip()!r:.60}"
        )
    return seconds


def _with_first(beats: tuple[BeatText, ...]) -> tuple[BeatText, ...]:
    match = patterns().release.search(beats[0].description)
    return (BeatText(match["what"]), *beats) if match and match["what"] else beats


def _sentences(text: str) -> list[str]:
    mask, start, parts = _mask(text), 0, []
    for match in _SENTENCE.finditer(mask):
        parts.append(text[start : match.start()])
        start = match.end()
    return [part.strip() for part in [*parts, text[start:]] if re.search(r"\S", part)] or [text.strip()]


def _mask(text: str) -> str:
    return _QUOTED.sub(lambda match: "_" * len(match[0]), text)


def _is_scrap(text: str, is_english: bool) -> bool:
    """Whether a sentence is too little to be a beat; of words that are not English nobody can say."""
    words = patterns()
    if not is_english and re.search(r"\w", text):
        return False
    short = len(re.findall(r"\w+", text)) <= 2
    return short and not (words.verb.search(text) or words.feeling.search(text) or words.keeps.search(text))


def _is_part(text: str) -> bool:
    """Whether a sentence only goes on with the face that is there: "Her brows are drawn together."."""
    words = patterns()
    others = (words.release, words.sudden, words.slow, words.moment, words.turning)
    return bool(words.part.search(text)) and not any(pattern.search(text) for pattern in others)


def _split(sentence: str) -> list[_Piece]:
    """The beats of one sentence, in the order in which they happen."""
    text, mask = f" {sentence}", f" {_mask(sentence)}"
    pieces: list[_Piece] = []
    connective, start, listed, swap = "", 0, False, False
    position = 0
    while match := patterns().connective.search(mask, position):
        position = match.start() + 1  # what is no connective may hold one
        comma, link, word = bool(match["comma"].strip()), (match["link"] or "").lower(), (match["word"] or "").lower()
        left, right = _ends(mask[start : match.start()].strip()), mask[match.end() : match.end() + _AHEAD].strip()
        if match.start() < start or not (comma or link or word) or not re.search(r"\w", right):
            continue
        if not re.search(r"\w", left):
            if word in ("before", "after", "until", "till"):
                if word in ("until", "till") or not (patterns().timed.search(right) and "," in right):
                    continue
                swap = swap or word == "before"
            elif not word:
                continue
            connective, start = text[start : match.end()], match.end()
            position = start - 1
            continue
        first = bool(_FIRST.search(f"{connective} {left}") or (_AROUND.search(connective) and not pieces))
        if not _parts(left, right, comma, link, word, listed, first):
            continue
        pieces += _turn(connective, text[start : match.start()].strip())
        connective, start = text[match.start() : match.end()], match.end()
        position = start - 1
        if word == "after":
            swap = True
        acts = patterns().acts.search(right)
        listed = bool(comma and not link and not word and acts and not acts["subject"])
    pieces += _turn(connective, text[start:].strip())
    if swap and len(pieces) > 1:  # "smiles after crying"; "before crying, she smiles"
        place = max(1, next(place for place, piece in enumerate(pieces) if _AROUND.search(piece.connective)))
        pieces[place - 1 : place + 1] = [pieces[place], pieces[place - 1]]
    return pieces


def _ends(text: str) -> str:
    """The beginning and the end of a long text, which alone say whether a beat ends with it."""
    return text if len(text) <= 2 * _BEHIND else f"{text[:_BEHIND]} {text[-_BEHIND:]}"


def _turn(connective: str, text: str) -> list[_Piece]:
    """A clause, parted where one feeling turns into another: "her smile turns into a frown"."""
    words = patterns()
    for match in words.turning.finditer(text):
        listed = match[0].strip().lower() == "to"  # "from anger to joy", "to joy to grief"
        left = text[max(0, match.start() - 2 * _BEHIND) : match.start()]
        if words.denial.search(left):  # "her smile does not turn into a frown"
            continue
        if words.feeling.search(left) and (not listed or re.search(r"\bfrom\b", left) or connective.strip() == "to"):
            return [_Piece(connective, text[: match.start()]), *_turn(match[0], text[match.end() :])]
    return [_Piece(connective, text)]


def _parts(left: str, right: str, comma: bool, link: str, word: str, listed: bool, first: bool) -> bool:
    """Whether a connective parts what is left of it from what is right of it."""
    words = patterns()
    content = any(pattern.search(left) for pattern in (words.verb, words.feeling, words.ending))
    if word in ("before", "after"):
        return content and bool(words.timed.search(right))
    if word in ("until", "till"):
        return content and len(right.split()) > 1
    if word:
        if word == "then" and words.stray_then.search(left):
            return False
        is_subject = not content and not comma and bool(words.acts.search(right))  # "the man then smiles"
        head = not re.search(r"then|after|later|followed|before|when|the next ", word)
        return not is_subject and (comma or bool(link) or not head)
    if words.aside.search(left):
        return first and comma
    if words.manner_first.search(right):
        return content
    acts = words.acts.search(right)
    if first and (comma or link == "but"):
        return bool(acts) or bool(re.match(r"(?:she|he|they|it|i|we|you)\b", right, re.I))
    clause = re.split(r",| and | but ", right)[0]
    if _releases(left) or words.ending.search(left):
        begins = bool(acts or _LEAVING.search(right))
        begins = begins or bool(link and (words.verb.search(clause) or words.feeling.search(clause)))
        return begins and not _releases(clause)
    if not content or (acts and acts["subject"] and not link and not words.verb.search(left)):  # "Confused, she frowns"
        return False
    if _releases(clause) or words.gestures.search(right):
        return True
    if words.changes.search(right) or (link and words.winking.search(left) and acts):
        return True
    if not acts:
        return False
    if not link or listed:
        return comma or listed
    return (comma and bool(acts["subject"])) or (link == "but" and bool(words.attempt.search(left)))
