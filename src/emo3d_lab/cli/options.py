"""Options that several subcommands share; those of `emo3d.cli.options` among them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.options import Calibration as Calibration
from emo3d.cli.options import Clip as Clip
from emo3d.cli.options import Identity as Identity
from emo3d.cli.options import Layout as Layout
from emo3d.cli.options import Model as Model
from emo3d.cli.options import Names as Names
from emo3d.cli.options import Scale as Scale

NumProc = Annotated[int | None, typer.Option(help="Processes.", show_default="one per processor")]
MaxPixels = Annotated[int, typer.Option(help="Pictures with more pixels are left out.")]
Strict = Annotated[bool, typer.Option(help="Stop at the first row or picture that cannot be used.")]
Engine = Annotated[
    str, typer.Option(help="processes (of this machine), or ray: a Ray of its own, or the cluster at --address.")
]
Address = Annotated[
    str | None,
    typer.Option(help="Of a Ray cluster of which this is a node: auto, or host:port; nodes share a file system."),
]
Force = Annotated[bool, typer.Option(help="Replace what another source or other options have left there.")]
Config = Annotated[str | None, typer.Option(help="Config of the dataset.")]
Split = Annotated[str, typer.Option(help="Split of the dataset.")]
Space = Annotated[
    str | None,
    typer.Option(
        help="Of the expressions: reading or weights.",
        show_default="the file's, the references', or weights",
    ),
]
ModelRevision = Annotated[str | None, typer.Option(help="Of the model: branch, tag or commit.")]
Landmarker = Annotated[
    Path | None, typer.Option(help="A face_landmarker.task; by default the packaged or downloaded one.")
]

# Of the score; see `emo3d.scoring.ScoreSettings`.
DEFAULT_BACKBONE = "openai/clip-vit-base-patch32"  # stated here too: its module imports torch
Backbone = Annotated[str, typer.Option(help="Dual encoder on the Hub, or quickstart (packaged).")]
BackboneRevision = Annotated[str | None, typer.Option(help="Of the backbone: branch, tag or commit.")]
Variant = Annotated[str, typer.Option(help="paper, or release (what the published code computes).")]
Alpha = Annotated[float | None, typer.Option(help="Divides the mean KL; the variant's own when left out.")]
K = Annotated[int, typer.Option(help="Descriptions retrieved per face.")]
Identities = Annotated[int, typer.Option(help="Above 1: average over so many faces of a fixed panel.")]
Device = Annotated[str, typer.Option(help="Where models run: cpu, cuda, cuda:1, mps.")]
BatchSize = Annotated[int, typer.Option(help="Descriptions, and faces, encoded at a time.")]
