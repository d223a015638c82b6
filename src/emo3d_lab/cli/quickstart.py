"""`emo3d quickstart`, `sample` and `retrain`: the embedded parts, run and made again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from emo3d.cli.app import app, console, print_table
from emo3d.files import check_output_folder

if TYPE_CHECKING:
    from emo3d_lab.quickstart.report import Row


@app.command()
def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for report.html and face.glb.")] = Path("runs/quickstart"),
    release: Annotated[
        Path | None, typer.Option(help="Folder of a published release: show its pictures beside our renders.")
    ] = None,
) -> None:
    """Run the whole path on the embedded synthetic sample: load, generate, render, score, report.

    Exits with 1 when the references do not score best, or the generator not second best (by KL), but for text-only,
    a sentinel that sees the emotions of sentences like the one described.
    """
    check_output_folder(out)  # before what takes seconds to import
    from emo3d_lab.quickstart.run import run

    report = run(out, release)
    console.print(_table(report.rows))
    if readings := report.rows[0].readings:
        cells = [
            (row.name, *(_number(number, ".3f") for reading in row.readings for number in reading.numbers))
            for row in report.rows
        ]
        headings = ["expressions", *(f"{name} {reading.reader}" for reading in readings for name in ("KL", "top-1"))]
        print_table(headings, cells, title="By emotion readers, no part of the score", title_justify="left")
    console.print(f"The generator is {report.verdict}.", highlight=False)
    if report.advice:
        console.print(f"No columns of an emotion reader: {report.advice}.", highlight=False, markup=False)
    console.print(f"wrote {out / 'report.html'} and {out / 'face.glb'}")
    if report.failures:
        for failure in report.failures:
            console.print(failure, style="red")
        raise typer.Exit(1)
    console.print("The order holds: references beat every row, the generator every row but these and text-only.")


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(help="Folder for train.parquet, validation.parquet and test.parquet.")],
    train: Annotated[int | None, typer.Option(help="Rows of the train split: 9000, clips 240.")] = None,
    validation: Annotated[int | None, typer.Option(help="Rows of the validation split: 600, clips 60.")] = None,
    test: Annotated[
        int | None, typer.Option(help="Rows of the test split (held-out words and templates): 900, clips 60.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides every row.")] = 0,
    readings: Annotated[bool, typer.Option(help="Read every picture with MediaPipe too (extra: extract).")] = False,
    clips: Annotated[bool, typer.Option("--clips", help="Expressions over time in place of pictures.")] = False,
) -> None:
    """Make the synthetic sample of any size: descriptions from a grammar, expressions, pictures; or clips."""
    check_output_folder(out)  # before what takes seconds to import
    if clips and readings:
        raise ValueError("expected --clips or --readings, got both: clips have no pictures")
    from emo3d_lab.sample.clips import CLIP_ROWS
    from emo3d_lab.sample.rows import ROWS
    from emo3d_lab.sample.write import write_clips, write_sample

    rows = dict(CLIP_ROWS if clips else ROWS)
    for split, count in {"train": train, "validation": validation, "test": test}.items():
        rows[split] = rows[split] if count is None else count
    paths = (
        write_clips(out, rows=rows, seed=seed) if clips else write_sample(out, rows=rows, seed=seed, readings=readings)
    )
    for path in paths.values():
        console.print(f"wrote {path}")


@app.command()
def retrain(
    out: Annotated[Path, typer.Argument(help="Folder that receives a folder for each part.")],
    part: Annotated[
        list[str] | None,
        typer.Option(help="generator, multilingual, backbone or clip-embedder; repeatable. All by default."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the descriptions, the first weights and the batches.")] = 0,
) -> None:
    """Train the packaged parts again from nothing (generators, picture tower, embedder of clips)."""
    check_output_folder(out)  # before what takes seconds to import
    from emo3d_lab.clips.scoring.training import PART, train_embedder
    from emo3d_lab.quickstart.train import PARTS
    from emo3d_lab.quickstart.train import retrain as train_parts

    parts = part or (*PARTS, PART)
    others = [name for name in parts if name != PART]
    qualities = train_parts(out, seed=seed, parts=others) if others else {}
    if PART in parts:
        qualities[PART] = train_embedder(out / PART, seed)
    for name, quality in qualities.items():
        for measure, value in quality.items():
            console.print(f"{name} {measure}: {value}")


def _table(rows: Sequence[Row]) -> Table:
    title = "Synthetic sample, test split, quickstart backbone"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("expressions", no_wrap=True)
    for heading in ("n", "MSE", "ampl.", "KL", "Emo3D [95%]", "R@10"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        ends = " [{:.3f}, {:.3f}]".format(*row.emo3d_interval) if row.emo3d_interval else ""
        table.add_row(
            row.name,
            str(row.n),
            _number(row.mse, ".4f"),
            _number(row.amplitude, ".2f"),
            f"{row.kl:.3f}",
            f"{row.emo3d:.3f}{ends}",
            _number(row.recall, ".0%"),
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
