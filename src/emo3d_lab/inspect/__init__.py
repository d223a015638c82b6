"""What is in a dataset and what is wrong with it: counts, distributions, and leakage between splits."""

from emo3d_lab.inspect.page import write_inspection
from emo3d_lab.inspect.result import (
    Descriptions,
    Faces,
    Finding,
    Flagged,
    Inspection,
    Intensities,
    Pictures,
    Score,
    Shared,
    Split,
)
from emo3d_lab.inspect.run import inspect_dataset

__all__ = [
    "Descriptions",
    "Faces",
    "Finding",
    "Flagged",
    "Inspection",
    "Intensities",
    "Pictures",
    "Score",
    "Shared",
    "Split",
    "inspect_dataset",
    "write_inspection",
]
