"""How much of the units' motion maps of scrambled rigs recover, per kind, and how long a map of a file takes.

python benchmarks/maps.py elderly-man middle-aged-woman "young-caucasian-woman*"     (* with a cartoon's eyes)
python benchmarks/maps.py --file avatar.glb
"""

from __future__ import annotations

import argparse
import logging
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

KINDS = ("permuted", "mirrored", "doubled", "split", "merged", "mixed", "noisy", "basis")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("identities", nargs="*", help="of anny; none of the reference's")
    parser.add_argument("--file", help="time the map of this file in place of that")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.file:
        time_file(options.file)
        return
    results: dict[str, list[tuple[float, float]]] = {}
    for identity in options.identities:
        for kind, shares in figures(identity).items():
            print(f"{identity:24} {kind:9} landmarks {shares[0]:.4f}  vertices {shares[1]:.4f}", flush=True)
            results.setdefault(kind, []).append(shares)
    for kind, rows in results.items():
        least, mean = np.min(rows, axis=0), np.mean(rows, axis=0)
        print(f"{kind:9} landmarks least {least[0]:.4f} mean {mean[0]:.4f}  vertices {least[1]:.4f} {mean[1]:.4f}")


def figures(identity: str) -> dict[str, tuple[float, float]]:
    """By kind, shares of motion recovered: of landmarks (where "adult" has them) and of all vertices."""
    from emo3d_lab.characters.mapping.sight import find_face
    from emo3d_lab.landmarker import FaceReader
    from scrambled import bald, enlarge_eyes, recovered, round_trip, scramble

    adult = bald("adult")
    with FaceReader(quiet=True) as reader:
        sight = find_face(adult, np.linalg.norm(adult.deltas, axis=2).max(axis=0), reader)
    rig = bald(identity.strip("*"))
    rig = enlarge_eyes(rig) if identity.endswith("*") else rig
    result = {}
    for kind in KINDS:
        truth, made = round_trip(rig, scramble(rig, kind), kind)
        there, here = (np.einsum("lr,nrk->nlk", sight.shares, motions[:, sight.rows]) for motions in (truth, made))
        result[kind] = recovered(there, here), recovered(truth, made)
    return result


def time_file(path: str) -> None:
    from emo3d_lab.characters.mapping import make_map, measure, read_morphs

    start = time.perf_counter()
    map = make_map(measure(read_morphs(path)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{path}: {len(map.units)} units in {time.perf_counter() - start:.1f} s, {memory:.0f} MB at most")


if __name__ == "__main__":
    main()
