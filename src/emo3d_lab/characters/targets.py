"""The morph targets of a file, and which unit of ARKit's each is by its name."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from emo3d.face.heads import TARGETS
from emo3d.names import Names, blendshape_name
from emo3d.ranges import real_number
from emo3d_lab.characters.maps import CharacterMap, MappedMesh
from emo3d_lab.characters.vrm import expression_units
from emo3d_lab.listing import first_few
from emo3d_lab.rigs.extensions import targets_of
from emo3d_lab.rigs.gltf import Asset

logger = logging.getLogger(__name__)

MOST_TARGETS = 2_000  # of one mesh; the largest rigs that people have come to about 900


@dataclass(frozen=True)
class CharacterMesh:
    """A mesh with morph targets.

    Attributes:
        index: in the file.
        name: in the file.
        nodes: indices of the nodes that place it.
        targets: names as written; `#3` for the fourth if it has none.
        defaults: (M,) float64, the file's own weights, of the first node that places it.
        rests: (M,) float64 of each node that places it, since nodes may have weights of their own.
    """

    index: int
    name: str
    nodes: tuple[int, ...]
    targets: tuple[str, ...]
    defaults: np.ndarray
    rests: Mapping[int, np.ndarray]


def find_meshes(asset: Asset) -> tuple[CharacterMesh, ...]:
    """Find all meshes with morph targets.

    Raises:
        ValueError: too many targets, or primitives of a mesh that name or count them differently.
    """
    nodes: dict[int, list[int]] = {}
    for place, node in enumerate(asset.json.get("nodes", ())):
        if "mesh" in node:
            nodes.setdefault(node["mesh"], []).append(place)
    meshes = []
    for index, mesh in enumerate(asset.json.get("meshes", ())):
        name = str(mesh.get("name", ""))
        names = [targets_of(asset.json, mesh, primitive) for primitive in mesh["primitives"]]
        targets = max(names, key=len)
        if len(targets) > MOST_TARGETS:
            raise ValueError(f"expected at most {MOST_TARGETS} morph targets in a mesh, got {len(targets)} in {name!r}")
        if any(other and other != targets for other in names):
            raise ValueError(f"expected the same morph targets in all parts of mesh {name!r}, got others")
        if not targets:
            continue
        placing = tuple(nodes.get(index, ()))
        own = _weights(mesh, np.zeros(len(targets)), name)
        rests = {node: _weights(asset.json["nodes"][node], own, name) for node in placing}
        spellings = tuple(target or f"#{place}" for place, target in enumerate(targets))
        defaults = next(iter(rests.values()), own)
        meshes.append(CharacterMesh(index, name, placing, spellings, defaults, rests))
    return tuple(meshes)


def mapped_meshes(asset: Asset, meshes: tuple[CharacterMesh, ...]) -> tuple[MappedMesh, ...]:
    """What a map knows meshes by."""
    mapped = []
    for mesh in meshes:
        primitives = asset.json["meshes"][mesh.index]["primitives"]
        places = [asset.entry("accessors", primitive["attributes"]["POSITION"]) for primitive in primitives]
        names = hashlib.sha256(json.dumps(mesh.targets).encode()).hexdigest()
        mapped.append(MappedMesh(mesh.name, len(mesh.targets), sum(place["count"] for place in places), names))
    return tuple(mapped)


def _weights(holder: Mapping[str, Any], otherwise: np.ndarray, name: str) -> np.ndarray:
    """Default weights that a mesh or node has, or else others."""
    if "weights" not in holder:
        return otherwise
    weights = holder["weights"]
    if len(weights) != len(otherwise):
        raise ValueError(f"expected {len(otherwise)} default weights in mesh {name!r}, got {len(weights)}")
    return np.array([real_number("default weights", weight) for weight in weights])


def effective_map(
    asset: Asset, meshes: tuple[CharacterMesh, ...], names: Names | None, own: CharacterMap | None
) -> CharacterMap:
    """Make the map of a file: targets of a unit's own name, else a VRM's expressions of it, and on top the user's map.

    Raises:
        ValueError: two targets of a mesh for one unit, the map of another file, or no unit that moves anything.
    """
    units: dict[str, dict[str, float]] = {}
    mapped = mapped_meshes(asset, meshes)
    for mesh in meshes:
        spellings: dict[str, str] = {}
        for target in mesh.targets:
            unit = blendshape_name(target, names)
            if unit not in TARGETS:
                continue
            if unit in spellings:
                _check_alike(asset, mesh, unit, spellings[unit], target)
                continue
            spellings[unit] = target
            units.setdefault(unit, {})[target] = 1.0
    for unit, combination in expression_units(asset.json, names).items():
        units.setdefault(unit, combination)
    if own is not None:
        own.check_fit(asset.origin, mapped)
        units |= {unit: dict(combination) for unit, combination in own.units.items()}
    if not any(units.values()):
        raise ValueError(
            f"expected morph targets with ARKit names, jawOpen and so on, got {_others(meshes, asset.name)}"
        )
    order = {unit: units[unit] for unit in TARGETS if unit in units}
    residuals, method = (own.residuals, own.method) if own else ({}, {})
    return CharacterMap(order, residuals, asset.origin, method, mapped)


def _check_alike(asset: Asset, mesh: CharacterMesh, unit: str, first: str, second: str) -> None:
    """Refuse two targets of one mesh for one unit, unless they move the same."""
    twice = f"mesh {mesh.name!r} has {unit} twice, as {first!r} and {second!r}"
    for primitive in asset.json["meshes"][mesh.index]["primitives"]:
        count = asset.entry("accessors", primitive["attributes"]["POSITION"])["count"]
        pairs = zip(mesh.targets, primitive["targets"], strict=True)
        moves = (asset.array(target["POSITION"], count) for name, target in pairs if name in (first, second))
        move = next(moves)
        if any((move != other).any() for other in moves):
            raise ValueError(f"{twice}, which differ: remove one of them")
    logger.warning("%s; they are alike, and one is read", twice)


def _others(meshes: tuple[CharacterMesh, ...], file: str) -> str:
    names = [target for mesh in meshes for target in mesh.targets]
    if not names:
        return "no morph targets at all; in Blender's glTF export switch on Shape Keys"
    map = f"`emo3d map {shlex.quote(file)} --out map.json` measures what they do, then pass `--map map.json`"
    telling = [name for name in dict.fromkeys(names) if not name.startswith("#")]
    if not telling:
        return (
            f"{len(names)} without names (they belong in the mesh's extras.targetNames; exporters have a switch); {map}"
        )
    return f"{len(names)} others, {first_few([name[:60] for name in telling])}; {map}"
