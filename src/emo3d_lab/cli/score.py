"""`emo3d score`: expressions against descriptions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from emo3d.cli.app import app, console, print_table
from emo3d.emotions import EMOTIONS
from emo3d.expressions import SUFFIXES
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d.files import check_output
from emo3d_lab.cli import options
from emo3d_lab.cli.checking import check_bank, check_predictions, check_references
from emo3d_lab.cli.protocols import ProtocolName, apply_protocol, check_readers, protocol_readers

if TYPE_CHECKING:
    from emo3d.blendshapes import Space
    from emo3d.scoring import Emo3DResult
    from emo3d.scoring.readers import ReaderResult
    from emo3d_lab.readers import EmotionReader
    from emo3d_lab.sentinels import Sentinel


@app.command(
    epilog="Examples: [bold]emo3d score predictions.parquet --references me/my-dataset --split test[/] · "
    "[bold]emo3d score mine.csv --references sample --backbone quickstart[/] · "
    "[bold]emo3d score 'large/*.parquet' --references large.parquet --engine ray --samples ./samples[/] · "
    "[bold]accelerate launch -m emo3d.cli score ...[/]",
)
def score(
    ctx: typer.Context,
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
    protocol: ProtocolName = None,
    backbone: options.Backbone = options.DEFAULT_BACKBONE,
    revision: options.BackboneRevision = None,
    dtype: Annotated[str, typer.Option(help="Of the backbone: float32 or bfloat16.")] = "float32",
    device: Annotated[
        str | None,
        typer.Option(
            help="Where the backbone runs: cpu, cuda, cuda:1, mps.", show_default="cpu; when launched, each its own"
        ),
    ] = None,
    batch_size: options.BatchSize = 32,
    variant: options.Variant = "paper",
    alpha: options.Alpha = None,
    epsilon: Annotated[float, typer.Option(help="Added to every entry of the retrieved distribution.")] = 0.01,
    k: options.K = 10,
    space: options.Space = None,
    calibration: options.Calibration = DEFAULT_METHOD,
    identity: options.Identity = "adult",
    identities: options.Identities = 1,
    layout: options.Layout = None,
    names: options.Names = None,
    scale: options.Scale = None,
    clip: options.Clip = False,
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
    readers: options.Readers = None,
    reader_labels: options.ReaderLabels = None,
    details: Annotated[bool, typer.Option(help="Print the score by emotion and by intensity, too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the result, per-sample values included, as .json.")] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="Folder for per-sample values as .parquet; killed and run again, it goes on from there."),
    ] = None,
    engine: options.Engine = "processes",
    address: options.Address = None,
    num_proc: options.NumProc = None,
    force: options.Force = False,
) -> None:
    """Score predicted expressions with the Emo3D metric. Lower is better; 0.5 is a mean KL of 0.

    Beside it stand five sentinels that do not do the task (docs/words.md has them),
    but not with --samples nor when launched.
    """
    is_launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if is_launched and samples:
        raise ValueError("expected no --samples from the processes of a launcher, which share the work themselves")
    if not samples and (engine != "processes" or address or num_proc or force):
        raise ValueError("expected --samples FOLDER with --engine, --address, --num-proc and --force")
    if baselines and (samples or is_launched):
        raise ValueError("expected --baselines without --samples and without a launcher")
    if readers and (samples or is_launched):
        raise ValueError(
            "expected --readers without --samples and without a launcher: readers see all faces in one process; score "
            "a file of the rows that they are to see"
        )
    if not samples and "://" in predictions:
        raise ValueError(f"expected --samples FOLDER to score files at a URL in parts, got {predictions} without")
    check_predictions(predictions, SUFFIXES, bool(samples))
    check_references(references)
    if bank:
        check_bank(bank)
    if out:
        check_output(out)

    from emo3d.scoring import Bank, ScoreSettings
    from emo3d.scoring.predictions import space_of

    rows, file_space = _open_predictions(predictions, bool(samples), layout, names=names, scale=scale, clip=clip)
    reference_rows: Any = _open_references(references, config, split, bool(samples))
    settings = ScoreSettings(
        variant=variant,  # type: ignore[arg-type]
        k=k,
        epsilon=epsilon,
        alpha=alpha,
        backbone=backbone,
        revision=revision,
        dtype=dtype,
        space=space_of(space, file_space, reference_rows),  # type: ignore[arg-type]
        calibration=calibration,  # type: ignore[arg-type]
        identity=identity,
        identities=identities,
    )
    settings = apply_protocol(ctx, protocol, settings)
    saved_bank = Bank.load(bank) if bank else None
    if index:
        if saved_bank is None:
            raise ValueError(f"expected --bank FOLDER with --index, for what {index} searches")
        saved_bank = saved_bank.indexed(index)
    if not (samples or is_launched):
        readers = protocol_readers(protocol, readers)
    emotion_readers = open_readers(readers, reader_labels)
    check_readers(protocol, emotion_readers)
    common: dict[str, Any] = {"bank": saved_bank, "settings": settings, "batch_size": batch_size, "join": join}
    result: Emo3DResult | None
    training_rows, sentinels = None, None
    if samples:
        from emo3d_lab.corpus import score_corpus

        result = score_corpus(
            rows,
            reference_rows,
            samples,
            **common,
            layout=layout,
            device=device or "cpu",
            engine=engine,
            address=address,
            num_proc=num_proc or (os.cpu_count() or 1 if engine == "ray" else 1),
            force=force,
        )
    elif is_launched:
        from accelerate import PartialState

        from emo3d_lab.corpus import score_launched

        result = score_launched(rows, reference_rows, **common, device=device)
        PartialState().destroy_process_group()
    else:
        from emo3d_lab.sentinels import compare_sentinels, save_beside, score_beside_sentinels

        if baselines:
            from emo3d_lab.baselines import training_references

            training_rows = training_references(references, config)
        common |= {"training": training_rows, "readers": emotion_readers, "device": device or "cpu"}
        result, sentinel_results = score_beside_sentinels(rows, reference_rows, **common)
        sentinels = compare_sentinels(result, sentinel_results)
    if result is None:  # in a process that is not the main one
        return
    print_result(result, settings.confidence)
    print_readers(result, settings.confidence)
    if reference_rows.space and reference_rows.space != settings.space and result.mse is None:
        spaces = f"{reference_rows.space}, not {settings.space}"
        console.print(f"no mse, mae and amplitude: the references' blendshapes are {spaces}")
    if sentinels:
        print_sentinels(result, sentinels)
    if baselines:
        from emo3d_lab.baselines import score_baselines

        scored_by: dict[str, Any] = {"bank": saved_bank, "settings": settings, "device": device or "cpu"}
        results = score_baselines(reference_rows, training_rows, **scored_by)
        _print_baselines(predictions, result, results, training_rows is not None)
    if details:
        _print_groups("by the strongest emotion described", result.per_emotion)
        _print_groups("by its intensity", result.per_band)
        for name, reader in result.readers.items():
            _print_groups(f"by the strongest emotion described, {name}", reader.per_emotion, ("kl_divergence", "top1"))
    print_signature(result)
    if out:
        if sentinels:
            save_beside(out, result, sentinels)
        else:
            result.save(out)
        console.print(f"wrote {out}")


def _open_predictions(name: str, is_corpus: bool, layout: str | None, **reading: Any) -> tuple[Any, Space | None]:
    """Expressions, with what their file says of whose faces they are, or for a corpus the Parquet files that hold them;
    and their space, where they say it."""
    from emo3d.dataset import is_release
    from emo3d_lab.opening import open_predictions

    is_file = Path(name).suffix.lower() in SUFFIXES and not name.lower().endswith(".parquet")
    if is_corpus and not is_file and not is_release(name):
        if any(reading.values()):
            raise ValueError("expected no --names, --scale or --clip with Parquet files that --samples scores in parts")
        from emo3d_lab.corpus import ParquetRows

        rows = ParquetRows.open(name)
        return rows, rows.space
    expressions, space, keys = open_predictions(name, layout, **reading)  # type: ignore[arg-type]
    return {"blendshapes": expressions, **keys}, space


def _open_references(name: str, config: str | None, split: str, is_corpus: bool) -> Any:
    """References, or for a corpus the Parquet files that hold them."""
    from emo3d.scoring import open_references

    if is_corpus and name.lower().endswith(".parquet"):
        from emo3d_lab.corpus import ParquetRows

        return ParquetRows.open(name)
    return open_references(name, config, split)


def print_result(result: Emo3DResult, confidence: float) -> None:
    """Print every number of a score with its interval."""
    print_table(("", "value", f"{confidence:.0%} interval"), _number_rows(result), title=f"Emo3D, n = {result.n}")


def _number_rows(result: Emo3DResult | ReaderResult) -> list[tuple[str, str, str]]:
    return [(name, f"{number:.4f}", _ends(result.intervals.get(name))) for name, number in result.numbers.items()]


def open_readers(names: str | None, labels: Path | None) -> list[EmotionReader]:
    """Load the readers of `--readers`, before anything long is computed."""
    if not names:
        if labels:
            raise ValueError(f"expected --readers with --reader-labels, for whose labels {labels} is")
        return []
    from emo3d_lab.readers import load_readers

    return load_readers(names, labels)


def print_readers(result: Emo3DResult, confidence: float) -> None:
    """Print what emotion readers say of the same faces; nothing where none was asked."""
    for name, reader in result.readers.items():
        left_out = result.n - reader.n - reader.not_found
        lacking = ", ".join(emotion for emotion in EMOTIONS if emotion not in reader.emotions) or "nothing"
        title = escape(f"{name}, n = {reader.n}")
        print_table(("", "value", f"{confidence:.0%} interval"), _number_rows(reader), title=title)
        counts = f"no face found: {reader.not_found}; left out, described first of all as {lacking}: {left_out}"
        console.print(counts, highlight=False, soft_wrap=True)


def _print_baselines(name: str, result: Emo3DResult, baselines: dict[str, Emo3DResult], has_training: bool) -> None:
    rows = []
    for label, row in {Path(name).name: result, **baselines}.items():
        errors = ("-" if value is None else f"{value:.4f}" for value in (row.mse, row.amplitude))
        ends = _ends(row.intervals.get("emo3d"))
        rows.append((escape(label), f"{row.emo3d:.4f}", ends, f"{row.kl_divergence:.4f}", *errors))
    caption = "there is no split to learn from: prior and mean are those of the references themselves"
    print_table(
        ("", "emo3d", "interval", "kl_divergence", "mse", "amplitude"),
        rows,
        title="Beside what learns nothing",
        caption=None if has_training else caption,
        caption_justify="left",
    )


def print_sentinels(result: Emo3DResult, sentinels: Sequence[Sentinel]) -> None:
    """Print the mean KL of sentinels beside a system's, and which of them it does not beat."""
    from emo3d_lab.sentinels import format_p, readings_of, verdict_line

    systems = [("this system", result.kl_divergence, "", readings_of(result.readers))]
    systems += [(row.name, row.kl_divergence, format_p(row.p_value), row.readings) for row in sentinels]
    rows = [
        [name, f"{kl:.4f}", p, *("-" if x is None else f"{x:.4f}" for one in readings for x in one.numbers)]
        for name, kl, p, readings in systems
    ]
    headings = ["", "kl_divergence", "p"]
    headings += [f"{escape(name)} {number}" for name in result.readers for number in ("KL", "top1")]
    print_table(headings, rows, title="Beside sentinels")
    said = verdict_line(result.kl_divergence, sentinels, readings_of(result.readers))
    console.print(f"Lower is better: {said}.", highlight=False, soft_wrap=True)


def _ends(interval: tuple[float, float] | None) -> str:
    return "{:.4f} to {:.4f}".format(*interval) if interval else "-"  # of few faces there is none


def print_signature(result: Emo3DResult) -> None:
    """Print the settings that a score was computed with, and how many descriptions of its bank were cut."""
    from emo3d.scoring.settings import signature_fields

    if result.truncated:
        console.print(f"{result.truncated} descriptions were longer than the backbone's window and were cut")
    signatures = [result.signature, *(f"{name}: {reader.signature}" for name, reader in result.readers.items())]
    settings = signature_fields(result.signature)
    if settings.get("bank") == result.references and result.n < 10 * int(settings.get("k", 0)):
        few = f"The references are the bank, and every face retrieves {settings['k']} of {result.n}: of so few"
        console.print(f"{few} numbers say little; 100 or more order as large banks do (docs/validity.md).")
    if result.protocol:
        signatures.insert(0, f"protocol:{result.protocol}")
    for signature in signatures:
        console.print(signature, highlight=False, soft_wrap=True, markup=False, emoji=False)


def _print_groups(
    title: str, groups: dict[str, dict[str, Any]], names: tuple[str, str] = ("kl_divergence", "emo3d")
) -> None:
    rows = []
    for group, values in groups.items():
        row = [group, str(values["n"])]
        for name in names:
            row += [f"{values[name]:.4f}", _ends(values["intervals"].get(name))]
        rows.append(row)
    print_table(("", "n", names[0], "interval", names[1], "interval"), rows, title=escape(title))
