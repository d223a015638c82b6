"""The words of the synthetic sample: emotion words, situations, details, templates and people, read from text files.

The files lie in `emo3d_lab/assets/lexicon`. A line of `happiness.txt`, ..., `neutral.txt` is

    = elation | happiness 1.0 | laugh      a shade: what its lines mean in intensities, and the face's variant
    w elated / elation / elatedly          an emotion word: adjective / noun / adverb, `-` where there is none
    i over the moon                        what fits after "is"
    s THEY won first prize                 a situation, as a clause
    b THEIR heart is singing               what the body does, as a clause
    q We did it!                           something said

In `details.txt` a line is a facial detail with the action units that it drives, in `templates.txt` a sentence. In a
line, `[a|b]` is either. A `*` holds a line out: it appears in the test split only. THEY, THEIR, THEM, THEMSELF, ARE,
WERE, HAVE and `+s` stand for forms that agree with the person spoken of; SIDE is left or right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources

from emo3d.emotions import EMOTIONS
from emo3d_lab.sample.prototypes import AU_BLENDSHAPES, VARIANTS

KINDS = {"w": "word", "i": "idiom", "s": "situation", "b": "body", "q": "quote"}
FILES = resources.files("emo3d_lab") / "assets" / "lexicon"


@dataclass(frozen=True)
class Shade:
    """A group of words of one strength: its intensities (emotion -> 0..1), its leading emotion, and a face variant."""

    name: str
    intensities: tuple[tuple[str, float], ...]
    variant: str = ""

    @cached_property
    def emotion(self) -> str:
        """The leading emotion."""
        return self.intensities[0][0]

    @cached_property
    def strength(self) -> float:
        """Intensity of the leading emotion, 0..1."""
        return self.intensities[0][1]


@dataclass(frozen=True, eq=False)  # a line of its own, looked up often
class Entry:
    """A line of the lexicon: its kind (`KINDS`, `detail` or `physical`), its shade, its forms, and whether held out."""

    kind: str
    shade: Shade
    forms: tuple[str, ...]
    held_out: bool
    units: str = ""

    @cached_property
    def weight(self) -> int:
        """Of the draw: a line with alternatives counts as up to six."""
        count = 1
        for alternatives in re.findall(r"\[([^\]]*)\]", self.forms[0]):
            count *= 1 + alternatives.count("|")
        return min(count, 6)


@dataclass(frozen=True)
class Template:
    """A sentence with slots: its kind, and `person` (1: in the first person, 3: in the third, 0: either)."""

    kind: str
    person: int
    text: str
    held_out: bool


PEOPLE: dict[str, tuple[str, ...]] = {
    "girl": ("girl", "little girl", "young girl", "schoolgirl", "small girl"),
    "boy": ("boy", "little boy", "young boy", "schoolboy", "small boy"),
    "young-woman": ("young woman", "young lady", "woman in her twenties", "teenage girl", "female student"),
    "young-man": ("young man", "young fellow", "man in his twenties", "teenage boy", "male student"),
    "woman": ("woman", "lady", "woman in her thirties", "adult woman"),
    "man": ("man", "gentleman", "man in his thirties", "adult man"),
    "bearded-man": ("bearded man", "man with a beard", "man in his forties", "man with a short beard"),
    "middle-aged-woman": ("middle-aged woman", "woman in her fifties", "middle-aged lady", "woman of fifty"),
    "middle-aged-man": ("middle-aged man", "man in his fifties", "middle-aged gentleman", "man of fifty"),
    "elderly-woman": ("elderly woman", "old woman", "elderly lady", "woman in her seventies", "grandmother"),
    "elderly-man": ("elderly man", "old man", "elderly gentleman", "man in his seventies", "grandfather"),
    "adult": ("person", "human", "individual", "human being"),
}
"""Identity -> phrases for such a person, for every identity of `emo3d.face.IDENTITIES`."""

PRONOUNS = {
    "I": ("I", "my", "me", "myself"),
    "he": ("he", "his", "him", "himself"),
    "she": ("she", "her", "her", "herself"),
    "they": ("they", "their", "them", "themself"),
}


def pronoun_of(identity: str) -> str:
    """The pronoun of a person, by a key of `PEOPLE`."""
    return {"girl": "she", "woman": "she", "boy": "he", "man": "he"}.get(identity.rsplit("-", 1)[-1], "they")


ADVERBS = {  # before an adjective: factor on the intensities
    "slightly": 0.45,
    "a little": 0.5,
    "a bit": 0.5,
    "mildly": 0.5,
    "faintly": 0.4,
    "somewhat": 0.6,
    "rather": 0.85,
    "quite": 0.9,
    "visibly": 1.0,
    "clearly": 1.0,
    "really": 1.15,
    "very": 1.2,
    "truly": 1.2,
    "deeply": 1.25,
    "so very": 1.3,
    "extremely": 1.35,
    "incredibly": 1.35,
    "terribly": 1.3,
    "utterly": 1.4,
}
ABSOLUTE_ADVERBS = {  # before an adjective that is strong already ("furious")
    "absolutely": 1.2,
    "utterly": 1.2,
    "completely": 1.2,
    "totally": 1.2,
    "simply": 1.1,
    "visibly": 1.0,
    "positively": 1.1,
}
AMOUNTS = {  # before a noun
    "a hint of": 0.35,
    "a trace of": 0.35,
    "a touch of": 0.4,
    "slight": 0.45,
    "mild": 0.5,
    "a little": 0.5,
    "some": 0.65,
    "real": 1.05,
    "obvious": 1.05,
    "deep": 1.2,
    "great": 1.2,
    "strong": 1.2,
    "intense": 1.3,
    "extreme": 1.4,
    "overwhelming": 1.4,
}
ABSOLUTE_AMOUNTS = {"pure": 1.2, "sheer": 1.2, "utter": 1.2, "absolute": 1.2, "boundless": 1.2, "undisguised": 1.0}


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """Read every emotion word, idiom, situation, body clause, quotation and detail.

    Raises:
        ValueError: a line that cannot be read; the message names file, line and what was expected.
    """
    words = [entry for emotion in EMOTIONS for entry in _entries(f"{emotion}.txt")]
    return tuple(words + _entries("details.txt"))


@lru_cache(maxsize=1)
def templates() -> tuple[tuple[Template, ...], dict[str, float]]:
    """Read the sentences, and the weight with which each kind of them is drawn."""
    kind, weights, sentences = "", {}, []
    for line in _lines("templates.txt"):
        if line.startswith("="):
            _, kind, weight = line.split()
            weights[kind] = float(weight)
        else:
            flags, text = line.split(" ", 1)
            sentences.append(Template(kind, int(flags[0]), text, flags.endswith("*")))
    return tuple(sentences), weights


def _lines(name: str) -> list[str]:
    lines = (FILES / name).read_text("utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _entries(name: str) -> list[Entry]:
    shade, kind, entries = Shade("", (("neutral", 1.0),)), "", []
    for line in _lines(name):
        try:
            flag, rest = line.split(" ", 1)
            if flag == "=" and name == "details.txt":
                kind = "physical" if rest.startswith("physical ") else "detail"
                shade = Shade(kind, _intensities(rest.removeprefix("physical ")))
            elif flag == "=":
                shade = read_shade(rest)
            elif flag[0] == "d":
                text, units = (part.strip() for part in rest.split("|"))
                _check_units(units)
                entries.append(Entry(kind, shade, (text,), flag.endswith("*"), units))
            else:
                forms = rest.split(" / ") if flag[0] == "w" else [rest]
                if len(forms) != (3 if flag[0] == "w" else 1):
                    raise ValueError("expected adjective / noun / adverb")
                forms = ["" if form.strip() == "-" else form.strip() for form in forms]
                entries.append(Entry(KINDS[flag[0]], shade, tuple(forms), flag.endswith("*")))
        except (ValueError, KeyError) as error:
            raise ValueError(f"{name}: cannot read {line!r}: {error}") from None
    return entries


def read_shade(text: str, needs_variant: bool = True) -> Shade:
    """Read a shade as the files write it: `elation | happiness 1.0 | laugh`; a ValueError where that cannot be."""
    label, intensities, variant = (part.strip() for part in text.split("|"))
    shade = Shade(label, _intensities(intensities), variant)
    if (variant or needs_variant) and variant not in VARIANTS[shade.emotion]:
        raise ValueError(f"no variant {variant!r} of {shade.emotion}")
    return shade


def _intensities(text: str) -> tuple[tuple[str, float], ...]:
    pairs = [part.split() for part in text.split(",")]
    return tuple((EMOTIONS[EMOTIONS.index(emotion)], float(value)) for emotion, value in pairs)


def _check_units(units: str) -> None:
    for part in units.replace("6XX", "61").replace("X:", "L:").split():
        if part.split(":")[0] not in AU_BLENDSHAPES:
            raise ValueError(f"no action unit {part!r}")
