"""`emo3d export`: a generator as files for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app, console


@app.command(
    epilog="Examples: [bold]emo3d export quickstart --onnx face[/] · "
    "[bold]emo3d export runs/minilm --onnx face --precision float32[/] · "
    "[bold]emo3d export quickstart-multilingual --onnx face --head[/]",
)
def export(
    model: Annotated[str, typer.Argument(help="Generator: quickstart (packaged), a folder, or an id on the Hub.")],
    onnx: Annotated[
        Path, typer.Option(help="Folder to write: new, empty, or of an earlier export. docs/web.md says what is in it.")
    ],
    precision: Annotated[str, typer.Option(help="Of the weights: int8 (a quarter of the size) or float32.")] = "int8",
    head: Annotated[bool, typer.Option("--head", help="The head alone, which takes embeddings of texts.")] = False,
) -> None:
    """Export a generator as ONNX, with tokenizer, instructions and a 3D head (extra: onnx)."""
    from emo3d_lab.onnx import write_folder

    manifest = write_folder(model, onnx, precision=precision, head=head)  # type: ignore[arg-type]
    for name, entry in manifest["files"].items():
        console.print(f"{name}: {entry['bytes'] / 1e6:.2f} MB", highlight=False, markup=False)
    console.print(f"wrote {onnx}", soft_wrap=True, markup=False, highlight=False)
