"""Hostile names, read back by a Markdown parser of another hand (markdown-it): they come out as text alone."""

import pytest
from markdown_it import MarkdownIt

from emo3d.markup import latex_text
from emo3d_lab.markup import markdown_code, markdown_text

NAMES = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "<http://evil.example>",
    "**bold** __strong__ *em* _em_ ~~gone~~",
    "`code` ``two``",
    "a|b\\|c\\",
    "# heading",
    "- item",
    "&lt;b&gt; &#58;",
    "my_model_v1.2-large",
    "=====",
]


def texts(markdown):
    """Kinds of the tokens inside, and their text."""
    inline = [token for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)]
    children = [child for token in inline if token.type == "inline" for child in token.children]
    return {child.type for child in children}, [child.content for child in children if child.content]


@pytest.mark.parametrize("name", NAMES)
def test_text_stays_text(name):
    kinds, parts = texts(f"| model | n |\n| --- | --- |\n| {markdown_text(name)} | 1 |\n")
    assert kinds <= {"text", "text_special"}
    assert "".join(parts) == f"modeln{name}1"
    kinds, parts = texts(markdown_text(name))
    assert (kinds <= {"text", "text_special"}, "".join(parts)) == (True, name)


@pytest.mark.parametrize("name", NAMES)
def test_code_stays_code(name):
    kinds, parts = texts(f"Signature: {markdown_code(name)}")
    assert kinds == {"text", "code_inline"}
    assert parts == ["Signature: ", name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("see https://x.example", "see https&#58;//x.example"),
        ("WWW.x.example", "WWW&#46;x.example"),
        ("me@x.example", "me&#64;x.example"),
        ("two\nlines\x1b[31m", "two lines \\[31m"),
        ("plain", "plain"),
    ],
)
def test_what_would_become_a_link_by_itself(name, expected):
    assert markdown_text(name) == expected


def test_latex_by_hand():
    assert latex_text("a_b{c}$1 & 5% #2 ~^\\") == (
        r"a\_b\{c\}\$1 \& 5\% \#2 \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
