"""Options that several subcommands share."""

from __future__ import annotations

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
