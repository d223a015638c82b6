"""The reader of physical instructions, which `emo3d.instructions` finds by its entry point."""

from emo3d_lab.instructions.reading import read

__all__ = ["read"]
