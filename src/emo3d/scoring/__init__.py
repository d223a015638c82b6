"""Pictures of faces -> the emotions they show -> the Emo3D score."""

from __future__ import annotations

from emo3d.scoring.backbone import DEFAULT_BACKBONE, QUICKSTART, Backbone, HubBackbone, load_backbone
from emo3d.scoring.bank import Bank
from emo3d.scoring.core import ALPHA, Variant, bootstrap_intervals, divergence, emo3d_score, retrieved_distribution
from emo3d.scoring.inputs import References, read_references
from emo3d.scoring.score import Emo3DResult, score, score_distributions
from emo3d.scoring.settings import ScoreSettings

__all__ = [
    "ALPHA",
    "DEFAULT_BACKBONE",
    "QUICKSTART",
    "Backbone",
    "Bank",
    "Emo3DResult",
    "HubBackbone",
    "References",
    "ScoreSettings",
    "Variant",
    "bootstrap_intervals",
    "divergence",
    "emo3d_score",
    "load_backbone",
    "read_references",
    "retrieved_distribution",
    "score",
    "score_distributions",
]
