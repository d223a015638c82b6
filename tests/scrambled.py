"""Rigs with known units under other shapes: renamed, split, merged, mixed, scaled and noisy; and files of them."""

import json
import struct
from dataclasses import replace

import numpy as np

from emo3d.face import TARGETS, FaceRig
from emo3d.face.export import write_glb
from emo3d.face.identities import NAMED
from emo3d_lab.characters.mapping import Morphs, make_combinations, make_map, measure
from emo3d_lab.characters.mapping.morphs import Move

PAIRS = tuple(
    (name, name.removesuffix("Left") + "Right")
    for name in TARGETS
    if name.endswith("Left") and name not in ("mouthLeft", "jawLeft")
)


def bald(name):
    """anny's head without hair, whose vertices are the same ones for every identity."""
    return FaceRig.from_anny(replace(NAMED[name], hair_style="none"))


def enlarge_eyes(rig):
    """Warp space about the eyes and the mouth, as a cartoon has them, and what the units do with it."""

    def warp(places):
        moved = places.copy()
        for x, y, z, width, share in (
            (-0.031, 0.149, 0.13, 0.03, 0.45),
            (0.031, 0.149, 0.13, 0.03, 0.45),
            (0, 0.076, 0.15, 0.035, -0.2),
        ):
            away = places - (x, y, z)
            moved += share * away * np.exp(-(away**2).sum(axis=-1, keepdims=True) / (2 * width**2))
        return 1.1 * moved

    neutral = warp(rig.neutral.astype(float))
    deltas = np.stack([warp(rig.neutral + delta.astype(float)) - neutral for delta in rig.deltas])
    return replace(rig, neutral=neutral.astype(np.float32), deltas=deltas.astype(np.float32))


def scramble(rig, kind, seed=0):
    """Shapes of a rig, a name and deltas (V, 3) each, by which all its units, but of `merged` either side, are made."""
    rng = np.random.default_rng(seed)
    units = dict(zip(TARGETS, rig.deltas.astype(float), strict=True))
    shapes = list(units.values())
    if kind == "basis":  # orthogonal mixtures of either sign
        turn = np.linalg.qr(rng.normal(size=(len(shapes), len(shapes))))[0]
        shapes = list(np.tensordot(turn, np.array(shapes), 1))
    elif kind == "permuted":
        shapes = [shapes[place] for place in rng.permutation(len(shapes))]
    elif kind == "mirrored":  # each with the name of the other side's unit
        other = {one: two for pair in PAIRS for one, two in (pair, pair[::-1])}
        return {other.get(name, name): delta for name, delta in units.items()}
    elif kind == "doubled":
        shapes = [2 * shape for shape in shapes]
    elif kind == "split":  # in two halves along x that fade into each other
        halves = []
        for shape in shapes:
            length = np.linalg.norm(shape, axis=1)
            x = rig.neutral[:, 0].astype(float)
            share = 1 / (1 + np.exp(-(x - np.average(x, weights=length)) / 0.004))
            halves += [shape * share[:, None], shape * (1 - share)[:, None]]
        shapes = halves
    elif kind == "merged":
        sided = {name for pair in PAIRS for name in pair}
        shapes = [units[left] + units[right] for left, right in PAIRS]
        shapes += [delta for name, delta in units.items() if name not in sided]
    elif kind == "mixed":  # fifteen mixtures as visemes are, beside the units
        mouth = [name for name in TARGETS if name.startswith(("mouth", "jaw"))]
        for _ in range(15):
            chosen = rng.choice(mouth, 3, replace=False)
            shapes.append(
                sum(weight * units[name] for weight, name in zip(rng.uniform(0.2, 0.8, 3), chosen, strict=True))
            )
    elif kind == "noisy":
        largest = [np.linalg.norm(shape, axis=1).max() for shape in shapes]
        shapes = [
            shape + 0.03 * size * rng.normal(size=shape.shape) * shape.any(axis=1, keepdims=True)
            for shape, size in zip(shapes, largest, strict=True)
        ]
    return {f"Key {place}": shape for place, shape in enumerate(shapes)}


def as_morphs(rig, shapes):
    """A mesh and its shapes, as they are read from a file."""
    moves = {name: Move(np.arange(len(shape)), shape.astype(np.float32)) for name, shape in shapes.items()}
    return Morphs(rig, moves, None)


def round_trip(rig, shapes, kind):
    """Motions of all vertices by the units, and by what the map makes of the shapes: (N, V, 3) each.

    Of `merged` sides are added up; units that the map names as missing are left out.
    """
    measurement = measure(as_morphs(rig, shapes))
    combined = make_combinations(measurement)["units"] if kind == "basis" else make_map(measurement).units
    units = dict(zip(TARGETS, rig.deltas.astype(float), strict=True))
    made = {
        unit: sum(value * shapes[name] for name, value in combination.items()) for unit, combination in combined.items()
    }
    groups = [(unit,) for unit in made]
    if kind == "merged":
        sided = {name for pair in PAIRS for name in pair}
        groups = [pair for pair in PAIRS if made.keys() >= set(pair)] + [(unit,) for unit in made if unit not in sided]
    return tuple(np.array([sum(table[unit] for unit in group) for group in groups]) for table in (units, made))


def write_shapes(path, rig, shapes, turn=None):
    """Write a GLB with at most 52 shapes of any names; `turn` (3, 3) turns it."""
    deltas = np.zeros_like(rig.deltas)
    deltas[: len(shapes)] = list(shapes.values())
    neutral = rig.neutral
    if turn is not None:
        neutral, deltas = (neutral @ turn.T).astype(np.float32), (deltas @ turn.T).astype(np.float32)
    write_glb(path, np.zeros(51), rig=replace(rig, neutral=neutral, deltas=deltas, wrinkles=None))
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    document = json.loads(content[20 : 20 + length])
    mesh = document["meshes"][0]
    mesh["primitives"][0]["targets"] = mesh["primitives"][0]["targets"][: len(shapes)]
    mesh["weights"], mesh["extras"] = [0] * len(shapes), {"targetNames": list(shapes)}
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = content[20 + length :]
    header = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest)) + struct.pack("<I4s", len(text), b"JSON")
    path.write_bytes(header + text + rest)
    return path


def recovered(truth, made):
    """Share of motions (N, V, 3) that is made: 1 - sum |truth - made|^2 / sum |truth|^2."""
    return 1 - ((truth - made) ** 2).sum() / (truth**2).sum()
