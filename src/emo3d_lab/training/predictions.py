"""A generator's expressions for every description of a dataset, as one Parquet file that `emo3d score` reads.

Blocks of rows are written beside the file: a run that was killed goes on with the next block, and its file has the same
bytes as that of an undisturbed run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

import emo3d
from emo3d.blendshapes import BLENDSHAPES, Space
from emo3d.dataset import open_rows
from emo3d.dataset.release import as_pairs, is_release, read_release
from emo3d.descriptions import check_descriptions
from emo3d.encoders import weights_digest
from emo3d.files import check_output, whole_file
from emo3d.generation import load_generator
from emo3d.scoring.columns import read_table
from emo3d.scoring.joining import KEYS

BLOCK = 500
"""Rows of a block: the most that a killed run loses."""


def write_predictions(
    model: Any,
    dataset: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    config: str | None = None,
    split: str = "test",
    revision: str | None = None,
    device: str = "cpu",
    batch_size: int = 32,
    block_size: int = BLOCK,
) -> int:
    """Generate an expression for every description of a dataset, into a Parquet file.

    Args:
        model: what `load_generator` takes, or a generator.
        dataset: with a column `description`: a .csv or .jsonl file, a folder of the published release, or what
            `emo3d.dataset.open_rows` takes (`"sample"`, a folder, a .parquet file, an id on the Hub).
        out: a .parquet file. It gets a row for each description, in their order: `sample_id` where the dataset has it,
            `description`, and `blendshapes` in the space that the file's metadata says.
        config, split: of the dataset.
        revision: of the model.
        device: where the model runs.
        batch_size: descriptions encoded at a time.
        block_size: rows of a block; the same in a run that goes on.

    Returns:
        The number of rows.

    Raises:
        ValueError: no such split, no column `description`, a blank description (the message names the row), or what
            `load_generator` refuses.
        OSError: dataset or model cannot be loaded, or the file cannot be written.
    """
    path = check_output(out, (".parquet",))
    texts = read_descriptions(dataset, config, split)
    generator, name = open_generator(model, revision)
    generator = generator.to(device)
    schema = _schema(texts, generator.config.space, name)
    content = [texts, generator.config.to_json_string(), weights_digest(generator), block_size, batch_size]

    def make_table(block: Mapping[str, list[Any]]) -> pa.Table:
        return _table(block, generator.generate(block["description"], batch_size=batch_size), schema)

    return write_blocks(path, texts, make_table, schema, content, block_size)


def write_blocks(
    path: Path,
    texts: Mapping[str, list[Any]],
    make_table: Callable[[Mapping[str, list[Any]]], pa.Table],
    schema: pa.Schema,
    content: Any,
    block_size: int = BLOCK,
    unit: str = " faces",
) -> int:
    """Write a Parquet file in blocks that a killed run keeps; the number of its rows.

    Args:
        path: of the file; an existing one is replaced when all blocks are there.
        texts: column -> values, a row each; `description` is one of the columns.
        make_table: rows of a block to its table.
        schema: of the file.
        content: all that the file depends on, for JSON: a run goes on with blocks of the same.
        unit: of the progress.
    """
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    blocks = path.parent / f".{path.name}.{digest}"
    blocks.mkdir(exist_ok=True)
    count = len(texts["description"])
    with tqdm(desc="Generating", total=count, unit=unit, delay=2) as progress:
        for start in range(0, count, block_size):
            block = {key: column[start : start + block_size] for key, column in texts.items()}
            file = blocks / f"{start:09}.parquet"
            if not file.is_file():
                _write(file, [make_table(block)], schema)
            progress.update(len(block["description"]))
    _write(path, (pq.read_table(file) for file in sorted(blocks.glob("*.parquet"))), schema)
    shutil.rmtree(blocks)
    return count


def open_generator(model: Any, revision: str | None = None) -> tuple[Any, str | None]:
    """Load a generator by its id or folder, which is the second value; a generator comes back as it is, with None."""
    if isinstance(model, str | Path):
        return load_generator(model, revision), str(model)
    return model, None


def save_predictions(
    path: str | os.PathLike[str],
    descriptions: Sequence[str],
    expressions: np.ndarray,
    space: Space,
    model: str | None = None,
) -> None:
    """Write expressions (N, 51) beside their descriptions, as `write_predictions` does."""
    texts = {"description": list(descriptions)}
    schema = _schema(texts, space, model)
    _write(Path(path), [_table(texts, expressions, schema)], schema)


def read_descriptions(
    dataset: str | os.PathLike[str], config: str | None = None, split: str = "test"
) -> dict[str, list[Any]]:
    """Read the descriptions of a dataset, and its `sample_id` or `clip_id` where there is one.

    Raises:
        ValueError, OSError: see `write_predictions`.
    """
    name, suffix = str(dataset), Path(dataset).suffix.lower()
    if suffix in (".csv", ".jsonl") and not Path(name).is_file():
        raise FileNotFoundError(f"no such file: {name}")
    columns: dict[str, list[Any]]
    if suffix in (".csv", ".jsonl"):
        with _named(name):
            columns = read_table(Path(name), KEYS)
    elif is_release(name):
        pairs = list(as_pairs(read_release(name)))
        columns = {column: [pair[column] for pair in pairs] for column in KEYS}
    else:
        rows, _ = open_rows(name, config, split)
        columns = {column: list(rows[column]) if column in (*KEYS, "clip_id") else [] for column in rows.column_names}
    if "description" not in columns:
        raise ValueError(f"expected a column 'description' in {name}, got {', '.join(columns) or 'none'}")
    with _named(name):
        texts: dict[str, list[Any]] = {"description": check_descriptions(columns["description"])}
    if columns.get("clip_id"):
        return {"clip_id": columns["clip_id"], **texts}
    if "sample_id" not in columns:
        return texts
    ids = columns["sample_id"]
    if suffix == ".csv" and all(re.fullmatch(r"0|-?[1-9]\d{0,17}", id) for id in ids):
        ids = list(map(int, ids))
    is_number = all(type(id) is int and -(2**63) <= id < 2**63 for id in ids)
    return {"sample_id": ids if is_number else list(map(str, ids)), **texts}


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """The file's name before what is wrong with it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _schema(texts: Mapping[str, Any], space: Space, model: str | None) -> pa.Schema:
    fields = [
        pa.field(name, pa.int64() if isinstance(column[0], int) else pa.string()) for name, column in texts.items()
    ]
    fields.append(pa.field("blendshapes", pa.list_(pa.float32(), len(BLENDSHAPES))))
    about = {"space": space, "emo3d": emo3d.__version__} | ({"model": model} if model else {})
    return pa.schema(fields, about)


def _table(texts: Mapping[str, Any], expressions: np.ndarray, schema: pa.Schema) -> pa.Table:
    scores = pa.FixedSizeListArray.from_arrays(pa.array(expressions.ravel(), pa.float32()), len(BLENDSHAPES))
    return pa.table([*texts.values(), scores], schema=schema)


def _write(path: Path, tables: Any, schema: pa.Schema) -> None:
    with whole_file(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.cast(schema))
