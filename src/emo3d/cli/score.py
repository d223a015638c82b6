"""`emo3d score`: expressions against descriptions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from emo3d.cli.app import app, console
from emo3d.cli.files import Calibration, read_predictions
from emo3d.cli.report import Address, Engine, Force, NumProc
from emo3d.face.calibration import DEFAULT_METHOD

if TYPE_CHECKING:
    import numpy as np

    from emo3d.blendshapes import Space
    from emo3d.scoring import Emo3DResult, ParquetRows, References


@app.command(
    epilog="Examples: [bold]emo3d score predictions.parquet --references me/my-dataset --split test[/] · "
    "[bold]emo3d score mine.csv --references sample --backbone quickstart[/] · "
    "[bold]emo3d score 'large/*.parquet' --references large.parquet --engine ray --samples ./samples[/] · "
    "[bold]accelerate launch -m emo3d.cli score ...[/]",
)
def score(
    predictions: Annotated[
        str,
        typer.Argument(
            help="File of expressions, one row per reference, in their order; or a folder of the published release, "
            "for the expressions it holds. With --samples also a folder, pattern or URL of .parquet files (hf://...)."
        ),
    ],
    references: Annotated[
        str,
        typer.Option(
            help="Rows with description and intensities: sample (the embedded synthetic one), a folder of the "
            "published release, a folder or .parquet file of a dataset, or its id on the Hub; with --samples also a "
            "pattern or URL that ends with .parquet."
        ),
    ],
    split: Annotated[str, typer.Option(help="Split of the references.")] = "test",
    config: Annotated[str | None, typer.Option(help="Config of the references.")] = None,
    bank: Annotated[
        Path | None, typer.Option(help="Folder of a bank saved with Bank.save; the references are the bank without it.")
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(help="Search the --bank by FAISS, for example IVF1024,Flat/nprobe64; the signature says so."),
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="Dual encoder on the Hub, or quickstart (packaged).")
    ] = "openai/clip-vit-base-patch32",
    revision: Annotated[str | None, typer.Option(help="Of the backbone: branch, tag or commit.")] = None,
    dtype: Annotated[str, typer.Option(help="Of the backbone: float32 or bfloat16.")] = "float32",
    device: Annotated[
        str | None,
        typer.Option(
            help="Where the backbone runs: cpu, cuda, cuda:1, mps.", show_default="cpu; when launched, each its own"
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Faces encoded at a time.")] = 32,
    variant: Annotated[str, typer.Option(help="paper, or release (what the published code computes).")] = "paper",
    alpha: Annotated[float | None, typer.Option(help="Divides the mean KL; the variant's own when left out.")] = None,
    epsilon: Annotated[float, typer.Option(help="Added to every entry of the retrieved distribution.")] = 0.01,
    k: Annotated[int, typer.Option(help="Descriptions retrieved per face.")] = 10,
    space: Annotated[str | None, typer.Option(help="Of the predictions: reading or weights.")] = None,
    calibration: Calibration = DEFAULT_METHOD,
    identity: Annotated[str, typer.Option(help="Whose face is rendered.")] = "adult",
    identities: Annotated[int, typer.Option(help="Above 1: average over so many faces of a fixed panel.")] = 1,
    layout: Annotated[str | None, typer.Option(help="Of bare vectors of 52: mediapipe or arkit.")] = None,
    details: Annotated[bool, typer.Option(help="Print the score by emotion and by intensity, too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the result, per-sample values included, as .json.")] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="Folder for per-sample values as .parquet; killed and run again, it goes on from there."),
    ] = None,
    engine: Engine = "processes",
    address: Address = None,
    num_proc: NumProc = None,
    force: Force = False,
) -> None:
    """Score predicted expressions with the Emo3D metric. Lower is better; 0.5 is a mean KL of 0."""
    from emo3d.scoring import Bank, ScoreSettings, score_corpus, score_launched
    from emo3d.scoring import score as compute

    is_launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if is_launched and samples:
        raise ValueError("expected no --samples from the processes of a launcher, which share the work themselves")
    if not samples and (engine != "processes" or address or num_proc or force):
        raise ValueError("expected --samples FOLDER with --engine, --address, --num-proc and --force")
    expressions, known = _open_predictions(predictions, layout, space, bool(samples))
    settings = ScoreSettings(
        variant=variant,  # type: ignore[arg-type]
        k=k,
        epsilon=epsilon,
        alpha=alpha,
        backbone=backbone,
        revision=revision,
        dtype=dtype,
        space=known,
        calibration=calibration,  # type: ignore[arg-type]
        identity=identity,
        identities=identities,
    )
    described = _open_references(references, config, split, bool(samples))
    looked_up = Bank.load(bank) if bank else None
    if index:
        if looked_up is None:
            raise ValueError(f"expected --bank FOLDER with --index, for what {index} searches")
        looked_up = looked_up.indexed(index)
    given: dict[str, Any] = {
        "bank": looked_up,
        "settings": settings,
        "batch_size": batch_size,
    }
    result: Emo3DResult | None
    if samples:
        result = score_corpus(
            expressions,
            described,
            samples,
            **given,
            layout=layout,  # type: ignore[arg-type]
            device=device or "cpu",
            engine=engine,
            address=address,
            num_proc=num_proc or (os.cpu_count() or 1 if engine == "ray" else 1),
            force=force,
        )
    elif is_launched:
        from accelerate import PartialState

        result = score_launched(expressions, described, **given, device=device)
        PartialState().destroy_process_group()
    else:
        result = compute(expressions, described, **given, device=device or "cpu")
    if result is None:  # in a process that is not the main one
        return
    print_result(result, settings.confidence)
    if details:
        _print_groups("by the strongest emotion described", result.per_emotion)
        _print_groups("by its intensity", result.per_band)
    print_signature(result)
    if out:
        result.save(out)
        console.print(f"wrote {out}")


def _open_predictions(
    name: str, layout: str | None, space: str | None, is_corpus: bool
) -> tuple[np.ndarray | ParquetRows, Space]:
    """Expressions, or for a corpus the Parquet files that hold them, and their space."""
    from emo3d.blendshapes import check_space
    from emo3d.dataset import is_release
    from emo3d.expressions import SUFFIXES
    from emo3d.scoring import ParquetRows

    if not is_corpus and "://" in name:
        raise ValueError(f"expected --samples FOLDER to score files at a URL in parts, got {name} without")
    is_file = Path(name).suffix in SUFFIXES and not name.endswith(".parquet")
    if not is_corpus or is_file or is_release(name):
        return read_predictions(Path(name), layout, space)
    rows = ParquetRows.open(name)
    return rows, check_space(space or rows.space or "weights")


def _open_references(name: str, config: str | None, split: str, is_corpus: bool) -> References | ParquetRows:
    """References, or for a corpus the Parquet files that hold them."""
    from emo3d.scoring import ParquetRows, open_references

    return ParquetRows.open(name) if is_corpus and name.endswith(".parquet") else open_references(name, config, split)


def print_result(result: Emo3DResult, confidence: float) -> None:
    """Show every number of a score with its interval."""
    table = Table(title=f"Emo3D, n = {result.n}")
    for heading in ("", "value", f"{confidence:.0%} interval"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in ("emo3d", "kl_divergence", "recall_at_k", "mse", "mae"):
        if (value := getattr(result, name)) is not None:
            table.add_row(name, f"{value:.4f}", _ends(result.intervals.get(name)))
    console.print(table)


def _ends(interval: tuple[float, float] | None) -> str:
    return "{:.4f} to {:.4f}".format(*interval) if interval else "-"  # of few faces there is none


def print_signature(result: Emo3DResult) -> None:
    """Show the settings that a score was computed with, and how many descriptions of its bank were cut."""
    if result.truncated:
        console.print(f"{result.truncated} descriptions were longer than the backbone's window and were cut")
    console.print(result.signature, highlight=False, soft_wrap=True)


def _print_groups(title: str, groups: dict[str, dict[str, Any]]) -> None:
    table = Table(title=title)
    for heading in ("", "n", "kl_divergence", "interval", "emo3d", "interval"):
        table.add_column(heading, justify="right" if heading else "left")
    for group, values in groups.items():
        numbers = []
        for name in ("kl_divergence", "emo3d"):
            numbers += [f"{values[name]:.4f}", _ends(values["intervals"].get(name))]
        table.add_row(group, str(values["n"]), *numbers)
    console.print(table)
