"""Hints for messages: the known name that is nearest to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str:
    """Write the end of a message about an unknown name.

    Args:
        name: as it was written.
        known: the names that are right here.
        synonyms: from other words for them (in lower case) to one of them, for what spelling does not bring together.

    Returns:
        `; did you mean 'sample'?`, or nothing where no known name is near.

    Example:
        >>> did_you_mean("sampel", ["sample", "train"]), did_you_mean("xyz", ["sample"])
        ("; did you mean 'sample'?", '')
        >>> did_you_mean("text", ["description"], {"text": "description"})
        "; did you mean 'description'?"
    """
    names = list(known)
    synonym = (synonyms or {}).get(name.lower())
    by_lower = {other.lower(): other for other in reversed(names)}
    near = [synonym] if synonym in names else get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower.get(near[0], near[0])!r}?" if near else ""
