"""The command `emo3d`: what its subcommands share."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

import emo3d

# Said before any Hub library is imported; a user's own setting wins.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Text-driven 3D facial expression: a description goes in, a face comes out, and a number says whether the "
    "face shows what was described.",
    epilog="Start with [bold]emo3d quickstart[/], or "
    '[bold]emo3d generate "an elderly woman in deep despair" --picture face.png[/].',
)
console = Console()


def _version(shown: bool) -> None:
    if shown:
        console.print(f"emo3d {emo3d.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; what a user can mend is one sentence on standard error and exit code 2."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except (ValueError, OSError) as error:
        if os.environ.get("EMO3D_DEBUG"):
            raise
        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True, emoji=False)
        sys.exit(2)
