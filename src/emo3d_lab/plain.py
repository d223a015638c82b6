"""Dataclasses out of plain Python, as it comes from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

Share = Annotated[float, (0.0, 1.0)]
"""A number within the range."""

_LARGEST = 1e100  # the sums and squares of such numbers are finite


def from_plain(kind: Any, plain: Any, name: str, document: str) -> Any:
    """Read a value of an annotated type: a dataclass, TypedDict, tuple, list, Literal, X | None, or a scalar.

    Integers are counts from 0. All fields must be there, whatever their defaults; further ones are ignored.

    Args:
        kind: the type.
        plain: the value.
        name: of the value in error messages.
        document: what is read, in error messages: "an audit".

    Raises:
        ValueError: a missing or wrong value; the message names it.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if plain is None else from_plain(arguments[0], plain, name, document)
    if origin is Annotated:
        value = from_plain(arguments[0], plain, name, document)
        low, high = arguments[1]
        if low <= value <= high:
            return value
    elif origin in (tuple, list) and isinstance(plain, list | tuple):
        kinds = arguments if origin is tuple and arguments[-1] is not Ellipsis else arguments[:1] * len(plain)
        if len(kinds) == len(plain):
            return origin(from_plain(part, value, name, document) for part, value in zip(kinds, plain, strict=True))
    elif origin is Literal and plain in arguments:
        return plain
    elif (is_dataclass(kind) or is_typeddict(kind)) and isinstance(plain, Mapping):
        hints = get_type_hints(kind, include_extras=True)
        if missing := [field for field in hints if field not in plain]:
            raise ValueError(f"expected {missing[0]!r} in {name}, got {', '.join(map(str, plain)) or 'nothing':.300}")
        return kind(**{field: from_plain(hint, plain[field], field, document) for field, hint in hints.items()})
    elif type(plain) in ((int, float) if kind is float else (kind,)):
        least = {int: 0, float: -_LARGEST}.get(kind)
        if least is None or least <= plain <= _LARGEST:
            return plain
    raise ValueError(f"expected {name} as {document} has it, got {plain!r:.60}")
