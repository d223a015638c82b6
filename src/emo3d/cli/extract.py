"""`emo3d extract`: a folder of pictures becomes a dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from emo3d.cli.app import app, console


@app.command(
    epilog="Example: [bold]emo3d extract ./pictures ./dataset[/], with a table metadata.csv (file_name, description, "
    "neutral, happiness, ...) among the pictures, if there is one. Killed or interrupted, run it again: it goes on "
    "where it stopped."
)
def extract(
    images: Annotated[Path, typer.Argument(help="Folder with .jpg, .png or .webp pictures, at any depth.")],
    out: Annotated[Path, typer.Argument(help="Folder for Parquet files, card and report.")],
    model: Annotated[
        Path | None, typer.Option(help="A face_landmarker.task; by default the packaged or downloaded one.")
    ] = None,
    num_proc: Annotated[int | None, typer.Option(help="Processes.", show_default="one per processor")] = None,
    max_pixels: Annotated[int, typer.Option(help="Pictures with more pixels are left out.")] = 4096 * 4096,
    strict: Annotated[bool, typer.Option(help="Stop at the first row or picture that cannot be read.")] = False,
    force: Annotated[bool, typer.Option(help="Replace what other pictures or options have left there.")] = False,
) -> None:
    """Read the expressions of a folder of pictures with MediaPipe, as the published ones were (extra: extract)."""
    from emo3d.dataset.extract import extract as run

    report = run(
        images,
        out,
        model=model,
        num_proc=num_proc or os.cpu_count() or 1,
        max_pixels=max_pixels,
        strict=strict,
        force=force,
        quiet=True,
    )
    counts = report["splits"]["default"]["train"]
    without, several = (counts.get(name, 0) for name in ("without_face", "several_faces"))
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in {
        "pictures": counts["rows"],
        "with a face": counts["rows"] - without,
        "without a face": without,
        "with several faces (the largest was read)": several,
        "left out": sum(problem["count"] for problem in report["problems"]),
    }.items():
        table.add_row(name, f"{count:,}")
    console.print(table)
    for kind, count in report["problem_kinds"].items():
        console.print(f"{count:,} x {kind}", style="yellow")
    console.print(f"wrote {out}; every problem is listed in {out}/build_report.json")
