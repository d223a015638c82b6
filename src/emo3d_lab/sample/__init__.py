"""The synthetic sample: sentences from a grammar, expressions from prototypes, rendered pictures."""

from emo3d_lab.sample.languages import make_multilingual_rows
from emo3d_lab.sample.prototypes import PROTOTYPES, VARIANTS, compose
from emo3d_lab.sample.rows import EMBEDDED_ROWS, ROWS, SPLITS, SampleRow, make_rows
from emo3d_lab.sample.training import STRONGEST, TrainingRow, expression_at, make_training_rows
from emo3d_lab.sample.write import render_rows, write_sample

__all__ = [
    "EMBEDDED_ROWS",
    "PROTOTYPES",
    "ROWS",
    "SPLITS",
    "STRONGEST",
    "VARIANTS",
    "SampleRow",
    "TrainingRow",
    "compose",
    "expression_at",
    "make_multilingual_rows",
    "make_rows",
    "make_training_rows",
    "render_rows",
    "write_sample",
]
