"""The command `emo3d`: what its subcommands share."""

from __future__ import annotations

import atexit
import gc
import io
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Annotated, Any, NoReturn

import typer
import typer.core
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

import emo3d
from emo3d.hints import MissingExtraError, did_you_mean, extra_named

_ENTRIES = "emo3d.commands"
_FIRST = ("generate", "render", "score", "compare", "doctor")  # in --help; the others follow by name

# Said before any Hub library is imported; a user's own setting wins.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


@contextmanager
def _nearest_option() -> Iterator[None]:
    """Answer a mistyped option with the nearest one alone."""
    try:
        yield
    except Exception as error:
        mistake: Any = error  # click's own class, which typer before 0.20 has from click and later ones carry inside
        if getattr(error, "option_name", None) and hasattr(error, "possibilities"):
            options = [option for parameter in mistake.ctx.command.params for option in parameter.opts]
            mistake.message = f"no such option: {mistake.option_name}{did_you_mean(mistake.option_name, options)}"
            mistake.possibilities = None
        raise


class _Commands(TyperGroup):
    """Subcommands that packages enter under `emo3d.commands`, imported when they are needed.

    A mistyped name is answered with the nearest one alone.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        names = {*super().list_commands(ctx), *(entry.name for entry in entry_points(group=_ENTRIES))}
        return sorted(names, key=lambda name: (name not in _FIRST, _FIRST.index(name) if name in _FIRST else name))

    def get_command(self, ctx: Any, name: str) -> Any:
        command = super().get_command(ctx, name)
        if command is None:
            for entry in entry_points(group=_ENTRIES, name=name):
                entry.load()  # its module adds the command to `app`
                command = typer.main.get_group(app).commands[name]
                self.add_command(command, name)  # it is asked for more than once
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _nearest_option():
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"no such command: {args[0]}{did_you_mean(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with _nearest_option():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Commands,
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


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], **style: Any) -> None:
    """Print a table whose first column is left-aligned, and the others right."""
    table = Table(**style)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def main() -> None:
    """Run the command; what a user can mend is one sentence on standard error and exit code 2."""
    gc.set_threshold(100_000, 50, 100)  # else a quarter of the time of importing torch goes into looking for garbage
    atexit.register(gc.freeze)  # and a second more at the end, among what was imported
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Unicode shows codes instead of ending the command
            stream.reconfigure(errors="backslashreplace")
    try:
        with extra_named():
            app()
    except (ValueError, OSError, MissingExtraError) as error:
        if os.environ.get("EMO3D_DEBUG"):
            raise
        end_with(str(error) or type(error).__name__)


def utf8(text: str) -> str:
    """Read a text of the command line as UTF-8, which terminals write, where Python's locale (LANG=C) knows ASCII only.

    Paths are not to be read so: Python could not open them.
    """
    undecoded = any("\udc80" <= letter <= "\udcff" for letter in text)
    return os.fsencode(text).decode("utf-8", "replace") if undecoded else text


def end_with(message: str, code: int = 2) -> NoReturn:
    """Print an error and end the command with an exit code."""
    Console(stderr=True).print(f"[red]error:[/] {escape(message)}", highlight=False, soft_wrap=True, emoji=False)
    sys.exit(code)
