"""The faces that an instrument is calibrated on: expressions, identities, poses and lights, all decided by a seed.

Readings determine weights only under a prior of weights, which is this: faces at rest, single units, the textbook's
prototypes and their blends, and free mixtures of a few units; left and right mostly together. Some faces are the rig
that readings will be rendered on, under the camera and light of scoring; the others differ in identity, pose and light,
as photographs do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, mirror
from emo3d.emotions import EMOTIONS
from emo3d.face.identities import ANCESTRIES, IDENTITIES, Identity
from emo3d.face.render import RenderSettings
from emo3d_lab.sample.prototypes import VARIANTS, compose, settle, vary

RENDERED, FITTED, HELD_OUT = 64, 176, 16
"""Sittings of the rig to render on, of other identities to fit on, and of those held out for the figures."""

KINDS: tuple[str, ...] = ("neutral", "unit", "prototype", "mixture")
"""Of faces, by the draw of their weights."""

_SHARES = (0.04, 0.26, 0.45, 0.25)  # of the kinds
_WOMEN = ("bob", "long", "bun", "bangs", "waves", "curls", "afro", "short")
_MEN = ("crop", "short", "buzz", "receding", "curls", "none")
_SHOT = 8  # faces rendered from one angle
_INDEX = {name: index for index, name in enumerate(BLENDSHAPES)}


def _moves() -> list[tuple[int, ...]]:
    """Units that move together: both sides of one, both eyes towards one side; the rest alone."""
    gaze = [("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookOutRight", "eyeLookInLeft")]
    apart = {"jawLeft", "jawRight", "mouthLeft", "mouthRight"}
    pairs = [
        (name, name.removesuffix("Left") + "Right")
        for name in BLENDSHAPES
        if name.endswith("Left") and name not in apart and not name.startswith(("eyeLookIn", "eyeLookOut"))
    ]
    sides = {name for pair in (*gaze, *pairs) for name in pair}
    alone = [(name,) for name in BLENDSHAPES if name not in sides]
    return [tuple(_INDEX[name] for name in names) for names in (*gaze, *pairs, *alone)]


_MOVES = _moves()


@dataclass(frozen=True)
class Shot:
    """Faces under one camera and one light.

    Attributes:
        weights: (N, 51), 0..1.
        kinds: (N,) indices of `KINDS`.
        yaw: degrees the head is turned.
        light_yaw: degrees the light is turned.
        field_of_view: degrees.
    """

    weights: np.ndarray
    kinds: np.ndarray
    yaw: float
    light_yaw: float
    field_of_view: float


@dataclass(frozen=True)
class Sitting:
    """The shots of one identity, which a worker measures at a time.

    Attributes:
        index: of the sitting.
        person: a number for the identity; 0 is the rig to render on.
        identity: of the face; None for a rig from a file.
        held_out: not fitted on.
    """

    index: int
    person: int
    identity: Identity | None
    held_out: bool
    shots: tuple[Shot, ...]


def sample_sittings(faces: int, *, seed: int = 0, identities: bool = True) -> list[Sitting]:
    """Draw the faces to measure: `RENDERED` + `FITTED` + `HELD_OUT` sittings of equal size, in this order.

    Args:
        faces: in all; at least one per sitting.
        seed: decides everything.
        identities: "adult" to render on and a random one for each other sitting; otherwise None (a rig of one face).

    Raises:
        ValueError: fewer faces than sittings.

    Example:
        >>> len(sample_sittings(512)), sample_sittings(512)[0].shots[0].weights.shape
        (256, (2, 51))
    """
    count = RENDERED + FITTED + HELD_OUT
    if faces < count:
        raise ValueError(f"expected at least {count} faces, one for each sitting, got {faces}")
    ends = np.arange(count + 1) * faces // count
    sittings = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])  # a sitting does not depend on the others
        person = max(0, index - RENDERED + 1) if identities else 0
        identity = (sample_identity(rng) if person else IDENTITIES["adult"]) if identities else None
        rows = int(ends[index + 1] - ends[index])
        shots = tuple(_shot(min(_SHOT, rows - start), rng, still=index < RENDERED) for start in range(0, rows, _SHOT))
        sittings.append(Sitting(index, person, identity, index >= RENDERED + FITTED, shots))
    return sittings


def sample_weights(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw weights (count, 51) in 0..1 with mouthClose <= jawOpen, and their kinds (count,), indices of `KINDS`."""
    kinds = rng.choice(len(KINDS), count, p=_SHARES)
    weights = np.stack([_DRAW[kind](rng) for kind in kinds]).clip(0.0, 1.0)
    close, jaw = _INDEX["mouthClose"], _INDEX["jawOpen"]
    weights[:, close] = np.minimum(weights[:, close], weights[:, jaw])
    return weights.astype(np.float32), kinds


def _shot(count: int, rng: np.random.Generator, still: bool) -> Shot:
    weights, kinds = sample_weights(count, rng)
    if still:
        return Shot(weights, kinds, yaw=0.0, light_yaw=0.0, field_of_view=RenderSettings.field_of_view)
    return Shot(
        weights,
        kinds,
        yaw=float(np.clip(7 * rng.standard_normal(), -20, 20)),
        light_yaw=float(np.clip(25 * rng.standard_normal(), -60, 60)),
        field_of_view=float(rng.uniform(16, 26)),
    )


def sample_identity(rng: np.random.Generator) -> Identity:
    """Draw somebody: age from a child of school age on, gender, build, ancestry, colours, brows and hair."""
    ancestry = rng.dirichlet((3.0, 3.0, 3.0))
    shares = dict(zip(ANCESTRIES, map(float, ancestry), strict=True))
    phenotype = {
        "gender": float(rng.uniform()),
        "age": float(rng.uniform(0.4, 1.0)),  # from a child of school age on
        "weight": float(rng.uniform(0.3, 0.7)),
        "muscle": float(rng.uniform(0.3, 0.7)),
        **shares,
    }
    tones = np.array([(100, 66, 48), (228, 186, 152), (236, 190, 168)])
    hairs = np.array([(38, 30, 26), (58, 42, 34), (136, 126, 116), (112, 78, 50), (176, 142, 96)])
    irises = np.array([(62, 42, 30), (92, 66, 44), (88, 100, 112), (96, 110, 80)])
    fair = ancestry[2] > 0.5  # the lighter colours go with the lighter skins
    skin, hair, iris = ancestry @ tones, hairs[rng.integers(5 if fair else 3)], irises[rng.integers(4 if fair else 2)]
    skin, brows = skin * rng.uniform(0.88, 1.06), float(rng.uniform(-0.003, 0.005))
    usual = _WOMEN if rng.uniform() < phenotype["gender"] else _MEN
    style = usual[rng.integers(len(usual))]
    bearded = usual is _MEN and phenotype["age"] > 0.6 and rng.uniform() < 0.4
    beard = float(rng.uniform()) if bearded else 0.0
    return Identity(phenotype, _colour(skin), _colour(hair), _colour(iris), brows, style, beard)


def _colour(values: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = map(int, values.clip(0, 255))
    return red, green, blue


def _neutral(rng: np.random.Generator) -> np.ndarray:
    return np.zeros(len(BLENDSHAPES))


def _unit(rng: np.random.Generator) -> np.ndarray:
    weights = np.zeros(len(BLENDSHAPES))
    _move(weights, _MOVES[rng.integers(len(_MOVES))], rng)
    return weights


def _prototype(rng: np.random.Generator) -> np.ndarray:
    emotions = rng.choice(EMOTIONS, rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]), replace=False)
    intensities = {str(emotion): float(rng.uniform(0.1, 1.0)) for emotion in emotions}
    variants = {emotion: str(rng.choice(list(VARIANTS[emotion]))) for emotion in intensities}
    weights = vary(compose(intensities, variants), rng, spread=2 * rng.uniform())
    return mirror(weights)[0] if rng.uniform() < 0.5 else weights


def _mixture(rng: np.random.Generator) -> np.ndarray:
    weights = np.zeros(len(BLENDSHAPES))
    for move in rng.choice(len(_MOVES), rng.integers(2, 9), replace=False):
        _move(weights, _MOVES[move], rng)
    stray = 0.03 * np.abs(rng.standard_normal(len(weights))) * (rng.uniform() < 0.5)
    return settle((weights + stray).clip(0.0, 1.0))


_DRAW: Sequence[Callable[[np.random.Generator], np.ndarray]] = (_neutral, _unit, _prototype, _mixture)


def _move(weights: np.ndarray, units: tuple[int, ...], rng: np.random.Generator) -> None:
    strength = rng.uniform(0.05, 1.0)
    shares = np.ones(len(units))
    if len(units) == 2:
        weaker = rng.choice([1.0, rng.uniform(0.3, 1.0), 0.0], p=[0.76, 0.12, 0.12])
        shares[rng.integers(2)] = weaker
    weights[list(units)] = strength * shares
    if _INDEX["mouthClose"] in units:  # it closes the lips of an open jaw
        weights[_INDEX["jawOpen"]] = max(weights[_INDEX["jawOpen"]], rng.uniform(strength, 1.0))
