"""For whom a score holds: what descriptions say, other faces, other words, weak and strong emotions."""

from emo3d_lab.audit.card import card_section
from emo3d_lab.audit.page import write_audit
from emo3d_lab.audit.result import (
    Audit,
    Band,
    Condition,
    Contrast,
    Cost,
    Estimate,
    Gap,
    IdentityAudit,
    Shift,
    Slice,
    Strength,
    Swapped,
    TextAudit,
)
from emo3d_lab.audit.run import audit

__all__ = [
    "Audit",
    "Band",
    "Condition",
    "Contrast",
    "Cost",
    "Estimate",
    "Gap",
    "IdentityAudit",
    "Shift",
    "Slice",
    "Strength",
    "Swapped",
    "TextAudit",
    "audit",
    "card_section",
    "write_audit",
]
