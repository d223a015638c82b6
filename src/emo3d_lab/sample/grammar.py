"""Descriptions from a grammar: a template is filled from the lexicon, and the fillings decide what the face shows.

The same words decide the text, the intensities and the expression: "slightly" scales the intensities, the intensities
scale the prototypes, and a detail ("her left brow is raised") acts on its own blendshapes afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import numpy as np

from emo3d.emotions import EMOTIONS
from emo3d_lab.sample import lexicon
from emo3d_lab.sample.lexicon import Entry, Shade, Template

T = TypeVar("T")

NEUTRAL_SHARE = 0.07  # of the rows with one emotion; the other seven share the rest evenly
SLOT = re.compile(
    r"\b(?:(ADJ|ATTR|NOUN|ADV)([23]?)(BARE)?(?:/([\d.]+\d))?|(SIT|BODY|QUOTE|IDIOM|DETAILBARE|DETAIL|FEATURE))\b"
)
_REFERENCE = re.compile(r"\b(THE WHO|A WHO|WHO|THEY|THEIR|THEMSELF|THEM|ARE|WERE|HAVE)\b('s)?|\+(s|es)\b")
_CHOICE = re.compile(r"\[([^\]]*)\]")
_SLOT_KIND = {"SIT": "situation", "BODY": "body", "QUOTE": "quote", "IDIOM": "idiom"}
_FORM = {"ADJ": 0, "ATTR": 0, "NOUN": 1, "ADV": 2}
# Words of situations that do not happen to a child.
_GROWN_UP = re.compile(
    r"\b(job|jobs|boss|partner|wife|married|divorc\w+|custody|children|child|son|daughter|baby|parent|grandchild|raise|"
    r"promotion|prison|bank|book|gallery|house|rent|car|landlord|driveway|savings|company|colleague\w*|grave|work|wine|"
    r"years|interview|surgery|wedding|office|hotel|beer|college|university|kissed|love|contracts|motorbike|triplets|"
    r"beggar|servants|opponent|manager|town|luggage|bonus|hackers|flat|dishes|toilet|divorce|employ|marry|pregnant|twins|\w*wages?|licence|ex|husband|boyfriend|girlfriend|workplace|"
    r"late wife|speech|loan|flatmate|project|pupil|deposit|degree|whole family|drunk|swore|dirty)\b"
)


@dataclass
class Scene:
    """A described face: the text, its intensities, variants and units, and its identity.

    Attributes:
        description: the sentence.
        identity: a key of `lexicon.PEOPLE`.
        intensities: emotion -> 0.1..1.0 in steps of 0.1.
        variants: emotion -> variant of its prototype.
        units: action units of the facial details, left and right resolved, strengths 0..1 (0 turns a unit off).
        bare: there are only details, and no prototype underneath.
        side: of one-sided details, as the person sees it; left unless the text says right.
    """

    description: str = ""
    identity: str = "adult"
    intensities: dict[str, float] = field(default_factory=dict)
    variants: dict[str, str] = field(default_factory=dict)
    units: list[str] = field(default_factory=list)
    bare: bool = False
    side: str = "left"


def describe(rng: np.random.Generator, held_out: bool) -> Scene:
    """Make up one description.

    Args:
        rng: source of every choice.
        held_out: fill a held-out template with held-out words, situations and details only; otherwise with none.
    """
    return Writer(rng, held_out).write()


@cache
def _pool(kind: str, emotion: str, held_out: bool) -> tuple[Entry, ...]:
    return tuple(
        entry
        for entry in lexicon.entries()
        if entry.kind == kind and entry.held_out == held_out and (not emotion or entry.shade.emotion == emotion)
    )


@cache
def _words(slot: str, emotion: str, held_out: bool) -> tuple[Entry, ...]:
    words, form = _pool("word", emotion, held_out), _FORM[slot]
    return tuple(e for e in words if e.forms[form] and not (slot == "ATTR" and " " in e.forms[0]))


@cache
def _clauses(kind: str, emotion: str, held_out: bool, child: bool) -> tuple[Entry, ...]:
    return tuple(e for e in _pool(kind, emotion, held_out) if not (child and _GROWN_UP.search(e.forms[0])))


@cache
def _templates(kind: str, held_out: bool) -> tuple[Template, ...]:
    return tuple(t for t in lexicon.templates()[0] if t.kind == kind and t.held_out == held_out)


class Writer:
    """The state of one description while it is written: person, emotions, and entries of the lexicon."""

    def __init__(self, rng: np.random.Generator, held_out: bool) -> None:
        self.rng, self.held_out = rng, held_out
        self.scene = Scene()
        self.side = self.choose(("left", "right"))
        self.picks: list[tuple[Shade, float, bool]] = []  # shade, factor, whether a word names the emotion
        self.used: set[Entry] = set()
        self.shades: dict[str, Shade] = {}

    def write(self) -> Scene:
        """The whole description, of a template that is drawn."""
        kinds = lexicon.templates()[1]
        kind = self.choose_weighted(list(kinds), list(kinds.values()))
        self.template = self.choose(_templates(kind, self.held_out))
        self.emotions = self.draw_emotions(kind)
        self.scene.bare = kind == "physical"
        self.draw_person()
        text = SLOT.sub(self.fill, self.template.text)
        self.scene.description = polish(self.refer(text))
        self.scene.units = [on_side(units, self.scene.side) for units in self.scene.units]
        self.scene.intensities = self.mix()
        return self.scene

    # --- chance -------------------------------------------------------------------------------------------------
    def choose(self, items: Sequence[T]) -> T:
        """One of them, each as likely."""
        return items[int(self.rng.random() * len(items))]

    def choose_weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """One of them, as likely as its weight says."""
        mark = self.rng.random() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            mark -= weight
            if mark < 0:
                return item
        return items[-1]

    def chance(self, probability: float) -> bool:
        """True as often as the probability says."""
        return bool(self.rng.random() < probability)

    def draw_emotions(self, kind: str) -> list[str]:
        """The emotions of a template's slots, by rank."""
        emotions = list(EMOTIONS[1:])
        if kind == "physical":
            return [""]
        if kind not in ("blend", "triple"):
            return ["neutral"] if self.chance(NEUTRAL_SHARE) else [self.choose(emotions)]
        return [emotions.pop(int(self.rng.random() * len(emotions))) for _ in range(3)]

    def draw_person(self) -> None:
        """Whom the template speaks of, and in which person."""
        self.scene.identity = self.choose(list(lexicon.PEOPLE))
        short = "WHO" not in self.template.text or "WHO's" in self.template.text  # not "the man in his fifties's"
        people = lexicon.PEOPLE[self.scene.identity]
        self.noun = self.choose([noun for noun in people if not (short and re.search(" (in|of) ", noun))])
        self.child = self.scene.identity in ("girl", "boy")
        person = self.template.person or (1 if self.chance(0.35) else 3)
        self.pronoun = "I" if person == 1 else lexicon.pronoun_of(self.scene.identity)

    # --- slots --------------------------------------------------------------------------------------------------
    def fill(self, match: re.Match[str]) -> str:
        """The text of a slot, a match of `SLOT`; what it means is kept."""
        word, rank, bare, factor, clause = match.groups()
        if clause:
            return self.clause(clause)
        emotion = self.emotions[int(rank or 1) - 1]
        return self.word(word, emotion, bool(bare), float(factor) if factor else None, 0.85 if rank else 1.0)

    def word(self, slot: str, emotion: str, bare: bool, factor: float | None, share: float) -> str:
        """An emotion word, perhaps with its degree."""
        form = _FORM[slot]
        entry = self.pick("word", emotion, _words(slot, emotion, self.held_out))
        text = entry.forms[form]
        if factor is None and not bare and slot in ("ADJ", "ATTR", "NOUN") and self.chance(0.5):
            degree = self.degrees(slot, entry)
            if degree:
                adverb = self.choose(list(degree))
                text, share = f"{adverb} {text}", share * degree[adverb]
        self.picks.append((entry.shade, share * (factor or 1.0), True))
        return text

    def degrees(self, slot: str, entry: Entry) -> dict[str, float]:
        """Degrees that a word takes, and their factors."""
        strong = entry.shade.strength >= 0.9
        if entry.shade.emotion == "neutral" or " " in entry.forms[_FORM[slot]]:
            return {}
        if slot == "NOUN":
            return lexicon.ABSOLUTE_AMOUNTS if strong else lexicon.AMOUNTS
        if entry.forms[0].endswith("ing"):  # "very weeping"
            return {}
        degrees = lexicon.ABSOLUTE_ADVERBS if strong else lexicon.ADVERBS
        return {text: f for text, f in degrees.items() if slot == "ADJ" or not text.startswith(("a ", "so "))}

    def clause(self, slot: str) -> str:
        """A situation, quotation, idiom or detail."""
        if slot in _SLOT_KIND:
            kind, emotion = _SLOT_KIND[slot], self.emotions[0]
            entry = self.pick(kind, emotion, _clauses(kind, emotion, self.held_out, self.child))
            self.picks.append((entry.shade, 1.0, False))
            return _CHOICE.sub(lambda match: self.choose(match[1].split("|")), entry.forms[0])
        kind = "physical" if self.scene.bare else "detail"
        entry = self.pick(kind, self.emotions[0], _pool(kind, self.emotions[0], self.held_out))
        self.picks.append((entry.shade, 1.0, False))
        return self.detail(entry, slot)

    def detail(self, entry: Entry, slot: str) -> str:
        """A facial detail in the form that its slot asks for."""
        if "SIDE" in entry.forms[0]:
            self.scene.side = self.side
        self.scene.units.append(entry.units)
        text = entry.forms[0].replace("SIDE", self.side)
        state = re.search(r" (is|are) ", text)
        if state is None:
            return f"THEIR face shows {text}" if slot == "FEATURE" else text
        if slot != "FEATURE":
            text = text[: state.start()] + " " + text[state.end() :]
        possessive = slot != "DETAILBARE" and not text.startswith(("the ", "both "))
        return f"THEIR {text}" if possessive else text

    def pick(self, kind: str, emotion: str, fitting: Sequence[Entry]) -> Entry:
        """An entry that was not used, as strong as the ones before it of the same emotion."""
        pool = [e for e in fitting if e not in self.used] or fitting
        if kind == "detail":  # no silent scream with slight unease
            strength = self.shades[emotion].strength if emotion in self.shades else 0.8
            pool = [e for e in pool if abs(e.shade.strength - strength) <= 0.31] or pool
        elif kind != "physical":
            shade = self.shades.setdefault(emotion, self.choose_weighted(pool, [e.weight for e in pool]).shade)
            distances = [abs(e.shade.strength - shade.strength) for e in pool]
            least = min(distances)
            nearest = [e for e, distance in zip(pool, distances, strict=True) if distance == least]
            pool = [e for e in nearest if e.shade == shade] or nearest
        entry = self.choose_weighted(pool, [e.weight for e in pool])
        self.used.add(entry)
        return entry

    # --- who ----------------------------------------------------------------------------------------------------
    def refer(self, text: str) -> str:
        """Put in nouns, pronouns and verb forms, from left to right: a verb agrees with the last mention."""
        forms = dict(zip(("THEY", "THEIR", "THEM", "THEMSELF"), lexicon.PRONOUNS[self.pronoun], strict=True))
        introduced = self.pronoun == "I" or "WHO" in text or self.chance(0.5)
        singular = self.pronoun in ("he", "she")

        def replace(match: re.Match[str]) -> str:
            nonlocal introduced, singular
            token, genitive, ending = match.groups()
            if ending:
                return ending if singular else ""
            if token.endswith("WHO"):
                singular = True
                return token.replace("THE", "the").replace("WHO", self.noun) + (genitive or "")
            if token in forms:
                if not introduced and token != "THEMSELF":
                    introduced, singular = True, True
                    return f"the {self.noun}" + ("'s" if token == "THEIR" else "")
                introduced = True
                if token == "THEY":
                    singular = self.pronoun in ("he", "she")
                return forms[token]
            if self.pronoun == "I":
                return {"ARE": "am", "WERE": "was", "HAVE": "have"}[token]
            plural = {"ARE": "are", "WERE": "were", "HAVE": "have"}
            return {"ARE": "is", "WERE": "was", "HAVE": "has"}[token] if singular else plural[token]

        return _REFERENCE.sub(replace, text)

    # --- meaning ------------------------------------------------------------------------------------------------
    def mix(self) -> dict[str, float]:
        """Intensities of all picks, in steps of 0.1; an emotion that words name is as strong as the words say."""
        word_emotions = {shade.emotion for shade, _, word in self.picks if word}
        intensities = dict.fromkeys(EMOTIONS, 0.0)
        for shade, factor, word in self.picks:
            if word or shade.emotion not in word_emotions:
                for emotion, value in shade.intensities:
                    intensities[emotion] = max(intensities[emotion], min(value * factor, 1.0))
                self.scene.variants.setdefault(shade.emotion, shade.variant)
        loudest = max(intensities, key=lambda emotion: intensities[emotion])
        if loudest != "neutral" and self.chance(0.25):
            intensities[loudest] = min(intensities[loudest] + self.choose((-0.1, 0.1)), 1.0)
        strongest = max(value for emotion, value in intensities.items() if emotion != "neutral")
        intensities["neutral"] = max(intensities["neutral"], 1 - strongest)
        steps = {emotion: round(value * 10 + 1e-6) / 10 for emotion, value in intensities.items()}
        return {emotion: value for emotion, value in steps.items() if value}


def on_side(units: str, side: str) -> str:
    """Action units with X for a side, on the left or the right."""
    return units.replace("6XX", "61" if side == "left" else "62").replace("X:", side[0].upper() + ":")


def polish(text: str) -> str:
    """Articles, capitals, and one full stop where two met."""
    text = re.sub(r"\bA (?=(\w))", lambda m: "an " if m[1].lower() in "aeiou" else "a ", text)
    text = re.sub(r"([.!?])([\".,!?]*)\.", r"\1\2", text)
    text = re.sub(r"([.!?])\", ", r'\1" ', text)
    return re.sub(r"(^\W*|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text)
