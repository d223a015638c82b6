"""HTML pages from the package's templates: each one file that asks for nothing outside it, light and dark."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import emo3d


def write_page(template: str, path: str | os.PathLike[str], **values: Any) -> None:
    """Write a page; every value is escaped, an undefined one is an error.

    Args:
        template: file in the package's assets; it extends `page.html.jinja`.
        path: of the page; its folder is made where absent.
        values: what the template shows, beside `version` and `today`.
    """
    import jinja2

    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("emo3d", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    text = pages.get_template(template).render(version=emo3d.__version__, today=date.today().isoformat(), **values)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
