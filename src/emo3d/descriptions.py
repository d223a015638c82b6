"""Descriptions on their way in: what is no text is refused, and what an encoder hardly knows or cuts is said."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

logger = logging.getLogger(__name__)


def check_descriptions(descriptions: Sequence[str]) -> list[str]:
    """Return the descriptions as a list; raise a ValueError that names the row of one that is blank or no string."""
    if isinstance(descriptions, str):
        raise ValueError("expected a list of descriptions, got one string")
    texts = list(descriptions)
    if not texts:
        raise ValueError("expected at least one description, got an empty batch")
    for row, description in enumerate(texts):
        if not isinstance(description, str):
            raise ValueError(f"expected a description in row {row}, got {description!r}")
        if not description.strip():
            raise ValueError(f"expected a description in row {row}, got {description!r}, which is blank")
        if not description.isascii():
            try:  # turns back what a terminal without UTF-8 (LANG=C) made of bytes
                texts[row] = description.encode("utf-8", "surrogateescape").decode("utf-8")
            except UnicodeError:
                raise ValueError(f"expected a description in UTF-8 in row {row}, got {description!a:.80}") from None
    return texts


_MULTILINGUAL = 100_000  # tokens of a vocabulary: the largest of one language has 50,265, XLM-R's has 250,002
_PIECES, _WORDS = 1.8, 3
_ENGLISH = frozenset(
    "a an and are but by from had have he her him his my not of or she that the their they this were who with you your "
    "it its".split()
)
_ENGLISH_SHARE = 0.12  # of the words; prose has 0.3 to 0.5


def is_foreign(description: str, ids: Sequence[int], tokenizer: Any) -> bool:
    """Whether an encoder of English hardly knows the words of a description.

    That is measured, not understood: most of its tokens are the unknown one, most of its letters are not Latin, it has
    no letters at all, or its words (three or more) fall into 1.8 pieces each or more and hardly any is a function word
    of English. With the vocabularies of BERT and CLIP, none of the sample's 500 descriptions is, nor of 269 sentences
    of READMEs, and of 208 sentences in 27 other languages of Latin script 144 and 153 are; those of other encoders were
    not measured. Short texts and languages whose words English shares go unnoticed. Encoders with a multilingual
    vocabulary are never in doubt. `ids` are the tokens of the description, special ones included.
    """
    if len(tokenizer) >= _MULTILINGUAL:
        return False
    unknown = {tokenizer.unk_token_id} - {getattr(tokenizer, "eos_token_id", None)}  # CLIP ends every text with its own
    special = set(tokenizer.all_special_ids) - unknown
    plain = [id for id in ids if id not in special]
    letters = [letter for letter in description if letter.isalpha()]
    latin = sum(letter.isascii() or "LATIN" in unicodedata.name(letter, "") for letter in letters)
    if 2 * sum(id in unknown for id in plain) > len(plain) or 2 * latin <= len(letters):
        return True
    words = re.findall(r"[^\W\d_]+", description)
    if len(words) < _WORDS or sum(word.lower() in _ENGLISH for word in words) >= _ENGLISH_SHARE * len(words):
        return False
    marks = len(re.findall(r"[^\w\s]|\d+", description))
    return len(plain) - marks >= _PIECES * len(words)


def foreign_rows(descriptions: Sequence[str], tokens: Iterable[Sequence[int]], tokenizer: Any) -> tuple[int, ...]:
    """Rows of the descriptions that `is_foreign`."""
    rows = enumerate(zip(descriptions, tokens, strict=True))
    return tuple(row for row, (text, ids) in rows if is_foreign(text, ids, tokenizer))


_SIXTEEN = "ar, de, en, es, fr, it, ja, ko, nl, pl, pt, ru, th, tr, zh"
_HUB = "others need an encoder of the Hub (XLM-RoBERTa, Glot500; see docs/languages.md)"
SIXTEEN_EXPECTED = f"expected are {_SIXTEEN}; {_HUB}"
# Letters that none of these has: Persian has some that Arabic has not, Ukrainian some that Russian has not.
_STRANGE = re.compile(
    r"[^\W\d_a-zßàáâãäçèéêëìíîïñòóôõöùúûüÿœąćęłńśźżğışа-яёء-يก-๛\u1100-\u11ffぁ-ヿ々가-힣㐀-鿿\U00020000-\U0003ffff]"
)


def is_of_sixteen(description: str) -> bool:
    """Whether a description may be in a language of the multilingual encoder, by its letters.

    It is not where it has none, or where a tenth of its words have one that no such language has; of Latin letters, a
    fifth and two words. Languages whose letters these share go unnoticed, as Swedish does mostly.
    """
    words = re.findall(r"\S*[^\W\d_]\S*", unicodedata.normalize("NFKC", description).lower())
    letters = [match[0] for match in map(_STRANGE.search, words) if match]
    strange = sum(1 if "LATIN" in unicodedata.name(letter, "") else 2 for letter in letters)
    return strange < max(0.2 * len(words), min(2, len(words)))


def advise(descriptions: Iterable[str]) -> str:
    """What a warning advises about descriptions that an encoder of English hardly knows."""
    multilingual = f'load_generator("quickstart-multilingual") (extra multilingual) reads {_SIXTEEN}'
    return f"English is expected; {multilingual if any(map(is_of_sixteen, descriptions)) else _HUB}"


def warn_of(
    count: int, truncated: int, foreign: Sequence[int], example: str | None = None, advice: str = "English is expected"
) -> None:
    """Warn of the descriptions out of `count` that an encoder truncated, and of the rows that are foreign to it.

    Where the user does not know these rows, the warning shows an example instead. It ends in `advice`.
    """
    if truncated:
        message = "%d of %d descriptions were longer than the encoder's window and lost their end"
        logger.warning(message, truncated, count)
    if foreign:
        message = (
            "%d of %d descriptions are of words or a script that the encoder hardly knows, %s: "
            "what comes of them means little, %s"
        )
        place = f"the first in row {foreign[0]}" if example is None else f"such as {example!r:.80}"
        logger.warning(message, len(foreign), count, place, advice)


def warn_of_notes(notes: Sequence[Sequence[str]]) -> None:
    """Warn of what was understood of symbols, scripts and movements (notes of each row): each once, at most five."""
    rows = {note: row for row, listed in reversed([*enumerate(notes)]) for note in listed}
    for note in sorted(rows, key=rows.__getitem__)[:5]:
        logger.warning("%s, in row %d", note, rows[note])
    if len(rows) > 5:
        logger.warning("and %d more such notes: `explain` gives them all", len(rows) - 5)
