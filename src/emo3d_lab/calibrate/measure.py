"""Picture faces of known weights and read them with the instrument, in processes; a kill costs a sitting at most."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.render import RenderSettings, render_batches
from emo3d.face.rig import FaceRig
from emo3d.names import read_names
from emo3d_lab.calibrate.sample import Sitting, sample_sittings
from emo3d_lab.engines import ProcessPool
from emo3d_lab.landmarker import MODEL_SHA256, FaceReader

logger = logging.getLogger(__name__)

SIZE = 224  # pixels of the pictures that are read


@dataclass(frozen=True)
class Faces:
    """Measured faces, one row each.

    Attributes:
        weights: (N, 51) float32, what the rig was told.
        readings: (N, 51) float32, what the instrument says of the picture; NaN where it found no face.
        kind: (N,) int64, index of `emo3d_lab.calibrate.sample.KINDS`.
        person: (N,) int64, see `Sitting`.
        held_out: (N,) bool, of an identity that is not fitted on.
        yaw: (N,) float32, degrees.
        light_yaw: (N,) float32, degrees.
        field_of_view: (N,) float32, degrees.
    """

    weights: np.ndarray
    readings: np.ndarray
    kind: np.ndarray
    person: np.ndarray
    held_out: np.ndarray
    yaw: np.ndarray
    light_yaw: np.ndarray
    field_of_view: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """(N,) bool, where the instrument found a face."""
        return ~np.isnan(self.readings[:, 0])

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, rows: Any) -> Faces:
        """The rows of a mask, slice or array of indices."""
        return Faces(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})


def measure(
    out: str | os.PathLike[str],
    *,
    faces: int,
    seed: int = 0,
    rig: str | os.PathLike[str] | None = None,
    names: str | None = None,
    model: str | os.PathLike[str] | None = None,
    num_proc: int = 1,
    quiet: bool = False,
) -> Faces:
    """Measure sampled faces, or go on where an earlier run with the same arguments stopped.

    Args:
        out: folder; `out/faces` holds a file for each sitting that is measured, and what they are of.
        faces: how many; see `sample_sittings`.
        seed: of the sample.
        rig: a GLB to calibrate; by default anny, in many identities.
        names: of its targets; see `FaceRig.from_glb`.
        model: see `FaceReader`.
        num_proc: processes; a script that asks for more than one needs a `__main__` guard.
        quiet: see `FaceReader`.

    Raises:
        ValueError: `out/faces` holds other faces, or see `sample_sittings`.
        LandmarkerUnavailableError: see `FaceReader`; an OSError.
    """
    sittings = sample_sittings(faces, seed=seed, identities=rig is None)
    with FaceReader(model, quiet=quiet):  # before anything is written: it may be missing, or no model
        pass
    folder = Path(out) / "faces"
    folder.mkdir(parents=True, exist_ok=True)
    _begin(folder, _source(sittings, rig, names, model))
    missing = [sitting for sitting in sittings if not _path(folder, sitting).exists()]
    with tqdm(desc="Measuring", total=len(sittings), initial=len(sittings) - len(missing), unit=" sittings") as bar:
        calls = [(folder, sitting, rig, names, model, quiet) for sitting in missing]
        for _ in ProcessPool(num_proc).run(_measure, calls):
            bar.update()
    parts = [_load(_path(folder, sitting)) for sitting in sittings]
    measured = Faces(**{part.name: np.concatenate([p[part.name] for p in parts]) for part in fields(Faces)})
    lost = int((~measured.found).sum())
    if lost:
        logger.warning("the instrument found no face in %d of %d pictures; they are kept out of the fit", lost, faces)
    return measured


def measure_sitting(sitting: Sitting, rig: FaceRig, reader: FaceReader) -> Faces:
    """Picture and read the faces of one sitting on a rig; units that it lacks are told 0."""
    jaw, close = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("mouthClose")
    weights = np.concatenate([shot.weights for shot in sitting.shots])
    weights[:, [BLENDSHAPES.index(name) for name in rig.missing]] = 0.0
    weights[:, close] = np.minimum(weights[:, close], weights[:, jaw])
    readings = np.full_like(weights, np.nan)
    row = 0
    for shot in sitting.shots:
        settings = RenderSettings(size=SIZE, yaw=shot.yaw, light_yaw=shot.light_yaw, field_of_view=shot.field_of_view)
        told = weights[row : row + len(shot.weights)]
        for picture in chain.from_iterable(render_batches(told, space="weights", rig=rig, settings=settings)):
            reading = reader.read(picture)
            if reading is not None:
                readings[row] = reading
            row += 1
    counts = [len(shot.weights) for shot in sitting.shots]
    return Faces(
        weights=weights,
        readings=readings,
        kind=np.concatenate([shot.kinds for shot in sitting.shots]),
        person=np.full(row, sitting.person),
        held_out=np.full(row, sitting.held_out),
        **{
            name: np.repeat(np.array([getattr(shot, name) for shot in sitting.shots], np.float32), counts)
            for name in ("yaw", "light_yaw", "field_of_view")
        },
    )


def rig_of(sitting: Sitting, rig: str | os.PathLike[str] | None, names: str | None = None) -> FaceRig:
    """The rig of a sitting: that of a GLB where one is given, otherwise the sitting's own identity of anny."""
    if rig is not None:
        return _read_glb(str(rig), Path(rig).stat().st_mtime_ns, names)
    return FaceRig.from_anny(sitting.identity or "adult", cache=False)  # most are met once


@lru_cache(maxsize=1)
def _read_glb(path: str, _changed: int, names: str | None) -> FaceRig:
    return FaceRig.from_glb(path, names=names)


def _source(sittings: Sequence[Sitting], rig: Any, names: str | None, model: Any) -> dict[str, Any]:
    """What decides the numbers: the sample by content, and the versions of everything that pictures and reads it."""
    sample = hashlib.sha256()
    for sitting in sittings:
        sample.update(repr(sitting.identity).encode())
        for shot in sitting.shots:
            sample.update(shot.weights.tobytes())
            sample.update(repr((shot.yaw, shot.light_yaw, shot.field_of_view)).encode())
    return {
        "sample": sample.hexdigest(),
        "rig": f"anny {version('anny')}" if rig is None else str(rig_of(sittings[0], rig, names).origin),
        **({"names": read_names(names)} if names else {}),
        "model": MODEL_SHA256 if model is None else _digest(model),
        "mediapipe": version("mediapipe"),
        "pictures": str(RenderSettings(size=SIZE)),
    }


def _digest(path: str | os.PathLike[str]) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _begin(folder: Path, source: dict[str, Any]) -> None:
    begun = folder / "source.json"
    if begun.exists():
        if json.loads(begun.read_text(encoding="utf-8")) != source:
            raise ValueError(f"{folder} holds faces of another sample, rig or version; choose another folder")
    elif any(folder.iterdir()):
        raise ValueError(f"expected a new or empty folder, or one that was begun before, got {folder}")
    else:
        _write(begun, json.dumps(source, indent=1).encode())
    for part in folder.glob("*.part"):
        part.unlink()


def _path(folder: Path, sitting: Sitting) -> Path:
    return folder / f"{sitting.index:05}.safetensors"


def _load(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def _measure(folder: Path, sitting: Sitting, rig: Any, names: str | None, model: Any, quiet: bool) -> None:
    from safetensors.numpy import save

    with FaceReader(model, quiet=quiet) as reader:
        faces = measure_sitting(sitting, rig_of(sitting, rig, names), reader)
    _write(_path(folder, sitting), save({part.name: getattr(faces, part.name) for part in fields(faces)}))


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
