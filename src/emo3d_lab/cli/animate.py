"""`emo3d animate`: anybody's character with an expression on its face, or several in a row."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from emo3d.cli.app import app, console, utf8
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d.files import check_output
from emo3d_lab.cli.characters import check_other_file, print_unmoved, print_written
from emo3d_lab.cli.clips import PICTURES
from emo3d_lab.cli.options import Calibration, CharacterCalibration, Face, Map, Model, Names, Size

_GAP = 2.0  # seconds from one expression to the next where no times are given


@app.command(
    epilog='Examples: [bold]emo3d animate avatar.glb "she cannot believe it" --out avatar.emo.glb[/] · '
    '[bold]emo3d animate avatar.glb "calm" "startled" "laughing" --at 0 --at 1.5 --at 3 --out act.glb[/]',
)
def animate(
    character: Annotated[Path, typer.Argument(help="Your character: .glb, .gltf or .vrm.")],
    descriptions: Annotated[list[str], typer.Argument(help="What the face shows; several are shown in a row.")],
    out: Annotated[
        Path, typer.Option(help="Write the whole character, .glb, .vrm or .gltf; or its expressions, .vrma.")
    ],
    animation: Annotated[
        bool, typer.Option("--animate", help="Write an animation from rest, for one expression, too.")
    ] = False,
    at: Annotated[list[float] | None, typer.Option(help="Seconds at which each expression is reached.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the animation, or of a VRM's expression.", show_default="the description")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames per second of an animation.")] = 30,
    strength: Annotated[float, typer.Option(help="How strongly to act: 0 (at rest) to 1.5; quickstart, say.")] = 1.0,
    picture: Annotated[Path | None, typer.Option(help="Render the last expression on it as .png or .jpg.")] = None,
    size: Size = 512,
    model: Model = "quickstart",
    calibration: Calibration = DEFAULT_METHOD,
    character_calibration: CharacterCalibration = None,
    names: Names = None,
    map: Map = None,
    face: Face = None,
) -> None:
    """Give your own character an expression: its file comes back whole, with the shapes set or animated."""
    check_output(out, (".glb", ".gltf", ".vrm", ".vrma"))
    check_other_file(out, character)
    if picture:
        check_output(picture, PICTURES)
    texts = [utf8(text) for text in descriptions]
    is_vrma = out.suffix.lower() == ".vrma"
    is_animation = bool(animation or at or len(texts) > 1 or is_vrma)
    _check_times(texts, at)
    from emo3d.face import RenderSettings, render
    from emo3d.face.calibration import check_method
    from emo3d_lab.characters import Character
    from emo3d_lab.characters.sequence import sequence
    from emo3d_lab.characters.vrm import vrm_version
    from emo3d_lab.cli.faces import generate_expressions
    from emo3d_lab.takes.reading import Take
    from emo3d_lab.takes.writing import write_take

    settings = RenderSettings(size=size)
    opened = Character.from_file(character, names=names, map=map, face=face, calibration=character_calibration)
    if name is not None and (is_vrma or not (is_animation or vrm_version(opened.document))):
        raise ValueError(f"expected --name with an animation or a VRM, which have names, got a still or {out.name}")
    answers = [generate_expressions(model, text, None, 1, 0, strength) for text in texts]
    expressions, space = np.concatenate([expression for expression, _ in answers]), answers[0][1]
    weights = opened.as_weights(expressions, space, check_method(calibration))
    title = name if name is not None else texts[0] if len(texts) == 1 else "emo3d"
    frames = sequence(weights, at or [_GAP * place + 0.5 for place in range(len(texts))], fps) if is_animation else None
    if is_vrma and frames is not None:
        added = write_take(out, Take(frames, np.arange(len(frames)) / fps), opened)
    else:
        added = opened.write(out, weights if frames is None else frames, fps=fps, name=title)
    print_written(out, added, is_animation=is_animation)
    print_unmoved(opened, weights.max(axis=0))
    if picture:
        from PIL import Image

        Image.fromarray(render(weights[-1:, :-1], rig=opened.rig, settings=settings)[0]).save(picture)
        console.print(f"wrote {picture}", markup=False)


def _check_times(texts: list[str], at: list[float] | None) -> None:
    """Refuse numbers among the descriptions, which were meant for `--at`, and times that are too few or many."""
    again = "repeat --at, as in --at 0.5 --at 1.5"
    for text in texts:
        if re.fullmatch(r"[\d.]+", text):
            raise ValueError(f"expected descriptions, got {text!r}: {again}")
    if at and len(at) != len(texts):
        raise ValueError(f"expected a time for each of {len(texts)} expressions, got {len(at)}: {again}")
