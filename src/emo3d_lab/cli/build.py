"""`emo3d build`: the published release becomes a dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app
from emo3d_lab.cli.options import Address, Engine, Force, MaxPixels, NumProc, Strict
from emo3d_lab.cli.report import print_report


@app.command(
    epilog="Examples: [bold]emo3d build llm-lab/Emo3D emo3d-parquet[/] · "
    "[bold]emo3d build ./copy-of-the-release OUT --config pairs --num-proc 4[/]. Killed or interrupted, run it again: "
    "it goes on where it stopped."
)
def build(
    release: Annotated[str, typer.Argument(help="Folder with a copy of the release, or its id on the Hub.")],
    out: Annotated[Path, typer.Argument(help="Folder for Parquet files, card and report.")],
    config: Annotated[
        list[str] | None, typer.Option(help="default, pairs or primitive; can be given several times.")
    ] = None,
    revision: Annotated[str, typer.Option(help="Of a release on the Hub: branch, tag or commit.")] = "main",
    num_proc: NumProc = None,
    shard_size: Annotated[str, typer.Option(help="Of a Parquet file, about.")] = "500MB",
    max_pixels: MaxPixels = 4096 * 4096,
    columns: Annotated[
        Path | None, typer.Option(help="JSON: a table's name of a column -> the release's, for tables that differ.")
    ] = None,
    engine: Engine = "processes",
    address: Address = None,
    strict: Strict = False,
    force: Force = False,
) -> None:
    """Build typed Parquet from the published release: resumable, pictures untouched, every row accounted for."""
    from emo3d_lab.building.build import build as run

    report = run(
        release,
        out,
        configs=config,
        revision=revision,
        num_proc=num_proc or os.cpu_count() or 1,
        shard_size=shard_size,
        max_pixels=max_pixels,
        columns=_mapping(columns) if columns else None,
        engine=engine,
        address=address,
        strict=strict,
        force=force,
    )
    print_report(report, out)


def _mapping(path: Path) -> dict[str, str]:
    from emo3d.documents import read_json

    columns = read_json(path)
    if not isinstance(columns, dict):
        raise ValueError(f"{path.name}: expected a JSON object, a table's name of a column -> the release's")
    return columns
