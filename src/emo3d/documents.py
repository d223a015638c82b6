"""Text and JSON from strangers: whatever is wrong with it is one sentence."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

LARGEST = 256 * 2**20  # bytes of a file that are read; a take of an hour at 60 frames a second has half of it
_LONG_NUMBER = re.compile(r"\d{19}|[eE]\+?\d{3}")  # may be an integer beyond 64 bits, or a float beyond its range
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half of a character, which needs its other half


def parse_json(text: str | bytes, integer: Callable[[str], float] | None = None) -> Any:
    """Read JSON; what ends in an error later is refused here: NaN, Infinity, 1e999, integers beyond 64 bits.

    Args:
        text: str, or bytes as `decode` takes them.
        integer: what reads an integer's digits in place of that limit.

    Raises:
        ValueError: no JSON, nested too deep, or text in another encoding or with half a character.
    """
    text = decode(text) if isinstance(text, bytes) else text.removeprefix("\ufeff")
    has_long = _LONG_NUMBER.search(text) is not None  # otherwise, numbers are read by C
    numbers: Any = {"parse_int": integer or _integer, "parse_float": _float} if has_long else {}
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


def read_json(path: str | os.PathLike[str], integer: Callable[[str], float] | None = None) -> Any:
    """Read a JSON file of up to `LARGEST` bytes; see `parse_json`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: what `parse_json` refuses, or a larger file; the message begins with the file's name.
    """
    text = read_text(path)
    try:
        return parse_json(text, integer)
    except ValueError as error:
        raise ValueError(f"{Path(path).name}: {error}") from None


def read_model_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file of a model's folder: as `read_json`, and integers beyond 64 bits become floats.

    A tokenizer whose window has no end says so by int(1e30).
    """
    return read_json(path, _integer_or_float)


def read_json_lines(path: str | os.PathLike[str]) -> list[Any]:
    """Read a file with a JSON value a line, but for empty ones; see `read_json`. Messages name file and line."""
    values = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            try:
                values.append(parse_json(line))
            except ValueError as error:
                raise ValueError(f"{Path(path).name}, line {number}: {error}") from None
    return values


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a text file of up to `LARGEST` bytes; line ends stay as they are.

    Raises:
        FileNotFoundError: no such file.
        ValueError: what `decode` refuses, or a larger file; the message begins with the file's name.
    """
    path = Path(path)
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{path.name}: expected at most {LARGEST >> 20} MB, got more")
    try:
        return decode(content)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def decode(content: bytes) -> str:
    """Decode UTF-8, UTF-16 or UTF-32, by a byte order mark or zeros at the start; all else is a ValueError."""
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:  # which counts UTF-8's mark not, but the others
        place = error.start - {"utf-16": 2, "utf-32": 4}.get(encoding, 0)
        raise ValueError(f"expected text in UTF-8, got other bytes at {place}") from None


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:  # where arrays and floats end in an OverflowError
        raise ValueError(f"expected integers of 64 bits, got one of {len(digits.lstrip('-'))} digits")
    return int(digits)


def _integer_or_float(digits: str) -> float:
    return _integer(digits) if len(digits) < 20 and -(2**63) <= int(digits) < 2**63 else _float(digits)


def _float(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError(f"expected numbers up to {1.7e308}, got {digits[:24]}")
    return number


def _refuse(constant: str) -> Any:
    raise ValueError(f"expected numbers as JSON has them, got {constant}")
