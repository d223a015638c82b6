"""`emo3d evaluate`: a generator on a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app, console
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d_lab.cli import options
from emo3d_lab.cli.protocols import ProtocolName, apply_protocol, check_readers, protocol_readers
from emo3d_lab.cli.results import print_readers, print_result, print_sentinels, print_signature
from emo3d_lab.cli.score import open_readers


@app.command(
    epilog="Examples: [bold]emo3d evaluate --model quickstart --dataset sample --backbone quickstart --out q.json[/] · "
    "[bold]emo3d evaluate --model runs/bert --dataset built --config pairs --out bert.json[/]",
)
def evaluate(
    ctx: typer.Context,
    model: options.Model,
    dataset: Annotated[
        str,
        typer.Option(
            help="sample (the embedded synthetic one), a folder of the published release, a folder or .parquet file of "
            "a dataset, or its id on the Hub."
        ),
    ],
    config: options.Config = None,
    split: options.Split = "test",
    revision: options.ModelRevision = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="Of the dataset's blendshapes, where it does not say it: reading or weights.",
            show_default="the model's",
        ),
    ] = None,
    protocol: ProtocolName = None,
    backbone: options.Backbone = options.DEFAULT_BACKBONE,
    backbone_revision: options.BackboneRevision = None,
    variant: options.Variant = "paper",
    alpha: options.Alpha = None,
    k: options.K = 10,
    calibration: options.Calibration = DEFAULT_METHOD,
    identity: options.Identity = "adult",
    identities: options.Identities = 1,
    character: options.CharacterFile = None,
    names: options.Names = None,
    map: options.Map = None,
    face: options.Face = None,
    character_calibration: options.CharacterCalibration = None,
    device: options.Device = "cpu",
    batch_size: options.BatchSize = 32,
    readers: options.Readers = None,
    reader_labels: options.ReaderLabels = None,
    out: Annotated[Path | None, typer.Option(help="Write the results as .json, for `emo3d leaderboard`.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Keep the expressions as .parquet, for `emo3d score` and `emo3d render`.")
    ] = None,
    dataset_id: Annotated[
        str | None,
        typer.Option(
            help="Id of the dataset on the Hub, for an entry of its benchmark page.",
            show_default="the dataset, where that is an id",
        ),
    ] = None,
    dataset_revision: Annotated[
        str | None, typer.Option(help="Its commit, for the entry.", show_default="the latest, of an id")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Task of its benchmark: sample or pairs.", show_default="the config, or sample")
    ] = None,
    entry: Annotated[
        Path | None,
        typer.Option(
            help="File of benchmark entries (.yaml) that receives the headline, 0 to 100.",
            show_default=".eval_results/emo3d.yaml beside the card",
        ),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            help="Model card whose model-index receives the figures.",
            show_default="README.md in the model's folder, made from its recipe.yaml where it lacks one",
        ),
    ] = None,
) -> None:
    """Score a generator on a dataset's split: MSE, amplitude (1 is best), and the Emo3D metric (lower is better).

    Beside it stand the sentinels of `emo3d score`, which do not do the task.
    """
    from emo3d.blendshapes import check_space
    from emo3d.files import check_output
    from emo3d.scoring import ScoreSettings
    from emo3d_lab.entries import ENTRY_FILE, find_benchmark, result_entry, write_entry
    from emo3d_lab.headline import headline_of
    from emo3d_lab.training import evaluate_model, update_card, write_card

    recipe = Path(model, "recipe.yaml")
    if card is None and (recipe.is_file() or Path(model, "README.md").is_file()):
        card = Path(model, "README.md")
    elif card and not card.is_file():  # before anything is computed
        raise FileNotFoundError(f"there is no {card}")
    if out:
        check_output(out, (".json",))
    if predictions:
        check_output(predictions, (".parquet",))
    if entry:
        check_output(entry, (".yaml",))
    elif card:
        entry = card.parent / ENTRY_FILE
    opened = options.open_character(character, names, map, face, character_calibration, identity, identities)
    benchmark = find_benchmark(dataset, config, split, dataset_id, dataset_revision, task)
    settings = ScoreSettings(
        variant=variant,  # type: ignore[arg-type]
        k=k,
        alpha=alpha,
        backbone=backbone,
        revision=backbone_revision,
        calibration=calibration,  # type: ignore[arg-type]
        identity=options.rig_of(opened, identity),
        identities=identities,
    )
    settings = apply_protocol(ctx, protocol, settings, {"backbone_revision": "revision", "revision": "model"})
    emotion_readers = open_readers(protocol_readers(protocol, readers), reader_labels)
    check_readers(protocol, emotion_readers)
    evaluation = evaluate_model(
        model,
        dataset,
        config=config,
        split=split,
        revision=revision,
        space=check_space(space) if space else None,
        settings=settings,
        device=device,
        batch_size=batch_size,
        predictions=predictions,
        readers=emotion_readers,
    )
    if predictions:
        console.print(f"wrote {predictions}")
    print_result(evaluation.result, settings.confidence)
    print_readers(evaluation.result, settings.confidence)
    print_sentinels(evaluation.result, evaluation.sentinels)
    print_signature(evaluation.result)
    try:
        number = headline_of(evaluation)
        console.print(f"headline {number}", highlight=False, markup=False)
        if evaluation.result.protocol is None:
            console.print("This headline is not the benchmark's, which is made by --protocol alone.")
    except ValueError as error:  # the score stands without it
        number = None
        console.print(f"no headline: {error}", highlight=False, markup=False)
    if out:
        evaluation.save(out)
        console.print(f"wrote {out}")
    if card and card.exists():
        update_card(card, evaluation)
        console.print(f"put the figures into {card}")
    elif card:
        write_card(recipe, card, evaluations=[evaluation])
        console.print(f"wrote {card}")
    if entry and number and benchmark is None:
        console.print("no benchmark entry: --dataset-id and --task say which task of a dataset on the Hub this is")
    elif entry and number and benchmark:
        try:
            write_entry(entry, result_entry(number, evaluation.result, benchmark, date=evaluation.date))
            console.print(f"put the headline into {entry}")
        except ValueError as error:
            console.print(f"no benchmark entry: {error}", highlight=False, markup=False)
