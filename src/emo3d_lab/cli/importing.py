"""`emo3d import`: other datasets, motion capture and tables become `data/pairs` or `data/clips` of a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app
from emo3d_lab.cli.options import Clip, Force, Layout, Names, NumProc, Scale, Strict
from emo3d_lab.cli.report import print_report


@app.command(
    "import",
    epilog="Examples: [bold]emo3d import livelink takes OUT --description 'He cannot stop laughing' --emotion happy "
    "--drop tongueOut[/] · [bold]emo3d import tead tead.jsonl OUT --columns mapping.json[/] · "
    "[bold]emo3d import livelink takes OUT --clips --texts texts.csv[/]",
)
def import_(
    kind: Annotated[
        str,
        typer.Argument(
            help="tead, ta-mead, livelink, express4d or table; with --clips livelink, express4d, keyframeface, beat, "
            "mmhead or emoava."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="A table, a take or a folder of takes, or the folder of Express4D.")],
    out: Annotated[Path, typer.Argument(help="Folder for data/pairs (or data/clips) and build_report.json.")],
    columns: Annotated[
        Path | None, typer.Option(help="JSON file that says which column holds what (tead, ta-mead, table).")
    ] = None,
    layout: Layout = None,
    description: Annotated[str | None, typer.Option(help="Of every row, where the data has none.")] = None,
    emotion: Annotated[str | None, typer.Option(help="Tag of every row, where the data has none.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="May be left out although it is not 0: tongueOut, or a unit such as AU38.")
    ] = None,
    names: Names = None,
    scale: Scale = None,
    clip: Clip = False,
    takes: Annotated[str | None, typer.Option(help="raw or cal, where takes are there in both versions.")] = None,
    split: Annotated[str | None, typer.Option(help="train (the default), validation or test.")] = None,
    clips: Annotated[bool, typer.Option("--clips", help="Whole sequences in place of frames.")] = False,
    texts: Annotated[
        Path | None, typer.Option(help="With --clips: table of file, description and perhaps beats (.csv, .jsonl).")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="With --clips: frames per second, where files do not say.")] = None,
    map: Annotated[
        Path | None, typer.Option(help="With --clips: what FLAME's components do, as `emo3d map --basis` writes it.")
    ] = None,
    num_proc: NumProc = None,
    strict: Strict = False,
    force: Force = False,
) -> None:
    """Import TEAD, TA-MEAD, Live Link Face takes, Express4D or any table; what is left out is listed in the report."""
    from emo3d_lab.building.shards import Run
    from emo3d_lab.neighbours import import_clips, import_dataset

    frames_only = {"columns": columns, "layout": layout, "emotion": emotion, "drop": drop, "split": split}
    clips_only = {"texts": texts, "fps": fps, "map": map}
    for name, value in (frames_only if clips else clips_only).items():
        if value not in (None, []):
            raise ValueError(f"--{name} has no meaning {'with' if clips else 'without'} --clips, got {str(value)!r}")
    processes = num_proc or os.cpu_count() or 1
    if clips:
        report = import_clips(
            kind,
            path,
            out,
            texts=texts,
            description=description,
            takes=takes,
            map=map,
            fps=fps,
            names=names,
            scale=1 if scale is None else scale,
            clip=clip,
            run=Run(processes, strict=strict, force=force, label="Importing"),
        )
        print_report(report, out)
        return
    report = import_dataset(
        kind,
        path,
        out,
        columns=columns,
        layout=layout,
        description=description,
        emotion=emotion,
        drop=drop or (),
        names=names,
        scale=1 if scale is None else scale,
        clip=clip,
        takes=takes,
        split=split,
        num_proc=processes,
        strict=strict,
        force=force,
    )
    print_report(report, out)
