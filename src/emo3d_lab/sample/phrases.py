"""The texts of the training grammar (`speech`), read from `emo3d_lab/assets/lexicon/speech`.

`words.txt` has the shades and words of `lexicon`'s files. In `happiness.txt`, ..., `neutral.txt`, `mixed.txt` a line is

    = triumph | happiness 1.0 | laugh      a shade, as in the lexicon
    THEY win/won the raffle                a clause, with present and past of a verb that agrees with THEY
    the dog barks//barked                  a verb that agrees with something else
    "We did it!"                           something said
    > Local baker wins lottery             a whole text

In `templates.txt` a line is a text with slots, under the name and weight of its construction; `-ADJ` is denied, `0ADJ`
is mentioned only, `ADJ/0.4` is weaker; `| + happiness 0.5` adds what the words do not say, `| 1 anger fear` limits the
emotions of the first slot. A leading `*` holds a line out for validation, and all lines of a construction after `=*`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

from emo3d.emotions import EMOTIONS
from emo3d_lab.sample import lexicon
from emo3d_lab.sample.guard import is_reserved
from emo3d_lab.sample.lexicon import Shade

_FILES = lexicon.FILES / "speech"
CHOICE = re.compile(r"\[([^\]\[]*)\]")
_FORMS = ("ADJ", "NOUN", "ADV")
_COMMON_WEIGHT = 6  # of common words in the draw


@dataclass(frozen=True, eq=False)
class Phrase:
    """A word form, clause, quotation, text or facial detail, with what it means (units: only of details)."""

    text: str
    shade: Shade
    units: str = ""


@dataclass(frozen=True, eq=False)
class Pattern:
    """A template: `limits` are the emotions of its slots by rank, `extra` what it adds to their intensities."""

    construction: str
    text: str
    limits: tuple[tuple[int, tuple[str, ...]], ...] = ()
    extra: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Person:
    """How somebody is called: the pronoun (he, she, they), and whether it is a name, and certainly a child."""

    text: str
    pronoun: str
    name: bool
    child: bool


class Texts:
    """All texts of one pool, held out or not, without those that the guard drops.

    Attributes:
        phrases: (kind, leading emotion) -> phrases; kinds are ADJ, NOUN, ADV, SIT, QUOTE, TEXT, FACE, EMOJI, ...
        patterns: construction -> templates.
        weights: construction -> share of the draw.
        people: names and nouns.
        degrees: kind -> (text, factor on the intensities), weakest first.
        dropped: number of lines and alternatives that the guard dropped.
    """

    def __init__(self, held_out: bool) -> None:
        self.held_out, self.dropped = held_out, 0
        self.phrases: dict[tuple[str, str], list[Phrase]] = defaultdict(list)
        self.patterns: dict[str, list[Pattern]] = defaultdict(list)
        self.weights: dict[str, float] = {}
        self.people: list[Person] = []
        self.degrees: dict[str, list[tuple[str, float]]] = defaultdict(list)
        words = [entry for entry in lexicon.entries() if entry.kind == "word" and not entry.held_out]
        self.known = {form for entry in words for form in entry.forms}
        if not held_out:
            self.known = set()
            for entry in words:
                self._add_word(entry.shade, entry.forms)
        for name in ("words", *EMOTIONS, "mixed", "faces", "emoji"):
            self._read_phrases(name)
        lines = (_FILES / "common.txt").read_text("utf-8").splitlines()
        common = {word for line in lines if line[:1] != "#" for word in line.split(", ")}
        for phrases in self.phrases.values():
            weights = [_COMMON_WEIGHT if phrase.text in common else _readings(phrase.text) for phrase in phrases]
            phrases[:] = [p for p, weight in zip(phrases, weights, strict=True) for _ in range(weight)]
        self._read_patterns()
        self._read_people()
        self._read_degrees()

    def _lines(self, name: str) -> list[tuple[str, bool]]:
        """Lines of this pool and headings, with alternatives that the guard leaves."""
        lines, all_held_out = [], False
        for line in (_FILES / f"{name}.txt").read_text("utf-8").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("="):
                all_held_out = line.startswith("=*")
                lines.append((line.lstrip("=* ").strip(), True))
                continue
            held_out = all_held_out or line.startswith("*")
            text = CHOICE.sub(self._alternatives, line.lstrip("* ").strip())
            if held_out != self.held_out:
                continue
            if is_reserved(text.replace("[", " ").replace("]", " ").replace("|", " , ")) or "[]" in text:
                self.dropped += 1
                continue
            lines.append((text, False))
        return lines

    def _alternatives(self, match: re.Match[str]) -> str:
        kept = [part for part in match[1].split("|") if not is_reserved(part)]
        self.dropped += match[1].count("|") + 1 - len(kept)
        return f"[{'|'.join(kept)}]"

    def _add_word(self, shade: Shade, forms: tuple[str, ...]) -> None:
        for kind, form in zip(_FORMS, forms, strict=True):
            if form.strip() in self.known:
                self.dropped += 1
            elif form.strip(" -"):
                self.phrases[kind, shade.emotion].append(Phrase(form.strip(), shade))

    def _read_phrases(self, name: str) -> None:
        shade = Shade("", (("neutral", 1.0),))
        for line, heading in self._lines(name):
            if heading:
                shade = _shade(line, name)
                continue
            if name == "words":
                self._add_word(shade, tuple(line.split(" / ")))
                continue
            text, units = line, ""
            kind = {">": "TEXT", '"': "QUOTE"}.get(line[0], "SIT")
            if name == "faces":
                text, _, units = (part.strip() for part in line.rpartition("|"))
                kind = shade.name
            elif name == "emoji":
                kind = "EMOJI"
            elif name == "mixed":
                kind = f"{shade.name.upper()} TEXT" if kind == "TEXT" else kind
            self.phrases[kind, shade.emotion].append(Phrase(text.lstrip("> ").strip('"'), shade, units))

    def _read_patterns(self) -> None:
        construction = ""
        for line, heading in self._lines("templates"):
            if heading:
                construction, weight = line.split()
                self.weights[construction] = float(weight)
                continue
            text, *options = line.split(" | ")
            limits, extra = [], []
            for option in options:
                key, *rest = option.replace(",", "").split()
                if key == "+":
                    extra = [(rest[k], float(rest[k + 1])) for k in range(0, len(rest), 2)]
                else:
                    limits.append((int(key), tuple(EMOTIONS[EMOTIONS.index(emotion)] for emotion in rest)))
            self.patterns[construction].append(Pattern(construction, text, tuple(limits), tuple(extra)))

    def _read_people(self) -> None:
        kind = ""
        for line, heading in self._lines("people"):
            if heading:
                kind = line
                continue
            pronoun = {"f": "she", "m": "he"}.get(kind[0], "they")
            people = line.split(", ")
            self.people += [Person(text, pronoun, "name" in kind, "child" in kind) for text in people]

    def _read_degrees(self) -> None:
        kind = ""
        for line, heading in self._lines("degrees"):
            if heading:
                kind = line
            else:
                factor, text = line.split(" ", 1) if " " in line else (line, "")
                self.degrees[kind] += [(part, float(factor)) for part in text.split(" | ")]
        for table in self.degrees.values():
            table.sort(key=lambda degree: degree[1])


@lru_cache(maxsize=2)
def texts(held_out: bool) -> Texts:
    """Read the texts for training, or those held out for validation.

    Raises:
        ValueError: a heading that cannot be read.
    """
    return Texts(held_out)


def _readings(text: str) -> int:
    """How often a text is drawn: once per reading of its alternatives, up to three times."""
    return min(1 + text.count("|"), 3)


def _shade(line: str, name: str) -> Shade:
    try:
        return lexicon.read_shade(line, needs_variant=False)
    except ValueError as error:
        raise ValueError(f"speech/{name}.txt: cannot read {line!r}: {error}") from None
