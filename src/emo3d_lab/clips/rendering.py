"""Clips as pictures, every frame with its head turned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emo3d.clips import Clip
from emo3d.face.calibration import DEFAULT_METHOD, Method
from emo3d.face.render import RenderSettings, render_batches
from emo3d.face.rig import FaceRig
from emo3d_lab.clips.pose import head_poses


def render_clip(
    clip: Clip,
    *,
    rig: FaceRig | str | None = None,
    settings: RenderSettings | None = None,
    rate: float | None = None,
    calibration: Method = DEFAULT_METHOD,
) -> Iterator[np.ndarray]:
    """Render every frame, the head turned about its neck, in memory that does not grow with the length.

    Eyes look where the eyeLook units say; the clip's angles of eyes say the same again, and are not drawn.

    Args:
        rig: whose face, a rig or a name of anny's; "adult" when None.
        settings: of the pictures.
        rate: frames per second to render, the clip's own when None.
        calibration: how a clip of readings becomes weights, as for `emo3d.render`.

    Yields:
        Batches (n, H, W, 3) uint8, sRGB.

    Raises:
        ValueError: a rate outside 1..240, or what `emo3d.render` refuses.
    """
    clip = clip if rate is None else clip.resample(rate)
    rig = rig if isinstance(rig, FaceRig) else FaceRig.from_anny(rig or "adult")
    poses = head_poses(clip.rotations, rig) if clip.rotations[:, :3].any() else None
    return render_batches(
        clip.expressions,
        space=clip.space,
        rig=rig,
        settings=settings,
        calibration=calibration,
        tongue=clip.units[:, -1],
        poses=poses,
    )
