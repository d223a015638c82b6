"""`emo3d vrm`: what the expressions of a VRM avatar move, and those that are missing filled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from emo3d.cli.app import app, console, print_table
from emo3d.files import check_output
from emo3d_lab.cli.characters import check_other_file
from emo3d_lab.cli.options import Face, Map, Names


@app.command(
    epilog="Examples: [bold]emo3d vrm avatar.vrm[/] lists its expressions · "
    "[bold]emo3d vrm avatar.vrm --out filled.vrm --perfect-sync[/]",
)
def vrm(
    avatar: Annotated[Path, typer.Argument(help="A VRM avatar, 1.0 or 0.x.")],
    out: Annotated[
        Path | None, typer.Option(help="Write it with what was missing filled; all else as it came.")
    ] = None,
    presets: Annotated[
        str | None,
        typer.Option(
            help="Which to fill, as in happy,sad (names of VRM 1.0).", show_default="all that its shapes can show"
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Fill those that are filled, too.")] = False,
    perfect_sync: Annotated[
        bool, typer.Option("--perfect-sync", help="Add an expression for each of ARKit's 52 shapes.")
    ] = False,
    names: Names = None,
    map: Map = None,
    face: Face = None,
) -> None:
    """Fill the expressions that a VRM avatar lacks (happy, angry, sad, relaxed, surprised, vowels, blinks, gaze)."""
    if out:
        check_output(out, (".vrm", ".glb"))
        check_other_file(out, avatar)
    elif presets or replace or perfect_sync:
        raise ValueError("expected --out, the file to write, beside options for filling")
    from emo3d_lab.characters import Character, EditedFile
    from emo3d_lab.characters.presets import PRESETS
    from emo3d_lab.characters.vrm import expressions_of, fill_presets, preset_title
    from emo3d_lab.rigs.gltf import Asset

    try:
        document = Asset(avatar).json
        expressions = expressions_of(document)
    except ValueError as error:
        raise ValueError(f"{avatar.name}: {error}") from error
    for problem in [problem for expression in expressions for problem in expression.problems]:
        console.print(problem, soft_wrap=True, markup=False)
    if out is None:
        rows = [
            (
                escape(preset_title(document, e.name)),
                "preset" if e.is_preset else "own",
                "nothing" if e.is_empty else str(len(e.binds)),
            )
            for e in expressions
        ]
        if rows:
            print_table(("expression", "kind", "shapes moved"), rows)
        else:
            console.print("no expressions yet; --out fills them")
        return
    character = Character.from_file(avatar, names=names, map=map, face=face)
    edited = EditedFile(character.asset)
    wanted = None if presets is None else [name.strip() for name in presets.split(",")]
    fillings = fill_presets(edited, character, wanted, replace=replace, perfect_sync=perfect_sync)
    edited.write(out)
    for outcome in ("filled", "kept", "left out"):
        called = [filling.name for filling in fillings if filling.outcome == outcome]
        own = sum(name not in PRESETS for name in called)
        titles = [preset_title(document, name) for name in called if name in PRESETS]
        titles += [f"{own} of ARKit's shapes"] if own else []
        if titles:
            console.print(f"{outcome}: {', '.join(titles)}", soft_wrap=True)
    lacking = dict.fromkeys(unit for filling in fillings for unit in filling.lacking)
    if lacking:
        console.print(f"it has no shapes for {', '.join(lacking)}, which are part of them", soft_wrap=True)
    console.print(f"wrote {out}", markup=False)
