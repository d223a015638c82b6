"""Emo3D: a description goes in, a face comes out, and a number says whether the face shows what was described."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emo3d.blendshapes import BLENDSHAPES, Space, as_expressions, mirror
from emo3d.emotions import EMOTIONS, as_intensities, distribution

if TYPE_CHECKING:
    from emo3d.face import FaceRig, RenderSettings, render
    from emo3d.generation import load_generator
    from emo3d.scoring import Emo3DResult, Emo3DScorer, ScoreSettings
    from emo3d.scoring.score import score

__version__ = "0.1.0"

# Heavy rooms (torch, numba, transformers) are opened when first asked for, so that `import emo3d` stays instant.
_LAZY = {
    **dict.fromkeys(("FaceRig", "RenderSettings", "render"), "emo3d.face"),
    **dict.fromkeys(("Emo3DResult", "Emo3DScorer", "ScoreSettings", "score"), "emo3d.scoring"),
    "load_generator": "emo3d.generation",
}
_PARTS = {"Actor": "actors", "Character": "characters"}  # of the workshop

__all__ = [
    "BLENDSHAPES",
    "EMOTIONS",
    "Actor",
    "Character",
    "Emo3DResult",
    "Emo3DScorer",
    "FaceRig",
    "RenderSettings",
    "ScoreSettings",
    "Space",
    "as_expressions",
    "as_intensities",
    "distribution",
    "load_generator",
    "metric_path",
    "mirror",
    "render",
    "score",
]


def metric_path() -> str:
    """Where the packaged metric lies, for `evaluate.load(emo3d.metric_path())`, which needs no network."""
    return str(Path(__file__).parent / "assets" / "emo3d_score.py")


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return getattr(importlib.import_module("emo3d.loading").workshop_part(_PARTS[name]), name)
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'emo3d' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
