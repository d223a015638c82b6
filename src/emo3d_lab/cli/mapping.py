"""`emo3d map`: what each of a character's shapes does, and ARKit's units made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app, console
from emo3d.files import check_output, whole_file
from emo3d_lab.cli.options import Face, Landmarker


@app.command(
    name="map",
    epilog="Examples: [bold]emo3d map avatar.glb --out map.json --sheet map.png[/] · "
    "[bold]emo3d map --basis flame.npz --out flame.json[/] (arrays neutral, deltas, triangles, perhaps names)",
)
def map_character(
    out: Annotated[Path, typer.Option(help="Write the map, .json, which other commands take as --map.")],
    character: Annotated[Path | None, typer.Argument(help="Your character: .glb, .gltf or .vrm.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write all units on our face and theirs, .png.")] = None,
    basis: Annotated[
        Path | None, typer.Option(help="In place of a character: a linear basis, .npz; combinations both ways.")
    ] = None,
    signed: Annotated[
        bool, typer.Option("--signed", help="Coefficients in -1..1: the shapes may be driven backwards.")
    ] = False,
    face: Face = None,
    model: Landmarker = None,
) -> None:
    """Measure what the shapes of your character do, and make ARKit's 52 of them (extra: extract)."""
    check_output(out, (".json",))
    if sheet:
        check_output(sheet, (".png",))
    if (character is None) == (basis is None):
        raise ValueError(f"expected a character or --basis, got {'neither' if character is None else 'both'}")
    if basis and (sheet or signed or face):
        raise ValueError("expected --out and --model alone beside --basis, got --sheet, --signed or --face too")
    from emo3d_lab.characters.mapping import make_combinations, make_map, measure, read_basis, read_morphs
    from emo3d_lab.characters.mapping.sheet import write_sheet

    if basis:
        combinations = make_combinations(measure(read_basis(basis), model=model))
        with whole_file(out) as part:
            part.write_text(json.dumps(combinations, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        console.print(
            f"wrote {out}: {len(combinations['units'])} units of {len(combinations['components'])} components, and "
            "back",
            soft_wrap=True,
            markup=False,
        )
        return
    assert character is not None
    measurement = measure(read_morphs(character, face=face), model=model)
    made = make_map(measurement, signed=signed)
    made.write(out)
    count = sum(map(bool, made.units.values()))
    console.print(f"wrote {out}: {count} of 52 units", soft_wrap=True, highlight=False, markup=False)
    if sheet:
        write_sheet(sheet, measurement, made, character.name)
        console.print(f"wrote {sheet}", soft_wrap=True, markup=False)
