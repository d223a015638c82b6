"""Descriptions on their way in: what is no text is refused, and what an encoder hardly knows or cuts is said."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

logger = logging.getLogger(__name__)

_MULTILINGUAL = 100_000  # tokens of a vocabulary: the largest of one language has 50,265, XLM-R's has 250,002


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


def is_foreign(description: str, ids: Sequence[int], tokenizer: Any) -> bool:
    """Whether an encoder of English hardly knows the words of a description.

    That is measured, not understood: most of its tokens are the unknown one, most of its letters are not Latin, it has
    no letters at all, or its words (three or more) fall into 1.9 pieces each or more. English has 1.0 to 1.5 of them,
    German about 2; short texts and languages whose words English shares go unnoticed. Encoders with a multilingual
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
    marks = len(re.findall(r"[^\w\s]|\d+", description))
    return len(words) >= 3 and len(plain) - marks >= 1.9 * len(words)


def foreign_rows(descriptions: Sequence[str], tokens: Iterable[Sequence[int]], tokenizer: Any) -> tuple[int, ...]:
    """Rows of the descriptions that `is_foreign`."""
    rows = enumerate(zip(descriptions, tokens, strict=True))
    return tuple(row for row, (text, ids) in rows if is_foreign(text, ids, tokenizer))


def warn_of(count: int, truncated: int, foreign: Sequence[int]) -> None:
    """Warn of the descriptions out of `count` that an encoder truncated, and of the rows that are foreign to it."""
    if truncated:
        logger.warning(
            "%d of %d descriptions were longer than the encoder's window and lost their end", truncated, count
        )
    if foreign:
        logger.warning(
            "%d of %d descriptions are of words or a script that the encoder hardly knows, the first in row %d: "
            "what comes of them means little, English is expected",
            *(len(foreign), count, foreign[0]),
        )
