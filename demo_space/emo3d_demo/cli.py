"""`emo3d demo`: the pages of the Spaces on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from emo3d.cli.app import app


@app.command(epilog="Example: [bold]emo3d demo --model runs/minilm[/]")
def demo(
    model: Annotated[str, typer.Option(help="Generator to begin with: quickstart, a folder, or an id.")] = "quickstart",
    study: Annotated[
        str | None, typer.Option(help="Folder that emo3d study made, for the tab Judge.", envvar="EMO3D_STUDY")
    ] = None,
    agreement: Annotated[
        bool,
        typer.Option(
            "--agreement",
            help="Show what people answered to --study beside its questions, with the systems' names.",
            envvar="EMO3D_AGREEMENT",
        ),
    ] = False,
    port: Annotated[int, typer.Option(help="Of this machine, 127.0.0.1.", min=1, max=65535)] = 7860,
) -> None:
    """Open the demo in a browser: describe a feeling, see a face, adjust it, measure it, take it with you."""
    from emo3d_demo.demo import launch

    launch(model, study, agreement, server_name="127.0.0.1", server_port=port)
