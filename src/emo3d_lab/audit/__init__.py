"""For whom a score holds: what descriptions say, other faces, other words, weak and strong emotions."""

from emo3d_lab.audit.card import card_section
from emo3d_lab.audit.page import write_audit
from emo3d_lab.audit.result import Audit
from emo3d_lab.audit.run import AuditOptions, audit

__all__ = ["Audit", "AuditOptions", "audit", "card_section", "write_audit"]
