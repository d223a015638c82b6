"""`emo3d recipes`: weights of expressions that have a name in everyday language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from emo3d.cli.app import app, console, utf8
from emo3d.files import check_output
from emo3d_lab.cli.characters import check_other_file, print_unmoved
from emo3d_lab.cli.faces import ENDINGS, WHOLE, write_face
from emo3d_lab.cli.options import CharacterFile, Face, Identity, Map, Names, open_character

_HEADINGS = {"emotion": "emotions", "blend": "blends of two emotions", "everyday": "everyday expressions"}


@app.command(
    epilog="Examples: [bold]emo3d recipes smirk --out smirk.glb[/] · [bold]emo3d recipes --out recipes.json[/]",
)
def recipes(
    name: Annotated[str | None, typer.Argument(help="Of an expression: smirk, puppy eyes, full sadness, ...")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write .json (named weights), .glb (a face, or the whole --character) or .csv (Live Link)."),
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List all names.")] = False,
    identity: Identity = "adult",
    character: CharacterFile = None,
    names: Names = None,
    map: Map = None,
    face: Face = None,
) -> None:
    """Print the weights of an expression by its name: an emotion, a blend of two or an everyday expression."""
    if name is not None and show_list:
        raise ValueError("expected either a name or --list")
    if out:
        check_output(out, (".json",) if name is None else (*WHOLE, *ENDINGS[1:]) if character else ENDINGS)
        check_other_file(out, character)
    opened = open_character(character, names, map, face, None, identity)
    from emo3d.face.identities import check_identity
    from emo3d_lab.recipes import find_recipe, recipes_json

    identity = check_identity(identity)
    if name is None:
        if out:
            out.write_text(recipes_json(), encoding="utf-8")
        if show_list or not out:
            _print_list()
    else:
        recipe = find_recipe(utf8(name))
        console.print(recipe.about, highlight=False)
        _print_weights(recipe.weights)
        if opened:
            print_unmoved(opened, recipe.expression)
        if out:
            write_face(
                out, recipe.expression[None], opened or identity, None, {"space": "weights", "calibration": "none"}
            )
    if out:
        console.print(f"wrote {out}", soft_wrap=True, markup=False)


def _print_list() -> None:
    from emo3d_lab.recipes import recipes

    kind = None
    for name, recipe in recipes().items():
        if recipe.kind != kind:
            kind = recipe.kind
            console.print(f"[bold]{_HEADINGS[kind]}[/]")
        console.print(f"  {name}: {recipe.about}", highlight=False, soft_wrap=True)


def _print_weights(weights: Any) -> None:
    table = Table(title="weights, the others are 0", title_justify="left", show_header=False, box=box.SIMPLE)
    mark = "#" if console.options.ascii_only else "█"
    for blendshape, weight in weights.items():
        table.add_row(blendshape, f"{weight:.2f}", mark * round(20 * weight))
    console.print(table)
