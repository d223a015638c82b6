"""Do strangers see what our faces mean? An emotion reader that nobody here trained looks at them.

    python benchmarks/legibility.py [--reader ../shared/readers/face-api] [--people named | --people random --seed 0]

Shares of faces whose likeliest emotion, of the seven that the reader knows, is the one they were made for: prototypes of each
emotion by strength (the weights times it), each variant, and the references of the sample's test split that are mostly
one emotion. In brackets: 95% Wilson intervals.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS
from emo3d.face import FaceRig, Identity, RenderSettings, render
from emo3d.face.identities import NAMED
from emo3d_lab.calibrate.sample import _identity as sample_identity
from emo3d_lab.landmarker import FaceReader
from emo3d_lab.readers import FaceApiReader, face_api
from emo3d_lab.sample.prototypes import VARIANTS

CONSOLE = Console(width=140)
STRENGTHS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
READABLE = [emotion for emotion in EMOTIONS if emotion in face_api.EMOTIONS]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", type=Path, default=Path(__file__).parents[2] / "shared" / "readers" / "face-api")
    parser.add_argument("--people", choices=("named", "random"), default="named")
    parser.add_argument("--seed", type=int, default=0, help="of random people")
    parser.add_argument("--count", type=int, default=23, help="random people")
    arguments = parser.parse_args()
    people: Mapping[str, Identity] = NAMED
    if arguments.people == "random":
        rng = np.random.default_rng(arguments.seed)
        people = {f"person-{k}": sample_identity(rng) for k in range(arguments.count)}
    rigs = [FaceRig.from_anny(person, cache=False) for person in (people if arguments.people == "named" else people.values())]
    with FaceReader(quiet=True) as landmarker:
        examine = Examiner(FaceApiReader(arguments.reader), landmarker)
        by_strength(rigs, examine)
        by_variant(rigs, examine)


class Examiner:
    """Renders faces and has them read: the likeliest emotions."""

    def __init__(self, reader: FaceApiReader, landmarker: FaceReader) -> None:
        self.reader, self.landmarker, self.lost = reader, landmarker, 0

    def __call__(self, weights: np.ndarray, rig: FaceRig) -> list[str]:
        pictures = render(weights, rig=rig, settings=RenderSettings(size=256))
        boxes = []
        for picture in pictures:
            faces = self.landmarker.faces(picture)
            self.lost += not faces
            boxes.append(faces[0].box if faces else (0.0, 0.0, *map(float, picture.shape[1::-1])))
        return [face_api.EMOTIONS[k] for k in self.reader.read(list(pictures), boxes).argmax(axis=1)]


def vector(weights: Mapping[str, float]) -> np.ndarray:
    """Weights by name as (51,)."""
    return np.array([weights.get(name, 0.0) for name in BLENDSHAPES])


def by_strength(rigs: list[FaceRig], examine: Examiner) -> None:
    """Prototypes by emotion and strength, and what they are taken for at full strength."""
    prototypes = {emotion: vector(next(iter(VARIANTS[emotion].values()))) for emotion in READABLE}
    weights = np.stack([strength * prototypes[emotion] for emotion in READABLE for strength in STRENGTHS])
    answers = np.array([examine(weights, rig) for rig in rigs]).reshape(len(rigs), len(READABLE), len(STRENGTHS))
    table = Table("prototype", *(f"x {strength:g}" for strength in STRENGTHS), "taken for, at full strength")
    for row, emotion in enumerate(READABLE):
        right = (answers[:, row] == emotion).sum(axis=0)
        names, counts = np.unique(answers[:, row, -1], return_counts=True)
        table.add_row(emotion, *map(str, right), ", ".join(f"{n} {c}" for n, c in zip(names, counts, strict=True)))
    right = (answers == np.array(READABLE)[:, None]).sum(axis=(0, 1))
    table.add_row("all", *(share(int(count), len(rigs) * len(READABLE)) for count in right), "")
    CONSOLE.print(table, f"of {len(rigs)} people each; no face found in {examine.lost} pictures")


def by_variant(rigs: list[FaceRig], examine: Examiner) -> None:
    """Every variant at full and half strength."""
    variants = [(emotion, name) for emotion in READABLE for name in VARIANTS[emotion]]
    full = np.stack([vector(VARIANTS[emotion][name]) for emotion, name in variants])
    answers = np.array([examine(np.concatenate([full, full / 2]), rig) for rig in rigs])
    table = Table("variant", "full", "half", "taken for, at full strength")
    for k, (emotion, name) in enumerate(variants):
        names, counts = np.unique(answers[:, k], return_counts=True)
        halves = (answers[:, len(variants) + k] == emotion).sum()
        said = ", ".join(f"{n} {c}" for n, c in zip(names, counts, strict=True))
        table.add_row(f"{emotion}.{name}", str((answers[:, k] == emotion).sum()), str(halves), said)
    CONSOLE.print(table)


def share(count: int, total: int) -> str:
    """A share with its 95% Wilson interval, per cent."""
    z, p = 1.96, count / total
    center, half = p + z * z / (2 * total), z * np.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    low, high = ((center + sign * half) / (1 + z * z / total) for sign in (-1, 1))
    return f"{p:.0%} [{100 * low:.0f}, {100 * high:.0f}]"


if __name__ == "__main__":
    main()
