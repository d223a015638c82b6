"""`emo3d generate` and `emo3d render`: descriptions and files of expressions become faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from emo3d.blendshapes import BLENDSHAPES, Space
from emo3d.cli.app import app, console
from emo3d.cli.files import read_predictions

if TYPE_CHECKING:
    import numpy as np

Identity = Annotated[str, typer.Option(help="Whose face: adult, girl, boy, young-woman, ..., elderly-man.")]
Model = Annotated[str, typer.Option(help="Generator: quickstart (packaged), a folder, or an id on the Hub.")]


@app.command(
    epilog='Example: [bold]emo3d generate "She cannot stop laughing" --identity young-woman --out her.glb[/]',
)
def generate(
    description: Annotated[str, typer.Argument(help="What the face shows, in English.")],
    out: Annotated[
        Path | None, typer.Option(help="Write .glb (52 morph targets), .json (named scores) or .csv (Live Link Face).")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Write the rendered face as .png or .jpg.")] = None,
    identity: Identity = "adult",
    model: Model = "quickstart",
    size: Annotated[int, typer.Option(help="Side of the picture, pixels.")] = 512,
) -> None:
    """Generate a facial expression from a description; print its leading blendshapes."""
    from emo3d.face import FaceRig, RenderSettings
    from emo3d.generation import load_generator

    write = _writer(out) if out else None
    generator = load_generator(model)
    rig = FaceRig.from_anny(identity)
    expression = generator.generate([description])
    space = generator.config.space
    _print_leading(expression[0], space)
    if out and write:
        write(out, expression, rig, space, description)
        console.print(f"wrote {out}")
    if picture:
        _write_picture(picture, expression, rig, space, RenderSettings(size=size))
        console.print(f"wrote {picture}")


@app.command(epilog="Example: [bold]emo3d render predictions.parquet --out pictures[/]")
def render(
    expressions: Annotated[Path, typer.Argument(help="File of expressions: .json, .jsonl, .csv, .parquet or .npy.")],
    out: Annotated[Path, typer.Option(help="Folder for 00000.png, 00001.png, ...")],
    identity: Identity = "adult",
    space: Annotated[str | None, typer.Option(help="reading or weights; overrides nothing that the file says.")] = None,
    layout: Annotated[str | None, typer.Option(help="Of bare vectors of 52: mediapipe or arkit.")] = None,
    size: Annotated[int, typer.Option(help="Side of the pictures, pixels.")] = 224,
) -> None:
    """Render every expression of a file as a picture."""
    from PIL import Image
    from tqdm.auto import tqdm

    from emo3d.face import FaceRig, RenderSettings, render_batches

    scores, known = read_predictions(expressions, layout, space)
    out.mkdir(parents=True, exist_ok=True)
    batches = render_batches(scores, space=known, rig=FaceRig.from_anny(identity), settings=RenderSettings(size=size))
    faces = (face for batch in batches for face in batch)
    for index, face in enumerate(tqdm(faces, "Rendering", total=len(scores), delay=5)):
        Image.fromarray(face).save(out / f"{index:05}.png")
    console.print(f"wrote {len(scores)} pictures to {out}")


def _print_leading(expression: np.ndarray, space: str, count: int = 8) -> None:
    table = Table(title=f"leading blendshapes ({space})", title_justify="left", show_header=False, box=box.SIMPLE)
    for index in expression.argsort()[::-1][:count]:
        score = float(expression[index])
        table.add_row(BLENDSHAPES[index], f"{score:.2f}", "█" * round(20 * score))
    console.print(table)


def _writer(path: Path) -> Any:
    """The function that writes this kind of file, or a ValueError before anything is computed."""
    from emo3d.face.export import write_glb, write_json, write_livelink_csv

    writers = {
        ".glb": lambda path, expression, rig, space, text: write_glb(
            path, expression, rig=rig, space=space, description=text
        ),
        ".json": lambda path, expression, rig, space, text: write_json(path, expression, space=space),
        ".csv": lambda path, expression, rig, space, text: write_livelink_csv(path, expression),
    }
    if path.suffix not in writers:
        raise ValueError(f"expected a file of {', '.join(writers)}, got {path.name}")
    return writers[path.suffix]


def _write_picture(path: Path, expression: np.ndarray, rig: Any, space: Space, settings: Any) -> None:
    from PIL import Image

    from emo3d.face import render as render_faces

    Image.fromarray(render_faces(expression, space=space, rig=rig, settings=settings)[0]).save(path)
