"""Film strips of a dataset of clips, for its inspection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emo3d.dataset.opening import load
from emo3d.pictures import encode_picture
from emo3d_lab.clips.rows import clip_of_row
from emo3d_lab.clips.strips import film_strip
from emo3d_lab.inspect.result import Inspection

STRIPS = 4  # of a dataset, from rows that are evenly spaced
_WIDTH = 1100  # pixels


@dataclass(frozen=True)
class Film:
    """A row of clips as the page shows it."""

    label: str  # split and row
    description: str
    picture: str  # data URI of the strip; empty where the row has no clip that can be read
    problem: str


def film_strips(inspection: Inspection) -> list[Film]:
    """Strips of a few clips of the first split; none where the dataset has no frames."""
    if "frames" not in inspection.ignored:
        return []
    split = inspection.splits[0]
    rows = load(inspection.dataset, inspection.config, split=split.name)
    if "frames" not in rows.column_names:
        return []
    places = np.unique(np.linspace(0, len(rows) - 1, min(STRIPS, len(rows))).round().astype(int)).tolist()
    return [_film(f"{split.name}, row {place}", rows[place]) for place in places]


def _film(label: str, row: dict[str, object]) -> Film:
    description = str(row.get("description") or "")
    try:
        strip = film_strip(clip_of_row(row), count=8, size=136)
    except (ValueError, KeyError, TypeError) as error:
        return Film(label, description, "", str(error))
    return Film(label, description, encode_picture(np.asarray(strip), _WIDTH), "")
