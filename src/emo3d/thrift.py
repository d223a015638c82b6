"""Structs in Thrift's compact protocol, in which the footer and the page headers of Parquet are written.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any

_DEEPEST = 12  # structs and lists within each other; footers have 7
_BROKEN = "expected Thrift, got something else"


def read_struct(data: bytes, at: int = 0, depth: int = 0) -> tuple[dict[int, Any], int]:
    """Read a struct: its fields by their number, and where it ends. Doubles and maps are skipped or refused.

    Raises:
        IndexError: it does not end within the data.
        ValueError: no such struct, or one that is nested too deep.
    """
    fields: dict[int, Any] = {}
    field = 0
    while head := data[at]:
        kind, at = head & 15, at + 1
        if head >> 4:
            field += head >> 4
        else:
            field, at = _integer(data, at)
        if kind < 3:  # a bool is its kind
            fields[field] = kind == 1
        else:
            fields[field], at = _value(data, at, kind, depth)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if depth > _DEEPEST:
        raise ValueError(_BROKEN)
    if kind in (4, 5, 6):
        return _integer(data, at)
    if kind == 8:
        length, at = _varint(data, at)
        return data[at : at + length], at + length
    if kind == 12:
        return read_struct(data, at, depth + 1)
    if kind in (9, 10):  # a list, or a set
        head, values = data[at], []
        count, at = (head >> 4, at + 1) if head < 0xF0 else _varint(data, at + 1)
        for _ in range(count):
            value, at = _value(data, at, head & 15, depth + 1)
            if at > len(data):
                raise IndexError(_BROKEN)
            values.append(value)
        return values, at
    if kind in (1, 2, 3):  # bools in a list have a byte each
        return data[at], at + 1
    if kind == 7:
        return None, at + 8
    raise ValueError(_BROKEN)


def _integer(data: bytes, at: int) -> tuple[int, int]:
    number, at = _varint(data, at)
    return (number >> 1) ^ -(number & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        if byte < 128:
            return number | byte << shift, at
        number |= (byte & 127) << shift
    raise ValueError(_BROKEN)
