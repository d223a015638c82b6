"""`emo3d card`: a model's card, from its recipe and what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app, console


@app.command(
    epilog="Example: [bold]emo3d card runs/bert/recipe.yaml runs/bert/README.md --results bert.json[/]",
)
def card(
    recipe: Annotated[
        str,
        typer.Argument(
            help="Name of a recipe of `emo3d train`, the recipe.yaml that it writes beside a model, "
            "quickstart-generator, quickstart-multilingual-generator or quickstart-backbone."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The card, a .md file; README.md is that of the folder it lies in.")],
    results: Annotated[
        list[Path] | None, typer.Option(help="File of `emo3d evaluate --out` with figures of the model. Repeatable.")
    ] = None,
    picture: Annotated[str | None, typer.Option(help="Picture of generated faces, as a link from the card.")] = None,
    audit: Annotated[Path | None, typer.Option(help="File of `emo3d audit --json` with figures of the model.")] = None,
) -> None:
    """Write the card of a model: use, training data, metrics, limits, bias, licence, and code that runs."""
    from emo3d_lab.audit import Audit, card_section
    from emo3d_lab.training import Evaluation, write_card

    if out.suffix.lower() != ".md":
        raise ValueError(f"expected a .md file, got {out.name}")
    write_card(
        recipe,
        out,
        evaluations=[Evaluation.load(path) for path in results or ()],
        picture=picture,
        audit=card_section(Audit.load(audit)) if audit else None,
    )
    console.print(f"wrote {out}")
