"""`emo3d extract`: MediaPipe reads a folder of pictures, which becomes a dataset like the published one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import emo3d
from emo3d.dataset.archives import MAX_PIXELS, PictureError
from emo3d.dataset.plan import Shard
from emo3d.dataset.tally import Problem, Tally
from emo3d.files import check_output_folder
from emo3d.pictures import LargePictureError, open_picture
from emo3d_lab.building.card import folder_card
from emo3d_lab.building.shards import Run, write_dataset
from emo3d_lab.extract.imagefolder import Picture, read_image_folder
from emo3d_lab.landmarker import LONGEST_SIDE, FaceReader, find_model
from emo3d_lab.landmarks import name_picture_weights, picture_weights

_SHARD_PICTURES = 1_000
_SHARD_BYTES = 500 * 10**6
_MAX_BYTES = 256 << 20  # of one picture's file
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # eight bits per channel: RGB without clipping

_TEXT = """
Pictures, and the expressions that MediaPipe's FaceLandmarker read off them; written by `emo3d extract`. `blendshapes`
are 51 readings in 0..1, in the order of `emo3d.blendshapes.BLENDSHAPES`: null where no face was found, those of the
largest where there were several. `build_report.json` lists what was left out.
"""
_WEIGHTS = """
`weights` are the 51 numbers of a rig that make this face, in the same order (emo3d's calibration `{name}`): take
them to drive a rig, and `blendshapes` to compare with the published dataset.
"""


def extract(
    images: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    weights: bool = False,
    num_proc: int = 1,
    max_pixels: int = MAX_PIXELS,
    engine: str = "processes",
    address: str | None = None,
    strict: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Read the expressions of all pictures under a folder into a dataset of the published one's schema.

    Pictures (.jpg, .jpeg, .png, .webp) are taken in the order of their names and passed through byte for byte. Without
    a face a picture is kept, with null for its blendshapes. Descriptions, intensities and numbers come from a table in
    the folder, `metadata.csv` or `metadata.jsonl`, see `emo3d_lab.extract.annotations.read_annotations`. To be read, a
    picture is turned upright as its EXIF orientation says, which `datasets` does too when it decodes; transparency is
    dropped, and of an animation the first frame counts.

    What cannot be used is left out, counted and listed in the report: `rows_in` (pictures, and rows of the table that
    have none) is `rows` plus the problems' `count`. A run that was killed goes on where it stopped; the same pictures
    and options give the same Parquet files, whatever the number of processes.

    Args:
        images: the folder.
        out: folder for `data/default/train-*.parquet`, `README.md` and `build_report.json`.
        model: path of a `face_landmarker.task`; see `emo3d_lab.landmarker.find_model`.
        weights: also write a column `weights`, from readings and landmarks; `blendshapes` stay readings.
            A column rather than a config of its own, which would hold every picture twice; without it the columns are
            the published ones'.
        num_proc: processes; a script that asks for more than one needs a `__main__` guard.
        max_pixels: pictures with more are left out, before they are decoded.
        engine: `"processes"` or `"ray"`; see `emo3d_lab.building.shards.write_dataset`, also for `address`.
        address: of a running Ray cluster.
        strict: stop at the first problem.
        force: replace what other pictures or options have left in `out`.
        quiet: see `FaceReader`.

    Returns:
        The report, as in `build_report.json`; beside `rows`, the counts `rows_in`, `without_face` and `several_faces`.

    Raises:
        LandmarkerUnavailableError: MediaPipe or its model is missing; an OSError.
        FileNotFoundError: no such folder or model.
        ValueError: see `read_image_folder` and `write_dataset`; when strict, the first problem.
    """
    check_output_folder(out)
    folder, name = read_image_folder(images), Path(images).resolve().name
    path = find_model() if model is None else Path(model)
    calibration = name_picture_weights() if weights else None
    with FaceReader(path, quiet=quiet):  # before anything is written: it may be missing, or no model
        pass
    source = {
        "command": "extract",
        "folder": name,
        "pictures": hashlib.sha256(repr(folder).encode()).hexdigest(),
        "table": folder.table,
        "model": hashlib.sha256(path.read_bytes()).hexdigest(),
        "mediapipe": version("mediapipe"),
        "max_pixels": max_pixels,
        "emo3d": emo3d.__version__,
        **({"weights": calibration} if calibration else {}),
    }
    parts = list(_cut(folder.pictures))
    shards = [
        PictureShard(
            config="default",
            split="train",
            index=index,
            count=len(parts),
            space="reading",
            folder=os.path.abspath(images),
            pictures=part,
            problems=() if index else folder.problems,
            model=os.path.abspath(path),
            max_pixels=max_pixels,
            quiet=quiet,
            weights=calibration,
        )
        for index, part in enumerate(parts)
    ]
    return write_dataset(
        out,
        shards,
        source=source,
        finish=lambda files: {
            "README.md": folder_card(
                files,
                title=name,
                text=_TEXT + (_WEIGHTS.format(name=calibration) if calibration else ""),
                schemas={"default": shards[0].schema},
            )
        },
        run=Run(num_proc, engine, address, strict=strict, force=force, label="Extracting"),
    )


@dataclass(frozen=True)
class PictureShard(Shard):
    """Pictures of a folder, read by MediaPipe.

    Attributes:
        folder: where they are.
        pictures: in their order.
        problems: of the folder as a whole.
        model: path of the face landmarker.
        max_pixels: pictures with more are left out.
        quiet: see `FaceReader`.
        weights: name of the calibration of the column `weights`, None without one.
    """

    folder: str
    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...]
    model: str
    max_pixels: int
    quiet: bool
    weights: str | None = None

    @property
    def schema(self) -> str:
        """See `Shard`."""
        return "extracted" if self.weights else "default"

    @property
    def about(self) -> dict[str, str]:
        """See `Shard`."""
        return {**super().about, **({"weights": self.weights} if self.weights else {})}

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """Yield rows of the config "default"; in `tally`, rows_in is rows + problems' counts."""
        for problem in self.problems:
            tally.count("rows_in", problem.count)
            tally.report(problem)
        with FaceReader(self.model, quiet=self.quiet) as reader:
            for picture in self.pictures:
                tally.count("rows_in")
                try:
                    data = _read_file(Path(self.folder, picture.name))
                    faces = reader.faces(decode_picture(data, self.max_pixels))
                except PictureError as error:
                    tally.report(Problem(error.kind, picture.name, None, "", str(error)))
                    continue
                tally.count("without_face", not faces)
                tally.count("several_faces", len(faces) > 1)
                yield {
                    "sample_id": picture.sample_id,
                    "variant": picture.annotation.variant,
                    "prompt_type": picture.annotation.prompt_type,
                    "descriptions": list(picture.annotation.descriptions),
                    "intensities": picture.annotation.intensities,
                    "image": {"bytes": data, "path": picture.name},
                    "blendshapes": faces[0].expression if faces else None,
                    **({"weights": picture_weights(faces[:1])[0] if faces else None} if self.weights else {}),
                }


def decode_picture(data: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a JPEG, PNG or WebP, upright.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        PictureError: none of them, damaged, more than `max_pixels` pixels, a side over `LONGEST_SIDE`, or more than
            eight bits per channel.
    """
    try:
        return np.asarray(open_picture(data, largest=max_pixels, check=_check_header).convert("RGB"))
    except PictureError:
        raise
    except LargePictureError as error:
        raise PictureError("oversized picture", str(error)) from None
    except ValueError as error:
        raise PictureError("broken picture", str(error)) from error


def _check_header(picture: Any) -> None:
    width, height = picture.size
    if max(width, height) > LONGEST_SIDE:
        raise PictureError("oversized picture", f"expected sides of at most {LONGEST_SIDE}, got {width} x {height}")
    if picture.mode not in _MODES:
        raise PictureError("picture depth", f"expected eight bits per channel, got mode {picture.mode}")


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise PictureError("missing picture", f"expected a file that can be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise PictureError("oversized picture", f"expected at most {_MAX_BYTES} bytes, got more")
    return data


def _cut(pictures: Sequence[Picture]) -> Iterator[tuple[Picture, ...]]:
    """Cut pictures into the files they go into: of about 1,000 pictures or 500 MB; at least one."""
    start = size = 0
    for index, picture in enumerate(pictures):
        if index > start and (index - start == _SHARD_PICTURES or size + picture.size > _SHARD_BYTES):
            yield tuple(pictures[start:index])
            start, size = index, 0
        size += picture.size
    yield tuple(pictures[start:])
