"""`emo3d release`: a version from its changelog to its Spaces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app, console


@app.command(epilog="Example: [bold]emo3d release --namespace me --index pypi[/]")
def release(
    namespace: Annotated[str, typer.Option(help="User or organisation on the Hub.")],
    index: Annotated[
        str | None,
        typer.Option(help="Package index for twine, a name or an address; without it the wheel goes with the Spaces."),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make new repositories private.")] = False,
    dataset: Annotated[
        Path | None, typer.Option(help="Folder that `emo3d build` wrote, instead of the sample.")
    ] = None,
    model: Annotated[
        list[Path] | None, typer.Option(help="Folder of a generator with its card, to publish as well. Repeatable.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Try the wheel on the packages of this environment.")] = False,
    root: Annotated[Path, typer.Option(help="A clone of the repository.")] = Path(),
) -> None:
    """Check, build, inspect, try and publish what is committed; run again after a failure, it goes on from there."""
    from publishing.release import release as run

    chosen = {"index": index, "private": private, "dataset": dataset, "models": model or ()}
    wheel = run(root, namespace, **chosen, quick=quick, say=console.print)  # type: ignore[arg-type]
    console.print(f"released {wheel.name} and its artifacts; now push the tag v{wheel.name.split('-')[1]}")
