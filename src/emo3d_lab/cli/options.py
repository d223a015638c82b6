"""Options that several subcommands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Calibration = Annotated[
    str,
    typer.Option(help="How readings become weights: network (likeliest), refine (fitted), none (raw, as published)."),
]
Layout = Annotated[str | None, typer.Option(help="Of bare vectors: emo3d (51), mediapipe (52) or arkit (51 or 52).")]
Names = Annotated[
    str | None, typer.Option(help="What blendshapes are called: a JSON file (theirs -> ours), cc4, metahuman or vroid.")
]
Scale = Annotated[float | None, typer.Option(help="The score that means 1: 100 for percent.")]
Clip = Annotated[bool, typer.Option("--clip", help="Clip to 0..1 what lies outside by more than 0.02, too.")]
Model = Annotated[str, typer.Option(help="Generator: quickstart (packaged), a folder, or an id on the Hub.")]
Identity = Annotated[str, typer.Option(help="Whose face: adult, girl, boy, young-woman, ..., elderly-man.")]
Map = Annotated[
    Path | None, typer.Option(help="What a character's shapes are made of that have no ARKit names, from emo3d map.")
]
Face = Annotated[str | None, typer.Option(help="Of the character: a node or mesh, where the scene has several faces.")]
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

# Of emotion readers; see `emo3d_lab.readers.load_reader`.
Readers = Annotated[
    str | None,
    typer.Option(
        help="Emotion readers beside the score, with commas between: face-api, hsemotion, image classifiers on the Hub "
        "or in folders."
    ),
]
ReaderLabels = Annotated[
    Path | None, typer.Option(help="JSON file: what labels of a reader mean, label -> emotion or null.")
]
