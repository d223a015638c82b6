"""Takes as curves of a character's own targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from emo3d_lab.characters.character import Character, CharacterMesh
    from emo3d_lab.takes.reading import Take


class Curve(NamedTuple):
    """What one target does over a take."""

    mesh: CharacterMesh
    place: int  # of the target
    name: str  # of the target
    values: np.ndarray  # (F,) float64


def target_curves(character: Character, take: Take) -> list[Curve]:
    """Curves of all targets that a unit moves, those at rest too: what was played before leaves nothing behind."""
    morphs, units = character.morphs(take.scores), np.eye(take.scores.shape[1])
    curves = []
    for mesh in character.meshes:
        if mesh.index not in morphs:
            continue
        moved = (character.morphs(units)[mesh.index] != character.morphs(0 * units)[mesh.index]).any(axis=0)
        curves += [
            Curve(mesh, place, name, morphs[mesh.index][:, place])
            for place, name in enumerate(mesh.targets)
            if moved[place]
        ]
    return curves


def kept_keys(values: np.ndarray) -> np.ndarray:
    """Indices of the keys that straight lines need: those amid equal values are left out."""
    same = values[1:] == values[:-1]
    amid = np.concatenate([[False], same[:-1] & same[1:], [False]]) if len(values) > 1 else np.zeros(1, bool)
    return np.flatnonzero(~amid)
