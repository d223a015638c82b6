"""`emo3d score`: expressions against descriptions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emo3d.cli.app import app, console
from emo3d.expressions import SUFFIXES
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d.files import check_output
from emo3d_lab.cli import options
from emo3d_lab.cli.checking import check_bank, check_predictions, check_references
from emo3d_lab.cli.clip_scores import is_of_clips, score_clip_files
from emo3d_lab.cli.protocols import ProtocolName, apply_protocol, check_readers, protocol_readers
from emo3d_lab.cli.results import (
    print_baselines,
    print_groups,
    print_readers,
    print_result,
    print_sentinels,
    print_signature,
)

SAMPLE = "sample"

if TYPE_CHECKING:
    from emo3d.blendshapes import Space
    from emo3d.scoring import Bank, Emo3DResult, ScoreSettings
    from emo3d_lab.readers import EmotionReader


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
            help="File of expressions, or of clips (.parquet), one row per reference, in their order; or a folder of "
            "the published release, for the expressions it holds. With --samples also a folder, pattern or URL of "
            ".parquet files (hf://...)."
        ),
    ],
    references: Annotated[
        str,
        typer.Option(
            help="Rows with description and intensities: sample (the embedded synthetic one), clips (its clips, with "
            "beats), a folder of the published release, a .csv, .jsonl or .parquet file, a folder of a dataset, or its "
            "id on the Hub; with --samples also a pattern or URL that ends with .parquet."
        ),
    ],
    split: Annotated[str, typer.Option(help="Split of the references.")] = "test",
    config: Annotated[str | None, typer.Option(help="Config of the references.")] = None,
    bank: Annotated[
        Path | None,
        typer.Option(
            help="What faces look up: sample (the 250 descriptions of the embedded sample's test split; for few "
            "references), or the folder of a bank saved with Bank.save; the references are the bank without it."
        ),
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
    character: options.CharacterFile = None,
    map: options.Map = None,
    face: options.Face = None,
    character_calibration: options.CharacterCalibration = None,
    layout: options.Layout = None,
    names: options.Names = None,
    scale: options.Scale = None,
    clip: options.Clip = False,
    embedder: Annotated[
        str | None,
        typer.Option(help="Of clips, for FID, R-precision and diversity: emo3d-clips-1 (packaged), or a folder."),
    ] = None,
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

    Beside it stand sentinels that do not do the task (docs/words.md has them),
    but not with --samples nor when launched.
    """
    if is_of_clips(references, config):
        return score_clip_files(ctx)
    if embedder:
        raise ValueError(f"expected --embedder with clips (--references clips), got {references}")
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
    if bank and str(bank) != SAMPLE:
        check_bank(bank)
    if out:
        check_output(out)

    from emo3d.scoring import ScoreSettings
    from emo3d.scoring.predictions import space_of

    opened = options.open_character(character, names, map, face, character_calibration, identity, identities)
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
        identity=options.rig_of(opened, identity),
        identities=identities,
    )
    settings = apply_protocol(ctx, protocol, settings)
    if not (bank or samples) and len(reference_rows) < settings.k:
        count = f"at least k = {settings.k} descriptions, got {len(reference_rows)}"
        raise ValueError(f"expected a bank of {count}: --bank sample has 250")
    saved_bank = _open_bank(bank, settings, device or "cpu") if bank else None
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
        print_baselines(predictions, result, results, training_rows is not None)
    if details:
        print_groups("by the strongest emotion described", result.per_emotion)
        print_groups("by its intensity", result.per_band)
        for name, reader in result.readers.items():
            print_groups(f"by the strongest emotion described, {name}", reader.per_emotion, ("kl_divergence", "top1"))
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
    from emo3d.dataset.release import is_release
    from emo3d_lab.cli.files import open_predictions

    is_file = Path(name).suffix.lower() in SUFFIXES and not name.lower().endswith(".parquet")
    if is_corpus and not is_file and not is_release(name):
        if any(reading.values()):
            raise ValueError("expected no --names, --scale or --clip with Parquet files that --samples scores in parts")
        from emo3d_lab.corpus import ParquetRows

        rows = ParquetRows.open(name)
        return rows, rows.space
    expressions, space, keys = open_predictions(name, layout, **reading)
    return {"blendshapes": expressions, **keys}, space


def _open_references(name: str, config: str | None, split: str, is_corpus: bool) -> Any:
    """References, or for a corpus the Parquet files that hold them."""
    from emo3d.scoring import open_references

    if is_corpus and name.lower().endswith(".parquet"):
        from emo3d_lab.corpus import ParquetRows

        return ParquetRows.open(name)
    return open_references(name, config, split)


def _open_bank(bank: Path, settings: ScoreSettings, device: str) -> Bank:
    """A saved bank, or that of the sample, embedded by the backbone of the settings."""
    import torch

    from emo3d.scoring import Bank, load_backbone, open_references

    if str(bank) != SAMPLE:
        return Bank.load(bank)
    dtype = getattr(torch, settings.dtype)
    backbone = load_backbone(settings.backbone, settings.revision, device=device, dtype=dtype)
    rows = open_references(SAMPLE).canonical()
    return Bank.encode(rows.descriptions, rows.intensities, backbone, cache=True)


def open_readers(names: str | None, labels: Path | None) -> list[EmotionReader]:
    """Load the readers of `--readers`, before anything long is computed."""
    if not names:
        if labels:
            raise ValueError(f"expected --readers with --reader-labels, for whose labels {labels} is")
        return []
    from emo3d_lab.readers import load_readers

    return load_readers(names, labels)
