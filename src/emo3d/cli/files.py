"""What several subcommands take: files of expressions, and how readings become weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

    from emo3d.blendshapes import Space

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


def read_predictions(
    path: Path,
    layout: str | None,
    space: str | None,
    *,
    names: str | None = None,
    scale: float | None = None,
    clip: bool = False,
) -> tuple[np.ndarray, Space]:
    """Read expressions (N, 51) from a file or from a folder of the published release, and say their space."""
    import numpy as np

    from emo3d.blendshapes import check_space
    from emo3d.dataset import as_pairs, is_release, read_release
    from emo3d.expressions import read_expressions

    scores: np.ndarray
    known: Space | None
    if is_release(path):
        scores, known = np.stack([pair["blendshapes"] for pair in as_pairs(read_release(path))]), "reading"
    else:
        scores, known = read_expressions(path, layout, names=names, scale=scale, clip=clip)  # type: ignore[arg-type]
    if space and known and space != known:
        raise ValueError(f"{path.name} says that its space is {known}, got --space {space}")
    return scores, check_space(space or known or "weights")
