"""Whose avatar it is: the words of a description, or a named identity, become a person and clothes.

Words, and what they say, are in `emo3d_lab/assets/avatars/people.yaml`; phrases for people are those of the sample's
lexicon. Of two words that set the same thing the first counts. Colours before "hair", "eyes", "skin" or a garment are
read by rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from typing import Any

from emo3d.face import IDENTITIES, Identity
from emo3d.face.heads import packed_heads
from emo3d.face.identities import NAMED, SKIN_TONES, check_identity
from emo3d.hints import did_you_mean
from emo3d_lab.sample.lexicon import PEOPLE

Color = tuple[int, int, int]
CLOTHES: dict[str, Color] = {"shirt": (92, 100, 112), "trousers": (52, 56, 68), "shoes": (46, 40, 38)}
"""The garments and their usual colours, sRGB 0..255."""
LONGEST = 2000
"""Characters of a description."""
_HEIGHT = 0.37  # of anny: men of 1.76 m, women of 1.63 m; at 0.5, which named identities have, 1.91 and 1.77
_GREYING = {0.8: (112, 102, 94), 0.9: (150, 145, 140), 0.97: (196, 192, 186)}  # hair from this phenotype of age on


@dataclass(frozen=True)
class Person:
    """Whose avatar it is, and what they wear.

    Attributes:
        identity: of the head and, by its phenotype, of the body.
        clothes: garment of `CLOTHES` -> sRGB, 0..255.
        name: for the file: an identity's name or the description.
        reasons: word of the description -> what it decided.
        silent: words of the description that decided nothing.
    """

    identity: Identity
    clothes: Mapping[str, Color] = field(default_factory=lambda: dict(CLOTHES))
    name: str = "adult"
    reasons: Mapping[str, str] = field(default_factory=dict)
    silent: tuple[str, ...] = ()

    def shaped(self, phenotype: Mapping[str, float]) -> Person:
        """The same person with phenotypes of anny in 0..1 set by number.

        Raises:
            ValueError: an unknown phenotype, or one outside 0..1.
        """
        labels = packed_heads().phenotypes
        for name, value in phenotype.items():
            if name not in labels:
                raise ValueError(
                    f"expected phenotypes of {', '.join(labels)}, got {name!r}{did_you_mean(name, labels)}"
                )
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"expected phenotypes in 0..1, got {name} = {value!r}")
        identity = replace(self.identity, phenotype={**self.identity.phenotype, **phenotype})
        return replace(self, identity=identity)


def named_person(identity: str) -> Person:
    """The person of a name in `IDENTITIES` or `PANEL`.

    Raises:
        ValueError: an unknown name.
    """
    return Person(NAMED[check_identity(identity)], name=identity)


def read_person(description: str) -> Person:
    """Read who a description names: age, gender, build, looks and clothes.

    Without a word of the table it is the default adult, and `reasons` is empty. All are of a usual height, unlike named
    identities, whose bodies are tall.

    Raises:
        ValueError: a blank description, or one of more than `LONGEST` characters.

    Example:
        >>> person = read_person("a tired old fisherman")
        >>> person.reasons["old"], person.silent
        ('age 1.0', ('tired',))
    """
    text = " ".join(description.lower().replace("’", "'").split())
    if not text:
        raise ValueError("expected a description of a person, got a blank one: say who it is, as in 'an old fisherman'")
    if len(text) > LONGEST:
        raise ValueError(f"expected at most {LONGEST:,} characters of description, got {len(text):,}")
    lexicon = _lexicon()
    settings: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    rest = lexicon.pattern.sub(" ", text)
    # What is said of hair, eyes, skin and clothes comes before what other words suggest of them.
    for match in sorted(lexicon.pattern.finditer(text), key=lambda match: match[0] in lexicon.words):
        news = {name: value for name, value in lexicon.meaning(match[0]).items() if name not in settings}
        settings |= news
        if news or not lexicon.meaning(match[0]):
            reasons[match[0]] = ", ".join(f"{name} {value}" for name, value in news.items()) or "the default adult"
        else:
            rest += " " + match[0]
    silent = [word for word in re.findall(r"[^\W\d_][\w'-]*", rest) if word not in lexicon.silent]
    return Person(
        _identity(settings, lexicon.colors),
        {name: tuple(lexicon.colors["cloth"].get(settings.get(name, ""), usual)) for name, usual in CLOTHES.items()},
        " ".join(description.split()),
        reasons,
        tuple(dict.fromkeys(silent)),
    )


@dataclass(frozen=True)
class _Lexicon:
    colors: dict[str, dict[str, Any]]
    words: dict[str, dict[str, Any]]
    nouns: dict[str, str]
    silent: frozenset[str]
    pattern: re.Pattern[str]

    def meaning(self, phrase: str) -> dict[str, Any]:
        if phrase in self.words:
            return self.words[phrase]
        color, noun = re.split(r"[\s-]+", phrase, maxsplit=1)
        return {self.nouns[noun]: color}


@lru_cache(maxsize=1)
def _lexicon() -> _Lexicon:
    import yaml

    table = yaml.safe_load((resources.files("emo3d_lab") / "assets/avatars/people.yaml").read_text("utf-8"))
    words: dict[str, dict[str, Any]] = {}
    for name, phrases in PEOPLE.items():
        looks = {key: IDENTITIES[name].phenotype[key] for key in ("gender", "age")} if name != "adult" else {}
        beard = {"beard": IDENTITIES[name].beard} if name == "bearded-man" else {}
        words |= {phrase: {**looks, **beard} for phrase in phrases}
    for synonyms, meaning in table["words"].items():
        words |= {word: meaning for word in synonyms.split(", ")}
    nouns = {noun: part for names, part in table["nouns"].items() for noun in names.split(", ")}
    colored = [
        f"{color}[ -]{noun}"
        for noun, part in nouns.items()
        for color in table["colors"].get(part, table["colors"]["cloth"])
    ]
    every = "|".join([*colored, *sorted(map(re.escape, words), key=len, reverse=True)])
    pattern = re.compile(rf"(?<![\w-])(?:{every})(?![\w-])")
    return _Lexicon(table["colors"], words, nouns, frozenset(table["silent"].split()), pattern)


def _identity(settings: Mapping[str, Any], colors: Mapping[str, Mapping[str, Any]]) -> Identity:
    """The named identity of the nearest gender and age, changed by the other settings."""
    gender, age = settings.get("gender", 0.5), settings.get("age", 0.68 if "gender" not in settings else 0.7)
    base = IDENTITIES["adult"]
    if "gender" in settings:
        base = min(IDENTITIES.values(), key=lambda other: _distance(other, gender, age))
    elif age != base.phenotype["age"]:
        greys = [color for start, color in _GREYING.items() if age >= start]
        base = Identity({"gender": gender, "age": age}, hair=greys[-1] if greys else base.hair)
    phenotype = {**base.phenotype, "height": _HEIGHT, **({"age": age} if "age" in settings else {})}
    phenotype |= {name: settings[name] for name in packed_heads().phenotypes if name in settings and name != "age"}
    looks: dict[str, Any] = {"phenotype": phenotype}
    for name in ("hair", "iris"):
        if name in settings:
            looks[name] = tuple(colors[name][settings[name]])
    if "skin" in settings:
        tone = colors["skin"][settings["skin"]]
        looks["skin"] = SKIN_TONES[tone] if isinstance(tone, str) else tuple(tone)
    looks |= {name: settings[name] for name in ("hair_style", "beard") if name in settings}
    return replace(base, **looks)


def _distance(identity: Identity, gender: float, age: float) -> float:
    beard = 0.001 * identity.beard  # of two as near, the one without
    return 10 * abs(identity.phenotype["gender"] - gender) + abs(identity.phenotype["age"] - age) + beard
