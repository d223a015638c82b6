"""A folder that `emo3d study` made."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d_lab.judging.design import make_study

    rows = {
        "description": ["She laughs", "He weeps"],
        "intensities": [[0, 1, 0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0, 0]],
    }
    study = make_study(rows, {"a": np.zeros((2, 51)), "b": np.full((2, 51), 0.5)}, fits=True)
    content = {"hash": study.hash, "version": "1", **asdict(study)}
    return [{"study.json": json.dumps(content).encode()}]


def enter(folder: Path) -> None:
    from emo3d_lab.judging.study import Study

    study = Study.load(folder)
    study.next("one", "pair", ())
