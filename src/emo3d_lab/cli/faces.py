"""`emo3d generate` and `emo3d render`: descriptions and files of expressions become faces."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from emo3d.blendshapes import BLENDSHAPES
from emo3d.cli.app import app, console, utf8
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d.files import check_output, check_output_folder
from emo3d_lab.cli.characters import check_other_file, print_unmoved
from emo3d_lab.cli.clips import PICTURES, ClipTask, is_clip_file, write_clip_files
from emo3d_lab.cli.files import read_predictions
from emo3d_lab.cli.options import (
    Calibration,
    CharacterCalibration,
    CharacterFile,
    Clip,
    Face,
    Identity,
    Layout,
    Map,
    Model,
    Names,
    Scale,
    Size,
    open_character,
    rig_of,
)

if TYPE_CHECKING:
    import numpy as np

    from emo3d.blendshapes import Space
    from emo3d_lab.characters import Character

ENDINGS = (".glb", ".json", ".csv")
WHOLE = (".glb", ".vrm", ".gltf")  # of a character


@app.command(
    epilog='Examples: [bold]emo3d generate "She cannot stop laughing" --identity young-woman --out her.glb[/] · '
    '[bold]emo3d generate "She holds back tears, then breaks into a smile" --seconds 4 --out clip.glb[/] · '
    "[bold]emo3d generate --dataset sample --split test --out predictions.parquet[/]",
)
def generate(
    description: Annotated[str | None, typer.Argument(help="What the face shows, in English.")] = None,
    from_picture: Annotated[
        Path | None, typer.Option(help="Start from a picture instead, with a generator built on CLIP.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write .glb (52 morph targets; of a --character the whole file, .vrm and .gltf, too), .json (named "
            "scores) or .csv (Live Link); with --dataset .parquet. A clip is also written as .gif, .mp4, .webm, .npz, "
            ".parquet, .vrma, .py (Blender), .anim (Unity), .fbx or .usd."
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Instead, every description of a dataset: sample, a .csv, .jsonl or .parquet file or a folder with "
            "descriptions, or an id on the Hub. Clips, where it or its --config is clips (the packaged sample's), or "
            "with --seconds or --rate. Killed and run again, it goes on where it stopped."
        ),
    ] = None,
    config: Annotated[str | None, typer.Option(help="Of the --dataset.")] = None,
    split: Annotated[str, typer.Option(help="Of the --dataset.")] = "test",
    picture: Annotated[
        Path | None, typer.Option(help="Write the rendered face, of a clip a strip of film, as .png or .jpg.")
    ] = None,
    identity: Identity = "adult",
    character: CharacterFile = None,
    names: Names = None,
    map: Map = None,
    face: Face = None,
    character_calibration: CharacterCalibration = None,
    model: Model = "quickstart",
    calibration: Calibration = DEFAULT_METHOD,
    size: Annotated[
        int | None,
        typer.Option(min=1, max=4096, help="Side of pictures, pixels.", show_default="512, of a clip 320"),
    ] = None,
    strength: Annotated[float, typer.Option(help="How strongly to act: 0 (at rest) to 1.5; quickstart, say.")] = 1.0,
    seconds: Annotated[
        float | None, typer.Option(help="Make a clip of so many seconds: what the description says, in its order.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Frames per second of a clip, 1 to 240.", show_default="30")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="What a clip leaves out: blinks, gaze, head, micro, lead; repeat it.")
    ] = None,
    blender: Annotated[str | None, typer.Option(help="A Python that has bpy, for a clip as .fbx or .usd.")] = None,
    samples: Annotated[
        int, typer.Option(help="How many faces, of a model that draws several; their files end in -0, -1, ...")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Of the samples after the first, and of a clip's motion.")] = 0,
) -> None:
    """Generate a facial expression from a description, or a clip of it; print its leading blendshapes, or its beats."""
    from emo3d.face.identities import check_identity

    timed = seconds is not None or rate is not None or bool(without)
    if dataset is not None:
        if description is not None or from_picture or picture or samples != 1 or strength != 1 or character:
            raise ValueError("expected --model and --out alone with --dataset, which gives the descriptions")
        if out is None:
            raise ValueError("expected --out FILE.parquet with --dataset")
        check_output(out, (".parquet",))
        if timed or "clips" in (config, dataset):
            from emo3d_lab.clips.predictions import write_clip_predictions

            task = ClipTask("", seconds, 30 if rate is None else rate, seed, tuple(without or ()))
            made: dict[str, Any] = {"seconds": seconds, "rate": task.rate, "seed": seed, "motion": task.motion()}
            rows = write_clip_predictions(model, dataset, out, config=config, split=split, **made)
            console.print(f"wrote {rows} clips to {out}", soft_wrap=True)
            return
        from emo3d_lab.training.predictions import write_predictions

        rows = write_predictions(model, dataset, out, config=config, split=split)
        console.print(f"wrote {rows} expressions to {out}", soft_wrap=True)
        return
    if timed or is_clip_file(out):
        if description is None or from_picture or samples != 1 or calibration != DEFAULT_METHOD:
            raise ValueError(
                "expected a description alone for a clip, without --from-picture, --samples, --calibration"
            )
        task = ClipTask(utf8(description), seconds, 30 if rate is None else rate, seed, tuple(without or ()))
        task.check(model, out, picture, character)
        opened = open_character(character, names, map, face, character_calibration, identity)
        clip = task.generate(model, strength)
        write_clip_files(clip, out, picture, opened or check_identity(identity), size or 320, blender)
        return
    if blender:
        raise ValueError(f"expected --blender with a clip as .fbx or .usd, got {blender}")
    size = size or 512
    if out:
        check_output(out, (*WHOLE, *ENDINGS[1:]) if character else ENDINGS)
        for index in range(samples):
            check_other_file(_numbered(out, index, samples), character)
    if picture:
        check_output(picture, PICTURES)
    if (description is None) == (from_picture is None):
        raise ValueError("expected either a description or --from-picture")
    from emo3d.face.calibration import check_method, name_calibration, rig_weights

    method, identity = check_method(calibration), check_identity(identity)
    opened = open_character(character, names, map, face, character_calibration, identity)
    rig = rig_of(opened, identity)
    description = description and utf8(description)
    expressions, space = generate_expressions(model, description, from_picture, samples, seed, strength)
    meaning: dict[str, Any] = {"space": space, "calibration": method}
    by: Any = {} if opened is None else {"calibration": rig}
    how = _spell(name_calibration(space, method, **by))
    for index, expression in enumerate(expressions[:, None]):
        weights = rig_weights(expression, space, method, **by)
        _print_leading(weights[0], how)
        if opened:
            print_unmoved(opened, weights[0])
        if out:
            file = _numbered(out, index, samples)
            write_face(file, expression, opened or identity, description, meaning)
            console.print(f"wrote {file}")
        if picture:
            from PIL import Image

            from emo3d.face import RenderSettings
            from emo3d.face import render as render_faces

            file = _numbered(picture, index, samples)
            pixels = render_faces(expression, rig=rig, settings=RenderSettings(size=size), **meaning)[0]
            Image.fromarray(pixels).save(file)
            console.print(f"wrote {file}")


@app.command(epilog="Example: [bold]emo3d render predictions.parquet --out pictures[/]")
def render(
    expressions: Annotated[
        Path, typer.Argument(help="File of expressions: .json, .jsonl, .csv, .parquet, .npy, or .txt of iFacialMocap.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for 00000.png, 00001.png, ...")],
    identity: Identity = "adult",
    character: CharacterFile = None,
    map: Map = None,
    face: Face = None,
    character_calibration: CharacterCalibration = None,
    space: Annotated[str | None, typer.Option(help="reading or weights; overrides nothing that the file says.")] = None,
    calibration: Calibration = DEFAULT_METHOD,
    layout: Layout = None,
    names: Names = None,
    scale: Scale = None,
    clip: Clip = False,
    size: Size = 224,
) -> None:
    """Render every expression of a file as a picture."""
    check_output_folder(out)
    from PIL import Image
    from tqdm.auto import tqdm

    from emo3d.face import FaceRig, RenderSettings, render_batches
    from emo3d.face.calibration import check_method, name_calibration

    method = check_method(calibration)
    scores, file_space = read_predictions(expressions, layout, space, names=names, scale=scale, clip=clip)
    opened = open_character(character, names, map, face, character_calibration, identity)
    rig = opened.rig if opened else FaceRig.from_anny(identity)
    how = name_calibration(file_space, method, rig)
    out.mkdir(parents=True, exist_ok=True)
    batches = render_batches(scores, space=file_space, rig=rig, settings=RenderSettings(size=size), calibration=method)
    faces = (pixels for batch in batches for pixels in batch)
    for index, pixels in enumerate(tqdm(faces, "Rendering", total=len(scores), delay=5)):
        Image.fromarray(pixels).save(out / f"{index:05}.png")
    console.print(f"wrote {len(scores)} pictures to {out} ({_spell(how)})")


def generate_expressions(
    model: str, description: str | None, picture: Path | None, samples: int, seed: int, strength: float
) -> tuple[np.ndarray, Space]:
    """Samples of one description or picture, (S, 51) float32, and their space."""
    if model == "quickstart" and description is not None and samples == 1:
        from emo3d_lab.light import LightGenerator

        if light := LightGenerator.load():
            return light.generate([description], strength=strength), "weights"
    from emo3d.generation import ExpressionModel, load_generator

    generator: Any = load_generator(model)
    options: dict[str, Any] = {} if samples == 1 else {"num_return_sequences": samples, "seed": seed}
    options |= {} if strength == 1 else {"strength": strength}
    known = inspect.signature(generator.generate).parameters
    for name, option in (("num_return_sequences", f"--samples {samples}"), ("strength", f"--strength {strength:g}")):
        if name in options and name not in known:
            raise ValueError(f"expected another kind of generator for {option}, got {type(generator).__name__}")
    if description is not None:
        expressions = generator.generate([description], **options)
    elif isinstance(generator, ExpressionModel):
        raise ValueError("expected a generator built on CLIP for --from-picture, got ExpressionModel")
    else:
        expressions = generator.generate(pictures=[picture], **options)
    return expressions.reshape(samples, -1), generator.config.space


def _numbered(path: Path, index: int, count: int) -> Path:
    return path if count == 1 else path.with_stem(f"{path.stem}-{index}")


def _spell(how: str | None) -> str:
    """In which space the numbers that are shown are, and how they came there."""
    if how is None:
        return "weights"
    return "readings, taken as they are" if how == "none" else f"weights, from readings by {how}"


def _print_leading(expression: np.ndarray, spaces: str, count: int = 8) -> None:
    table = Table(title=f"leading blendshapes ({spaces})", title_justify="left", show_header=False, box=box.SIMPLE)
    mark = "#" if console.options.ascii_only else "█"
    for index in expression.argsort()[::-1][:count]:
        score = float(expression[index])
        table.add_row(BLENDSHAPES[index], f"{score:.2f}", mark * round(20 * score))
    console.print(table)


def write_face(
    path: Path, expression: np.ndarray, whose: str | Character, description: str | None, meaning: dict[str, Any]
) -> None:
    """Write one expression (1, 51) by the ending: on an identity or a whole character, as .json, as a Live Link CSV."""
    from emo3d.face.export import write_glb, write_json, write_livelink_csv

    ending = path.suffix.lower()
    if ending in WHOLE and not isinstance(whose, str):
        whose.write(path, expression, **meaning)
    elif ending == ".glb" and isinstance(whose, str):
        from emo3d.face import FaceRig

        write_glb(path, expression, rig=FaceRig.from_anny(whose), description=description, **meaning)
    elif ending == ".json":
        write_json(path, expression, **meaning)
    else:
        write_livelink_csv(path, expression, **meaning)
