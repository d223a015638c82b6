"""Parquet from strangers: what a file becomes in memory is known from its footer before any of it is read."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from emo3d.blendshapes import Space, check_space
from emo3d.thrift import read_struct

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

LARGEST = 256 * 2**20  # bytes that columns may have in memory; a million expressions in float32 have 204 MB
_BROKEN = "expected a Parquet file, got one whose footer or page headers are broken"
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 8}
_TEXTS = ("string", "large_string", "binary", "large_binary")
_ROWS = 2**16  # rows of a batch
_SLACK = 2**16  # bytes that a column of a row group may have beyond what its footer says
_LONGEST_FOOTER = 2**24  # bytes, of about 300 for each column of a row group; 4 s
_HEADERS = (2**10, 2**14, 2**18, 2**22)  # bytes read of a page header, which may hold the least and the greatest text


@contextmanager
def open_parquet(source: Any, **options: Any) -> Iterator[parquet.ParquetFile]:
    """Open a Parquet file; whatever goes wrong with it, in opening or in reading, is a ValueError.

    Args:
        source: a path, or a file object.
        options: of `pyarrow.parquet.ParquetFile`.

    Raises:
        FileNotFoundError: no such file.
    """
    import pyarrow as pa
    from pyarrow import parquet

    if isinstance(source, (str, Path)) and not Path(source).is_file():
        raise FileNotFoundError(f"no such file: {source}")
    try:
        with parquet.ParquetFile(source, **options) as file:
            yield file
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise ValueError(f"expected a Parquet file, got a broken one or something else: {reason}") from error


def parquet_space(path: str | Path) -> Space | None:
    """Read the space of a Parquet file's blendshapes, as all that this package writes have it."""
    with open_parquet(Path(path)) as file:
        return space_in(file.schema_arrow.metadata)


def space_in(metadata: dict[bytes, bytes] | None) -> Space | None:
    """The space that the metadata of an Arrow schema say."""
    space = (metadata or {}).get(b"space")
    return check_space(space.decode("utf-8", "replace")) if space else None


class _Chunk(NamedTuple):
    """A column of a row group, by the footer."""

    path: str  # in the schema, with dots
    kind: str  # physical type
    width: int  # bytes of a value, at least
    rows: int
    values: int
    size: int  # bytes of its pages when they are no longer compressed
    start: int  # where they lie in the file; 0 where there are none
    end: int


_CHUNKS: WeakKeyDictionary[parquet.ParquetFile, list[list[_Chunk]]] = WeakKeyDictionary()


def _chunks(file: parquet.ParquetFile, columns: Sequence[str], groups: Iterable[int] | None = None) -> list[_Chunk]:
    """Some columns, by their names at the top of the schema, in some row groups, or in all."""
    if file not in _CHUNKS:
        # PyArrow's own `column` ends the process where the statistics in a footer contradict its schema.
        footer = io.BytesIO()
        file.metadata.write_metadata_file(footer)  # PAR1, the footer, its length, PAR1
        if footer.tell() > _LONGEST_FOOTER:
            raise ValueError(f"expected a footer of at most {_LONGEST_FOOTER >> 20} MB, it has {footer.tell() >> 20}")
        leaves = [file.schema.column(index) for index in range(len(file.schema))]
        try:
            fields, _ = read_struct(footer.getvalue(), len(b"PAR1"))
            _CHUNKS[file] = [
                [_chunk(leaf, group[3], column[3]) for leaf, column in zip(leaves, group[1], strict=True)]
                for group in fields[4]
            ]
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(_BROKEN) from error
    groups = range(file.num_row_groups) if groups is None else groups
    chunks = (chunk for group in groups for chunk in _CHUNKS[file][group])
    return [chunk for chunk in chunks if any(f"{chunk.path}.".startswith(f"{name}.") for name in columns)]


def _chunk(leaf: parquet.ColumnSchema, rows: int, fields: Mapping[int, Any]) -> _Chunk:
    """By the fields of ColumnMetaData in parquet.thrift."""
    start = min(filter(None, (fields[9], fields.get(11))), default=0)  # of data, and of a dictionary
    kind = leaf.physical_type
    width = _WIDTHS.get(kind) or max(leaf.length, 1)
    return _Chunk(leaf.path, kind, width, rows, fields[5], fields[6], start, start + fields[7])


def check_size(
    file: parquet.ParquetFile, columns: Sequence[str], groups: Sequence[int] | None = None, largest: int = LARGEST
) -> None:
    """Refuse columns that would have more than `largest` bytes in memory, by what the footer says of them.

    A page of one value repeated a billion times has a few bytes, so a column counts with its values times their width
    where that is more than its uncompressed size.

    Args:
        columns: to be read, by their names at the top of the schema.
        groups: row groups to be read; all of them when None.
    """
    total = 0
    for chunk in _chunks(file, columns, groups):
        sizes = (chunk.values * chunk.width, chunk.rows * chunk.width, chunk.size)
        if min(sizes) < 0:
            raise ValueError("expected a Parquet file, got one whose footer counts below 0")
        total += max(sizes)
    if total > largest:
        raise ValueError(
            f"expected at most {largest >> 20:,} MB in the columns that are read, its footer says {total >> 20:,} MB"
        )


def check_pages(source: Any, file: parquet.ParquetFile, columns: Sequence[str]) -> None:
    """Refuse a file whose pages have more bytes than its footer says, so that what `check_size` goes by is true.

    `source` is the path or file object that `file` was opened from.
    """
    with open(source, "rb") if isinstance(source, (str, Path)) else nullcontext(source) as data:
        for chunk in _chunks(file, columns):
            if _pages_size(data, chunk) > 1.1 * chunk.size + _SLACK:
                raise ValueError(f"expected pages of {chunk.size:,} bytes in {chunk.path}, found more")


def _pages_size(data: Any, chunk: _Chunk) -> int:
    at, total = chunk.start, 0
    while at < chunk.end:
        fields, length = _page_header(data, at)
        sizes = (fields.get(2, -1), fields.get(3, -1))  # of the page, and as it is compressed in the file
        if not all(isinstance(size, int) and size >= 0 for size in sizes):
            raise ValueError(_BROKEN)
        total += length + sizes[0]
        at += length + sizes[1]
    return total


def _page_header(data: Any, at: int) -> tuple[dict[int, Any], int]:
    for length in _HEADERS:
        data.seek(max(at, 0))
        try:
            return read_struct(data.read(length))
        except IndexError:
            continue  # the file may hold more of it
        except ValueError:
            break
    raise ValueError(_BROKEN)


def read_columns(
    source: Any, columns: Sequence[str] | Callable[[list[str]], Sequence[str]], *, largest: int = LARGEST
) -> pa.Table:
    """Read some columns of a Parquet file, and nothing of the others; the metadata of its schema comes with them.

    Args:
        source: a path, or a file object.
        columns: their names; or a function that picks them from the names that the file has.
        largest: bytes that they may have in memory.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a broken file, a column that is missing or there twice, or more than `largest` bytes.

    Example:
        >>> from emo3d.dataset import sample_folder
        >>> read_columns(sample_folder() / "test.parquet", ["description", "intensities"]).shape
        (250, 2)
    """
    import pyarrow as pa

    with open_parquet(source) as file:
        schema = file.schema_arrow
        names = list(columns(schema.names) if callable(columns) else columns)
        for name in names:
            if (count := schema.names.count(name)) != 1:
                choices = ", ".join(schema.names)[:500]
                raise ValueError(f"expected one column {name!r}, found {count or 'none'} among {choices}")
        check_size(file, names, largest=largest)
        check_pages(source, file, names)
        # One long text that all rows repeat stays a dictionary until it is known what the column would have.
        texts = [name for name in names if str(schema.field(name).type) in _TEXTS]
        rows = batch_rows(file, [name for name in names if name not in texts], largest)
    batches, total = [], 0
    with open_parquet(source, read_dictionary=texts) as file:
        for batch in file.iter_batches(rows, columns=names) if names else ():
            total += sum(map(_dense_size, batch.columns))
            if total > largest:
                raise ValueError(f"expected at most {largest >> 20:,} MB in the columns that are read, found more")
            arrays = [batch.column(name) for name in names]
            arrays = [array.dictionary_decode() if hasattr(array, "dictionary") else array for array in arrays]
            batches.append(pa.record_batch(arrays, names=names))
        empty = pa.schema([schema.field(name) for name in names])
        table = pa.Table.from_batches(batches, batches[0].schema if batches else empty)
    return table.replace_schema_metadata(schema.metadata)


def _dense_size(array: pa.Array) -> int:
    if not hasattr(array, "dictionary"):
        return array.nbytes
    from pyarrow import compute

    lengths = compute.binary_length(array.dictionary)
    return int(compute.sum(lengths.take(array.indices)).as_py() or 0)


def batch_rows(file: parquet.ParquetFile, columns: Sequence[str], largest: int = LARGEST) -> int:
    """As many rows as stay within `largest` bytes even if each has all the text that a row group has in a column."""
    texts = [chunk.size for chunk in _chunks(file, columns) if chunk.kind == "BYTE_ARRAY"]
    return max(1, min(_ROWS, largest // max([1, *texts])))
