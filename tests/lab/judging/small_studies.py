"""Studies of the sample, for tests."""

import numpy as np

from emo3d_lab.judging.design import make_study
from emo3d_lab.sample import make_rows


def sample_study(count=10, seed=3, systems=None, **options):
    """A study of `count` rows: the sample's own faces, and neutral ones."""
    rows = make_rows("test", count, seed=seed)
    references = {
        "description": [row.description for row in rows],
        "intensities": [row.intensities for row in rows],
        "blendshapes": [row.blendshapes for row in rows],
    }
    systems = systems or {"reference": np.array(references["blendshapes"]), "neutral": np.zeros((count, 51))}
    return make_study(references, systems, **options)


def tasks(study, kind, attention=False):
    return [task for task in study.tasks if task.kind == kind and task.attention == attention]
