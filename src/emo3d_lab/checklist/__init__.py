"""The checklist: minimal pairs of descriptions, each with what must differ, or must not, between their faces."""

from emo3d_lab.checklist.checks import Check, parse_check
from emo3d_lab.checklist.pairs import FAMILIES, Pair, read_checklist
from emo3d_lab.checklist.result import ChecklistResult, Tally
from emo3d_lab.checklist.run import run_checklist
from emo3d_lab.checklist.table import write_checklist

__all__ = [
    "FAMILIES",
    "Check",
    "ChecklistResult",
    "Pair",
    "Tally",
    "parse_check",
    "read_checklist",
    "run_checklist",
    "write_checklist",
]
