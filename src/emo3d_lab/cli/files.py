"""Files of expressions as several subcommands take them: a file, or a folder of the published release."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from emo3d.blendshapes import Space


def read_predictions(path: Path, layout: str | None, space: str | None, **options: Any) -> tuple[np.ndarray, Space]:
    """Read expressions (N, 51) float32 and say their space; `options` are those of `read_capture`."""
    from emo3d.blendshapes import check_space
    from emo3d.dataset.release import is_release
    from emo3d.expressions import read_expressions

    scores: np.ndarray
    file_space: Space | None
    if is_release(path):
        scores, file_space, _ = open_predictions(path)
    else:
        scores, file_space = read_expressions(path, layout, **options)  # type: ignore[arg-type]
    if space and file_space and space != file_space:
        raise ValueError(f"{path.name} says that its space is {file_space}, got --space {space}")
    return scores, check_space(space or file_space or "weights")


def open_predictions(
    name: str | os.PathLike[str], layout: str | None = None, **options: Any
) -> tuple[np.ndarray, Space | None, dict[str, list[Any]]]:
    """Read predictions as `read_predictions_file` does."""
    import numpy as np

    from emo3d.dataset.release import as_pairs, is_release, read_release
    from emo3d.scoring.joining import KEYS
    from emo3d_lab.opening import read_predictions_file

    if not is_release(name):
        return read_predictions_file(name, layout, **options)  # type: ignore[arg-type]
    pairs = list(as_pairs(read_release(name)))
    keys = {name: [pair[name] for pair in pairs] for name in KEYS}
    return np.stack([pair["blendshapes"] for pair in pairs]), "reading", keys
