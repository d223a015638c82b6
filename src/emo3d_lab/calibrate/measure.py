"""Render faces of known weights and read them with the instrument, in processes; a kill costs a sitting at most."""

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
from safetensors.numpy import load_file, save
from tqdm.auto import tqdm

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.render import RenderSettings, render_batches
from emo3d.face.rig import FaceRig
from emo3d.names import read_names
from emo3d_lab.calibrate.sample import Sitting, sample_sittings
from emo3d_lab.characters import Character
from emo3d_lab.engines import ProcessPool
from emo3d_lab.landmarker import LANDMARKS, MODEL_SHA256, FaceReader

logger = logging.getLogger(__name__)

SIZE = 224  # pixels of the pictures that are read
_SITTINGS = 8  # read by one reader, which takes longer to open than a face to read


@dataclass(frozen=True)
class Faces:
    """Measured faces, one row each.

    Attributes:
        weights: (N, 51) float32 of the rig.
        readings: (N, 51) float32 of the pictures; NaN where the instrument finds no face.
        landmarks: (N, 478, 3) float32, see `emo3d_lab.landmarker.Face`; NaN where there are no readings.
        kind: (N,) int64, index of `emo3d_lab.calibrate.sample.KINDS`.
        person: (N,) int64, see `Sitting`.
        held_out: (N,) bool, of an identity that is not fitted on.
        yaw: (N,) float32, degrees.
        light_yaw: (N,) float32, degrees.
        field_of_view: (N,) float32, degrees.
    """

    weights: np.ndarray
    readings: np.ndarray
    landmarks: np.ndarray
    kind: np.ndarray
    person: np.ndarray
    held_out: np.ndarray
    yaw: np.ndarray
    light_yaw: np.ndarray
    field_of_view: np.ndarray

    @property
    def has_face(self) -> np.ndarray:
        """(N,) bool, where the instrument finds a face."""
        return ~np.isnan(self.readings[:, 0])

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, rows: Any) -> Faces:
        """The rows of a mask, slice or array of indices."""
        return Faces(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})


@dataclass(frozen=True)
class Setup:
    """A rig, and the instrument that reads it.

    Attributes:
        rig: the file of a character to calibrate; by default anny, in many identities.
        names, map, which: see `Character.from_file`; which of several faces.
        model: see `FaceReader`.
        quiet: see `FaceReader`.
    """

    rig: str | os.PathLike[str] | None = None
    names: str | None = None
    model: str | os.PathLike[str] | None = None
    quiet: bool = False
    map: str | os.PathLike[str] | None = None
    which: str | None = None

    def reader(self) -> FaceReader:
        """The instrument."""
        return FaceReader(self.model, quiet=self.quiet)

    def face(self, sitting: Sitting | None = None) -> FaceRig:
        """The character's rig, or anny with the sitting's identity, by default "adult"."""
        if self.rig is not None:
            files = [str(path) if path is not None else None for path in (self.rig, self.map)]
            times = tuple(Path(path).stat().st_mtime_ns for path in files if path)
            return _open_rig(*files, times, self.names, self.which)
        return FaceRig.from_anny((sitting and sitting.identity) or "adult", cache=False)  # most are used once


@lru_cache(maxsize=1)
def _open_rig(path: str, map: str | None, _times: tuple[int, ...], names: str | None, face: str | None) -> FaceRig:
    return Character.from_file(path, names=names, map=map, face=face).rig


def measure(
    out: str | os.PathLike[str], setup: Setup | None = None, *, faces: int, seed: int = 0, num_proc: int = 1
) -> Faces:
    """Measure sampled faces, or go on where an earlier run with the same arguments stopped.

    Args:
        out: folder; `out/faces` gets a file for each sitting, and `source.json`.
        setup: rig and instrument.
        faces: how many; see `sample_sittings`.
        seed: of the sample.
        num_proc: processes; a script that asks for more than one needs a `__main__` guard.

    Raises:
        ValueError: `out/faces` holds other faces, or see `sample_sittings`.
        LandmarkerUnavailableError: see `FaceReader`; an OSError.
    """
    setup = setup or Setup()
    sittings = sample_sittings(faces, seed=seed, identities=setup.rig is None)
    with setup.reader():  # before anything is written: it may be missing, or no model
        pass
    folder = Path(out) / "faces"
    folder.mkdir(parents=True, exist_ok=True)
    _begin(folder, _source(sittings, setup))
    missing = [sitting for sitting in sittings if not _path(folder, sitting).exists()]
    with tqdm(desc="Measuring", total=len(sittings), initial=len(sittings) - len(missing), unit=" sittings") as bar:
        parts = [missing[start : start + _SITTINGS] for start in range(0, len(missing), _SITTINGS)]
        for place, _ in ProcessPool(num_proc).run(_measure, [(folder, part, setup) for part in parts]):
            bar.update(len(parts[place]))
    files = [load_file(_path(folder, sitting)) for sitting in sittings]
    sample = Faces(**{field.name: np.concatenate([file[field.name] for file in files]) for field in fields(Faces)})
    if misses := int((~sample.has_face).sum()):
        logger.warning("the instrument found no face in %d of %d pictures; they are kept out of the fit", misses, faces)
    return sample


def measure_sitting(sitting: Sitting, rig: FaceRig, reader: FaceReader) -> Faces:
    """Render and read the faces of one sitting on a rig; units that it lacks are 0."""
    jaw, close = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("mouthClose")
    weights = np.concatenate([shot.weights for shot in sitting.shots])
    weights[:, [BLENDSHAPES.index(name) for name in rig.missing]] = 0.0
    weights[:, close] = np.minimum(weights[:, close], weights[:, jaw])
    angles = ("yaw", "light_yaw", "field_of_view")
    shots = [shot for shot in sitting.shots for _ in shot.weights]
    settings = [RenderSettings(size=SIZE, **{name: getattr(shot, name) for name in angles}) for shot in shots]
    readings, landmarks = look_at_faces(weights, [rig] * len(weights), reader, settings)
    return Faces(
        weights=weights,
        readings=readings,
        landmarks=landmarks,
        kind=np.concatenate([shot.kinds for shot in sitting.shots]),
        person=np.full(len(weights), sitting.person),
        held_out=np.full(len(weights), sitting.held_out),
        **{name: np.array([getattr(shot, name) for shot in shots], np.float32) for name in angles},
    )


def read_faces(
    weights: np.ndarray,
    rigs: Sequence[FaceRig],
    reader: FaceReader,
    settings: Sequence[RenderSettings] | None = None,
) -> np.ndarray:
    """Readings (N, 51) of weights (N, 51): see `look_at_faces`."""
    return look_at_faces(weights, rigs, reader, settings)[0]


def look_at_faces(
    weights: np.ndarray,
    rigs: Sequence[FaceRig],
    reader: FaceReader,
    settings: Sequence[RenderSettings] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Readings (N, 51) and landmarks (N, 478, 3) of weights (N, 51) on N rigs with N settings, by default the portrait.

    NaN where no face is found. Faces of one rig and setting are rendered together; the order is that of the weights.
    """
    readings = np.full((len(weights), len(BLENDSHAPES)), np.nan, np.float32)
    landmarks = np.full((len(weights), LANDMARKS, 3), np.nan, np.float32)
    groups: dict[tuple[int, RenderSettings], list[int]] = {}
    for row, rig in enumerate(rigs):
        groups.setdefault((id(rig), settings[row] if settings else RenderSettings()), []).append(row)
    with tqdm(desc="Reading faces", total=len(weights), unit=" faces", delay=5, leave=False) as progress:
        for (_, setting), rows in groups.items():
            batches = render_batches(weights[rows], rig=rigs[rows[0]], settings=setting)
            for row, picture in zip(rows, chain.from_iterable(batches), strict=True):
                face = reader.largest(picture)
                if face is not None:
                    readings[row], landmarks[row] = face.expression, face.landmarks
                progress.update()
    return readings, landmarks


def _source(sittings: Sequence[Sitting], setup: Setup) -> dict[str, Any]:
    """Everything that decides the numbers: the sample by content, and the versions of renderer and instrument."""
    sample = hashlib.sha256()
    for sitting in sittings:
        sample.update(repr(sitting.identity).encode())
        for shot in sitting.shots:
            sample.update(shot.weights.tobytes())
            sample.update(repr((shot.yaw, shot.light_yaw, shot.field_of_view)).encode())
    model = MODEL_SHA256 if setup.model is None else hashlib.sha256(Path(setup.model).read_bytes()).hexdigest()
    return {
        "sample": sample.hexdigest(),
        "rig": f"anny {version('anny')}" if setup.rig is None else str(setup.face(sittings[0]).origin),
        **({"names": json.dumps(read_names(setup.names))} if setup.names else {}),
        **({"map": hashlib.sha256(Path(setup.map).read_bytes()).hexdigest()} if setup.map else {}),
        **({"face": setup.which} if setup.which else {}),
        "model": model,
        "mediapipe": version("mediapipe"),
        "pictures": str(RenderSettings(size=SIZE)),
    }


def _begin(folder: Path, source: dict[str, Any]) -> None:
    path = folder / "source.json"
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != source:
            raise ValueError(f"{folder} holds faces of another sample, rig or version; choose another folder")
    elif any(folder.iterdir()):
        raise ValueError(f"expected a new or empty folder, or one that was begun before, got {folder}")
    else:
        _write(path, json.dumps(source, indent=1).encode())
    for part in folder.glob("*.part"):
        part.unlink()


def _path(folder: Path, sitting: Sitting) -> Path:
    return folder / f"{sitting.index:05}.safetensors"


def _measure(folder: Path, sittings: Sequence[Sitting], setup: Setup) -> None:
    with setup.reader() as reader:
        for sitting in sittings:
            faces = measure_sitting(sitting, setup.face(sitting), reader)
            _write(_path(folder, sitting), save(vars(faces)))


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
