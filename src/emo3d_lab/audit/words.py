"""What a description says of a person: word lists, and descriptions in which such words are swapped.

Words are counted, not persons: "my child left home" says `child`, even if a parent has the emotion. They are matched
whole (a hyphen belongs to a word, so "middle-aged" has no "aged"), whatever their case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

AGE: dict[str, str] = {
    "child": "child children kid kids toddler toddlers baby infant boy boys girl girls schoolboy schoolgirl",
    "young": "young younger youthful youth teen teens teenage teenager adolescent student twenties",
    "adult": "adult adults grown-up thirties forties",
    "middle-aged": "middle-aged fifties fifty",
    "elderly": "elderly aged grandmother grandfather grandma grandpa granny pensioner sixties seventies eighties "
    "old+man old+men old+woman old+women old+lady old+gentleman old+person old+people",
}
"""Age group -> its words; `+` is a space. A description that has words of several groups is in each."""

GENDER: dict[str, str] = {
    "female": "she her hers herself woman women lady ladies girl girls female mother mum mom daughter sister wife aunt "
    "niece grandmother grandma granny queen actress waitress schoolgirl girlfriend",
    "male": "he his him himself man men gentleman gentlemen boy boys male father dad son brother husband uncle nephew "
    "grandfather grandpa king actor waiter schoolboy boyfriend",
}
"""Gender -> its words."""

_FUNCTION_WORDS = frozenset(
    "a about after again all an and are as at away back because before but by down for from had has have how if in "
    "into is it like no nor not now of off on or out over since so than that the then they though through to today "
    "under until up very was were what when where which while who why will with without would yet you".split()
)
"""After one of these, or nothing, "his" is "hers" and "her" is "him"; before any other word, "her" is "his"."""


def any_word(words: str) -> re.Pattern[str]:
    """Pattern of any of the words of a list like those of `AGE`."""
    return _pattern_of(word.replace("+", " ") for word in words.split())


@dataclass(frozen=True)
class Swap:
    """Words for words, all of a description at once.

    Attributes:
        name: of the swap.
        toward: the pole of `forward`, `"female"`; empty where the swap has no direction.
        forward: word -> other word; in `"her|hers"`, the first is for before a noun and the second for elsewhere.
        backward: likewise, away from the pole.
    """

    name: str
    toward: str = ""
    forward: dict[str, str] = field(default_factory=dict)
    backward: dict[str, str] = field(default_factory=dict)

    def apply(self, text: str) -> tuple[str, int]:
        """Swap every word at once.

        Case is kept, and "a" and "an" directly before a swapped word follow it. Whether "her" and "his" stand before a
        noun is guessed by the next word: "makes her smile" becomes "makes his smile".

        Returns:
            The text, and its way: 1 toward the pole, -1 away from it, 0 both or neither.

        Example:
            >>> SWAPS[0].apply("A man who lost his keys")
            ('A woman who lost her keys', 1)
        """
        words = {_key(match) for match in self._pattern.finditer(text)}
        way = bool(words & self.forward.keys()) - bool(words & self.backward.keys()) if self.toward else 0
        return self._pattern.sub(self._replace, text), way

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        article = r"(?:(?<![\w-])(?P<article>an?)(?P<space>\s+))?"
        words = _pattern_of([*self.forward, *self.backward]).pattern
        return re.compile(f"{article}(?P<word>{words})", re.IGNORECASE)

    def _replace(self, match: re.Match[str]) -> str:
        before_noun, _, elsewhere = (self.forward | self.backward)[_key(match)].partition("|")
        following = re.match(r"\s+([a-z]+)", match.string[match.end() :], re.IGNORECASE)
        is_before_noun = following is not None and following[1].lower() not in _FUNCTION_WORDS
        word = _match_case(before_noun if is_before_noun or not elsewhere else elsewhere, match["word"])
        if match["article"] is None:
            return word
        return _match_case("an" if word[0].lower() in "aeiou" else "a", match["article"]) + match["space"] + word


@dataclass(frozen=True)
class FullStop(Swap):
    """A control that changes no word: a full stop at the end, or none where there was one."""

    def apply(self, text: str) -> tuple[str, int]:
        """Add or remove the full stop; the way is always 0."""
        text = text.rstrip()
        return (text[:-1] if text.endswith(".") else f"{text}."), 0


_FEMALE = {
    "he": "she", "him": "her", "his": "her|hers", "himself": "herself", "man": "woman", "men": "women",
    "gentleman": "lady", "gentlemen": "ladies", "boy": "girl", "boys": "girls", "male": "female", "father": "mother",
    "dad": "mum", "son": "daughter", "brother": "sister", "husband": "wife", "uncle": "aunt", "nephew": "niece",
    "grandfather": "grandmother", "grandpa": "grandma", "king": "queen", "actor": "actress", "waiter": "waitress",
    "schoolboy": "schoolgirl", "boyfriend": "girlfriend",
}  # fmt: skip
_MALE = {female: male for male, female in _FEMALE.items() if "|" not in female} | {"mom": "dad", "granny": "grandpa"}
_MALE |= {"her": "his|him", "hers": "his"}
_PEOPLE = ("man", "men", "woman", "women", "lady", "gentleman", "person", "people")
_ELDERLY = {
    "young": "elderly", "twenties": "seventies", "youthful": "aged", "young girl": "elderly woman",
    "young boy": "elderly man", "little girl": "elderly woman", "little boy": "elderly man",
    "teenage girl": "elderly woman", "teenage boy": "elderly man",
}  # fmt: skip
_YOUNG = {"elderly": "young", "seventies": "twenties", "aged": "youthful"} | {
    f"old {people}": f"young {people}" for people in _PEOPLE
}

SWAPS: tuple[Swap, ...] = (
    Swap("gender words", "female", _FEMALE, _MALE),
    Swap("age words", "elderly", _ELDERLY, _YOUNG),
)
"""Swaps that leave the emotion, and so should leave the expression."""

CONTROLS: tuple[Swap, ...] = (
    FullStop("full stop"),
    Swap(
        "another word, same person",
        forward={
            "woman": "lady", "lady": "woman", "man": "gentleman", "gentleman": "man", "girl": "lass", "boy": "lad",
            "person": "individual", "individual": "person", "elderly": "aged", "young": "youthful",
            "mother": "mum", "father": "dad", "grandmother": "grandma", "grandfather": "grandpa",
        },
    ),
)  # fmt: skip
"""Swaps that say the same of the same person: their effect is a generator's sensitivity to words as such."""


def _pattern_of(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    spelt = "|".join(r"\s+".join(map(re.escape, word.split())) for word in longest_first)
    return re.compile(rf"(?<![\w-])(?:{spelt})(?![\w-])", re.IGNORECASE)


def _key(match: re.Match[str]) -> str:
    return " ".join(match["word"].lower().split())


def _match_case(word: str, like: str) -> str:
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
