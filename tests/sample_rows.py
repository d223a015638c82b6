"""What holds of the rows of every grammar."""

import numpy as np

from emo3d.blendshapes import BLENDSHAPES


def assert_ranges(rows):
    """Weights and intensities in 0..1, the latter in steps of 0.1 and never all zero, and mouthClose <= jawOpen."""
    expressions = np.stack([row.blendshapes for row in rows])
    intensities = np.stack([row.intensities for row in rows])
    assert expressions.shape == (len(rows), 51)
    assert expressions.dtype == intensities.dtype == np.float32
    assert 0 <= expressions.min() <= expressions.max() <= 1
    assert 0 <= intensities.min() <= intensities.max() <= 1
    assert np.all(intensities.sum(axis=1) > 0)
    assert np.allclose(intensities * 10, np.round(intensities * 10), atol=1e-5)
    close, jaw = (expressions[:, BLENDSHAPES.index(name)] for name in ("mouthClose", "jawOpen"))
    assert np.all(close <= jaw)
