"""What the lexicon holds out for the test split, and whether a text has any of it."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice, product

from emo3d_lab.sample import lexicon

COMMON = frozenset(
    """a about above after again all alone along also always and any around as at away back be been before being below
    better big both but by can close cold come could day did do does doing done down each early else end enough even
    ever every far fast few find fine first for free from full get give go gone good great had half hard has have he
    her here high him his home hot how i if in into is it its just keep kind know last late left less let life light
    like little live long look lot low made make man many may me mean mind more most much must my near never new next
    no not now of off old on once one only open or other our out over own part past place put quick quiet rather ready
    real right round same say see seen set she short should show side sick since small so some soon still strong such
    sure take tell than that the their them then there they thing think this those time to together too try turn under
    until up us use very want warm was way we well went were what when where which while who why will with work would
    wrong year yet you young your""".split()
)
"""Words that, alone, say nothing of a held-out entry; in lower case."""
_PLACEHOLDER = re.compile(
    r"\b(?:(?:ADJ|ATTR|NOUN|ADV)[23]?(?:BARE)?(?:/[\d.]+)?|SIT|BODY|QUOTE|IDIOM|DETAILBARE|DETAIL|FEATURE|"
    r"(?:THE |A )?WHO(?:'s)?|THEY|THEIR|THEMSELF|THEM|ARE|WERE|HAVE|SIDE)\b|\w+\+e?s\b"
)
_MOST_READINGS = 300  # of a line with alternatives


def is_reserved(text: str) -> bool:
    """Whether a text has a word form of a held-out word, or a held-out idiom, clause, quotation, detail or template.

    Case does not matter. A word of several words, and of anything longer its unbroken pieces of at least three words
    (four in clauses that have such), count where they occur as a whole; very common single words do not count.
    """
    words, phrases = reserved()
    tokens = _normal(text)
    if not words.isdisjoint(tokens.split()):
        return True
    padded = f" {tokens} "
    return any(phrase in padded for phrase in phrases)


@lru_cache(maxsize=1)
def reserved() -> tuple[frozenset[str], tuple[str, ...]]:
    """The held-out single words, and held-out phrases with a space at both ends; all in lower case."""
    words, phrases = set(), set()
    for entry in lexicon.entries():
        if not entry.held_out:
            continue
        for form in filter(None, entry.forms):
            if entry.kind == "word":
                tokens = _normal(form).split()
                if len(tokens) == 1:
                    words.add(tokens[0])
                else:
                    phrases.add(" ".join(tokens))
            else:
                phrases |= _pieces(form, 4) | _pieces(re.sub(" (is|are) ", " ", form, count=1), 4)
    for template in lexicon.templates()[0]:
        if template.held_out:
            phrases |= _pieces(template.text, 3)
    return frozenset(words - COMMON), tuple(sorted(f" {phrase} " for phrase in phrases))


def _pieces(line: str, least: int) -> set[str]:
    line = line.replace("SIDE", "[left|right]")
    alternatives = [
        part[1:-1].split("|") if part[0] == "[" else [part] for part in re.findall(r"\[[^\]]*\]|[^\[]+", line)
    ]
    pieces = set()
    for reading in islice(product(*alternatives), _MOST_READINGS):
        parts = [_normal(part) for part in _PLACEHOLDER.sub("\n", "".join(reading)).split("\n")]
        long = [part for part in parts if len(part.split()) >= least]
        short = 2 if len(parts) == 1 else 3
        pieces.update(long or [part for part in parts if len(part.split()) >= short])
    return pieces


def _normal(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+(?:['’-][a-z0-9]+)*", text.lower()))
