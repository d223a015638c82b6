"""`emo3d leaderboard`: scores of several systems in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from emo3d.cli.app import app, console
from emo3d.files import check_output


@app.command(epilog="Example: [bold]emo3d leaderboard runs/*.json --out leaderboard.html[/]")
def leaderboard(
    results: Annotated[
        list[Path],
        typer.Argument(help="Files of `emo3d evaluate --out` or `emo3d score --out`, which are named by their file."),
    ],
    out: Annotated[Path | None, typer.Option(help="Write the table as .md or .html.")] = None,
    group: Annotated[
        bool, typer.Option(help="One table for each signature and set of references, instead of refusing to mix.")
    ] = False,
) -> None:
    """Sort systems by their Emo3D score; lower is better. Different settings or references are refused."""
    if out:
        check_output(out, (".md", ".html"))

    from emo3d_lab.training import Evaluation, rank, write_leaderboard

    tables = rank([Evaluation.load(path) for path in results], group=group)
    for board in tables:
        table = Table(
            title=f"n = {board.entries[0].result.n}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
        )
        for heading in board.headings[:-2]:  # what 80 columns hold; the files have the rest
            table.add_column(heading, justify="right" if table.columns else "left", overflow="fold")
        for row in board.rows:
            table.add_row(*(escape(f"{value}\n{ends}".strip()) for value, ends in row[:-2]))
        console.print(table)
        if board.note:
            console.print(board.note, highlight=False, soft_wrap=True)
        console.print(board.entries[0].result.signature, highlight=False, soft_wrap=True, markup=False, emoji=False)
    if out:
        write_leaderboard(tables, out)
        console.print(f"wrote {out}")
