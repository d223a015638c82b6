"""JSON from strangers: whatever is wrong with it is one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

LARGEST = 256 * 2**20
"""Bytes of a JSON file that are read; a take of an hour at 60 frames a second has half of it."""


def parse_json(text: str | bytes) -> Any:
    """Read JSON; constants that JSON does not have (NaN, Infinity) and integers beyond 64 bits are refused.

    Raises:
        ValueError: no JSON, or nested too deep, or text in another encoding than UTF-8, UTF-16 or UTF-32.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_integer)
    except RecursionError:
        raise ValueError("expected JSON, got brackets nested too deep") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"expected JSON in UTF-8, got other bytes at {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON, got something else: {error}") from None


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file of up to `LARGEST` bytes; a byte order mark is skipped.

    Raises:
        FileNotFoundError: no such file.
        ValueError: what `parse_json` refuses, or a larger file; the message begins with the file's name.
    """
    path = Path(path)
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path.name}: expected at most {LARGEST >> 20} MB of JSON, got {size >> 20} MB")
    content = path.read_bytes()
    try:
        return parse_json(content.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _integer(digits: str) -> int:
    if len(digits) > 20:  # beyond 64 bits, where arrays and floats end in an OverflowError
        raise ValueError(f"expected integers of up to 19 digits, got one of {len(digits)}")
    return int(digits)


def _refuse(constant: str) -> Any:
    raise ValueError(f"expected numbers as JSON has them, got {constant}")
