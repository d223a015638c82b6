"""Acts in a chat model's line: `<act>` tags, *stage directions*, (parentheses), emoji; the rest is said.

What is no act for certain stays text, so that no word of a line is lost: unknown and malformed tags, *emphasis* and
(asides).
`web/src/acts.ts` is the same in TypeScript, with the tables below by way of `web/src/tables.json`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

LONGEST = {"<": 500, "*": 120, "(": 120}
"""Characters that an act may have after what opens it; a longer one is text, so a reader holds back no more."""

VERBS = """
beam blush cackle chuckle cough cringe cry flinch frown gasp giggle glare gloat grimace grin groan growl gulp
grumble huff hesitate hiss laugh moan mumble murmur mutter nod panic pout purr roar scoff scowl scream shiver
shout shriek shrug shudder sigh smile smirk sneer sniff sniffle snicker snort sob squeal stammer stutter sulk
swallow tremble weep whimper whine whisper wince wink yawn yell
""".split()
"""Verbs that are a stage direction on their own, base forms: *laughs*, (sighing)."""

MOVES = """
arch avert bite blink bow brush clear close cover draw drop furrow hang hide hold lean let lick lift look lower
narrow open pull purse puff raise roll rub shake shut squint stare stick suck take tilt turn wipe wrinkle
""".split()
"""Verbs that are one beside a word of `PARTS`: *looks away*, (rolls her eyes)."""

PARTS = """
away aside brow brows breath cheek cheeks chin down eye eyebrow eyebrows eyes face gaze hand hands head jaw lip
lips mouth nose tear tears teeth throat tongue up
""".split()

MANNERS = """
amused angry annoyed anxious ashamed awkward bitter bored calm cheerful cold confused curious delighted
desperate disappointed disgusted embarrassed excited fearful flirty furious gentle grateful happy horrified hurt
impressed irritated mocking nervous panicked playful proud quiet relieved sad sarcastic scared serious sheepish
shocked shy smug soft stern surprised suspicious teasing tender terrified thrilled tired unimpressed warm weary
worried
""".split()
"""How something is said: (nervous), *bitterly*."""

_PRONOUNS = frozenset("she he they i it".split())
_FACES = "\u2639\u263a\u2764\U0001f44d\U0001f44e\U0001f494-\U0001f49f\U0001f600-\U0001f64f\U0001f910-\U0001f917"
_FACES += "\U0001f920-\U0001f92f\U0001f970-\U0001f97a\U0001f9d0\U0001fae0-\U0001fae8"
# A face, heart or thumb, with what may follow it: variants, skin tones, joined symbols.
_EMOJI = re.compile(f"[{_FACES}](?:[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[^\\s\\w]?){{0,12}}")
_EMOTICON = re.compile(r"[:;]-?'?[()DO](?!\w)")
_OPENER = re.compile(rf"[<*(:;{_FACES}]")
_TAG = re.compile(r"""<act(?:\s{1,8}strength\s{0,8}=\s{0,8}(["']?)([\d.]{1,8})\1)?\s{0,8}>""", re.I)
_NUMBER = re.compile(r"\d+\.?\d*|\.\d+", re.A)
_TAG_LENGTH = 48  # characters of the longest
_CLOSERS = {"*": re.compile("[*\n]"), "(": re.compile("[()\n]")}
_SUBJECT = re.compile(r"\b(?:s?he|it|that|this|who|which|never|always|only|just) $", re.I)
_BEFORE = 8  # characters that it looks at
_ENDS = frozenset(".!?…,;:—–-\"”'’)*\n")  # after these, or at a start, a word between asterisks is no emphasis


@dataclass(frozen=True)
class Segment:
    """A part of a line: what is said, or an act that the face does meanwhile."""

    text: str  # of an act without its marks
    kind: Literal["said", "act"] = "said"
    strength: float | None = None  # of an `<act strength="...">`, 0..1.5


class ActReader:
    """Reads a line that comes in chunks, cut anywhere; at most 550 characters are held back for an act that may end.

    Example:
        >>> reader = ActReader()
        >>> [segment.text for chunk in ("Fine. <a", "ct>she pouts</act>") for segment in reader.feed(chunk)]
        ['Fine. ', 'she pouts']
    """

    def __init__(self) -> None:
        self._rest = ""
        self._before = " "  # the last characters before the rest
        self._free = True  # whether a direction may begin here: at the start, and after a sentence, clause or act

    def feed(self, chunk: str) -> list[Segment]:
        """Read on; returns what is certain by now.

        Raises:
            ValueError: a chunk that is no string.
        """
        if not isinstance(chunk, str):
            raise ValueError(f"expected a chunk of text, got a {type(chunk).__name__}")
        self._rest += chunk
        return self._take(final=False)

    def close(self) -> list[Segment]:
        """Return what was held back; the line is over, and the next one may begin."""
        segments = self._take(final=True)
        self.__init__()  # type: ignore[misc]
        return segments

    def _take(self, final: bool) -> list[Segment]:
        segments: list[Segment] = []
        parts: list[str] = []  # of what is said
        text, start = self._rest, 0
        while start < len(text):
            match = _OPENER.search(text, start)
            place = match.start() if match else len(text)
            self._note(text[start:place])
            segment, end = self._read(text, place, final) if match else (None, place)
            parts.append(text[start:place] if end is None or segment else text[start:end])
            start = place if end is None else end
            if segment:
                segments += [Segment("".join(parts))] * any(parts) + [segment]
                parts = []
                self._before, self._free = " ", True
            elif end is None:
                break
            else:
                self._note(text[place:end])
        self._rest = text[start:]
        return segments + [Segment("".join(parts))] * any(parts)

    def _note(self, text: str) -> None:
        if text:
            self._before = (self._before + text[-_BEFORE:])[-_BEFORE:]
            solid = text.rstrip(" \t")
            self._free = solid[-1] in _ENDS if solid else self._free

    def _read(self, text: str, start: int, final: bool) -> tuple[Segment | None, int | None]:
        """The act that begins at an opener, and where it ends; no act: the opener is text. No end: more is needed."""
        mark, rest = text[start], len(text) - start
        if mark == "<":
            return _read_tag(text, start, final)
        if mark in ":;":
            apart = self._before[-1].isspace()
            if apart and rest < 5 and not final:
                return None, None
            match = _EMOTICON.match(text, start) if apart else None
            return (Segment(match[0], "act"), match.end()) if match else (None, start + 1)
        if mark not in "*(":
            match = _EMOJI.match(text, start)
            assert match
            return (None, None) if match.end() == len(text) and not final else (Segment(match[0], "act"), match.end())
        if mark == "*" and rest == 1 and not final:
            return None, None
        if text.startswith("**", start):  # bold
            run = text[start : start + LONGEST[mark]]
            end = start + len(run) - len(run.lstrip(mark))
            return (None, None) if end == len(text) and rest < LONGEST[mark] and not final else (None, end)
        close = _CLOSERS[mark].search(text, start + 1, start + 1 + LONGEST[mark])
        if not close:
            return (None, None) if rest <= LONGEST[mark] and not final else (None, start + 1)
        end = close.end()
        if mark == "*" and close[0] == "*" and end == len(text) and not final:
            return None, None
        content = text[start + 1 : close.start()]
        ends = close[0] == ("*" if mark == "*" else ")") and not (mark == "*" and text.startswith("*", end))
        free = mark == "(" or self._free
        subject = not free and _SUBJECT.search(self._before)  # "she *laughs* at me"
        if ends and not subject and content == content.strip() and is_direction(content, free, mark == "("):
            return Segment(content, "act"), end
        return None, start + 1


def _read_tag(text: str, start: int, final: bool) -> tuple[Segment | None, int | None]:
    tag = _TAG.match(text, start)
    if not tag:
        head = text[start : start + _TAG_LENGTH]
        partial = ">" not in head and len(head) < _TAG_LENGTH and head[:4].lower() == "<act"[: len(head)]
        return (None, None) if partial and not final else (None, start + 1)
    close = text.find("<", tag.end(), tag.end() + LONGEST["<"])
    if close < 0:
        return (None, None) if len(text) - tag.end() < LONGEST["<"] and not final else (None, start + 1)
    end = text[close : close + 6].lower()
    if len(end) < 6 and end == "</act>"[: len(end)] and not final:
        return None, None
    content = " ".join(text[tag.end() : close].split())
    strength = None if tag[2] is None else float(tag[2]) if _NUMBER.fullmatch(tag[2]) else -1.0
    if end != "</act>" or not content or (strength is not None and not 0 <= strength <= 1.5):
        return None, start + 1
    return Segment(content, "act", strength), close + 6


def is_direction(content: str, free: bool, aside: bool) -> bool:
    """Whether words between asterisks, or of an `aside` in parentheses, are a stage direction.

    Args:
        content: without its marks.
        free: a clause has just ended, so that the words are no emphasis within it.
        aside: how something is said (`MANNERS`, as adjectives) counts, too.
    """
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", content.lower())
    if not 1 <= len(words) <= 12:
        return False
    if len(words) == 1 and _stem_in(words[0], MANNERS, ("", "ly") if aside else ("ly",)):
        return free
    person = words[0] in _PRONOUNS and len(words) > 1
    words = words[1:] if person else words
    while len(words) > 1 and words[0].endswith("ly"):
        words = words[1:]
    verb = _stem_in(words[0], VERBS, ("", "s", "ing"))
    verb = verb or (_stem_in(words[0], MOVES, ("", "s", "ing")) and not set(PARTS).isdisjoint(words[1:]))
    return verb and (free or person or words[0].endswith("s"))


def _stem_in(word: str, stems: list[str], endings: tuple[str, ...]) -> bool:
    """Whether a word is one of the stems with one of the endings, by English spelling: shrugging, angrily."""
    for ending in endings:
        if ending and not word.endswith(ending):
            continue
        stem = word[: len(word) - len(ending)]
        forms = [stem]
        if ending == "s":
            forms += [stem[:-1]] if stem.endswith("e") else []
            forms += [stem[:-2] + "y"] if stem.endswith("ie") else []
        if ending == "ing":
            forms += [stem + "e"] + ([stem[:-1]] if stem[-2:-1] == stem[-1:] else [])
        if ending == "ly":
            forms += [stem[:-1] + "y"] * stem.endswith("i") + [stem + "le"] + [stem[:-2]] * stem.endswith("al")
        if any(form in stems for form in forms):
            return True
    return False


def read_acts(text: str) -> list[Segment]:
    """Split a whole line into what is said and acts, in their order; together they have all of its words.

    Example:
        >>> [(segment.kind, segment.text) for segment in read_acts("*sighs* I *really* mean it.")]
        [('act', 'sighs'), ('said', ' I *really* mean it.')]
    """
    reader = ActReader()
    segments: list[Segment] = []
    for segment in [*reader.feed(text), *reader.close()]:
        if segments and segments[-1].kind == segment.kind == "said":
            segment = Segment(segments.pop().text + segment.text)
        segments.append(segment)
    return segments
