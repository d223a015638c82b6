"""CSV and NumPy files of strangers: what can be read is read, and the rest is one sentence."""

from __future__ import annotations

import codecs
import csv
import os
import re
import struct
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_DELIMITERS = ",;\t"
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+(?:[eE][-+]?\d+)?\s*")


def open_text(path: str | os.PathLike[str]) -> TextIO:
    """Open text in UTF-8 or UTF-16, by its byte order mark or the zeros in its first bytes.

    Bytes that are no UTF-8 come as lone surrogates; line ends of all kinds end lines, and come as they are.
    """
    with open(path, "rb") as file:
        encoding = find_encoding(file.read(4))
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    return open(path, encoding=encoding, errors=errors, newline="")


def find_encoding(start: bytes) -> str:
    """UTF-8 or UTF-16 as Python calls it, by a file's first bytes."""
    if encoding := next((name for mark, name in _MARKS.items() if start.startswith(mark)), None):
        return encoding
    return ("utf-16-le" if start[1:2] == b"\0" else "utf-16-be") if b"\0" in start[:2] else "utf-8"


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
    """Raise a ValueError where the first line of a file has cells that do not end with commas."""
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
    """Open a NumPy file (.npy) of numbers without reading it into memory.

    Raises:
        ValueError: an empty, broken or pickled file, or an array of something else; the message has no file name.
    """
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
