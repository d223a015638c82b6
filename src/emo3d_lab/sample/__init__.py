"""The synthetic sample: sentences from a grammar, expressions from prototypes, rendered pictures."""

from emo3d_lab.sample.prototypes import PROTOTYPES, VARIANTS, compose
from emo3d_lab.sample.rows import EMBEDDED_ROWS, ROWS, SPLITS, SampleRow, make_rows
from emo3d_lab.sample.training import TrainingRow, expression_at, make_training_rows
from emo3d_lab.sample.write import render_rows, write_sample

__all__ = [
    "EMBEDDED_ROWS",
    "PROTOTYPES",
    "ROWS",
    "SPLITS",
    "VARIANTS",
    "SampleRow",
    "TrainingRow",
    "compose",
    "expression_at",
    "make_rows",
    "make_training_rows",
    "render_rows",
    "write_sample",
]
