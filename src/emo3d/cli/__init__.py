"""The command `emo3d`: a shell around the rooms below, one small module per group of subcommands."""

from emo3d.cli import (  # isort: skip  (the order in which --help lists them)
    faces,
    score,
    compare,
    build,
    inspecting,
    extract,
    importing,
    calibrate,
    convert,
    train,
    quickstart,
)
from emo3d.cli.app import app, main

__all__ = [
    "app",
    "build",
    "calibrate",
    "compare",
    "convert",
    "extract",
    "faces",
    "importing",
    "inspecting",
    "main",
    "quickstart",
    "score",
    "train",
]
