"""Descriptions for training as people write them: situations, negation, contrast, degrees, blends, emoji, plain talk.

The published sample keeps the grammar of its own (`grammar`); this one shares its words, never those held out. Person
and emotion are drawn independently, and a word is denied as often as it is said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from emo3d.emotions import EMOTIONS
from emo3d_lab.sample import lexicon
from emo3d_lab.sample.grammar import Scene, on_side
from emo3d_lab.sample.lexicon import Shade
from emo3d_lab.sample.phrases import CHOICE, Pattern, Person, Phrase, Texts, texts
from emo3d_lab.sample.sentences import Voice, scribble, tidy

T = TypeVar("T")

NEUTRAL_SHARE = 0.1  # of the emotions drawn; the other seven share the rest evenly
_PHRASE = "ADJ|ATTR|NOUN|ADV|SIT|QUOTE|TEXT|MOVE|LOOK|IRRELEVANT|EMOJI|PLAIN|TODAY"
_WORDS = ("ADJ", "ATTR", "NOUN", "ADV")
_SILENT = ("IRRELEVANT", "PLAIN", "TODAY")  # say nothing of the face
_SLOT = re.compile(
    rf"(?<![A-Z])([-0]?)({_PHRASE})([23]?)(?:/([\d.]+\d))?(?![A-Z])|"
    r"\b(ADVERB|AFTER|AMOUNT|PERCENT|SCALE|BY|OFTEN)\b|\b(MASK|IRONY|SEQUENCE|WHOSE) TEXT\b"
)
_CAP = {"ADVERB": 0.9, "AMOUNT": 0.9}  # above it a word is absolute: nobody is "very furious"
# What a face shows of which only is said what it is not: by shade, then by leading emotion.
_DENIED: dict[str, dict[str, float]] = {
    "elation": {"neutral": 0.8, "sadness": 0.2},
    "amusement": {"neutral": 0.7, "anger": 0.3, "contempt": 0.1},
    "contentment": {"neutral": 0.7, "anger": 0.2, "sadness": 0.2},
    "happiness": {"neutral": 0.7, "sadness": 0.3},
    "calm": {"fear": 0.4, "anger": 0.2, "neutral": 0.4},
    "boredom": {"neutral": 0.8, "happiness": 0.2},
    "thought": {"neutral": 1.0},
    "neutral": {"neutral": 0.5, "surprise": 0.2, "happiness": 0.3},
    "sadness": {"neutral": 0.9, "happiness": 0.1},
    "fear": {"neutral": 0.9, "happiness": 0.1},
}
_FIRM = re.compile(r"far from|further|anything but|at all|in the least|opposite|by no means|never", re.IGNORECASE)
_GROWN_UP = re.compile(
    r"\b(jobs?|boss|wife|husband|married|divorc\w+|mortgage|rent|landlord|salary|promotion|colleagues?|pension|beer|wine|"
    r"car|daughter|son|grandchild\w*|baby|ex|office|client|manager|tax\w*|driving|thesis|loan|bank|invoice|"
    r"project|fired|hired|pregnan\w*|customers?|company|career|meeting|business|drove|patients?|students|shift|girlfriend|"
    r"boyfriend|date|wedding|proposed|court|lawyer|war|factory|house|kids|children|password|spreadsheet|deadline)\b"
)
_AGES = (
    ("nineteen", "twenty-six", "thirty-four", "forty", "fifty-two", "sixty-seven", "eighty", "ninety-one"),
    ("five", "six", "seven", "eight", "nine"),
)  # of others, of children
_YOUNG = re.compile(
    r"\b(teddy|kindergarten|playground|homework|school bus|recess|classmates?|mum|mom|dad|tooth fairy)\b"
)


@dataclass
class Spoken(Scene):
    """A scene with the construction of its sentence, the person, and the phrases said of the face or denied of it."""

    construction: str = "sample"
    person: str = field(default="", repr=False)
    affirmed: list[str] = field(default_factory=list, repr=False)
    denied: list[str] = field(default_factory=list, repr=False)


def speak(rng: np.random.Generator, held_out: bool = False, construction: str | None = None) -> list[Spoken]:
    """Make up one description, or a series of three to five that differ in nothing but degree.

    Args:
        rng: source of every choice.
        held_out: of the templates, words, situations and names kept for validation only; otherwise of none of them.
        construction: a key of `texts(held_out).weights`; drawn by these by default.

    Raises:
        ValueError: a construction that has no templates in this pool.
    """
    pool = texts(held_out)
    names = [name for name in pool.weights if pool.patterns.get(name)]
    if construction is None:
        weights = np.array([pool.weights[name] for name in names])
        construction = names[int(np.searchsorted(weights.cumsum() / weights.sum(), rng.random(), "right"))]
    elif construction not in names:
        raise ValueError(f"expected a construction of {', '.join(names)}, got {construction!r}")
    if construction != "degree":
        return [_Speaker(rng, pool, construction).write()]
    seed = int(rng.integers(2**62))  # every sentence of a series makes the same choices but one
    count = 3 + int(rng.random() * 3)
    levels = [(step + rng.random() * 0.999) / count for step in range(count)]
    return [_Speaker(np.random.default_rng(seed), pool, construction, level).write() for level in levels]


class _Speaker:
    """The state of one description while it is written."""

    def __init__(self, rng: np.random.Generator, pool: Texts, construction: str, level: float | None = None) -> None:
        self.rng, self.pool, self.level = rng, pool, level
        self.scene = Spoken(construction=construction)
        self.said: list[tuple[Shade, float, bool]] = []  # with a factor, and whether a word names the emotion
        self.denied: list[Shade] = []
        self.factor = 1.0
        self.cap = 1.0
        self.firm = 1.0  # factor on what is shown instead of what is denied
        self.moved = False  # nothing is said but movements
        self.used: set[Phrase] = set()

    def write(self) -> Spoken:
        pattern: Pattern = self.choose(self.pool.patterns[self.scene.construction])
        text = CHOICE.sub(lambda match: self.choose(match[1].split("|")), pattern.text)
        text = re.sub(r"<([^>|]*)\|([^>]*)>", self.deny, text)
        self.emotions = self.draw_emotions(dict(pattern.limits))
        self.side = self.choose(("left", "right"))
        person, self.scene.identity = self.draw_person(text)
        self.child = person.child
        text = text.replace("AGE", self.choose(_AGES[person.child])).replace("ROLE", person.text.removeprefix("the "))
        self.scene.person = person.text
        for kind in ("ADVERB", "AFTER", "AMOUNT", "PERCENT", "SCALE", "BY", "OFTEN"):
            if re.search(rf"\b{kind}\b", text):
                self.cap = _CAP.get(kind, 1.0)
        text = _SLOT.sub(self.fill, text)
        voice = Voice(person.text, person.pronoun, self.choose(("present", "past") * 4 + ("future",)))
        text = tidy(voice.speak(text, introduced=self.chance(0.5)))
        self.scene.description = scribble(text, self.rng) if self.scene.construction != "degree" else text
        self.scene.bare = self.moved
        self.scene.intensities = self.mix(dict(pattern.extra))
        return self.scene

    def choose(self, items: Sequence[T]) -> T:
        return items[int(self.rng.random() * len(items))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def deny(self, match: re.Match[str]) -> str:
        """Of `<not|very>` take either side; on the first, the slots after it up to the next stop are denied."""
        self.firm = 1.6 if _FIRM.search(match[1]) else 1.0
        return f"\x01{match[1]}" if self.chance(0.5) else match[2]

    def draw_emotions(self, limits: dict[int, tuple[str, ...]]) -> list[str]:
        emotions: list[str] = []
        for rank in (1, 2, 3):
            free = [e for e in limits.get(rank, EMOTIONS) if e not in emotions]
            rest = [e for e in free if e != "neutral"]
            share = 0.02 if self.scene.construction == "degree" else NEUTRAL_SHARE
            neutral = "neutral" in free and (not rest or self.chance(share))
            emotions.append("neutral" if neutral else self.choose(rest))
        return emotions

    def draw_person(self, text: str) -> tuple[Person, str]:
        """Somebody, and an identity for the face: nothing here depends on the emotion."""
        mark = self.rng.random()
        role = "ROLE" in text
        if (role and mark < 0.5) or (not role and ("A WHO" in text or (mark < 0.13 and re.search("WHO|TEXT", text)))):
            identity = self.choose(list(lexicon.PEOPLE))
            noun = self.choose(lexicon.PEOPLE[identity])
            pronoun = lexicon.pronoun_of(identity)
            return Person(f"the {noun}", pronoun, False, identity in ("girl", "boy")), identity
        if role:
            person = self.choose([p for p in self.pool.people if p.text.startswith("the ")])
        elif not re.search("WHO|TEXT", text) and mark < 0.4:
            person = Person("", self.choose(("I", "I", "you", "he", "she", "they")), False, False)
        else:
            name = self.chance(0.65)
            person = self.choose([p for p in self.pool.people if p.name == name])
        genders = {"she": ("woman", "girl"), "he": ("man", "boy")}.get(person.pronoun, ("woman", "man", "adult"))
        children = ("girl", "boy")
        fitting = [i for i in lexicon.PEOPLE if i.rsplit("-", 1)[-1] in genders and person.child == (i in children)]
        return person, self.choose(fitting or children)

    def fill(self, match: re.Match[str]) -> str:
        sign, kind, rank, factor, degree, section = match.groups()
        if degree:
            return self.degree(degree)
        emotion = self.emotions[int(rank or 1) - 1]
        if section:
            kinds = [key for key in self.pool.phrases if key[0] == f"{section} TEXT"]
            phrase = self.choose([p for key in kinds for p in self.pool.phrases[key]])
        elif kind == "MOVE" or kind in _SILENT:
            phrase = self.pick({"PLAIN": "SIT"}.get(kind, kind), "neutral")
        else:
            phrase = self.pick(kind, emotion)
        before = match.string[: match.start()]
        silent = sign == "-" or "\x01" in before[max(before.rfind(stop) for stop in ".;:\x02") + 1 :]
        if silent:
            self.denied.append(phrase.shade)
            self.scene.denied.append(phrase.text)
        elif sign != "0" and kind not in _SILENT:
            self.scene.affirmed.append(phrase.text)
            self.moved = kind == "MOVE" and (self.moved or not self.said)
            scale = float(factor or 1) * (self.factor if (rank or "1") == "1" else 1.0)
            self.said.append((phrase.shade, scale, kind in _WORDS))
            if phrase.units:
                self.scene.units.append(on_side(phrase.units, self.side))
                self.scene.side = self.side if "SIDE" in phrase.text else self.scene.side
        return CHOICE.sub(lambda m: self.choose(m[1].split("|")), phrase.text).replace("SIDE", self.side)

    def pick(self, kind: str, emotion: str) -> Phrase:
        phrases = self.pool.phrases["ADJ" if kind == "ATTR" else kind, emotion]
        if kind == "ATTR":
            phrases = [p for p in phrases if " " not in p.text]
        if kind == "ADJ" and self.scene.construction == "comparison":
            phrases = [p for p in phrases if p.text[-3:] != "ing"]
        elif kind in ("ADJ", "NOUN") and self.scene.construction == "degree":
            phrases = [p for p in phrases if " " not in p.text and p.text[-3:] != "ing"]
            phrases = [p for p in phrases if p.shade.strength <= self.cap] or phrases
        phrase = self.choose(phrases)
        for _ in range(6):  # another clause for this person, never another person for this clause
            odd = kind in ("SIT", "QUOTE", "TEXT") and (_GROWN_UP if self.child else _YOUNG).search(phrase.text)
            if not odd and phrase not in self.used:
                break
            phrase = self.choose(phrases)
        self.used.add(phrase)
        return phrase

    def degree(self, kind: str) -> str:
        table = self.pool.degrees[kind]
        level = self.rng.random() if self.level is None else self.level
        text, self.factor = table[int(level * len(table))]
        return text

    def mix(self, extra: dict[str, float]) -> dict[str, float]:
        """Intensities in steps of 0.1: the largest of what is said, or what is left where all is denied."""
        intensities = dict.fromkeys(EMOTIONS, 0.0) | extra
        named = {shade.emotion for shade, _, word in self.said if word}
        for shade, factor, word in self.said:
            if not word and shade.emotion in named:
                continue  # it is as strong as the words say
            factor = factor * self.factor if len(self.said) == 1 and factor == 1 else factor
            calm = 0.5 if shade.emotion == "neutral" and any(s.emotion != "neutral" for s, *_ in self.said) else 1.0
            for emotion, value in shade.intensities:
                value = min(value * factor, 1.0) if emotion != "neutral" else value * calm
                intensities[emotion] = max(intensities[emotion], value)
            if shade.variant:
                self.scene.variants.setdefault(shade.emotion, shade.variant)
        if not self.said and not extra:
            rests = [_DENIED.get(s.name) or _DENIED.get(s.emotion) for s in self.denied]
            rest = next(filter(None, rests), {"neutral": 1.0})
            intensities |= {e: value * self.firm for e, value in rest.items() if e != "neutral"} or rest
            self.scene.variants.clear()
        strongest = max(value for emotion, value in intensities.items() if emotion != "neutral")
        intensities["neutral"] = max(intensities["neutral"], 1 - strongest) if strongest < 0.95 else 0.0
        steps = {emotion: round(value * 10 + 1e-6) / 10 for emotion, value in intensities.items()}
        return {emotion: value for emotion, value in steps.items() if value}
