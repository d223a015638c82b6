"""Tables of benchmarks, as Markdown that docs can take over."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

CONSOLE = Console(width=150)


def table(title: str, *columns: str) -> Table:
    made = Table(title=title, title_justify="left", box=box.MARKDOWN)
    for column in columns:
        made.add_column(column, justify="right" if column else "left")
    return made


def between(value: float, low: float, high: float, digits: int = 2) -> str:
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
