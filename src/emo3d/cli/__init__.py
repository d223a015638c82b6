"""The command `emo3d`: a shell around the rooms below, one small module per group of subcommands."""

from emo3d.cli import faces, score, compare  # isort: skip  (the order in which --help lists them)
from emo3d.cli.app import app, main

__all__ = ["app", "compare", "faces", "main", "score"]
