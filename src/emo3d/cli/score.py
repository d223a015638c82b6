"""`emo3d score`: expressions against descriptions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from emo3d.cli.app import app, console
from emo3d.cli.files import Calibration, read_predictions, read_references
from emo3d.face.spaces import DEFAULT_METHOD


@app.command(
    epilog="Examples: [bold]emo3d score predictions.parquet --references me/my-dataset --split test[/] · "
    "[bold]emo3d score mine.csv --references sample --backbone quickstart[/]",
)
def score(
    predictions: Annotated[
        Path,
        typer.Argument(
            help="File of expressions, one row per reference, in their order; or a folder of the published release, "
            "for the expressions it holds."
        ),
    ],
    references: Annotated[
        str,
        typer.Option(
            help="Rows with description and intensities: sample (the embedded synthetic one), a folder of the "
            "published release, a folder or .parquet file of a dataset, or its id on the Hub."
        ),
    ],
    split: Annotated[str, typer.Option(help="Split of the references.")] = "test",
    config: Annotated[str | None, typer.Option(help="Config of the references.")] = None,
    backbone: Annotated[
        str, typer.Option(help="Dual encoder on the Hub, or quickstart (packaged).")
    ] = "openai/clip-vit-base-patch32",
    variant: Annotated[str, typer.Option(help="paper, or release (what the published code computes).")] = "paper",
    alpha: Annotated[float | None, typer.Option(help="Divides the mean KL; the variant's own when left out.")] = None,
    k: Annotated[int, typer.Option(help="Descriptions retrieved per face.")] = 10,
    space: Annotated[str | None, typer.Option(help="Of the predictions: reading or weights.")] = None,
    calibration: Calibration = DEFAULT_METHOD,
    layout: Annotated[str | None, typer.Option(help="Of bare vectors of 52: mediapipe or arkit.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the result, per-sample values included, as .json.")] = None,
) -> None:
    """Score predicted expressions with the Emo3D metric. Lower is better; 0.5 is a mean KL of 0."""
    import json

    from emo3d.scoring import ScoreSettings
    from emo3d.scoring import score as compute

    expressions, known = read_predictions(predictions, layout, space)
    settings = ScoreSettings(
        variant=variant,  # type: ignore[arg-type]
        alpha=alpha,
        k=k,
        backbone=backbone,
        space=known,
        calibration=calibration,  # type: ignore[arg-type]
    )
    described = read_references(references, config, split)
    result = compute(expressions, described, settings=settings)
    table = Table(title=f"Emo3D, n = {result.n}")
    for heading in ("", "value", "95% interval"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (low, high) in result.intervals.items():
        table.add_row(name, f"{getattr(result, name):.4f}", f"{low:.4f} to {high:.4f}")
    console.print(table)
    if result.truncated:
        console.print(f"{result.truncated} descriptions were longer than the backbone's window and were cut")
    console.print(result.signature, highlight=False, soft_wrap=True)
    if out:
        out.write_text(json.dumps(result.to_dict(per_sample=True), indent=1) + "\n", encoding="utf-8")
        console.print(f"wrote {out}")
