"""Frozen settings under a name, so that papers cite a protocol; docs/reproducibility.md says how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import emo3d
from emo3d.backbones import DEFAULT_BACKBONE, QUICKSTART
from emo3d.face import PANEL_NAME, RenderSettings
from emo3d.face.calibration import name_calibration
from emo3d.hints import did_you_mean
from emo3d.scoring.settings import ScoreSettings, signature_fields

_FREE = {"bank", "space", "calibration", "version"}  # the first three are compared apart


@dataclass(frozen=True)
class Protocol:
    """All that moves a score but predictions and references, which are the bank, and may be in either space."""

    name: str
    settings: ScoreSettings
    readers: Mapping[str, str] = field(default_factory=dict)  # beside the score: name -> signature
    parts: tuple[str, str, str] = ("portrait-3", "panel-2", "network/anny-2")  # light, panel, calibration of readings
    version: str = "0.1.0"  # of this package, that computes it

    def holds(self, signature: str, references: str, readers: Mapping[str, str]) -> bool:
        """Whether a result of such signature, hash of references and signatures of readers was computed so."""
        own, fields = signature_fields(self.settings.signature), signature_fields(signature)
        calibration = {"weights": "-", "reading": self.parts[2]}.get(fields.get("space", ""))
        return (
            all(fields.get(name) == value for name, value in own.items() if name not in _FREE)
            and (fields.get("bank"), fields.get("calibration")) == (references, calibration)
            and all(self.readers.get(name, value) == value for name, value in readers.items())
        )


_PANEL = ScoreSettings(identities=12, render=RenderSettings("portrait-3", 224, 2, 20.0, 0.0, 0.0))
_CLIP = replace(_PANEL, backbone=DEFAULT_BACKBONE, revision="3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268")
_FACE_API = "face-api:9a9840f2cf1f|crop:square/1.0/area112|faces:camera|render:portrait-3/256px/2x/fov20/yaw0"
_QUICKSTART = replace(_PANEL, backbone=QUICKSTART, revision="0d569ba8334f")

PROTOCOLS: dict[str, Protocol] = {
    "emo3d-2026": Protocol("emo3d-2026", _CLIP, {"face-api": _FACE_API}),
    "emo3d-2026-quickstart": Protocol("emo3d-2026-quickstart", _QUICKSTART),
}


def load_protocol(name: str) -> Protocol:
    """Take a protocol by its name; one that is unknown, or that this version cannot compute, is a ValueError."""
    if name not in PROTOCOLS:
        raise ValueError(f"expected a protocol of {', '.join(PROTOCOLS)}, got {name!r}{did_you_mean(name, PROTOCOLS)}")
    protocol = PROTOCOLS[name]
    for part, here in zip(
        protocol.parts, (RenderSettings().name, PANEL_NAME, name_calibration("reading")), strict=True
    ):
        if part != here:
            can = f"emo3d {protocol.version} can: pip install emo3d=={protocol.version}"
            raise ValueError(f"{name} has {part}, and emo3d {emo3d.__version__} has {here} in its place; {can}")
    return protocol
