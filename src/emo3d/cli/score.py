"""`emo3d score`: expressions against descriptions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from emo3d.cli.app import app, console, workshop
from emo3d.cli.checking import check_bank, check_predictions, check_references
from emo3d.cli.options import Address, Calibration, Clip, Engine, Force, Layout, Names, NumProc, Scale
from emo3d.expressions import SUFFIXES
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d.files import check_output

if TYPE_CHECKING:
    from emo3d.blendshapes import Space
    from emo3d.scoring import Emo3DResult

    ParquetRows = workshop("corpus").ParquetRows


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
            "published release, a .csv, .jsonl or .parquet file, a folder of a dataset, or its id on the Hub; with "
            "--samples also a pattern or URL that ends with .parquet."
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
    space: Annotated[
        str | None,
        typer.Option(
            help="Of the predictions: reading or weights.",
            show_default="the file's, the references', or weights",
        ),
    ] = None,
    calibration: Calibration = DEFAULT_METHOD,
    identity: Annotated[str, typer.Option(help="Whose face is rendered.")] = "adult",
    identities: Annotated[int, typer.Option(help="Above 1: average over so many faces of a fixed panel.")] = 1,
    layout: Layout = None,
    names: Names = None,
    scale: Scale = None,
    clip: Clip = False,
    join: Annotated[
        str | None,
        typer.Option(
            help="Column that says whose face a row is: description, sample_id, or both with a comma between.",
            show_default="rows are in the order of the references",
        ),
    ] = None,
    baselines: Annotated[
        bool, typer.Option(help="Score what learns nothing, too: reference faces, prior, mean face, nearest text.")
    ] = False,
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
    is_launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if is_launched and samples:
        raise ValueError("expected no --samples from the processes of a launcher, which share the work themselves")
    if not samples and (engine != "processes" or address or num_proc or force):
        raise ValueError("expected --samples FOLDER with --engine, --address, --num-proc and --force")
    if baselines and (samples or is_launched):
        raise ValueError("expected --baselines without --samples and without a launcher")
    if not samples and "://" in predictions:
        raise ValueError(f"expected --samples FOLDER to score files at a URL in parts, got {predictions} without")
    check_predictions(predictions, SUFFIXES, bool(samples))
    check_references(references)
    if bank:
        check_bank(bank)
    if out:
        check_output(out)

    from emo3d.scoring import Bank, ScoreSettings
    from emo3d.scoring import score as compute
    from emo3d.scoring.predictions import space_of

    faces, known = _open_predictions(predictions, bool(samples), layout, names=names, scale=scale, clip=clip)
    described: Any = _open_references(references, config, split, bool(samples))
    settings = ScoreSettings(
        variant=variant,  # type: ignore[arg-type]
        k=k,
        epsilon=epsilon,
        alpha=alpha,
        backbone=backbone,
        revision=revision,
        dtype=dtype,
        space=space_of(space, known, described),  # type: ignore[arg-type]
        calibration=calibration,  # type: ignore[arg-type]
        identity=identity,
        identities=identities,
    )
    looked_up = Bank.load(bank) if bank else None
    if index:
        if looked_up is None:
            raise ValueError(f"expected --bank FOLDER with --index, for what {index} searches")
        looked_up = looked_up.indexed(index)
    given: dict[str, Any] = {
        "bank": looked_up,
        "settings": settings,
        "batch_size": batch_size,
        "join": join,
    }
    result: Emo3DResult | None
    if samples:
        result = workshop("corpus").score_corpus(
            faces,
            described,
            samples,
            **given,
            layout=layout,
            device=device or "cpu",
            engine=engine,
            address=address,
            num_proc=num_proc or (os.cpu_count() or 1 if engine == "ray" else 1),
            force=force,
        )
    elif is_launched:
        from accelerate import PartialState

        result = workshop("corpus").score_launched(faces, described, **given, device=device)
        PartialState().destroy_process_group()
    else:
        result = compute(faces, described, **given, device=device or "cpu")
    if result is None:  # in a process that is not the main one
        return
    print_result(result, settings.confidence)
    if described.space and described.space != settings.space and result.mse is None:
        console.print(f"no mse and mae: the references' blendshapes are {described.space}, not {settings.space}")
    if baselines:
        systems = workshop("baselines")
        training = systems.training_references(references, config)
        rows = systems.score_baselines(described, training, bank=looked_up, settings=settings, device=device or "cpu")
        _print_baselines(predictions, result, rows, training is not None)
    if details:
        _print_groups("by the strongest emotion described", result.per_emotion)
        _print_groups("by its intensity", result.per_band)
    print_signature(result)
    if out:
        result.save(out)
        console.print(f"wrote {out}")


def _open_predictions(name: str, is_corpus: bool, layout: str | None, **options: Any) -> tuple[Any, Space | None]:
    """Expressions, with what their file says of whose faces they are, or for a corpus the Parquet files that hold them;
    and their space, where they say it."""
    from emo3d.dataset import is_release
    from emo3d.scoring.predictions import open_predictions

    is_file = Path(name).suffix in SUFFIXES and not name.endswith(".parquet")
    if is_corpus and not is_file and not is_release(name):
        if any(options.values()):
            raise ValueError("expected no --names, --scale or --clip with Parquet files that --samples scores in parts")
        rows = workshop("corpus").ParquetRows.open(name)
        return rows, rows.space
    expressions, space, keys = open_predictions(name, layout, **options)  # type: ignore[arg-type]
    return {"blendshapes": expressions, **keys}, space


def _open_references(name: str, config: str | None, split: str, is_corpus: bool) -> Any:
    """References, or for a corpus the Parquet files that hold them."""
    from emo3d.scoring import open_references

    if is_corpus and name.endswith(".parquet"):
        return workshop("corpus").ParquetRows.open(name)
    return open_references(name, config, split)


def print_result(result: Emo3DResult, confidence: float) -> None:
    """Show every number of a score with its interval."""
    table = Table(title=f"Emo3D, n = {result.n}")
    for heading in ("", "value", f"{confidence:.0%} interval"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in ("emo3d", "kl_divergence", "recall_at_k", "mse", "mae"):
        if (value := getattr(result, name)) is not None:
            table.add_row(name, f"{value:.4f}", _ends(result.intervals.get(name)))
    console.print(table)


def _print_baselines(name: str, result: Emo3DResult, rows: dict[str, Emo3DResult], has_training: bool) -> None:
    """A score among those of what learns nothing."""
    table = Table(title="Beside what learns nothing", caption_justify="left")
    if not has_training:
        table.caption = "there is no split to learn from: prior and mean are those of the references themselves"
    for heading in ("", "emo3d", "interval", "kl_divergence", "mse"):
        table.add_column(heading, justify="right" if heading else "left")
    for label, row in {Path(name).name: result, **rows}.items():
        mse = "-" if row.mse is None else f"{row.mse:.4f}"
        ends = _ends(row.intervals.get("emo3d"))
        table.add_row(escape(label), f"{row.emo3d:.4f}", ends, f"{row.kl_divergence:.4f}", mse)
    console.print(table)


def _ends(interval: tuple[float, float] | None) -> str:
    return "{:.4f} to {:.4f}".format(*interval) if interval else "-"  # of few faces there is none


def print_signature(result: Emo3DResult) -> None:
    """Show the settings that a score was computed with, and how many descriptions of its bank were cut."""
    if result.truncated:
        console.print(f"{result.truncated} descriptions were longer than the backbone's window and were cut")
    console.print(result.signature, highlight=False, soft_wrap=True, markup=False, emoji=False)


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
