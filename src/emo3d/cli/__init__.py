"""The command `emo3d`: a shell around the rooms below, one small module per group of subcommands."""

from emo3d.cli import compare, faces
from emo3d.cli.app import app, main

__all__ = ["app", "compare", "faces", "main"]
