"""CSV and NumPy files of strangers: what can be read is read, and the rest is one sentence."""

from __future__ import annotations

import csv
import json
import os
import re
import struct
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

_DELIMITERS = ",;\t"
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+(?:[eE][-+]?\d+)?\s*")


def open_text(path: str | os.PathLike[str]) -> TextIO:
    """Open text in UTF-8, UTF-16 or UTF-32, by its byte order mark or the zeros in its first bytes.

    Bytes that are no UTF-8 come as lone surrogates; line ends of all kinds end lines, and come as they are.
    """
    with open(path, "rb") as file:
        encoding = json.detect_encoding(file.read(4))
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    return open(path, encoding=encoding, errors=errors, newline="")


def parse_csv(lines: Iterable[str], delimiter: str = ",") -> Iterator[list[str] | csv.Error]:
    """Yield the cells of each line that has some, and the error of each that is no CSV."""
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            if cells := next(reader):
                yield cells
        except StopIteration:
            return
        except csv.Error as error:
            yield error


def check_commas(header: Sequence[str], name: str) -> None:
    """Raise a ValueError where the first line of a file separates its cells by something else."""
    if len(header) == 1 and (mark := next((mark for mark in ";\t|" if mark in header[0]), "")):
        raise ValueError(f"{name}: expected commas between cells, got {mark!r}")


def read_csv(path: str | os.PathLike[str]) -> Iterator[list[str]]:
    """Yield the lines of a CSV file as cells, without the empty ones; a line that is no CSV comes as no cells.

    The text is read as `open_text` does. Cells end with commas, semicolons or tabs, whichever the first line has most
    of; beside semicolons, numbers may have decimal commas. Empty cells at the end of the first line are left out, and
    so are those at the end of another as far as it is longer than the first.
    """
    with open_text(path) as lines:
        first = next((line for line in lines if line.strip()), "")
        delimiter = max(_DELIMITERS, key=first.count)
        lines.seek(0)
        width = 0
        for cells in parse_csv(lines, delimiter):
            if isinstance(cells, csv.Error):
                yield []
                continue
            while len(cells) > width and not cells[-1].strip():
                cells.pop()
            width = width or len(cells)
            if delimiter == ";":
                cells = [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells]
            if cells:
                yield cells


def read_array(path: str | os.PathLike[str]) -> np.ndarray:
    """Open a NumPy file (.npy) of numbers without reading it into memory; anything else is a ValueError."""
    path = Path(path)
    if not path.stat().st_size:
        raise ValueError("expected a NumPy array, got an empty file")
    try:
        # A memory map fails where a header promises more than there is, instead of allocating it.
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, TypeError, OverflowError, SyntaxError, RecursionError, MemoryError) as error:
        reason = str(error).partition("\n")[0][:200]
        if "Python objects" in reason:
            reason = "Python objects, in a pickle"
        raise ValueError(f"expected a NumPy array (.npy) of numbers, got something else: {reason}") from error
    except (tokenize.TokenError, struct.error, AttributeError, LookupError) as error:
        raise ValueError("expected a NumPy array (.npy), got one with a broken header") from error
    if array.dtype.kind not in "fiu":
        raise ValueError(f"expected an array of numbers, got one of {array.dtype}")
    return array
