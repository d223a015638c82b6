"""Tables in the formats in which data is kept: CSV, JSON lines, JSON, Parquet; row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from emo3d.containers import open_text, read_csv
from emo3d.documents import parse_json, read_json
from emo3d.parquet import batch_rows, check_pages, check_size, open_parquet

SUFFIXES = (".csv", ".jsonl", ".json", ".parquet")

_BATCH = 1_000  # rows of a Parquet file held at once
_LOOKED_AT = 100  # rows of JSON whose keys are taken for the columns


def files_of(folder: Path, *suffixes: str, deep: bool = False) -> list[Path]:
    """The files of a folder by the ends of their names in any case, sorted; `deep` takes in those of its folders."""
    found = folder.rglob("*") if deep else folder.glob("*")
    return sorted(path for path in found if path.name.lower().endswith(suffixes) and path.is_file())


def once_each(splits: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Names of each split without repeats, in order, each with a sentence on its being named again, or an empty one."""
    result: dict[str, dict[str, str]] = {}
    for split, names in splits.items():
        result[split] = dict.fromkeys(names, "")
        for name in result[split]:
            others = [other for other, listed in splits.items() if other != split and name in listed]
            notes = [f"named {names.count(name)} times in {split}, read once"] if names.count(name) > 1 else []
            notes += [f"named in {' and '.join(others)}, too: it is in the rows of each"] if others else []
            result[split][name] = "; ".join(notes)
    return result


def check_columns(path: str, columns: Mapping[str, str]) -> None:
    """Check that a table has the columns that a mapping names.

    Args:
        path: of the table.
        columns: column -> the field of the mapping that names it.

    Raises:
        ValueError: another kind of file, or a column that is not there, or there twice.
    """
    name = Path(path).name
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"expected a table of {', '.join(SUFFIXES)}, got {name}")
    names = _columns(path)
    for column, key in columns.items():
        if names.count(column) != 1:
            raise ValueError(
                f"{name}: expected one column {column!r} (mapped as {key}), found {', '.join(names) or 'no columns'}"
            )


def _columns(path: str) -> list[str]:
    if path.lower().endswith(".csv"):
        return next(read_csv(path), [])
    if path.lower().endswith(".parquet"):
        with open_parquet(Path(path)) as file:
            return list(file.schema_arrow.names)
    first = [record for record in islice(read_records(path, []), _LOOKED_AT) if isinstance(record, dict)]
    return list(dict.fromkeys(column for record in first for column in record))


def read_records(path: str, columns: Sequence[str]) -> Iterator[dict[str, Any] | str]:
    """Yield a table's rows as dicts that have at least `columns`; for one that cannot be read, a sentence why."""
    yield from _READERS[Path(path).suffix.lower()](path, columns)


def _from_csv(path: str, columns: Sequence[str]) -> Iterator[dict[str, Any] | str]:
    lines = read_csv(path)
    header = next(lines, [])
    for cells in lines:
        if len(cells) == len(header):
            yield dict(zip(header, cells, strict=True))
        else:
            yield f"expected {len(header)} cells, got {len(cells)}"


def _from_json_lines(path: str, columns: Sequence[str]) -> Iterator[dict[str, Any] | str]:
    with open_text(path) as lines:
        for line in lines:
            if line.strip():
                try:
                    record = parse_json(line)
                except ValueError as error:
                    yield f"expected a JSON object: {error}"
                else:
                    yield _with(record, columns)


def _from_json(path: str, columns: Sequence[str]) -> Iterator[dict[str, Any] | str]:
    document = read_json(path)
    if not isinstance(document, list):
        raise ValueError(f"{Path(path).name}: expected a JSON list of objects, got a {type(document).__name__}")
    yield from (_with(record, columns) for record in document)


def _from_parquet(path: str, columns: Sequence[str]) -> Iterator[dict[str, Any] | str]:
    with open_parquet(Path(path)) as file:
        for group in range(file.num_row_groups):
            check_size(file, columns, [group])
        check_pages(path, file, columns)
        rows = min(_BATCH, batch_rows(file, columns))
        for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
            yield from batch.to_pylist()


def _with(record: Any, columns: Sequence[str]) -> dict[str, Any] | str:
    if not isinstance(record, dict):
        return f"expected a JSON object, got {str(record)[:40]!r}"
    return {**dict.fromkeys(columns), **record}


_READERS = {".csv": _from_csv, ".jsonl": _from_json_lines, ".json": _from_json, ".parquet": _from_parquet}
