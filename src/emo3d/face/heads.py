"""Heads of anny as arrays: those of all named identities come with the package; others are made here, once.

`anny` (Apache-2.0 code, CC0 MakeHuman assets) builds a body of any age and gender with 52 facial actions that carry the
ARKit names and are linear. For a face of one's own it reads that body for some minutes and keeps about 1 GB in a cache
of its own; no named identity needs any of it. The packed arrays are made by `emo3d_lab.heads`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import skin
from emo3d.face.identities import Identity
from emo3d.files import whole_file
from emo3d.hints import did_you_mean, warn_not_kept
from emo3d.loading import loaded_once

logger = logging.getLogger(__name__)

TARGETS: tuple[str, ...] = (*BLENDSHAPES, "tongueOut")
"""The 52 morph targets of a rig: the 51 of an expression, then ARKit's tongue."""

OWN = ("neutral", "occlusion", "frame")
"""Arrays in which named identities differ; they share all others to the bit."""
MASKS = ("lips", "brows", "scalp")

_REDUCTION = 2  # raise it when the arrays below change their meaning, so that old cache entries are left alone
_PACKED = Path(__file__).parent.parent / "assets" / "heads"


def head_arrays(identity: Identity, cache: bool = True) -> dict[str, np.ndarray]:
    """Take a head from the package or from the cache, or make it and, unless `cache` is false, keep it there (6 MB).

    Returns:
        neutral (V, 3) and deltas (52, V, 3) in metres, uv (V, 2), triangles (T, 3), welds, part, inside and occlusion
        (V,), frame (4,); lips, brows and scalp, masks (1024, 1024) uint8; used (V,), indices of anny's vertices; chin,
        indices of some of these V.

    Raises:
        ValueError: a phenotype that anny does not know.
    """
    heads = _load_packed()
    for name in identity.phenotype:
        if name not in heads.phenotypes:
            hint = did_you_mean(name, heads.phenotypes)
            raise ValueError(f"expected phenotypes of {', '.join(heads.phenotypes)}, got {name!r}{hint}")
    if spelling(identity) in heads.identities:
        place = heads.identities.index(spelling(identity))
        return {**heads.common, **{name: heads.own[name][place] for name in OWN}}
    from safetensors.numpy import load_file

    name = f"{head_digest(identity)}.safetensors"
    folder = _cache_folder()
    if folder and (folder / name).exists():
        return load_file(folder / name)
    arrays = make_head(identity)
    if cache and folder:
        _write_atomically(folder / name, arrays)
    return arrays


def make_head(identity: Identity) -> dict[str, np.ndarray]:
    """Make a head of one's own: the packed arrays with vertices, shadows and brows of its own."""
    common = _load_packed().common
    # With all targets, as the packed heads were made: a batch of another size is rounded differently.
    arrays = {**common, **own_arrays(anny_vertices(identity.phenotype, TARGETS)[0], common)}
    if identity.brow_height:
        arrays["brows"] = skin.draw_brows(anny_vertices({})[0, common["used"]], common, identity.brow_height)
    return arrays


def own_arrays(vertices: np.ndarray, common: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays `OWN`, of anny's vertices (19158, 3) in metres and the arrays that all heads share."""
    neutral = vertices[common["used"]]
    eyes = neutral[common["part"] == skin.EYE]
    eye_height, chin_height = eyes[:, 1].mean(), neutral[common["chin"], 1].min()
    unit = eye_height - chin_height
    arrays = {
        "neutral": neutral,
        "occlusion": skin.occlusion(neutral, common["triangles"], common["welds"]),
        "frame": np.array([0.0, eye_height - 0.36 * unit, eyes[:, 2].mean(), 0.97 * unit]),
    }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


class _Packed(NamedTuple):
    phenotypes: list[str]  # that anny knows
    identities: list[str]  # as `spelling` writes them
    common: dict[str, np.ndarray]  # what all heads share
    own: dict[str, np.ndarray]  # the arrays `OWN`, a row per identity


@loaded_once(maxsize=1)
def _load_packed() -> _Packed:
    from PIL import Image
    from safetensors import safe_open

    with safe_open(_PACKED / "heads.safetensors", "numpy") as file:
        phenotypes, identities = (json.loads(file.metadata()[name]) for name in ("phenotypes", "identities"))
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    own = {name: arrays.pop(name) for name in OWN}
    count = own["neutral"].shape[1]
    deltas = np.zeros((len(TARGETS) * count, 3), np.float32)
    deltas[arrays.pop("moves")] = arrays.pop("moved")
    with Image.open(_PACKED / "masks.png") as picture:
        masks = {name: np.array(band) for name, band in zip(MASKS, picture.split(), strict=True)}
    common = {**arrays, **masks, "deltas": deltas.reshape(len(TARGETS), count, 3)}
    return _Packed(phenotypes, identities, common, own)


def spelling(identity: Identity) -> str:
    """What of an identity decides its arrays, as a string."""
    phenotype = sorted((name, float(value)) for name, value in identity.phenotype.items())
    return json.dumps([phenotype, float(identity.brow_height)])


def head_digest(identity: Identity) -> str:
    """The SHA-256 that names a head of one's own."""
    content = [version("anny"), _REDUCTION, sorted(identity.phenotype.items()), identity.brow_height]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _cache_folder() -> Path | None:
    """None, and a warning, where nothing can be written."""
    from huggingface_hub import cached_assets_path

    try:
        return cached_assets_path("emo3d", namespace="rigs", subfolder=f"anny-{version('anny')}")
    except OSError as error:
        warn_not_kept("the head is", error)
        return None


def _write_atomically(path: Path, arrays: dict[str, np.ndarray]) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        with whole_file(path) as part:
            save_file(arrays, part)
    except (OSError, SafetensorError) as error:
        warn_not_kept("the head is", error)


@loaded_once(maxsize=1)
def load_anny() -> Any:
    """Anny's body with the whole head, all facial actions and all phenotypes."""
    import anny
    from anny.paths import get_anny_cache_path
    from safetensors import SafetensorError

    cache = get_anny_cache_path()
    if not any(cache.glob("*/build_compact_model_data_*")):
        logger.warning(
            "a face of your own is built by anny, which reads its body for some minutes the first time and keeps it in "
            "%s (1.0 GB); the named identities need none of it",
            cache,
        )
    try:
        return anny.Anny(  # skinned by torch: Warp, its own choice, greets on standard output
            rig="makehuman-head", topology="head-full", facial_actions="all", phenotypes="all", skinning_method="lbs"
        )
    except (OSError, SafetensorError) as error:
        raise OSError(
            f"anny could not keep its body in {cache} ({error}): make 1.0 GB of room there and delete what was written "
            "half, or set HOME to another folder, or take one of the named identities, which need none of it"
        ) from error


def anny_vertices(phenotype: Mapping[str, float], targets: tuple[str, ...] = ()) -> np.ndarray:
    """Anny's base vertices for one phenotype: neutral, then each target at full weight; (1 + K, 19158, 3), y up."""
    import torch

    model = load_anny()
    count = 1 + len(targets)
    actions = {name: torch.eye(count, dtype=torch.float64)[1 + k] for k, name in enumerate(targets)}
    with torch.inference_mode():
        vertices = model(
            phenotype_kwargs={name: torch.full((count,), value) for name, value in phenotype.items()},
            facial_actions=actions or None,
        )["vertices"].numpy()
    x, y, z = np.moveaxis(vertices, -1, 0)  # anny: z up, -y the front
    return np.stack([x, z, -y], axis=-1)
