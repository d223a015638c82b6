"""Expressions of VRM avatars, 1.0 and 0.x: what they move, and presets that are missing filled from our prototypes.

Sources: VRMC_vrm-1.0, "expressions.md", and VRM 0.0, `blendShapeMaster`, https://github.com/vrm-c/vrm-specification
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emo3d.face.heads import TARGETS
from emo3d.names import Names, blendshape_name
from emo3d_lab.characters.presets import (
    EMOTION_PRESETS,
    PRESETS,
    check_presets,
    overrides,
    perfect_sync_name,
    preset_weights,
)
from emo3d_lab.rigs.extensions import targets_of

if TYPE_CHECKING:
    from emo3d_lab.characters.character import Character
    from emo3d_lab.characters.file import EditedFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VrmExpression:
    """An expression of a VRM: under the name that 1.0 has for it if it is a preset, and what it moves."""

    name: str
    is_preset: bool
    binds: tuple[tuple[int, int, float], ...]  # mesh, its target, and weight, 1 where the target is at full strength
    paints: bool  # colours or textures, too
    problems: tuple[str, ...]  # binds that lead nowhere, which viewers ignore: sentences

    @property
    def is_empty(self) -> bool:
        """Nothing was ever entered."""
        return not (self.binds or self.paints or self.problems)


@dataclass(frozen=True)
class Filling:
    """What became of an expression: `filled`, `kept` (it was filled before), or `left out`, and the units it lacks."""

    name: str
    outcome: str
    lacking: tuple[str, ...] = ()


def vrm_version(document: Mapping[str, Any]) -> str | None:
    """Return `"1.0"`, `"0.x"`, or None where the JSON of a glTF file is no VRM."""
    extensions = document.get("extensions", {})
    return "1.0" if "VRMC_vrm" in extensions else "0.x" if "VRM" in extensions else None


def preset_title(document: Mapping[str, Any], name: str) -> str:
    """What an expression is called in a file, with the name that VRM 1.0 has for it: `blink_l (blinkLeft)` in 0.x."""
    theirs = PRESETS.get(name, name) if vrm_version(document) == "0.x" else name
    theirs = "Surprised" if theirs == "unknown" else theirs
    return name if theirs == name else f"{theirs} ({name})"


def expressions_of(document: Mapping[str, Any]) -> tuple[VrmExpression, ...]:
    """Read all expressions of a VRM, empty ones too, in the order of the file.

    Args:
        document: the JSON of the file.

    Raises:
        ValueError: no VRM, or what cannot be expressions. A bind that leads nowhere is a problem of its expression.
    """
    _check_version(document)
    try:
        targets = _targets(document)
        return tuple(_read_expression(document, targets, *entry) for entry in _entries(document))
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"expected a VRM, got a broken one ({error!r:.200})") from error


def expression_units(document: Mapping[str, Any], names: Names | None = None) -> dict[str, dict[str, float]]:
    """Read what ARKit's units move from a VRM's expressions of their names, in any spelling (Perfect Sync).

    Args:
        document: the JSON of the file; nothing is read from one that is no VRM.
        names: a mapping of the expressions' names.

    Returns:
        Unit -> `mesh/target`, by their names (`#3` for a target without one) -> coefficient in 0..1. Expressions that
        move no target are left out, and what is broken is said in a warning.
    """
    units: dict[str, dict[str, float]] = {}
    if vrm_version(document) is None:
        return units
    targets = _targets(document)
    titles = [str(mesh.get("name", "")) for mesh in document.get("meshes", ())]
    alike = Counter((title, key) for title, keys in zip(titles, targets, strict=True) for key in {*keys})
    for expression in expressions_of(document):
        unit = None if expression.is_preset else blendshape_name(expression.name, names)
        if unit not in TARGETS:
            continue
        problems, combination, moved = [*expression.problems], {}, Counter[tuple[str, str]]()
        for mesh, target, weight in expression.binds:
            key = targets[mesh][target]
            if targets[mesh].index(key) != target:
                problems.append(f"{expression.name!r} moves target {target} of mesh {mesh}, but so is another called")
                continue
            if not 0 <= weight <= 1:
                problems.append(f"{expression.name!r} moves {key} by {weight:g}, taken as {np.clip(weight, 0, 1):g}")
            combination[f"{titles[mesh]}/{key}"] = float(np.clip(weight, 0, 1))
            moved[titles[mesh], key] += 1
        for (title, key), count in moved.items():
            if count < alike[title, key]:
                problems.append(f"{expression.name!r} moves {key} of one mesh {title!r}, taken as of all so named")
        if unit in units and combination != units[unit]:
            problems.append(f"{expression.name!r} is a second expression for {unit}, and left out")
        if combination:
            units.setdefault(unit, combination)
        for problem in problems:
            logger.warning("%s", problem)
    return units


def fill_presets(
    edited: EditedFile,
    character: Character,
    presets: Iterable[str] | None = None,
    *,
    replace: bool = False,
    perfect_sync: bool = False,
) -> list[Filling]:
    """Fill presets that are missing or empty on all meshes that have the shapes; what is filled is kept.

    An emotion is filled where at least half of its weights move something; other presets where all do.

    Args:
        edited: the character's file, whose JSON is changed.
        presets: names of `PRESETS`; all where none are given.
        replace: also those that are filled; colours, textures and settings stay.
        perfect_sync: also an expression of its own for each of ARKit's 52 units (`JawOpen` and so on).

    Raises:
        ValueError: no VRM, an unknown preset, or nothing to fill one with.
    """
    _check_version(edited.json)
    wanted = check_presets(PRESETS if presets is None else presets)
    weights = {name: row for name, row in preset_weights().items() if name in wanted}
    if perfect_sync:
        units = zip(TARGETS, np.eye(len(TARGETS), dtype=np.float32), strict=True)
        weights |= {perfect_sync_name(unit): row for unit, row in units}
    there = {_folded(expression.name, expression.is_preset): expression for expression in expressions_of(edited.json)}
    fillings = []
    for name, row in weights.items():
        expression = there.get(_folded(name, name in PRESETS))
        lacking = tuple(TARGETS[place] for place in np.flatnonzero(row) if TARGETS[place] in character.missing)
        lost = sum(row[TARGETS.index(unit)] for unit in lacking)
        if expression is not None and not (row.any() and (expression.is_empty or replace)):
            fillings.append(Filling(name, "kept"))
        elif lost > (0.5 * row.sum() if name in EMOTION_PRESETS else 0):
            fillings.append(Filling(name, "left out", lacking))
        else:
            settings = overrides(row) if name in EMOTION_PRESETS else {}
            _write(edited.json, expression.name if expression else name, _binds(character, name, row), settings)
            fillings.append(Filling(name, "filled", lacking))
    if all(filling.outcome == "left out" for filling in fillings):
        raise ValueError(
            f"expected a character that moves ARKit's units, got {character.path.name}, which lacks "
            f"{len(character.missing)}: `emo3d map {character.path.name} --out map.json` makes a map for --map"
        )
    return fillings


def add_expression(edited: EditedFile, character: Character, name: str, weights: Any) -> str:
    """Write an expression of one's own into a VRM; one of this name is replaced, with a warning if it was filled.

    A viewer that plays expressions sets what they move to 0 in every frame, so default weights alone would not be seen.

    Args:
        edited: the character's file, whose JSON is changed.
        name: `emo3d` is put before that of a preset, which VRM 1.0 keeps for itself.
        weights: (51,) or (52,) in 0..1, in the order of `TARGETS`.

    Returns:
        The name that it has.

    Raises:
        ValueError: no VRM.
    """
    there = {expression.name: expression for expression in expressions_of(edited.json)}
    is_preset = name in PRESETS or (vrm_version(edited.json) == "0.x" and name.lower() == "surprised")
    if not name or is_preset:
        name = f"emo3d {name}".strip()
    row = np.zeros(len(TARGETS), np.float32)
    values = np.asarray(weights, np.float32).reshape(-1)
    row[: len(values)] = values
    binds = _binds(character, name, row)
    if name in there and not there[name].is_empty and {*there[name].binds} != {*binds}:
        logger.warning("the avatar's expression %r is replaced", name)
    _write(edited.json, name, binds, overrides(row))
    return name


def _check_version(document: Mapping[str, Any]) -> str:
    version = vrm_version(document)
    if version is None:
        raise ValueError(
            "expected a VRM, got a glTF file without the VRMC_vrm or VRM extension, which has no expressions: `emo3d "
            "animate` sets its weights, and the VRM add-on of Blender or UniVRM makes an avatar of it"
        )
    return version


def _checked(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        expected = "an object" if kind is dict else "a list"
        raise ValueError(f"expected {expected} as {where} of the VRM's expressions, got {value!r:.60}")
    return value


def _entries(document: Mapping[str, Any]) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """Name, whether it is a preset, and entry of every expression."""
    if vrm_version(document) == "1.0":
        groups = _checked(document["extensions"]["VRMC_vrm"].get("expressions") or {}, dict, "all")
        for kind in ("preset", "custom"):
            for name, entry in _checked(groups.get(kind) or {}, dict, kind).items():
                yield name, kind == "preset", _checked(entry or {}, dict, repr(name))
        return
    master = _checked(document["extensions"]["VRM"].get("blendShapeMaster") or {}, dict, "blendShapeMaster")
    presets = {theirs: preset for preset, theirs in PRESETS.items() if theirs != "unknown"}
    for place, entry in enumerate(_checked(master.get("blendShapeGroups") or [], list, "blendShapeGroups")):
        name = str(_checked(entry, dict, f"group {place}").get("name") or f"#{place}")
        preset = presets.get(str(entry.get("presetName", "")).lower())
        if preset is None and name.lower() == "surprised":
            preset = "surprised"
        yield preset or name, preset is not None, entry


def _targets(document: Mapping[str, Any]) -> list[list[str]]:
    """Names of each mesh's targets; `#3` for one without."""
    meshes = []
    for mesh in document.get("meshes", ()):
        names = targets_of(dict(document), mesh, mesh["primitives"][0])
        meshes.append([name or f"#{place}" for place, name in enumerate(names)])
    return meshes


def _read_expression(
    document: Mapping[str, Any], targets: list[list[str]], name: str, is_preset: bool, entry: dict[str, Any]
) -> VrmExpression:
    sums: dict[tuple[Any, int, int], float] = {}
    problems = []
    binds = entry.get("morphTargetBinds" if vrm_version(document) == "1.0" else "binds")
    for bind in _checked(binds or [], list, f"the binds of {name!r}"):
        try:
            mesh, target, weight = _read_bind(bind, document, targets)
        except LookupError as error:
            problems.append(f"{name!r} moves {error.args[0]}, which is not there")
        else:
            place = (bind.get("node"), mesh, target)
            sums[place] = sums.get(place, 0.0) + weight
    places: dict[tuple[int, int], float] = {}
    for (_, mesh, target), weight in sums.items():  # a mesh may be placed by several nodes, each with a bind
        places[mesh, target] = max(places.get((mesh, target), weight), weight)
    paints = any(entry.get(key) for key in ("materialColorBinds", "textureTransformBinds", "materialValues"))
    return VrmExpression(
        name, is_preset, tuple((*place, weight) for place, weight in places.items()), paints, tuple(problems)
    )


def _read_bind(bind: Any, document: Mapping[str, Any], targets: list[list[str]]) -> tuple[int, int, float]:
    """Mesh, target and weight of a bind; a LookupError says what it leads to where there is nothing."""
    _checked(bind, dict, "a bind")
    target, mesh, full = bind.get("index"), bind.get("mesh"), 100
    if vrm_version(document) == "1.0":
        nodes, node, full = document.get("nodes", ()), bind.get("node"), 1
        if type(node) is not int or not 0 <= node < len(nodes) or "mesh" not in nodes[node]:
            raise LookupError(f"a mesh of node {node!r:.20}")
        mesh = nodes[node]["mesh"]
    if type(mesh) is not int or not 0 <= mesh < len(targets):
        raise LookupError(f"mesh {mesh!r:.20}")
    if type(target) is not int or not 0 <= target < len(targets[mesh]):
        raise LookupError(f"target {target!r:.20} of mesh {mesh} with {len(targets[mesh])}")
    weight = bind.get("weight", full)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ValueError(f"expected a number as weight of a bind, got {weight!r:.40}")
    return mesh, target, weight / full


def _folded(name: str, is_preset: bool) -> tuple[bool, str]:
    """What two names of the same expression have in common."""
    return (True, name) if is_preset else (False, blendshape_name(name) or name)


def _binds(character: Character, name: str, row: np.ndarray) -> list[tuple[int, int, float]]:
    """Mesh, target and weight in 0..1 of all that weights (52,) move; what would go beyond is said."""
    binds, beyond = [], []
    for mesh, (rest, values) in character.morphs(np.stack([np.zeros_like(row), row])).items():
        for target in np.flatnonzero(np.abs(values - rest) >= 5e-5):
            value = float(values[target])
            if not 0 <= value <= 1:
                beyond.append(f"target {target} of mesh {mesh} ({value:.2f})")
            binds.append((mesh, int(target), round(min(max(value, 0.0), 1.0), 4)))
    if beyond:
        logger.warning("%s would move beyond 0..1, which a VRM cannot say, and is clipped: %s", name, ", ".join(beyond))
    return [bind for bind in binds if bind[2]]


def _write(
    document: dict[str, Any], name: str, binds: list[tuple[int, int, float]], settings: Mapping[str, str]
) -> None:
    """Put binds into an expression, which is made where it is missing; what else it has stays."""
    extension = document["extensions"]["VRMC_vrm" if vrm_version(document) == "1.0" else "VRM"]
    if vrm_version(document) == "1.0":
        expressions = _held(extension, "expressions", {})
        entry = _held(_held(expressions, "preset" if name in PRESETS else "custom", {}), name, {"isBinary": False})
        users: dict[int, list[int]] = {}
        for node, used in enumerate(document.get("nodes", ())):
            users.setdefault(used.get("mesh", -1), []).append(node)
        entry["morphTargetBinds"] = [
            {"node": node, "index": target, "weight": weight}
            for mesh, target, weight in binds
            for node in users.get(mesh, ())
        ]
        entry |= settings | entry
        return
    groups = _held(_held(extension, "blendShapeMaster", {}), "blendShapeGroups", [])
    entry = next((entry for other, _, entry in _entries(document) if other == name), None)
    if entry is None:
        theirs = PRESETS.get(name, "unknown")
        title = name if name not in PRESETS else "Surprised" if theirs == "unknown" else theirs.title()
        entry = {"name": title, "presetName": theirs, "binds": [], "materialValues": [], "isBinary": False}
        groups.append(entry)
    entry["binds"] = [
        {"mesh": mesh, "index": target, "weight": round(100 * weight, 2)} for mesh, target, weight in binds
    ]


def _held(parent: dict[str, Any], key: str, default: Any) -> Any:
    """What a mapping has under a key; the default, put there, where that is nothing."""
    parent[key] = parent.get(key) or default
    return parent[key]
