"""`emo3d read`: a take's emotions over time, as a reader sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from emo3d.cli.app import app, console
from emo3d.files import check_output
from emo3d_lab.cli.characters import check_other_file
from emo3d_lab.cli.options import Identity, Layout, Names, Scale


@app.command(
    epilog="Examples: [bold]emo3d read take.csv --out emotions.svg[/] · "
    "[bold]emo3d read clip.json --by face-api --out emotions.png --out emotions.csv[/] · docs/clips.md"
)
def read(
    take: Annotated[
        Path,
        typer.Argument(help="Take of Live Link Face, BEAT, Audio2Face, MediaPipe, or a clip (.json, .npz, .parquet)."),
    ],
    out: Annotated[list[Path] | None, typer.Option(help="A plot, .svg or .png; or the numbers, .csv.")] = None,
    by: Annotated[str, typer.Option(help="Who reads: quickstart, or an emotion reader: face-api, ...")] = "quickstart",
    per_second: Annotated[
        float | None, typer.Option(help="Pictures read per second.", show_default="5, or all of a slower take")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second, where the take has no times.")] = None,
    identity: Identity = "adult",
    layout: Layout = None,
    names: Names = None,
    scale: Scale = None,
) -> None:
    """Read the emotions of a take over time: what a reader sees in the face, never what somebody felt."""
    from emo3d_lab.clips.emotions import describe_emotions, emotions_over_time
    from emo3d_lab.clips.files import read_own
    from emo3d_lab.clips.plotting import ENDINGS, plot_emotions
    from emo3d_lab.takes.reading import read_take

    for path in out or ():
        check_output(path, ENDINGS)
        check_other_file(path, take)
    clip = read_own(take) if take.is_file() else None
    if clip is None:
        clip = read_take(take, layout, names=names, scale=scale, fps=fps).to_clip()  # type: ignore[arg-type]
    emotions = emotions_over_time(
        clip, per_second=min(5.0, clip.rate) if per_second is None else per_second, by=by, rig=identity
    )
    table = Table("from", "to", "likeliest", title=f"{take.name}, read by {emotions.by}", box=box.SIMPLE)
    for start, end, emotion in describe_emotions(emotions):
        table.add_row(f"{start:.1f}", f"{end:.1f}", emotion)
    console.print(table)
    for path in out or ():
        plot_emotions(path, emotions, clip, rig=identity)
        console.print(f"wrote {path}", soft_wrap=True, markup=False)
