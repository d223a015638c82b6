"""`emo3d doctor`: what this machine has of what Emo3D needs."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from emo3d.cli.app import app, console

STYLES = {"ok": "green", "note": "yellow", "problem": "red"}


@app.command(epilog="Example: [bold]emo3d doctor[/]")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of findings as JSON.")] = False,
) -> None:
    """Check versions, device, cache, Hub, token and models, and say what to do; exits with 1 on a problem."""
    from emo3d_lab.doctor import examine

    findings = examine()
    if as_json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("", "what", "found"):
            table.add_column(heading, overflow="fold")
        for finding in findings:
            lines = escape(finding.found) + (f"\n[dim]->[/] {escape(finding.advice)}" if finding.advice else "")
            table.add_row(f"[{STYLES[finding.level]}]{finding.level}[/]", finding.what, lines)
        console.print(table)
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)
