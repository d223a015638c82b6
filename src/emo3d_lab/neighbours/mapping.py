"""The column mapping: which of a table's columns holds what. `docs/neighbours.md` describes its form for users."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from emo3d.blendshapes import BLENDSHAPES, LAYOUTS, Space
from emo3d.documents import read_json
from emo3d.emotions import EMOTIONS
from emo3d.names import KNOWN, blendshape_names
from emo3d_lab.neighbours.facs import Scale


@dataclass(frozen=True)
class ColumnMapping:
    """Which columns of a table hold what; a column of None is not there.

    Attributes:
        description: columns of text; each that is not empty makes a row.
        emotion: column of a tag.
        level: column of the tag's intensity, 1 to `levels`.
        levels: the highest level.
        emotions: what tags mean that are not in `TAGS`: tag -> emotion -> intensity.
        intensities: emotion -> column.
        blendshapes: blendshape -> column of its score, or one column of vectors or of mappings from name to score.
        layout: order of vectors; see `emo3d.blendshapes.as_expressions`.
        space: of the blendshapes.
        action_units: unit -> column of its strength, or one column; see `emo3d_lab.neighbours.facs.read_units`.
        scale: of the numbers among the strengths.
    """

    description: tuple[str, ...] = ()
    emotion: str | None = None
    level: str | None = None
    levels: int = 3
    emotions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    intensities: Mapping[str, str] | None = None
    blendshapes: Mapping[str, str] | str | None = None
    layout: str | None = None
    space: str | None = None
    action_units: Mapping[str, str] | str | None = None
    scale: Scale | None = None

    @property
    def columns(self) -> dict[str, str]:
        """Every column that is named -> the field it is named for."""
        keys: dict[str, str] = {}
        for key in ("description", "emotion", "level", "intensities", "blendshapes", "action_units"):
            value = getattr(self, key)
            columns = value.values() if isinstance(value, Mapping) else value or ()
            for column in [columns] if isinstance(columns, str) else columns:
                keys.setdefault(column, key)
        return keys


def read_mapping(path: str | os.PathLike[str], layout: str | None = None) -> ColumnMapping:
    """Read a mapping from a JSON file.

    Args:
        path: of the file.
        layout: of bare vectors, where the file does not say.

    Raises:
        ValueError: no JSON object, an unknown key, a value of another form; the message names the key.
    """
    name = Path(path).name
    document = read_json(path)
    if not isinstance(document, dict):
        raise ValueError(f"{name}: expected a JSON object, got a {type(document).__name__}")
    try:
        return _mapping(document, layout)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _mapping(document: Mapping[str, Any], layout: str | None) -> ColumnMapping:
    keys = [item.name for item in fields(ColumnMapping)]
    unknown = [key for key in document if key not in keys]
    if unknown:
        raise ValueError(f"expected the keys {', '.join(keys)}, got {unknown[0]!r:.300}")
    values = dict(document)
    if layout and values.setdefault("layout", layout) != layout:
        raise ValueError(f"layout is {values['layout']!r} here, but {layout!r} was passed")
    _one_of(values, "layout", LAYOUTS)
    _one_of(values, "scale", get_args(Scale))
    _one_of(values, "space", get_args(Space))
    for key in ("emotion", "level"):
        _check(values, key, _is_column, "a column")
    _check(values, "levels", lambda value: isinstance(value, int) and value > 0, "a whole number")
    if "description" in values:
        description = [values["description"]] if isinstance(values["description"], str) else values["description"]
        if not _strings(description):
            raise ValueError(f"expected a column or a list of columns as description, got {description!r:.300}")
        values["description"] = tuple(description)
    values["emotions"] = _emotions(values.get("emotions", {}))
    if "intensities" in values:
        values["intensities"] = _by_name(values["intensities"], EMOTIONS, EMOTIONS, "intensities")
    if isinstance(values.get("blendshapes"), (list, dict)):
        values["blendshapes"] = _blendshapes(values["blendshapes"], values.get("layout"))
    _check(values, "blendshapes", lambda value: _is_column(value) or isinstance(value, dict), "a column, or columns")
    _check(values, "action_units", lambda value: _is_column(value) or _columns(value), "a column, or unit -> column")
    return ColumnMapping(**values)


def _check(values: Mapping[str, Any], key: str, holds: Callable[[Any], bool], expected: str) -> None:
    if key in values and not holds(values[key]):
        raise ValueError(f"expected {expected} as {key}, got {values[key]!r:.300}")


def _one_of(values: Mapping[str, Any], key: str, choices: Iterable[str]) -> None:
    _check(values, key, lambda value: value in tuple(choices), " or ".join(map(repr, choices)))


def _strings(value: Any) -> bool:
    return isinstance(value, Sequence) and bool(value) and all(map(_is_column, value))


def _columns(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_column, value.values()))


def _is_column(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _by_name(value: Any, order: Sequence[str], names: Sequence[str], key: str) -> dict[str, str]:
    """Name -> column, from such a mapping or from columns in the order of the names."""
    if isinstance(value, list) and _strings(value):
        if len(value) != len(order):
            raise ValueError(f"expected {len(order)} columns as {key}, got {len(value)}")
        return dict(zip(order, value, strict=True))
    if not _columns(value):
        raise ValueError(f"expected columns as {key}, got {value!r:.300}")
    unknown = [name for name in value if name not in names]
    if unknown:
        raise ValueError(f"expected {key} of {', '.join(names)}; got {unknown[0]!r:.300}")
    return dict(value)


def _blendshapes(value: Any, layout: str | None) -> dict[str, str]:
    if isinstance(value, list) and len(value) == 52 and layout is None:
        raise ValueError('52 blendshapes are in the layout "mediapipe" or "arkit": say which as layout')
    order = LAYOUTS[layout or "emo3d"]
    if layout == "arkit" and len(value) == 51:  # without tongueOut, the last
        order = order[:51]
    if isinstance(value, dict):
        names = blendshape_names(value)  # in whatever spelling
        value = {
            **{key: column for key, column in value.items() if key not in names.values()},
            **{ours: value[theirs] for ours, theirs in names.items()},
        }
    columns = _by_name(value, order, KNOWN, "blendshapes")
    missing = [name for name in BLENDSHAPES if name not in columns]
    if missing:
        raise ValueError(f"expected a column for each of the 51 blendshapes, got none for {missing[0]}")
    return columns


def _emotions(value: Any) -> dict[str, dict[str, float]]:
    if not isinstance(value, dict):
        raise ValueError(f"expected tag -> emotion -> intensity as emotions, got {value!r:.300}")
    for tag, shares in value.items():
        if not isinstance(shares, dict) or any(
            emotion not in EMOTIONS or not isinstance(share, (int, float)) or not 0 <= share <= 1
            for emotion, share in shares.items()
        ):
            raise ValueError(
                f"expected emotions of {', '.join(EMOTIONS)} with intensities in 0..1 for {tag!r:.100}, "
                f"got {shares!r:.300}"
            )
    return {tag.strip().lower(): shares for tag, shares in value.items()}
