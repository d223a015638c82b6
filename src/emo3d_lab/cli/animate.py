"""`emo3d animate`: anybody's character with an expression on its face, or several in a row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from emo3d.cli.app import app, console, utf8
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d.files import check_output
from emo3d_lab.cli.options import Calibration, Face, Map, Model, Names

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_GAP = 2.0  # seconds from one expression to the next where no times are given


@app.command(
    epilog='Examples: [bold]emo3d animate avatar.glb "she cannot believe it" --out avatar.emo.glb[/] · '
    '[bold]emo3d animate avatar.glb "calm" "startled" "laughing" --at 0 --at 1.5 --at 3 --out act.glb[/]',
)
def animate(
    character: Annotated[Path, typer.Argument(help="Your character: .glb, .gltf or .vrm.")],
    descriptions: Annotated[list[str], typer.Argument(help="What the face shows; several are shown in a row.")],
    out: Annotated[Path, typer.Option(help="Write the whole character, .glb, .vrm or .gltf, as it came.")],
    animation: Annotated[
        bool, typer.Option("--animate", help="Write an animation from rest, for one expression, too.")
    ] = False,
    at: Annotated[list[float] | None, typer.Option(help="Seconds at which each expression is reached.")] = None,
    fps: Annotated[float, typer.Option(help="Frames per second of an animation.")] = 30,
    strength: Annotated[float, typer.Option(help="How strongly to act: 0 (at rest) to 1.5; quickstart, say.")] = 1.0,
    picture: Annotated[Path | None, typer.Option(help="Render the last expression on it as .png or .jpg.")] = None,
    size: Annotated[int, typer.Option(help="Side of the picture, pixels.")] = 512,
    model: Model = "quickstart",
    calibration: Calibration = DEFAULT_METHOD,
    names: Names = None,
    map: Map = None,
    face: Face = None,
) -> None:
    """Give your own character an expression: its file comes back whole, with the shapes set or animated."""
    check_output(out, (".glb", ".gltf", ".vrm"))
    if picture:
        check_output(picture, _PICTURES)
    from emo3d.face import RenderSettings, render
    from emo3d.face.calibration import check_method
    from emo3d_lab.characters import Character
    from emo3d_lab.characters.sequence import sequence
    from emo3d_lab.cli.faces import generate_expressions, print_unmoved

    settings = RenderSettings(size=size)
    texts = [utf8(text) for text in descriptions]
    opened = Character.from_file(character, names=names, map=map, face=face)
    answers = [generate_expressions(model, text, None, 1, 0, strength) for text in texts]
    expressions, space = np.concatenate([expression for expression, _ in answers]), answers[0][1]
    weights = opened.as_weights(expressions, space, check_method(calibration))
    options: dict[str, Any] = {"name": texts[0] if len(texts) == 1 else "emo3d"}
    if animation or at or len(texts) > 1:
        times = at or [_GAP * place + 0.5 for place in range(len(texts))]
        opened.write(out, sequence(weights, times, fps), fps=fps, **options)
    else:
        opened.write(out, weights, **options)
    console.print(f"wrote {out}", markup=False)
    print_unmoved(opened, weights.max(axis=0))
    if picture:
        from PIL import Image

        Image.fromarray(render(weights[-1:, :-1], rig=opened.rig, settings=settings)[0]).save(picture)
        console.print(f"wrote {picture}", markup=False)
