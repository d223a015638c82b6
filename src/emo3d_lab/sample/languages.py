"""Descriptions in sixteen languages, from emotion words and templates that make right sentences of them.

The files lie in `emo3d_lab/assets/lexicon/languages`, one per language. Their lines are

    d 1.2 very ~               a degree: its factor on the intensities, and where the word goes
    t m He is ADJ.             a sentence about a man (m, om: old), a woman (f), a boy (b), a girl (g)
    x m He is not ADJ.         one that denies what the word says
    = anger 0.8 closed         emotion, intensity and face variant of the words that follow
    a angry, *irate            words for ADJ, masculine/feminine where these differ
    v grinds his teeth         for VERB, likewise
    n anger, *rage             for NOUN
    s Someone stole his bike.  a situation

`*` holds a word, a sentence (`t*`) or a situation (`s*`) out. Words that have a degree in them, or a space, take none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

from emo3d.emotions import EMOTIONS
from emo3d_lab.sample.grammar import NEUTRAL_SHARE, Scene
from emo3d_lab.sample.prototypes import VARIANTS
from emo3d_lab.sample.rows import SampleRow, expression_of, intensities_of

LANGUAGES = tuple("ar de en es fr it ja ko nl pl pt ru th tr zh zh-Hant".split())
IDENTITIES = {"m": "man", "f": "woman", "om": "elderly-man", "b": "boy", "g": "girl"}

_SLOTS = {"a": "ADJ", "v": "VERB", "n": "NOUN"}
_SHARES = {"ADJ": 0.5, "VERB": 0.2, "NOUN": 0.12, "situation": 0.12, "negation": 0.06}
_FILES = resources.files("emo3d_lab") / "assets" / "lexicon" / "languages"
_FIRST_ID = 10_000_000  # beyond those of `make_rows`
_MOST_FAILURES = 5000  # in a row, after which there are taken to be no more


@dataclass(frozen=True)
class Word:
    """A word (masculine and feminine) or a situation; `slot` is ADJ, VERB, NOUN or situation."""

    slot: str
    emotion: str
    intensity: float
    variant: str
    forms: tuple[str, str]
    held_out: bool


@dataclass(frozen=True)
class Sentence:
    """A sentence with one slot; `person` is a key of `IDENTITIES`."""

    slot: str
    person: str
    text: str
    negates: bool
    held_out: bool


@dataclass(frozen=True)
class Language:
    """What one file has; `degrees` are factors and patterns."""

    code: str
    words: tuple[Word, ...]
    sentences: tuple[Sentence, ...]
    degrees: tuple[tuple[float, str], ...]


@lru_cache(maxsize=len(LANGUAGES))
def read_language(code: str) -> Language:
    """Read the file of a language, a code of `LANGUAGES`.

    Raises:
        ValueError: a line that cannot be read; the message names file, line and reason.
    """
    words: list[Word] = []
    sentences: list[Sentence] = []
    degrees: list[tuple[float, str]] = []
    shade = ("", 0.0, "")
    for line in (_FILES / f"{code}.txt").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        flag, rest = line.split(" ", 1)
        kind, held_out = flag[0], flag.endswith("*")
        try:
            if kind == "=":
                shade = _shade(rest)
            elif kind == "d":
                factor, pattern = rest.split(" ", 1)
                pattern.index("~")
                degrees.append((float(factor), pattern))
            elif kind in "tx":
                person, text = rest.split(" ", 1)
                (slot,) = (slot for slot in _SLOTS.values() if slot in text)
                sentences.append(Sentence(slot, IDENTITIES[person] and person, text, kind == "x", held_out))
            elif kind == "s":
                words.append(Word("situation", *shade, (rest, rest), held_out))
            else:
                for part in rest.split(", "):
                    masculine, _, feminine = part.removeprefix("*").partition("/")
                    forms = masculine, feminine or masculine
                    words.append(Word(_SLOTS[kind], *shade, forms, part.startswith("*")))
        except (KeyError, ValueError) as error:
            raise ValueError(f"{code}.txt: cannot read {line!r}: {error}") from error
    return Language(code, tuple(words), tuple(sentences), tuple(degrees))


def make_multilingual_rows(
    n: int, seed: int = 0, *, held_out: bool = False, languages: Sequence[str] = LANGUAGES, plain: bool = False
) -> list[SampleRow]:
    """Make rows whose descriptions are in sixteen languages by turns, without pictures.

    Args:
        n: number of rows.
        seed: with the other arguments, decides everything; a larger n begins with the same rows.
        held_out: use held-out words, sentences and situations only; otherwise none of them.
        languages: codes of `LANGUAGES`.
        plain: a word of one emotion in a sentence, without degrees, denials and situations.

    Returns:
        n rows, no description twice. `sample_id` is 10,000,000 and upwards.

    Raises:
        ValueError: n < 1, an unknown language, or more rows than there are descriptions.
    """
    if n < 1:
        raise ValueError(f"expected at least one row, got n = {n}")
    for code in languages:
        if code not in LANGUAGES:
            raise ValueError(f"expected languages of {', '.join(LANGUAGES)}, got {code!r}")
    rng = np.random.default_rng([seed, held_out, plain])
    rows: list[SampleRow] = []
    seen: set[str] = set()
    failures = 0
    while len(rows) < n:
        language = read_language(languages[len(rows) % len(languages)])
        scene = _describe(rng, language, held_out, plain)
        if scene is None or scene.description in seen:
            failures += 1
            if failures > _MOST_FAILURES:
                raise ValueError(f"{language.code} has no more than about {len(rows) // len(languages)} descriptions")
            continue
        failures = 0
        seen.add(scene.description)
        parts = scene.description, intensities_of(scene), expression_of(scene, rng), scene.identity
        rows.append(SampleRow(_FIRST_ID + len(rows), *parts))
    return rows


def _describe(rng: np.random.Generator, language: Language, held_out: bool, plain: bool) -> Scene | None:
    """One description, or None where the language has none of the kind that was drawn."""
    kinds = ("ADJ", "VERB", "NOUN") if plain else tuple(_SHARES)
    shares = np.array([_SHARES[kind] for kind in kinds])
    kind = kinds[rng.choice(len(kinds), p=shares / shares.sum())]
    emotion = "neutral" if rng.random() < NEUTRAL_SHARE else EMOTIONS[rng.integers(1, len(EMOTIONS))]
    slot = "ADJ" if kind == "negation" else kind
    words = [
        word
        for word in language.words
        if (word.slot, word.emotion, word.held_out) == (slot, emotion, held_out)
        # "Not happy" is sad, rather than calm; "not overjoyed" is anything.
        and not (kind == "negation" and (emotion in ("neutral", "happiness") or not _takes_degrees(word)))
    ]
    if not words:
        return None
    word = words[rng.integers(len(words))]
    if kind == "situation":
        return _scene(word.forms[0], "adult", word)
    negates = kind == "negation"
    sentences = [s for s in language.sentences if (s.slot, s.negates) == (slot, negates)]
    sentences = [s for s in sentences if negates or s.held_out == held_out]
    if not sentences:
        return None
    sentence = sentences[rng.integers(len(sentences))]
    text, factor = word.forms[sentence.person in ("f", "g")], 1.0
    if slot == "ADJ" and not negates:
        degrees = [d for d in language.degrees if d[0] == 1.0]
        if not plain and _takes_degrees(word):
            degrees = list(language.degrees)
        # Where no word stands alone, as in Chinese, none is "plain".
        factor, pattern = degrees[rng.integers(len(degrees))]
        text = pattern.replace("~", text)
    identity = IDENTITIES[sentence.person]
    description = sentence.text.replace(slot, text)
    return Scene(description, identity, {"neutral": 1.0}) if negates else _scene(description, identity, word, factor)


def _scene(description: str, identity: str, word: Word, factor: float = 1.0) -> Scene:
    intensity = round(float(np.clip(word.intensity * factor, 0.1, 1.0)), 1)
    return Scene(description, identity, {word.emotion: intensity}, {word.emotion: word.variant})


def _takes_degrees(word: Word) -> bool:
    return word.emotion != "neutral" and word.intensity < 0.95 and " " not in word.forms[0]


def _shade(text: str) -> tuple[str, float, str]:
    emotion, intensity, variant = text.split()
    if variant not in VARIANTS[emotion]:
        raise ValueError(f"no variant {variant!r} of {emotion}")
    return emotion, float(intensity), variant
