"""The command `emo3d`: a shell around the rooms below, one small module per group of subcommands."""

from emo3d.cli import (  # isort: skip  (the order in which --help lists them)
    faces,
    score,
    compare,
    evaluate,
    leaderboard,
    build,
    inspecting,
    extract,
    importing,
    calibrate,
    convert,
    train,
    card,
    demo,
    doctor,
    quickstart,
)
from emo3d.cli.app import app, main

__all__ = [
    "app",
    "build",
    "calibrate",
    "card",
    "compare",
    "convert",
    "demo",
    "doctor",
    "evaluate",
    "extract",
    "faces",
    "importing",
    "inspecting",
    "leaderboard",
    "main",
    "quickstart",
    "score",
    "train",
]
