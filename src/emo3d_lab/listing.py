"""Lists in a line of text."""

from __future__ import annotations

from collections.abc import Collection


def first_few(names: Collection[str], most: int = 5) -> str:
    """Names with commas between, and `...` after the first five where there are more.

    Example:
        >>> first_few(["a", "b"]), first_few("abcdefg")
        ('a, b', 'a, b, c, d, e, ...')
    """
    return ", ".join([*list(names)[:most], *(["..."] if len(names) > most else [])])
