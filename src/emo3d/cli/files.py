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


def read_predictions(path: Path, layout: str | None, space: str | None) -> tuple[np.ndarray, Space]:
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
        scores, known = read_expressions(path, layout)  # type: ignore[arg-type]
    if space and known and space != known:
        raise ValueError(f"{path.name} says that its space is {known}, got --space {space}")
    return scores, check_space(space or known or "weights")
