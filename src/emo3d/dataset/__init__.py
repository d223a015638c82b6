"""Release and synthetic sample: rows of description, intensities, picture and expression."""

from emo3d.dataset.opening import open_rows
from emo3d.dataset.prototypes import PROTOTYPES, VARIANTS, compose
from emo3d.dataset.release import as_pairs, is_release, read_release
from emo3d.dataset.sample import ROWS, SPLITS, SampleRow, make_rows
from emo3d.dataset.tables import ReleasePicture, ReleaseRow
from emo3d.dataset.write import EMBEDDED_ROWS, render_rows, sample_folder, write_sample

__all__ = [
    "EMBEDDED_ROWS",
    "PROTOTYPES",
    "ROWS",
    "SPLITS",
    "VARIANTS",
    "ReleasePicture",
    "ReleaseRow",
    "SampleRow",
    "as_pairs",
    "compose",
    "is_release",
    "make_rows",
    "open_rows",
    "read_release",
    "render_rows",
    "sample_folder",
    "write_sample",
]
