"""`emo3d import`: other datasets, motion capture and tables become `data/pairs` of a dataset folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from emo3d.cli.app import app, console


@app.command(
    "import",
    epilog="Examples: [bold]emo3d import livelink takes OUT --description 'He cannot stop laughing' --emotion happy "
    "--drop tongueOut[/] · [bold]emo3d import tead tead.jsonl OUT --columns mapping.json[/]",
)
def import_(
    kind: Annotated[str, typer.Argument(help="tead, ta-mead, livelink, express4d or table.")],
    path: Annotated[Path, typer.Argument(help="A table, a take or a folder of takes, or the folder of Express4D.")],
    out: Annotated[Path, typer.Argument(help="Folder for data/pairs and build_report.json.")],
    columns: Annotated[
        Path | None, typer.Option(help="JSON file that says which column holds what (tead, ta-mead, table).")
    ] = None,
    layout: Annotated[str | None, typer.Option(help="Of bare vectors: emo3d, mediapipe or arkit.")] = None,
    description: Annotated[str | None, typer.Option(help="Of every row, where the data has none.")] = None,
    emotion: Annotated[str | None, typer.Option(help="Tag of every row, where the data has none.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="May be left out although it is not 0: tongueOut, or a unit such as AU38.")
    ] = None,
    takes: Annotated[str | None, typer.Option(help="raw or cal, where takes are there in both versions.")] = None,
    split: Annotated[str | None, typer.Option(help="train (the default), validation or test.")] = None,
    num_proc: Annotated[int, typer.Option(help="Processes; takes are shared out among them.")] = 1,
    strict: Annotated[bool, typer.Option(help="Stop at the first row that cannot be used.")] = False,
    force: Annotated[bool, typer.Option(help="Replace a finished dataset of another source.")] = False,
) -> None:
    """Import TEAD, TA-MEAD, Live Link Face takes, Express4D or any table; what is left out is listed in the report."""
    from emo3d.dataset.neighbours import import_dataset
    from emo3d.dataset.tally import Problem

    report = import_dataset(
        kind,
        path,
        out,
        columns=columns,
        layout=layout,
        description=description,
        emotion=emotion,
        drop=drop or (),
        takes=takes,
        split=split,
        num_proc=num_proc,
        strict=strict,
        force=force,
    )
    splits = report["splits"]["pairs"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in (kind, *splits):
        table.add_column(heading, justify="right" if heading != kind else "left")
    for name in dict.fromkeys(("rows_in", *(name for counts in splits.values() for name in counts))):
        table.add_row(name.replace("_", " "), *(f"{counts.get(name, 0):,}" for counts in splits.values()))
    console.print(table)
    for name, reason in report["source"]["not_read"].items():
        console.print(f"not read: {name}: {reason}", highlight=False, soft_wrap=True)
    for found in report["problem_kinds"]:
        of = [problem for problem in report["problems"] if problem["kind"] == found]
        first = str(Problem(**{name: of[0][name] for name in Problem.__dataclass_fields__}))
        lost = sum(problem["count"] for problem in of)
        console.print(f"{lost:,} rows left out, {found}: {first}", style="yellow", highlight=False, soft_wrap=True)
    console.print(f"wrote {out}; build_report.json lists everything that was left out")
