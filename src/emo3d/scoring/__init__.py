"""Pictures of faces -> the emotions they show -> the Emo3D score."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from emo3d.backbones import DEFAULT_BACKBONE, QUICKSTART, Backbone, HubBackbone, load_backbone
from emo3d.scoring.bank import Bank
from emo3d.scoring.core import (
    ALPHA,
    Variant,
    bootstrap_intervals,
    bootstrap_means,
    divergence,
    emo3d_score,
    retrieved_distribution,
)
from emo3d.scoring.protocols import load_protocol
from emo3d.scoring.references import References, read_references
from emo3d.scoring.result import Emo3DResult
from emo3d.scoring.score import score, score_distributions
from emo3d.scoring.scorer import Emo3DScorer
from emo3d.scoring.settings import ScoreSettings, signature_difference

if TYPE_CHECKING:
    from emo3d.scoring.opening import open_references

__all__ = [
    "ALPHA",
    "DEFAULT_BACKBONE",
    "QUICKSTART",
    "Backbone",
    "Bank",
    "Emo3DResult",
    "Emo3DScorer",
    "HubBackbone",
    "References",
    "ScoreSettings",
    "Variant",
    "bootstrap_intervals",
    "bootstrap_means",
    "divergence",
    "emo3d_score",
    "load_backbone",
    "load_protocol",
    "open_references",
    "read_references",
    "retrieved_distribution",
    "score",
    "score_distributions",
    "signature_difference",
]


def __getattr__(name: str) -> Any:
    if name == "open_references":  # which reads the release, too; who has references at hand does without
        return importlib.import_module("emo3d.scoring.opening").open_references
    raise AttributeError(f"module 'emo3d.scoring' has no attribute {name!r}")
