"""Texts of users in Markdown, shown as they are: no link, no markup comes out of them."""

from __future__ import annotations

import re

from emo3d.markup import one_line

_MARKDOWN = re.compile(r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])|^[#+=-]|!(?=\[)")
_LINK = re.compile(r"\b(https?|ftp|mailto|xmpp):|\b(www)\.", re.IGNORECASE)  # what GitHub makes a link of by itself


def markdown_text(text: str) -> str:
    r"""Escape a text for a line of Markdown, a table's cell included.

    Example:
        >>> print(markdown_text("my_model-v1.2 [x](http://y) <b>"))
        my_model-v1.2 \[x\](http&#58;//y) &lt;b&gt;
    """
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _MARKDOWN.sub(r"\\\g<0>", text)
    text = _LINK.sub(lambda match: f"{match[1]}&#58;" if match[1] else f"{match[2]}&#46;", text)
    return text.replace("@", "&#64;")


def markdown_code(text: str) -> str:
    """Put a text into a code span, whatever backticks it has.

    Example:
        >>> print(markdown_code("k:10"), markdown_code("a`b"))
        `k:10` ``a`b``
    """
    text = one_line(text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def links_inside(text: str) -> str:
    """Markdown without links that lead out of its folder; their text stays.

    Example:
        >>> links_inside("see [the house](../docs/house.md)")
        'see the house (`docs/house.md` in the repository)'
    """
    return re.sub(r"\[([^\]]*)\]\(\.\./([^)]*)\)", r"\1 (`\2` in the repository)", text)
