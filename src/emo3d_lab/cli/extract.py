"""`emo3d extract`: a folder of pictures becomes a dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app
from emo3d_lab.cli.options import Address, Engine, Force, Landmarker, MaxPixels, NumProc, Strict
from emo3d_lab.cli.report import print_report


@app.command(
    epilog="Example: [bold]emo3d extract ./pictures ./dataset[/], with a table metadata.csv (file_name, description, "
    "neutral, happiness, ...) among the pictures, if there is one. Killed or interrupted, run it again: it goes on "
    "where it stopped."
)
def extract(
    images: Annotated[Path, typer.Argument(help="Folder with .jpg, .png or .webp pictures, at any depth.")],
    out: Annotated[Path, typer.Argument(help="Folder for Parquet files, card and report.")],
    model: Landmarker = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="Also write a column weights, for a rig: from readings and landmarks.")
    ] = False,
    num_proc: NumProc = None,
    max_pixels: MaxPixels = 4096 * 4096,
    engine: Engine = "processes",
    address: Address = None,
    strict: Strict = False,
    force: Force = False,
) -> None:
    """Read the expressions of a folder of pictures with MediaPipe, as the published ones were (extra: extract)."""
    from emo3d_lab.extract.run import extract as run

    report = run(
        images,
        out,
        model=model,
        weights=weights,
        num_proc=num_proc or os.cpu_count() or 1,
        max_pixels=max_pixels,
        engine=engine,
        address=address,
        strict=strict,
        force=force,
        quiet=True,
    )
    print_report(report, out)
