"""The command `emo3d`: a frame, in which subcommands are found by their entry points (`emo3d.commands`)."""

from emo3d.cli.app import app, main

__all__ = ["app", "main"]
