"""Files of expressions as several subcommands take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from emo3d.blendshapes import Space


def read_predictions(path: Path, layout: str | None, space: str | None, **options: Any) -> tuple[np.ndarray, Space]:
    """Read expressions (N, 51) float32 from a file or a folder of the published release, and say their space.

    `options` are those of `read_capture`.
    """
    import numpy as np

    from emo3d.blendshapes import check_space
    from emo3d.dataset import as_pairs, is_release, read_release
    from emo3d.expressions import read_expressions

    scores: np.ndarray
    file_space: Space | None
    if is_release(path):
        scores, file_space = np.stack([pair["blendshapes"] for pair in as_pairs(read_release(path))]), "reading"
    else:
        scores, file_space = read_expressions(path, layout, **options)  # type: ignore[arg-type]
    if space and file_space and space != file_space:
        raise ValueError(f"{path.name} says that its space is {file_space}, got --space {space}")
    return scores, check_space(space or file_space or "weights")
