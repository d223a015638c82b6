"""The synthetic sample: sentences from a grammar, expressions from prototypes, rendered pictures."""

from emo3d_lab.sample.prototypes import PROTOTYPES, VARIANTS, compose
from emo3d_lab.sample.rows import EMBEDDED_ROWS, ROWS, SPLITS, SampleRow, make_rows

__all__ = ["EMBEDDED_ROWS", "PROTOTYPES", "ROWS", "SPLITS", "VARIANTS", "SampleRow", "compose", "make_rows"]
