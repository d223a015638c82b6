"""What several subcommands read: files of expressions, and references by any name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from emo3d.blendshapes import Space


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


def read_references(name: str, config: str | None, split: str) -> Any:
    """Load rows with description and intensities: the sample, a release's folder, a Parquet file or a dataset."""
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
