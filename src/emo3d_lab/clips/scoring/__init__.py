"""Clips against their beats: Emo3D over time, beside the field's own numbers and the quality of motion."""

from emo3d_lab.clips.scoring.alignment import Alignment, align
from emo3d_lab.clips.scoring.reading import ClipReference
from emo3d_lab.clips.scoring.result import ClipResult
from emo3d_lab.clips.scoring.scorer import ClipScorer, compute_clips, score_clips
from emo3d_lab.clips.scoring.settings import ClipSettings

__all__ = [
    "Alignment",
    "ClipReference",
    "ClipResult",
    "ClipScorer",
    "ClipSettings",
    "align",
    "compute_clips",
    "score_clips",
]
