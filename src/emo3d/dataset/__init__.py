"""Release and synthetic sample: rows of description, intensities, picture and expression."""

from emo3d.dataset.prototypes import PROTOTYPES, VARIANTS
from emo3d.dataset.sample import ROWS, SPLITS, SampleRow, make_rows

__all__ = ["PROTOTYPES", "ROWS", "SPLITS", "VARIANTS", "SampleRow", "make_rows"]
