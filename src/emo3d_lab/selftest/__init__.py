"""Does this installation compute the numbers that others got? Frozen faces, and what they are expected to give."""

from emo3d_lab.selftest.checks import Check, compare
from emo3d_lab.selftest.measure import FACES, Measurement, load_expected, load_faces, measure

__all__ = ["FACES", "Check", "Measurement", "compare", "load_expected", "load_faces", "measure"]
