"""Texts of users in LaTeX, shown as they are: no command comes out of them."""

from __future__ import annotations

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def latex_text(text: str) -> str:
    r"""Escape a text for LaTeX.

    Example:
        >>> print(latex_text("a_b & 50%"))
        a\_b \& 50\%
    """
    return "".join(_LATEX.get(character, character) for character in one_line(text))


def one_line(text: str) -> str:
    """Put a space for whatever cannot be printed, line ends included."""
    return "".join(character if character.isprintable() else " " for character in text)
