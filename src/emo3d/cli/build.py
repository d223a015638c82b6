"""`emo3d build`: the published release becomes a dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from emo3d.cli.app import app, console


@app.command(
    epilog="Examples: [bold]emo3d build llm-lab/Emo3D emo3d-parquet[/] · "
    "[bold]emo3d build ./copy-of-the-release OUT --config pairs --num-proc 4[/]. Killed or interrupted, run it again: "
    "it goes on where it stopped."
)
def build(
    release: Annotated[str, typer.Argument(help="Folder with a copy of the release, or its id on the Hub.")],
    out: Annotated[Path, typer.Argument(help="Folder for Parquet files, card, Croissant metadata and report.")],
    config: Annotated[
        list[str] | None, typer.Option(help="default, pairs or primitive; can be given several times.")
    ] = None,
    revision: Annotated[str, typer.Option(help="Of a release on the Hub: branch, tag or commit.")] = "main",
    num_proc: Annotated[int, typer.Option(help="Processes.")] = 2,
    shard_size: Annotated[str, typer.Option(help="Of a Parquet file, about.")] = "500MB",
    max_pixels: Annotated[int, typer.Option(help="Pictures with more pixels are left out.")] = 4096 * 4096,
    columns: Annotated[
        Path | None, typer.Option(help="JSON: a table's name of a column -> the release's, for tables that differ.")
    ] = None,
    strict: Annotated[bool, typer.Option(help="Stop at the first row or picture that cannot be read.")] = False,
    force: Annotated[bool, typer.Option(help="Replace what another release or other options have built.")] = False,
) -> None:
    """Build typed Parquet from the published release: resumable, pictures untouched, every row accounted for."""
    from emo3d.dataset.build import build as run

    report = run(
        release,
        out,
        configs=config,
        revision=revision,
        num_proc=num_proc,
        shard_size=shard_size,
        max_pixels=max_pixels,
        columns=json.loads(columns.read_text(encoding="utf-8")) if columns else None,
        strict=strict,
        force=force,
    )
    print_report(report, out)


def print_report(report: dict[str, Any], out: Path) -> None:
    """Show what a build wrote and what it left out."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("config", "split"):
        table.add_column(heading)
    for heading in ("rows in", "rows", "without face", "left out"):
        table.add_column(heading, justify="right")
    for config, splits in report["splits"].items():
        for split, counts in splits.items():
            lost = sum(p["count"] for p in report["problems"] if (p["config"], p["split"]) == (config, split))
            cells = (counts.get("rows_in", counts["rows"]), counts["rows"], counts.get("without_face", 0), lost)
            table.add_row(config, split, *(f"{cell:,}" for cell in cells))
    console.print(table)
    for kind, count in report["problem_kinds"].items():
        console.print(f"{count:,} x {kind}", style="yellow")
    console.print(f"wrote {out}; build_report.json lists every file and every problem")
