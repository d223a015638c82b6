"""The published release and the embedded sample: rows of description, intensities, picture and expression."""

from emo3d.dataset.opening import open_rows, sample_folder
from emo3d.dataset.release import as_pairs, is_release, read_release
from emo3d.dataset.tables import ReleasePicture, ReleaseRow

__all__ = [
    "ReleasePicture",
    "ReleaseRow",
    "as_pairs",
    "is_release",
    "open_rows",
    "read_release",
    "sample_folder",
]
