"""Expression -> mesh -> picture or file."""

from emo3d.face.identities import IDENTITIES, PANEL, PANEL_NAME, SKIN_TONES, Identity
from emo3d.face.render import RenderSettings, render, render_batches
from emo3d.face.rig import TARGETS, FaceRig

__all__ = [
    "IDENTITIES",
    "PANEL",
    "PANEL_NAME",
    "SKIN_TONES",
    "TARGETS",
    "FaceRig",
    "Identity",
    "RenderSettings",
    "render",
    "render_batches",
]
