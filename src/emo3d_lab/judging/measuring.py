"""The metric values table of a study: what numbers say of the faces that people judge."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.backbones import Backbone
from emo3d.files import whole_file
from emo3d.scoring import Emo3DScorer, ScoreSettings, read_references
from emo3d_lab.judging.study import METRICS, Study
from emo3d_lab.readers import EmotionReader, read_faces

COLUMNS = ("kl_divergence", "match", "mse", "mae")
"""Of a score's values of single faces, those that are numbers of how good a face is."""


def measure_study(
    study: Study,
    settings: ScoreSettings,
    *,
    references: Any = None,
    bank: Any = None,
    backbone: Backbone | None = None,
    readers: Sequence[EmotionReader] = (),
) -> tuple[dict[str, dict[str, np.ndarray]], str]:
    """Score the faces of a study.

    Args:
        study: its items are scored, in their order.
        settings: of the score; space, calibration and identity are the study's.
        references: all rows of the dataset, which faces look up where there is no `bank`; None is the items themselves.
        bank: see `score`.
        backbone: used instead of loading `settings.backbone`.
        readers: whose columns are "NAME kl_divergence" and "NAME top1".

    Returns:
        System -> metric -> (N,) float64 of the items, NaN where it is undefined; and the score's signature.
    """
    settings = replace(settings, space=study.space, calibration=study.calibration)
    columns = {"description": "description", "intensities": "intensities", "blendshapes": "reference"}
    rows = read_references(
        [{column: getattr(item, name) for column, name in columns.items()} for item in study.items], study.space
    )
    scorer = Emo3DScorer(settings, backbone=backbone)
    scorer.fit(bank if bank is not None else read_references(rows if references is None else references))
    values = {}
    for place, system in enumerate(study.systems):
        scorer.reset()
        faces = np.array([item.faces[place] for item in study.items])
        scorer.update(faces, rows)
        result = scorer.compute()
        ours = {name: np.asarray(result.per_sample[name], float) for name in COLUMNS if name in result.per_sample}
        answers = read_faces(readers, faces, rows, settings)
        theirs = {
            f"{name} {column}": values
            for name, answer in answers.items()
            for column, values in answer.per_sample.items()
        }
        values[system] = ours | theirs
    return values, result.signature


def write_metrics(study: Study, values: Mapping[str, Mapping[str, np.ndarray]], folder: str | os.PathLike[str]) -> Path:
    """Write `metrics.csv`: item, system and a column for each metric; cells of undefined values are empty."""
    path = Path(folder, METRICS)
    names = list(dict.fromkeys(name for of_system in values.values() for name in of_system))
    with whole_file(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["item", "system", *names])
        for row, item in enumerate(study.items):
            for system in study.systems:
                numbers = [values[system][name][row] for name in names]
                table.writerow(
                    [item.id, system, *("" if np.isnan(number) else repr(float(number)) for number in numbers)]
                )
    return path
