"""Files of expressions: JSON, JSON lines, CSV (Live Link Face included), Parquet and NumPy arrays, read as (N, 51)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, Layout, Space, as_expressions, check_space

SUFFIXES: tuple[str, ...] = (".json", ".jsonl", ".csv", ".parquet", ".npy")


def read_expressions(path: str | os.PathLike[str], layout: Layout | None = None) -> tuple[np.ndarray, Space | None]:
    """Read expressions from a file.

    Args:
        path: by its ending, one of
            `.json`: what `write_json` writes, or a list of `{ARKit name: score}`;
            `.jsonl`: one `{ARKit name: score}`, or `{"blendshapes": ...}`, a line;
            `.csv`, `.parquet`: a column for each of the 51 names (Live Link Face's capitals are read too), or one
            column `blendshapes` of vectors; other columns are not looked at;
            `.npy`: a numeric array (N, 51) or (N, 52).
        layout: of bare vectors with 52 scores, see `as_expressions`.

    Returns:
        Expressions (N, 51) float32, and their space where the file says it; a take of Live Link Face has weights.

    Raises:
        ValueError: another kind of file, a missing blendshape column, or bad scores; the message names file and row.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"expected a file of {', '.join(SUFFIXES)}, got {path.name}")
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        rows, space = _READERS[path.suffix](path)
        if not hasattr(rows, "__len__"):
            raise ValueError(f"expected a list of expressions, got {type(rows).__name__}")
        # An expression has no tongue; a capture has one in every frame.
        return as_expressions(rows, layout, drop=["tongueOut"]), space
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def expressions_of_table(table: Any, layout: Layout | None = None) -> np.ndarray:
    """Expressions (N, 51) float32 of a PyArrow table with the columns that `read_expressions` reads in Parquet."""
    return as_expressions(_from_columns(table), layout, drop=["tongueOut"])


def parquet_space(path: str | os.PathLike[str]) -> Space | None:
    """Read the space that a Parquet file says of its blendshapes, as all that this package writes do."""
    from pyarrow import parquet

    space = (parquet.read_schema(path).metadata or {}).get(b"space")
    return check_space(space.decode()) if space else None


def _from_json(path: Path) -> tuple[Any, Space | None]:
    document = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(document, dict) and "expressions" in document:
        return document["expressions"], check_space(document["space"]) if "space" in document else None
    return document, None


def _from_json_lines(path: Path) -> tuple[Any, Space | None]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [row.get("blendshapes", row) if isinstance(row, dict) else row for row in rows], None


def _from_csv(path: Path) -> tuple[Any, Space | None]:
    from pyarrow import csv

    table = csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True))
    # A take of Live Link Face: ARKit's coefficients, which drive a rig.
    return _from_columns(table), "weights" if table.column_names[:2] == ["Timecode", "BlendshapeCount"] else None


def _from_parquet(path: Path) -> tuple[Any, Space | None]:
    from pyarrow import parquet

    return _from_columns(parquet.read_table(path)), parquet_space(path)


def _from_columns(table: Any) -> Any:
    if "blendshapes" in table.column_names:
        return table["blendshapes"].to_pylist()
    by_name = {name[0].lower() + name[1:]: name for name in table.column_names if name}
    missing = [name for name in BLENDSHAPES if name not in by_name]
    if missing:
        raise ValueError(f"expected a column for each of the 51 blendshapes, got none for {missing[0]}")
    return np.stack([table[by_name[name]].to_numpy().astype(np.float64) for name in BLENDSHAPES], axis=1)


def _from_npy(path: Path) -> tuple[Any, Space | None]:
    return np.atleast_1d(np.load(path, allow_pickle=False)), None


_READERS = {
    ".json": _from_json,
    ".jsonl": _from_json_lines,
    ".csv": _from_csv,
    ".parquet": _from_parquet,
    ".npy": _from_npy,
}

__all__: Sequence[str] = ["SUFFIXES", "expressions_of_table", "parquet_space", "read_expressions"]
