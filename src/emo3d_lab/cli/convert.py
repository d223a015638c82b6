"""`emo3d convert`: a checkpoint of the release becomes a model for `from_pretrained`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app, console


@app.command(epilog="Example: [bold]emo3d convert CLIP_Baseline.pth ./clip-baseline[/]")
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="A state dict of the release (.pth, .pt), or Keras weights (.h5).")
    ],
    out: Annotated[Path, typer.Argument(help="A new or empty folder, for the weights, a configuration and a card.")],
    kind: Annotated[
        str | None, typer.Option(help="clip, vae-clip or keras.", show_default="the one whose keys it has")
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="Dual encoder that it was trained on.")
    ] = "openai/clip-vit-base-patch32",
) -> None:
    """Convert a published baseline to a transformers model: safetensors, configuration, card."""
    from emo3d.files import check_output_folder

    check_output_folder(out, empty=True)
    from emo3d_lab.training.convert import convert as run

    model = run(checkpoint, out, kind, backbone=backbone)
    console.print(f"wrote {out} ({type(model).__name__})", soft_wrap=True)
