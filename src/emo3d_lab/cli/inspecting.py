"""`emo3d inspect`: what is in a dataset, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from emo3d.cli.app import app, console

if TYPE_CHECKING:
    from emo3d_lab.inspect import Inspection

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


@app.command(
    epilog="Examples: [bold]emo3d inspect sample[/] · [bold]emo3d inspect OUT --config pairs --out pairs.html[/]",
)
def inspect(
    dataset: Annotated[
        str,
        typer.Argument(
            help="sample (the embedded synthetic one), a folder or .parquet file of a dataset, its id on the Hub, or a "
            "folder of the published release."
        ),
    ],
    config: Annotated[str | None, typer.Option(help="Config of the dataset.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Only this split; may be given again.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page with plots as .html.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write everything that was counted as .json.")] = None,
) -> None:
    """Count a dataset's rows, faces, emotions and duplicates, and what its splits share; decode no picture."""
    from json import dumps

    from emo3d.files import check_output
    from emo3d_lab.inspect import inspect_dataset, write_inspection

    for path in (out, json):
        if path:
            check_output(path, folder_is_made=True)
    inspection = inspect_dataset(dataset, config, split or ())
    _print_findings(inspection)
    _print_splits(inspection)
    if out:
        write_inspection(inspection, out)
        console.print(f"wrote {out}")
    if json:
        json.parent.mkdir(parents=True, exist_ok=True)
        json.write_text(dumps(inspection.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        console.print(f"wrote {json}")


def _print_findings(inspection: Inspection) -> None:
    for finding in inspection.findings:
        colour = _COLOURS[finding.gravity]
        console.print(f"[{colour}]{finding.gravity:8}[/]{escape(finding.sentence)}", highlight=False)
    if not inspection.findings:
        console.print("[green]nothing to report[/]")


def _print_splits(inspection: Inspection) -> None:
    """One column per split, so that the table stays narrow."""
    from emo3d_lab.inspect.figures import tabulate
    from emo3d_lab.inspect.result import TIED

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for split in inspection.splits:
        table.add_column(escape(split.name), justify="right", no_wrap=True)
    for line, figures in tabulate(inspection.splits):
        table.add_row(line, *figures)
    intensities = [split.intensities.dominant if split.intensities else {} for split in inspection.splits]
    table.add_section()
    for emotion in dict.fromkeys(emotion for dominant in intensities for emotion in dominant):
        shares = (f"{d[emotion] / sum(d.values()):.0%}" if any(d.values()) else "-" for d in intensities)
        table.add_row(f"mostly {emotion}" if emotion != TIED else "tied", *shares)
    console.print(table)
