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
