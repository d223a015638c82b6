"""`emo3d audit`: for whom a score holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from emo3d.cli.app import app, console
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d_lab.cli import options
from emo3d_lab.cli.files import read_predictions
from emo3d_lab.cli.score import open_readers


@app.command(
    epilog="Examples: [bold]emo3d audit --dataset sample --model quickstart --backbone quickstart --out q.html[/] · "
    "[bold]emo3d audit --dataset me/my-dataset --predictions mine.parquet --json audit.json[/]",
)
def audit(
    dataset: Annotated[
        str,
        typer.Option(
            help="Rows with description and intensities: sample (the embedded synthetic one), a folder of the "
            "published release, a folder or .parquet file of a dataset, or its id on the Hub."
        ),
    ],
    config: options.Config = None,
    split: options.Split = "test",
    predictions: Annotated[
        Path | None,
        typer.Option(help="File of expressions, one per row; without it and --model, the dataset's own are audited."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Generator: quickstart (packaged), a folder, or an id on the Hub.")
    ] = None,
    revision: options.ModelRevision = None,
    backbone: options.Backbone = options.DEFAULT_BACKBONE,
    backbone_revision: options.BackboneRevision = None,
    space: Annotated[
        str | None,
        typer.Option(help="Of predictions or dataset, where they do not say it: reading or weights."),
    ] = None,
    calibration: options.Calibration = DEFAULT_METHOD,
    readers: options.Readers = None,
    reader_labels: options.ReaderLabels = None,
    faces: Annotated[int, typer.Option(help="Rows that are rendered on other faces, drawn at random.")] = 1000,
    identities: Annotated[int, typer.Option(help="Faces of the panel, 2 to 12.")] = 12,
    seed: Annotated[int, typer.Option(help="Of the draw and the resampling.")] = 0,
    device: options.Device = "cpu",
    batch_size: options.BatchSize = 32,
    out: Annotated[Path | None, typer.Option(help="Write a page with plots as .html.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write every figure as .json.")] = None,
) -> None:
    """Say for whom a score holds: other faces, other words, what descriptions say, weak and strong emotions."""
    from emo3d.blendshapes import check_space
    from emo3d.files import check_output
    from emo3d.scoring import ScoreSettings
    from emo3d_lab.audit import audit as run
    from emo3d_lab.audit import write_audit
    from emo3d_lab.audit.verdict import claims, difference, findings, holds_for, not_measured, p_value
    from emo3d_lab.pages import NOT_FOR

    for path in (out, json):
        if path:
            check_output(path, folder_is_made=True)
    expressions, expression_space = None, check_space(space) if space else None
    if predictions:
        expressions, expression_space = read_predictions(predictions, None, space)
    result = run(
        dataset,
        config=config,
        split=split,
        predictions=expressions,
        model=model,
        revision=revision,
        space=expression_space,
        settings=ScoreSettings(
            backbone=backbone,
            revision=backbone_revision,
            calibration=calibration,  # type: ignore[arg-type]
        ),
        readers=open_readers(readers, reader_labels),
        faces=faces,
        identities=identities,
        seed=seed,
        device=device,
        batch_size=batch_size,
    )
    interval = f"gap, {result.confidence:.0%} interval"
    table = Table("beyond chance, on KL", interval, "p (Holm)", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, gap in claims(result):
        table.add_row(escape(name), difference(gap), p_value(gap))
    if table.row_count:
        console.print(table)
    limits = {"holds for": [holds_for(result)], "not measured": not_measured(result), "not for": [NOT_FOR]}
    for topic, sentences in (findings(result) | limits).items():
        console.print(f"[cyan]{topic}[/]  {escape(' '.join(sentences))}", highlight=False)
    console.print(result.signature, highlight=False, soft_wrap=True)
    if out:
        write_audit(result, out)
        console.print(f"wrote {out}")
    if json:
        result.save(json)
        console.print(f"wrote {json}")
