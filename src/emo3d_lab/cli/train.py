"""`emo3d train`: a generator of stills or clips from a dataset, by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app, console
from emo3d_lab.cli.options import Config


@app.command(
    epilog="Examples: [bold]emo3d train --model minilm --dataset sample --output runs/minilm[/] · "
    "[bold]accelerate launch -m emo3d train --model bert --dataset built --config pairs --output runs/bert "
    "--set training.bf16=true[/]",
)
def train(
    model: Annotated[
        str,
        typer.Option(
            help="Recipe: minilm, bert, xlm-roberta, glot500, emotion-xlm, clip, vae-clip, clip-model, or a YAML file."
        ),
    ],
    dataset: Annotated[
        str, typer.Option(help="sample (the embedded synthetic one), a folder of a dataset, or its id on the Hub.")
    ],
    output: Annotated[Path, typer.Option(help="New folder for the model and its checkpoints.")],
    config: Config = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override the recipe, as in training.learning_rate=1e-4 or score=null. Repeatable."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint in the folder.")] = False,
) -> None:
    """Train a generator; keep the weights of the best validation loss."""
    from emo3d.files import check_output_folder

    check_output_folder(output, empty=not resume)
    from emo3d_lab.training import load_recipe
    from emo3d_lab.training.train import train as run

    trained = run(load_recipe(model, settings or ()), dataset, output, config=config, resume=resume)
    for name, value in trained.metrics.items():
        console.print(f"{name}: {value:.4f}", highlight=False)
    console.print(f"wrote {output}")
