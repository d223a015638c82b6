"""Predictions in a file, for the command and the pages that score."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import Layout, Space
from emo3d.expressions import read_expressions
from emo3d.scoring.columns import read_table
from emo3d.scoring.joining import KEYS


def read_predictions_file(
    path: str | os.PathLike[str], layout: Layout | None = None, **options: Any
) -> tuple[np.ndarray, Space | None, dict[str, list[Any]]]:
    """Read expressions (N, 51) float32 of a file; their space and columns of `KEYS`, if any.

    `layout`, `options` and errors are those of `read_expressions`.
    """
    path = Path(path)
    expressions, space = read_expressions(path, layout, **options)
    columns = {} if path.suffix.lower() in (".npy", ".txt") else read_table(path, KEYS)
    keys = {name: columns[name] for name in KEYS if name in columns}
    for name, values in keys.items():
        if len(values) != len(expressions):
            raise ValueError(f"{path.name}: expected {len(expressions)} values of {name}, got {len(values)}")
    return expressions, space, keys
