"""`emo3d publish`: the artifacts of this repository on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal
from rich.table import Column, Table

from emo3d.cli.app import app, console

if TYPE_CHECKING:
    from publishing import Change


@app.command(epilog="Example: [bold]emo3d publish --namespace me --dry-run[/]")
def publish(
    namespace: Annotated[str, typer.Option(help="User or organisation on the Hub.")],
    only: Annotated[list[str] | None, typer.Option(help="dataset, metric, demo or models. Repeatable.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Make new repositories private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    revision: Annotated[str | None, typer.Option(help="Tag of this release; by default v and the version.")] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Folder that `emo3d build` wrote, instead of the sample.")
    ] = None,
    model: Annotated[
        list[Path] | None, typer.Option(help="Folder of a generator with its card, to publish as well. Repeatable.")
    ] = None,
    wheel: Annotated[Path | None, typer.Option(help="Of this version, for the Spaces; built by default.")] = None,
    released: Annotated[
        bool, typer.Option("--released", help="This version is on a package index: the Spaces need no wheel.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Publish dataset, metric, demo and models on the Hub: say what would change, ask, do it. Run again, it goes on.

    Run it in a clone of the repository; what is published is its last commit.
    """
    from publishing import PARTS
    from publishing import publish as publish_artifacts

    def confirm(changes: list[Change]) -> bool:
        console.print(_table(changes))
        return yes or typer.confirm("Do it?")

    changes = publish_artifacts(
        namespace,
        only=only or PARTS,
        private=private,
        dry_run=dry_run,
        revision=revision,
        dataset=dataset,
        models=model or (),
        wheel=wheel,
        released=released,
        confirm=confirm,
    )
    if dry_run:
        console.print(_table(changes))
    elif all(change.nothing for change in changes):
        console.print(f"{namespace}: everything is published already")


def _table(changes: list[Change]) -> Table:
    table = Table("repository", Column("+ new, ~ changed, - deleted", overflow="fold"), "upload", "tag")
    for change in changes:
        artifact = change.artifact
        signed = {"+": change.new, "~": change.changed, "-": change.deleted}
        files = [f"{sign}\N{NO-BREAK SPACE}{path}" for sign, paths in signed.items() for path in paths]
        where = f"{artifact.kind} {artifact.repo}\n{artifact.branch}{'' if change.exists else ' (to be made)'}"
        tag = f"{change.tag}{' (is there)' if change.tagged else ''}"
        table.add_row(where, "\n".join(files) or "as it should be", decimal(change.size), tag)
    return table
