"""Readers for the neighbours of Emo3D: other datasets, motion capture and tables, to `pairs` and `clips`."""

from emo3d_lab.neighbours.clip_kinds import CLIP_KINDS, import_clips
from emo3d_lab.neighbours.kinds import KINDS, import_dataset

__all__ = ["CLIP_KINDS", "KINDS", "import_clips", "import_dataset"]
