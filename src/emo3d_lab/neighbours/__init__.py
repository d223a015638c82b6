"""Readers for the neighbours of Emo3D: other datasets, motion capture and tables, to the config `pairs`."""

from emo3d_lab.neighbours.kinds import KINDS, import_dataset

__all__ = ["KINDS", "import_dataset"]
