"""The map of a character: which of its targets each of ARKit's units moves, and by how much."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emo3d.documents import read_json
from emo3d.face.heads import TARGETS
from emo3d.files import whole_file
from emo3d.hints import did_you_mean
from emo3d.ranges import real_number

FORMAT = "emo3d-map-1"


@dataclass(frozen=True)
class MappedMesh:
    """A mesh that a map was made for: what tells it from others, whatever else becomes of its file.

    Attributes:
        mesh: its name.
        targets: how many morph targets it has.
        vertices: how many of all its primitives.
        names: SHA-256 of the targets' names in their order.
    """

    mesh: str
    targets: int
    vertices: int
    names: str

    def differs_from(self, others: Iterable[MappedMesh]) -> str | None:
        """How the meshes of this name differ from it, as the end of a sentence; None where one is the same."""
        called = [other for other in others if other.mesh == self.mesh]
        if not called or self in called:
            return None if called else "is not there"
        for count, what in (("targets", "morph targets"), ("vertices", "vertices")):
            counts = [getattr(other, count) for other in called]
            if getattr(self, count) not in counts:
                return f"has {counts[0]} {what} in place of {getattr(self, count)}"
        return "has targets of other names"


@dataclass(frozen=True)
class CharacterMap:
    """Which of a character's targets each unit moves, and by how much.

    A target is written by its name in the file, and means every mesh that has one so named; `mesh/target` means the
    mesh of that name alone, and `#3` the fourth target of a mesh, where it has no name.

    Attributes:
        units: unit (of `emo3d.face.TARGETS`) -> target -> coefficient in -1..1.
        residuals: unit -> share of its motion that the targets cannot make, 0 (exact) to 1 (nothing).
        origin: SHA-256 of the file that it was made for, for people; a map without `targets` fits no other file.
        method: how it was made, for people.
        targets: the meshes that it was made for; it fits files that have them. With neither, it fits any.

    Raises:
        ValueError: a unit that ARKit has not, or a number out of range.
    """

    units: Mapping[str, Mapping[str, float]]
    residuals: Mapping[str, float] = field(default_factory=dict)
    origin: str | None = None
    method: Mapping[str, Any] = field(default_factory=dict)
    targets: tuple[MappedMesh, ...] = ()

    def __post_init__(self) -> None:
        for name in (*self.units, *self.residuals):
            if name not in TARGETS:
                raise ValueError(f"expected a unit of ARKit's 52, got {name!r:.100}{did_you_mean(name, TARGETS)}")
        for unit, combination in self.units.items():
            if not isinstance(combination, Mapping):
                raise ValueError(f"expected targets and coefficients for {unit}, got {combination!r:.100}")
            for target, value in combination.items():
                if not -1.0 <= real_number(f"the coefficient of {target!r} in {unit}", value) <= 1.0:
                    raise ValueError(f"expected coefficients in -1..1, got {value} of {target!r} in {unit}")
        for unit, value in self.residuals.items():
            if not 0.0 <= real_number(f"the residual of {unit}", value) <= 1.0:
                raise ValueError(f"expected residuals in 0..1, got {value} of {unit}")

    def check_fit(self, origin: str, meshes: tuple[MappedMesh, ...]) -> None:
        """Raise a ValueError where it was made for other meshes, or without `targets` for another file.

        Args:
            origin: SHA-256 of the file.
            meshes: those of the file that have morph targets.
        """
        for mesh in self.targets:
            if difference := mesh.differs_from(meshes):
                raise ValueError(
                    f"expected the map of this character, got that of another: mesh {mesh.mesh!r} {difference}; "
                    "`emo3d map` makes one of this"
                )
        if not self.targets and self.origin not in (None, origin):
            raise ValueError("expected the map of this file, got that of another: `emo3d map` makes one of this")

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON, which `read_map` reads."""
        document: dict[str, Any] = {"format": FORMAT, "character": self.origin}
        document["targets"] = [asdict(mesh) for mesh in self.targets]
        document |= {name: getattr(self, name) for name in ("units", "residuals", "method")}
        with whole_file(path) as file:
            Path(file).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_map(source: str | os.PathLike[str] | CharacterMap | None) -> CharacterMap | None:
    """Read a map from its file.

    Raises:
        ValueError: the file is no map; the message begins with its name.
        FileNotFoundError: no such file.
    """
    if source is None or isinstance(source, CharacterMap):
        return source
    name = Path(source).name
    if not Path(source).exists():
        raise FileNotFoundError(f"no such file: {source}")
    document = read_json(source)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f'{name}: expected a map ("format": "{FORMAT}", as `emo3d map` writes it), got something else')
    for key in ("units", "residuals", "method"):
        if not isinstance(document.get(key, {}), dict):
            raise ValueError(f"{name}: expected {key} to be an object, got {document[key]!r:.100}")
    try:
        fields = {key: document.get(key, {}) for key in ("units", "residuals", "method")}
        return CharacterMap(**fields, origin=document.get("character"), targets=_read_targets(document))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _read_targets(document: Mapping[str, Any]) -> tuple[MappedMesh, ...]:
    entries = document.get("targets", [])
    try:
        return tuple(MappedMesh(**entry) for entry in entries)
    except TypeError:
        raise ValueError(f"expected targets as `emo3d map` writes them, got {entries!r:.100}") from None


def resolve(key: str, meshes: Iterable[tuple[str, tuple[str, ...]]]) -> list[tuple[int, int]]:
    """Places of the targets that a key of a map means, as (mesh, target).

    Args:
        key: of a combination of a `CharacterMap`.
        meshes: name and names of the targets of each.

    Raises:
        ValueError: there is none.
    """
    meshes = list(meshes)
    places = [(mesh, targets.index(key)) for mesh, (_, targets) in enumerate(meshes) if key in targets]
    for mesh, (name, targets) in enumerate(meshes) if not places else ():
        target = key.removeprefix(f"{name}/")
        if target != key and target in targets:
            places.append((mesh, targets.index(target)))
    if not places:
        names = dict.fromkeys(target for _, targets in meshes for target in targets)
        raise ValueError(f"the map names {key!r:.100}, which no mesh has{did_you_mean(key, names)}")
    return places
