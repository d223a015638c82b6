"""`emo3d retarget`: a take onto a character, as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from emo3d.cli.app import app, console
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d.files import check_output
from emo3d_lab.cli.characters import check_other_file, print_written
from emo3d_lab.cli.options import Calibration, CharacterCalibration, Clip, Face, Layout, Map, Names, Scale, Size


@app.command(
    epilog="Examples: [bold]emo3d retarget take.csv avatar.glb --out moving.glb[/] · "
    "[bold]emo3d retarget take.csv avatar.vrm --out take.anim[/] · docs/artists.md"
)
def retarget(
    take: Annotated[
        Path,
        typer.Argument(
            help="Take of Live Link Face (.csv), MediaPipe, Audio2Face, BEAT (.json), iFacialMocap (.txt), a file "
            "of expressions, or a clip that emo3d generate wrote (.json, .npz, .parquet)."
        ),
    ],
    character: Annotated[
        Path | None, typer.Argument(help="Whose face: .glb, .gltf or .vrm; .csv, .json, .py and .vrma need none.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="By the ending: .glb, .gltf, .vrm (whole, with an animation), .gif, .mp4, .webm (pictures), "
            ".vrma (VRM), .py (Blender), .anim (Unity), .csv (Live Link Face), .fbx, .usd (by Blender)."
        ),
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second, where the take has no times.")] = None,
    space: Annotated[str | None, typer.Option(help="reading or weights; overrides nothing that the file says.")] = None,
    calibration: Calibration = DEFAULT_METHOD,
    character_calibration: CharacterCalibration = None,
    layout: Layout = None,
    names: Names = None,
    map: Map = None,
    face: Face = None,
    scale: Scale = None,
    clip: Clip = False,
    names_out: Annotated[str | None, typer.Option(help="metahuman: .csv or .json with curves of its controls.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the animation.", show_default="emo3d")] = None,
    size: Size = 320,
    root: Annotated[
        str | None, typer.Option(help="Node that Unity's Animator is on.", show_default="the top of the scene")
    ] = None,
    full: Annotated[
        float | None,
        typer.Option(
            help="What Unity's blend shapes go up to: 100 (FBX, UniVRM), or 1 (glTFast, UnityGLTF).",
            show_default="1 of a .glb or .gltf, 100 of a .vrm",
        ),
    ] = None,
    blender: Annotated[
        str | None, typer.Option(help="A Python that has bpy, for .fbx and .usd.", show_default="this one")
    ] = None,
) -> None:
    """Put a take on a character: as an animation, as pictures, or as a file for Blender, Unity or Unreal."""
    from emo3d.face.calibration import check_method
    from emo3d_lab.characters import Character
    from emo3d_lab.clips.files import read_own
    from emo3d_lab.takes.reading import Take, read_take
    from emo3d_lab.takes.unity import unity_full
    from emo3d_lab.takes.writing import ENDINGS, WHOLE, write_take

    if out is None:
        raise ValueError(f"expected --out FILE of {', '.join(ENDINGS)}")
    check_output(out, ENDINGS)
    check_other_file(out, take, character)
    if name is not None and out.suffix.lower() not in WHOLE:
        raise ValueError(f"expected a file of {', '.join(WHOLE)} for --name, got {out.name}")
    method = check_method(calibration)
    reading: dict[str, Any] = {"names": names, "scale": scale, "clip": clip, "space": space, "fps": fps}
    if whole := read_own(take) if take.is_file() else None:
        for option, value in {"layout": layout, **reading, "names": None}.items():
            if value:
                raise ValueError(f"expected no --{option} of {take.name}, a clip that says it all itself, got {value}")
    recording = Take.from_clip(whole) if whole else read_take(take, layout, **reading)  # type: ignore[arg-type]
    own: dict[str, Any] = {"names": names, "map": map, "face": face, "calibration": character_calibration}
    opened = None if character is None else Character.from_file(character, **own)
    options: dict[str, Any] = {"names_out": names_out, "size": size, "root": root, "full": full, "blender": blender}
    options |= {} if name is None else {"name": name}
    added = write_take(out, recording, opened, calibration=method, **options)
    count = len(recording.times)
    what = "1 frame, a still, to " if count == 1 else f"{count} frames, {recording.duration:.1f} s, to "
    print_written(out, added, is_animation=count > 1, what=what)
    if opened and out.suffix.lower() == ".anim" and full is None:
        by = {1: "glTFast, UnityGLTF); --full 100 for an FBX of it", 100: "UniVRM); --full 1 for one of glTFast"}
        top = unity_full(opened)
        console.print(f"for blend shapes that go up to {top:g} ({by[int(top)]}", soft_wrap=True, highlight=False)
