"""The study that the Judge tab has without a folder: the sample's references against the quickstart generator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emo3d.generation import load_generator
from emo3d.scoring import QUICKSTART
from emo3d_lab.judging.design import make_study
from emo3d_lab.judging.study import Study
from emo3d_lab.sample.rows import make_rows

ROWS = 40
"""Descriptions: as many references, as many generated faces, as many pairs."""


def packaged_study(identity_of: Callable[[str], str]) -> Study:
    """Make it of rows of the sample's test split, with the heads that `identity_of` names for descriptions."""
    rows = make_rows("test", 2 * ROWS, seed=2)  # half of them for attention checks
    descriptions = [row.description for row in rows]
    references = {"description": descriptions, "intensities": [row.intensities for row in rows]}
    faces = {
        "reference": np.array([row.blendshapes for row in rows]),
        QUICKSTART: load_generator(QUICKSTART).generate(descriptions),
    }
    heads = [identity_of(description) for description in descriptions]
    return make_study(references, faces, rows=range(ROWS), identities=heads, fits=True)
