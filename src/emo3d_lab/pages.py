"""HTML pages and Markdown cards from templates; a page is one file that loads nothing from outside it."""

from __future__ import annotations

import json
import os
import re
import shlex
import textwrap
from collections.abc import Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import emo3d
from emo3d.blendshapes import BLENDSHAPES
from emo3d.markup import one_line
from emo3d_lab.markup import markdown_code, markdown_text

NOT_FOR = (
    "Not for reading what people feel, and not for hiring, policing, surveillance, teaching, medicine or any other "
    "decision about a person: an expression made from words says nothing about anybody."
)
"""For every card and the audit."""

CARD_TAGS = ["emo3d", "blendshapes", "ARKit", "facial-expression"]


def face_regions() -> list[list[tuple[str, int]]]:
    """The blendshapes and their places, by region of the face: brow, cheek, eye, jaw, mouth, nose."""
    regions: dict[str, list[tuple[str, int]]] = {}
    for place, name in enumerate(BLENDSHAPES):
        regions.setdefault(re.split("[A-Z]", name)[0], []).append((name, place))
    return list(regions.values())


def write_page(template: str, path: str | os.PathLike[str], **values: Any) -> None:
    """Write a page; every value is escaped, an undefined one is an error.

    Args:
        template: file in the package's assets; it extends `page.html.jinja`.
        path: of the page; its folder is made if needed.
        values: of the template, beside `version` and `today`.
    """
    import jinja2

    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("emo3d_lab", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    text = pages.get_template(template).render(version=emo3d.__version__, today=date.today().isoformat(), **values)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def render_card(template: str, *, base_model: str, header: Mapping[str, Any], **values: Any) -> str:
    """Render a model card: Markdown with a YAML header; an undefined value is an error.

    Nothing is escaped by itself: a template passes foreign names through the filters `text`, `code`, `shell` (a word
    of a command), `string` (of Python) and `fenced` (a block of code), and `unbroken` where a line is wrapped.

    Args:
        template: file in the package's assets; `model_card.md.jinja`, or one that extends it.
        base_model: id on the Hub, or folder, of the encoder; the header has ids only, and the text no paths.
        header: entries of the header, some of which have defaults; None leaves one out.
        values: of the template.
    """
    import jinja2
    from huggingface_hub import ModelCardData

    cards = jinja2.Environment(
        loader=jinja2.PackageLoader("emo3d_lab", "assets"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cards.filters["wrap"] = partial(textwrap.fill, width=120, break_long_words=False, break_on_hyphens=False)
    cards.filters |= {
        "text": markdown_text,
        "code": markdown_code,
        "shell": lambda word: shlex.quote(one_line(word)),
        "string": lambda text: json.dumps(text, ensure_ascii=False),
        "fenced": _fence,
        "unbroken": lambda text: text.replace(" ", "\N{NO-BREAK SPACE}"),  # at a line's start, it could be a list's
    }
    is_id = re.fullmatch(r"[\w.-]+/[\w.-]+", base_model) is not None and not Path(base_model).exists()
    entries = {
        "language": "en",
        "library_name": "transformers",
        "base_model": base_model if is_id else None,
        "tags": CARD_TAGS,
        **header,
    }
    card = cards.get_template(template).render(
        header=ModelCardData(**entries).to_yaml(),
        base_model=base_model if is_id else Path(base_model).name,
        is_id=is_id,
        not_for=NOT_FOR,
        **values,
    )
    return f"{card}\n"


def _fence(text: str, language: str) -> str:
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", text))])
    return f"{fence}{language}\n{text}\n{fence}"
