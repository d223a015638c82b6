"""What each of ARKit's units does to a face: the landmarks of anny's heads moved, and laid on another face."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from emo3d.face.identities import NAMED
from emo3d.face.rig import TARGETS, FaceRig
from emo3d_lab.characters.mapping.sight import Sight, find_face, similarity
from emo3d_lab.landmarker import LANDMARKS, FaceReader

REFERENCES = ("adult", "young-woman", "man", "middle-aged-man", "girl")
"""Identities whose landmarks are averaged; none of them has hair over its brows here."""

_SMOOTHING = 0.5  # of the warp, by which errors of landmarks matter least; found on four heads, docs/maps.md
# In distances between the eyes, as far as a lid goes; a jaw goes further, to where the warp has no landmarks, so of its
# way the first part is warped, and drawn out.
_STEP = 0.2


@dataclass(frozen=True, eq=False)
class Reference:
    """The mean of our faces, in distances between the eyes."""

    points: np.ndarray  # (478, 3)
    motions: np.ndarray  # (52, 478, 3) of the units, order `TARGETS`
    tongue: float  # how far the tongue comes out


@lru_cache(maxsize=1)
def _reference(model: str | None, quiet: bool) -> Reference:
    sights, motions = [], []
    with FaceReader(model, quiet=quiet) as reader:
        for name in REFERENCES:
            rig = FaceRig.from_anny(replace(NAMED[name], hair_style="none"))
            sight = find_face(rig, np.linalg.norm(rig.deltas, axis=2).max(axis=0), reader)
            sights.append(sight)
            motions.append(np.stack([sight.motion(delta) for delta in rig.deltas]) / sight.eye_distance)
    first = sights[0].points / sights[0].eye_distance
    aligned = []
    for sight in sights:
        turn, scale, shift = similarity(sight.points, first)
        aligned.append(scale * sight.points @ turn.T + shift)
    tongue = float(rig.deltas[TARGETS.index("tongueOut"), :, 2].max() / sight.eye_distance)
    return Reference(np.nanmean(aligned, axis=0), np.mean(motions, axis=0), tongue)


def load_reference(model: str | None = None, *, quiet: bool = True) -> Reference:
    """Measure anny's heads with the instrument, once in a process: two seconds.

    Raises:
        LandmarkerUnavailableError: see `FaceReader`; an OSError.
    """
    return _reference(model, quiet)


def transport(reference: Reference, sight: Sight) -> np.ndarray:
    """Motions (52, 478, 3) of the units on another face, in its unit of length; 0 where it has no landmark.

    A smooth warp takes our landmarks to theirs, and the places where ours move to as well: so a lid that closes on our
    eyes closes on theirs, however large they are (deformation transfer, Sumner and Popovic 2004, by a warp of space).
    """
    from scipy.interpolate import RBFInterpolator

    turn, scale, shift = similarity(reference.points, sight.points)
    points = scale * reference.points @ turn.T + shift
    there = ~np.isnan(sight.points + reference.points).any(axis=1)
    size = sight.eye_distance
    warp = RBFInterpolator(points[there] / size, sight.points[there] / size, smoothing=_SMOOTHING)
    rest = warp(points / size)
    motions = np.zeros((len(reference.motions), LANDMARKS, 3))
    for unit, motion in enumerate(reference.motions):
        steps = scale * motion @ turn.T / size
        lengths = np.linalg.norm(steps, axis=1, keepdims=True)
        part = np.minimum(1.0, _STEP / np.maximum(lengths, 1e-12))
        motions[unit] = size * (warp(points / size + part * steps) - rest) / part
    motions[:, np.isnan(sight.points).any(axis=1)] = 0
    return motions
