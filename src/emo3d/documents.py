"""Text, JSON, CSV and NumPy files of strangers: what can be read is read, the rest is one sentence."""

from __future__ import annotations

import codecs
import csv
import json
import math
import os
import re
import struct
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

LARGEST = 256 * 2**20
"""Bytes of a text or JSON file that are read; a take of an hour at 60 frames a second has half of it."""

_BOMS = (  # UTF-16's is the beginning of UTF-32's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONG_NUMBER = re.compile(r"\d{19}|[eE]\+?\d{3}")  # may be an integer beyond 64 bits, or a float beyond its range
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half of a character, which needs its other half
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+(?:[eE][-+]?\d+)?\s*")


def parse_json(text: str | bytes) -> Any:
    """Read JSON; what ends in an error later is refused here: NaN, Infinity, 1e999, integers beyond 64 bits.

    Raises:
        ValueError: no JSON, or nested too deep, or text in another encoding than UTF-8, UTF-16 or UTF-32, or with
            half a character.
    """
    text = _decode(text) if isinstance(text, bytes) else text.removeprefix("\ufeff")
    has_long = _LONG_NUMBER.search(text) is not None  # otherwise, numbers are read by C
    numbers: Any = {"parse_int": _integer, "parse_float": _float} if has_long else {}
    try:
        document = json.loads(text, parse_constant=_refuse, **numbers)
        if _SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("expected JSON, got brackets nested too deep") from None
    except UnicodeEncodeError:
        raise ValueError("expected JSON, got half a character (a surrogate without its other half)") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON, got something else: {error}") from None
    return document


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file of up to `LARGEST` bytes; a byte order mark is skipped.

    Raises:
        FileNotFoundError: no such file.
        ValueError: what `parse_json` refuses, or a larger file; the message begins with the file's name.
    """
    text = read_text(path)
    try:
        return parse_json(text)
    except ValueError as error:
        raise ValueError(f"{Path(path).name}: {error}") from None


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a text file of up to `LARGEST` bytes: UTF-8, or what its byte order mark says; line ends stay as they are.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another encoding, or a larger file; the message begins with the file's name.
    """
    path = Path(path)
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{path.name}: expected at most {LARGEST >> 20} MB, got more")
    try:
        return _decode(content)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def open_text(path: str | os.PathLike[str]) -> TextIO:
    """Open text in UTF-8, or in UTF-16 or UTF-32 by its byte order mark, or in UTF-16 by the zeros at its beginning.

    Bytes that are no UTF-8 come as lone surrogates; line ends of all kinds end lines, and come as they are.
    """
    with open(path, "rb") as file:
        start = file.read(4)
    bom, encoding = _bom(start)
    if not bom and b"\0" in start[:2]:
        encoding = "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
    elif bom:
        encoding = "utf-8-sig" if encoding == "utf-8" else encoding[:6]  # the codecs that skip the mark
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    return open(path, encoding=encoding, errors=errors, newline="")


def read_csv(path: str | os.PathLike[str]) -> Iterator[list[str]]:
    """Yield the lines of a CSV file as cells, without the empty ones; a line that is no CSV comes as no cells.

    The text is read as `open_text` does. Cells end with commas, semicolons or tabs, whichever the first line has most
    of; beside semicolons, numbers may have decimal commas. Empty cells at the end of the first line are left out, and
    so are those at the end of another as far as it is longer than the first.
    """
    with open_text(path) as lines:
        first = next((line for line in lines if line.strip()), "")
        delimiter = max(",;\t", key=first.count)
        lines.seek(0)
        reader = csv.reader(lines, delimiter=delimiter)
        width = 0
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
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


def _bom(content: bytes) -> tuple[bytes, str]:
    return next(((bom, encoding) for bom, encoding in _BOMS if content.startswith(bom)), (b"", "utf-8"))


def _decode(content: bytes) -> str:
    bom, encoding = _bom(content)
    try:
        return content[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"expected text in UTF-8, got other bytes at {error.start}") from None


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:  # where arrays and floats end in an OverflowError
        raise ValueError(f"expected integers of 64 bits, got one of {len(digits.lstrip('-'))} digits")
    return int(digits)


def _float(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError(f"expected numbers up to {1.7e308}, got {digits[:24]}")
    return number


def _refuse(constant: str) -> Any:
    raise ValueError(f"expected numbers as JSON has them, got {constant}")
