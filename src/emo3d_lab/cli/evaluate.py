"""`emo3d evaluate`: a generator on a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app, console
from emo3d.cli.options import Calibration
from emo3d.cli.score import print_result, print_signature
from emo3d.face.calibration import DEFAULT_METHOD


@app.command(
    epilog="Examples: [bold]emo3d evaluate --model quickstart --dataset sample --backbone quickstart --out q.json[/] · "
    "[bold]emo3d evaluate --model runs/bert --dataset built --config pairs --out bert.json[/]",
)
def evaluate(
    model: Annotated[str, typer.Option(help="Generator: quickstart (packaged), a folder, or an id on the Hub.")],
    dataset: Annotated[
        str,
        typer.Option(
            help="sample (the embedded synthetic one), a folder of the published release, a folder or .parquet file of "
            "a dataset, or its id on the Hub."
        ),
    ],
    config: Annotated[str | None, typer.Option(help="Config of the dataset.")] = None,
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "test",
    revision: Annotated[str | None, typer.Option(help="Of the model: branch, tag or commit.")] = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="Of the dataset's blendshapes, where it does not say it: reading or weights.",
            show_default="the model's",
        ),
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="Dual encoder on the Hub, or quickstart (packaged).")
    ] = "openai/clip-vit-base-patch32",
    backbone_revision: Annotated[str | None, typer.Option(help="Its branch, tag or commit.")] = None,
    variant: Annotated[str, typer.Option(help="paper, or release (what the published code computes).")] = "paper",
    alpha: Annotated[float | None, typer.Option(help="Divides the mean KL; the variant's own when left out.")] = None,
    k: Annotated[int, typer.Option(help="Descriptions retrieved per face.")] = 10,
    calibration: Calibration = DEFAULT_METHOD,
    identity: Annotated[str, typer.Option(help="Whose face is rendered.")] = "adult",
    identities: Annotated[int, typer.Option(help="Above 1: average over so many faces of a fixed panel.")] = 1,
    device: Annotated[str, typer.Option(help="Where model and backbone run: cpu, cuda, cuda:1, mps.")] = "cpu",
    batch_size: Annotated[int, typer.Option(help="Descriptions, and faces, encoded at a time.")] = 32,
    out: Annotated[Path | None, typer.Option(help="Write the results as .json, for `emo3d leaderboard`.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Keep the expressions as .parquet, for `emo3d score` and `emo3d render`.")
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            help="Model card whose model-index receives the figures.",
            show_default="README.md in the model's folder, made from its recipe.yaml where it lacks one",
        ),
    ] = None,
) -> None:
    """Score a generator on a dataset's split: MSE, and the Emo3D metric with intervals. Lower is better."""
    from emo3d.blendshapes import check_space
    from emo3d.files import check_output
    from emo3d.scoring import ScoreSettings
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
    settings = ScoreSettings(
        variant=variant,  # type: ignore[arg-type]
        k=k,
        alpha=alpha,
        backbone=backbone,
        revision=backbone_revision,
        calibration=calibration,  # type: ignore[arg-type]
        identity=identity,
        identities=identities,
    )
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
    )
    if predictions:
        console.print(f"wrote {predictions}")
    print_result(evaluation.result, settings.confidence)
    print_signature(evaluation.result)
    if out:
        evaluation.save(out)
        console.print(f"wrote {out}")
    if card and card.exists():
        update_card(card, evaluation)
        console.print(f"put the figures into {card}")
    elif card:
        write_card(recipe, card, evaluations=[evaluation])
        console.print(f"wrote {card}")
