"""Expression -> mesh -> picture or file."""

from emo3d.face.render import RenderSettings, render, render_batches
from emo3d.face.rig import IDENTITIES, TARGETS, FaceRig, Identity

__all__ = ["IDENTITIES", "TARGETS", "FaceRig", "Identity", "RenderSettings", "render", "render_batches"]
