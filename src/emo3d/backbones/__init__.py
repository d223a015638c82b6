"""Dual encoders of texts and pictures: what the score looks through, and what CLIP generators start from."""

from __future__ import annotations

from emo3d.backbones.dual import (
    DEFAULT_BACKBONE,
    QUICKSTART,
    Backbone,
    HubBackbone,
    QuickstartBackbone,
    backbone_name,
    load_backbone,
)

__all__ = [
    "DEFAULT_BACKBONE",
    "QUICKSTART",
    "Backbone",
    "HubBackbone",
    "QuickstartBackbone",
    "backbone_name",
    "load_backbone",
]
