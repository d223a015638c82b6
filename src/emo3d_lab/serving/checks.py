"""What a request must be: the schemas of `tools`, and whatever is wrong as one sentence."""

from __future__ import annotations

import functools
import json
from collections import Counter
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from emo3d.documents import parse_json
from emo3d.hints import did_you_mean
from emo3d_lab.serving.tools import Tool

MOST_VALUES = 200_000
_TYPES = {"object": "a JSON object", "array": "a list", "string": "a text", "number": "a number"}
_TYPES |= {"integer": "a whole number", "boolean": "true or false"}


def check_input(tool: Tool, document: Any) -> dict[str, Any]:
    """Return the input of a tool, with defaults filled in; a field that need not be there may be null.

    Raises:
        ValueError: not as the tool's schema says; a field is missing, unknown, of another type or out of range.
    """
    if isinstance(document, dict):
        document = {name: value for name, value in document.items() if value is not None or name in tool.required}
    error = next(_validator(tool).iter_errors(document), None)  # the first: a hostile request has thousands
    if error is not None:
        raise ValueError(_sentence(error))
    return {name: field["default"] for name, field in tool.fields.items() if "default" in field} | document


def parse_input(tool: Tool, body: bytes) -> dict[str, Any]:
    """Read and check the JSON input of a tool; errors as of `check_input` and `parse_body`."""
    return check_input(tool, parse_body(body))


def parse_body(body: bytes) -> Any:
    """Read JSON that may be hostile.

    Raises:
        ValueError: what `parse_json` refuses, more than `MOST_VALUES`, or a name twice in one object.
    """
    if sum(map(body.count, (b"[", b"{", b","))) > MOST_VALUES:  # would take seconds and a hundred times the memory
        raise ValueError(f"expected JSON of at most {MOST_VALUES:,} values, got more")
    document = parse_json(body)
    json.loads(body, object_pairs_hook=_single)
    return document


def _single(fields: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in fields]
    if len(set(names)) < len(names):
        twice = _short(Counter(names).most_common(1)[0][0])
        raise ValueError(f"expected each name once in a JSON object, got {twice} twice")


@functools.cache
def _validator(tool: Tool) -> Draft202012Validator:
    return Draft202012Validator(tool.schema)


def _sentence(error: ValidationError) -> str:
    """What was expected, where, and what came."""
    rule, limit, value = error.validator, error.validator_value, error.instance
    fields: dict[str, Any] = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    place = ".".join(map(str, error.absolute_path)) or "the request"
    if rule == "type":
        return f"expected {place} to be {_TYPES.get(limit, limit)}, got {_short(value)}"
    if rule == "required":
        missing = next(name for name in limit if name not in value)
        return f"expected a field {missing!r} in {place}, got {', '.join(value) or 'none'!s:.200}"
    if rule == "additionalProperties":
        unknown = next(name for name in value if name not in fields)
        return (
            f"expected the fields {', '.join(fields)} in {place}, got {_short(unknown)}{did_you_mean(unknown, fields)}"
        )
    if rule == "enum":
        names = list(map(str, limit))
        listed = ", ".join(names[:16]) + (f" and {len(names) - 16} more" if len(names) > 16 else "")
        hint = did_you_mean(value, names) if isinstance(value, str) and len(value) < 100 else ""
        return f"expected one of {listed} in {place}, got {_short(value)}{hint}"
    if rule in ("minimum", "maximum"):
        least, most = (error.schema.get(end) for end in ("minimum", "maximum"))
        return f"expected {place} to be a number of {least:,} to {most:,}, got {value:.8g}"
    words = {"minLength": "at least", "minItems": "at least", "minProperties": "at least"}
    kind = {"L": "characters", "I": "entries", "P": "entries"}[str(rule)[3]]
    return f"expected {place} to have {words.get(str(rule), 'at most')} {limit:,} {kind}, got {len(value):,}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
