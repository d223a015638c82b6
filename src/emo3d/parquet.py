"""Parquet from strangers: what a file becomes in memory is known from its footer before any of it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

LARGEST = 256 * 2**20
"""Bytes that the columns asked for may have in memory; a million expressions in float32 have 204 MB."""

_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 8}
_ROWS = 2**16  # rows of a batch
_SLACK = 2**16  # bytes that a column of a row group may have beyond what its footer says


@contextmanager
def open_parquet(source: Any, **options: Any) -> Iterator[parquet.ParquetFile]:
    """Open a Parquet file (a path or a file object), with options of `pyarrow.parquet.ParquetFile`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: whatever goes wrong with the file, in opening or in reading.
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


def check_size(
    file: parquet.ParquetFile, columns: Sequence[str], groups: Sequence[int] | None = None, largest: int = LARGEST
) -> None:
    """Refuse columns that would have more than `largest` bytes in memory, by what the footer says of them.

    A page of one value repeated a billion times has a few bytes, so a column counts with its values times their width
    where that is more than its uncompressed size.

    Args:
        columns: names at the top of the schema.
        groups: row groups that are read; all of them when None.

    Raises:
        ValueError: more than that; the message has both numbers.
    """
    total = 0
    for chunk, width, rows in _chunks(file, columns, groups):
        sizes = (chunk.num_values * width, rows * width, chunk.total_uncompressed_size)
        if min(sizes) < 0:
            raise ValueError("expected a Parquet file, got one whose footer counts below 0")
        total += max(sizes)
    if total > largest:
        raise ValueError(
            f"expected at most {largest >> 20:,} MB in the columns that are read, its footer says {total >> 20:,} MB"
        )


def check_pages(source: Any, file: parquet.ParquetFile, columns: Sequence[str]) -> None:
    """Check that the pages of a file have no more bytes than its footer says, by which `check_size` goes.

    Raises:
        ValueError: they have, or a page header cannot be read.
    """
    with open(source, "rb") if isinstance(source, (str, Path)) else nullcontext(source) as data:
        for chunk, _, _ in _chunks(file, columns):
            size = chunk.total_uncompressed_size
            if _pages_size(data, chunk) > 1.1 * size + _SLACK:
                raise ValueError(f"expected pages of {size:,} bytes in {chunk.path_in_schema}, found more")


def batch_rows(file: parquet.ParquetFile, columns: Sequence[str], largest: int = LARGEST) -> int:
    """As many rows as stay within `largest` bytes even if each has all the text that a row group has in a column."""
    texts = (chunk for chunk, _, _ in _chunks(file, columns) if chunk.physical_type == "BYTE_ARRAY")
    return max(1, min(_ROWS, largest // max((chunk.total_uncompressed_size for chunk in texts), default=1)))


def read_columns(
    source: Any, columns: Sequence[str] | Callable[[list[str]], Sequence[str]], *, largest: int = LARGEST
) -> pa.Table:
    """Read some columns of a Parquet file, and nothing of the others.

    Args:
        source: a path, or a file object.
        columns: their names; or a function that picks them from the names that the file has.
        largest: bytes that they may have in memory.

    Returns:
        A table of these columns, with the metadata of the file's schema.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a broken file, a column that is missing or there twice, or more than `largest` bytes; and whatever
            `columns` raises.

    Example:
        >>> from emo3d.dataset import sample_folder
        >>> read_columns(sample_folder() / "test.parquet", ["description", "intensities"]).shape
        (250, 2)
    """
    import pyarrow as pa
    from pyarrow import compute, types

    is_text = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    with open_parquet(source) as file:
        schema = file.schema_arrow
        names = list(columns(schema.names) if callable(columns) else columns)
        for name in names:
            if (count := schema.names.count(name)) != 1:
                listing = ", ".join(schema.names)[:500]
                raise ValueError(f"expected one column {name!r}, found {count or 'none'} among {listing}")
        check_size(file, names, largest=largest)
        check_pages(source, file, names)
        # One long text that all rows repeat stays a dictionary until it is known what the column would have.
        texts = [name for name in names if any(test(schema.field(name).type) for test in is_text)]
        rows = batch_rows(file, [name for name in names if name not in texts], largest)
    batches, total = [], 0
    with open_parquet(source, read_dictionary=texts) as file:
        for batch in file.iter_batches(rows, columns=names) if names else ():
            arrays = {name: batch.column(name) for name in names}
            for name in texts:
                lengths = compute.binary_length(arrays[name].dictionary).take(arrays[name].indices)
                total += compute.sum(lengths).as_py() or 0
            total += sum(array.nbytes for name, array in arrays.items() if name not in texts)
            if total > largest:
                raise ValueError(f"expected at most {largest >> 20:,} MB in the columns that are read, found more")
            arrays.update({name: arrays[name].dictionary_decode() for name in texts})
            batches.append(pa.record_batch(list(arrays.values()), names=names))
        empty = pa.schema([schema.field(name) for name in names])
        table = pa.Table.from_batches(batches, batches[0].schema if batches else empty)
    return table.replace_schema_metadata(schema.metadata)


def _chunks(
    file: parquet.ParquetFile, columns: Sequence[str], groups: Sequence[int] | None = None
) -> Iterator[tuple[parquet.ColumnChunkMetaData, int, int]]:
    """Of all that is in these columns: the footer of a chunk, bytes of a value (8 of a text), rows of its group."""
    for group in range(file.num_row_groups) if groups is None else groups:
        footer = file.metadata.row_group(group)
        for index in range(footer.num_columns):
            chunk, leaf = footer.column(index), file.schema.column(index)
            if any(f"{chunk.path_in_schema}.".startswith(f"{name}.") for name in columns):
                yield chunk, _WIDTHS.get(leaf.physical_type) or max(leaf.length, 1), footer.num_rows


def _pages_size(data: BinaryIO, chunk: parquet.ColumnChunkMetaData) -> int:
    """Bytes of a chunk's pages, as their headers (`PageHeader` of parquet.thrift) say."""
    starts = (chunk.data_page_offset, chunk.dictionary_page_offset if chunk.has_dictionary_page else 0)
    start = max(min(filter(None, starts), default=0), 0)  # 0: there is no such page
    end, total = start + chunk.total_compressed_size, 0
    while start < end:
        data.seek(start)
        try:
            header = _thrift_integers(data)
        except IndexError:  # the file ends
            header = {}
        size, size_in_file = header.get(2, -1), header.get(3, -1)
        if min(size, size_in_file) < 0:
            raise ValueError("expected a Parquet file, got one with a broken page")
        total += data.tell() - start + size
        start = data.tell() + size_in_file
    return total


def _thrift_integers(data: BinaryIO, depth: int = 0) -> dict[int, int]:
    """Read a struct in Thrift's compact protocol: its integers by their field.

    Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md; of its types, only those
    that `PageHeader` has.
    """
    integers, field = {}, 0
    while kind := (head := data.read(1)[0]) & 15:
        field = field + (head >> 4) if head >> 4 else _zigzag(data)
        if kind in (4, 5, 6):
            integers[field] = _zigzag(data)
        elif kind == 8:
            data.seek(_varint(data), 1)
        elif kind == 12 and depth < 4:
            _thrift_integers(data, depth + 1)
        elif kind in (3, 7):
            data.seek(1 if kind == 3 else 8, 1)
        elif kind not in (1, 2):  # these two are a bool each
            raise ValueError("expected a Parquet file, got one with a broken page")
    return integers


def _varint(data: BinaryIO) -> int:
    number = 0
    for shift in range(0, 70, 7):
        byte = data.read(1)[0]
        number |= (byte & 127) << shift
        if byte < 128:
            return number
    raise ValueError("expected a Parquet file, got one with a broken page")


def _zigzag(data: BinaryIO) -> int:
    number = _varint(data)
    return (number >> 1) ^ -(number & 1)
