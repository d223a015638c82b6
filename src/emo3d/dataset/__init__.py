"""The published release and the embedded sample: rows of description, intensities, picture and expression.

What reads the release is in `emo3d.dataset.release`, which pages and models do without.
"""

from emo3d.dataset.opening import open_rows, sample_folder

__all__ = ["open_rows", "sample_folder"]
