"""English grammar of the training texts: persons, agreement and tense of verbs, articles, and slips of typing."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

_PRONOUNS = {
    "I": ("I", "my", "me", "myself", "mine"),
    "you": ("you", "your", "you", "yourself", "yours"),
    "he": ("he", "his", "him", "himself", "his"),
    "she": ("she", "her", "her", "herself", "hers"),
    "they": ("they", "their", "them", "themself", "theirs"),
}
_TOKEN = re.compile(
    r"\b(A WHO|WHO|THEY|THEIRS|THEIR|THEMSELF|THEM|AREN'T|HAVEN'T|DON'T|ARE|WERE|HAVE|DO)\b('s)?|"
    r"\b([a-z']+)(//?)([a-z'-]+)\b|\b([a-z']+)\+s\b"
)
_FORMS = {  # of "I", of one other, of several or you
    ("ARE", "present"): ("am", "is", "are"),
    ("ARE", "past"): ("was", "was", "were"),
    ("HAVE", "present"): ("have", "has", "have"),
    ("HAVE", "past"): ("had", "had", "had"),
    ("DO", "present"): ("do", "does", "do"),
    ("DO", "past"): ("did", "did", "did"),
    ("WERE", "present"): ("was", "was", "were"),
    ("HAVEN'T", "present"): ("haven't", "hasn't", "haven't"),
    ("HAVEN'T", "past"): ("hadn't", "hadn't", "hadn't"),
    ("AREN'T", "present"): ("am not", "isn't", "aren't"),
    ("AREN'T", "past"): ("wasn't", "wasn't", "weren't"),
    ("DON'T", "present"): ("don't", "doesn't", "don't"),
    ("DON'T", "past"): ("didn't", "didn't", "didn't"),
}


@dataclass
class Voice:
    """Who is spoken of (`name` is empty for a mere pronoun), with which pronoun, and in which tense."""

    name: str
    pronoun: str
    tense: str

    def speak(self, text: str, introduced: bool) -> str:
        """Put nouns, pronouns and verb forms in, from left to right: a verb agrees with the last mention.

        Args:
            text: with THEY, THEIR, THEM, THEMSELF, WHO, ARE, HAVE, DO, `find/found`, `barks//barked`, `look+s`.
            introduced: a name follows its pronoun at once where the text does not ask for it (`WHO`).
        """
        forms = dict(zip(("THEY", "THEIR", "THEM", "THEMSELF", "THEIRS"), _PRONOUNS[self.pronoun], strict=True))
        tense = "present" if self.tense == "future" and ("//" in text or "/" not in text) else self.tense
        known = (
            not self.name or "WHO" in text or (introduced and self.pronoun != "they" and not self.name[:1].isupper())
        )
        person = 1 if known and self.pronoun in ("he", "she") else 0 if self.pronoun == "I" else 2

        def replace(match: re.Match[str]) -> str:
            nonlocal known, person
            token, genitive, verb, slashes, past, plain = match.groups()
            if verb or plain:
                if plain:
                    return _third(plain) if person == 1 else plain
                if slashes == "//":
                    return past if tense == "past" else verb
                return {"past": past, "future": f"will {verb}"}.get(tense) or (_third(verb) if person == 1 else verb)
            if token.endswith("WHO"):
                known, person = True, 1
                name = self.name or self.pronoun
                return (f"a {name.removeprefix('the ')}" if token == "A WHO" else name) + (genitive or "")
            if token in forms:
                if not known and token != "THEMSELF":
                    known, person = True, 1
                    return self.name + ("'s" if token in ("THEIR", "THEIRS") else genitive or "")
                if token == "THEY":
                    person = {"I": 0, "he": 1, "she": 1}.get(self.pronoun, 2)
                return forms[token] + (genitive or "")
            if text.startswith(" THEY", match.end()):  # "is she", "is Amara"
                person = 1 if self.pronoun in ("he", "she") or not known else 0 if self.pronoun == "I" else 2
            if tense == "future" and token in ("ARE", "HAVE") and "?" not in text:
                return "will be" if token == "ARE" else "will have"
            key = (token, tense if (token, tense) in _FORMS else "present")
            return _FORMS[key][person]

        return _TOKEN.sub(replace, text)


def tidy(text: str) -> str:
    """Articles, spaces, capitals, and one full stop where two met."""
    text = re.sub(r"[\x01\x02]", "", text)
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" ([,.!?;:])", r"\1", text)
    text = re.sub(r"\b([Aa]) (?=[aeio]\w|un[^i]|u[^ns]|hour|honest)", r"\1n ", text)
    text = re.sub(r"([.!?])([\"')]*)\.", r"\1\2", text)
    text = re.sub(r"\.?,\"|([!?]),\"", lambda m: (m[1] or ",") + '"', text)
    text = re.sub(
        r"([.!?])([\"'”]?), ", lambda m: f"{'' if m[1] == '.' else m[1]}{',' if m[1] == '.' else ''}{m[2]} ", text
    )
    return re.sub(r"(^[^\w#@]*|[.!?] [\"“(]?)([a-z])", lambda m: m[1] + m[2].upper(), text)


def scribble(text: str, rng: np.random.Generator) -> str:
    """Write as people do, now and then: all in lower or upper case, without a stop, with a slip of a finger."""
    mark = rng.random()
    if mark < 0.09:
        text = text.lower()
    elif mark < 0.11:
        text = text.upper()
    if rng.random() < 0.12:
        text = text.rstrip(".")
    if rng.random() < 0.05:
        places = [k for k in range(1, len(text) - 2) if text[k : k + 2].isalpha()]
        if places:
            place = places[int(rng.random() * len(places))]
            swap = text[place + 1] + text[place] if rng.random() < 0.5 else text[place]
            text = text[:place] + swap + text[place + 2 :]
    return text


def _third(verb: str) -> str:
    if verb == "have":
        return "has"
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if verb.endswith("y") and verb[-2:-1] not in "aeou" else f"{verb}s"
