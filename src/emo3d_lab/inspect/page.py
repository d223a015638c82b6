"""The inspection as a page."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from emo3d.emotions import EMOTIONS
from emo3d_lab.inspect.figures import tabulate
from emo3d_lab.inspect.films import film_strips
from emo3d_lab.inspect.result import TIED, Descriptions, Inspection, Intensities, Split
from emo3d_lab.pages import face_regions, write_page

_BINS = 24  # of description lengths, at most
_VALUES = 20  # of prompt_type and identity


def write_inspection(inspection: Inspection, path: str | os.PathLike[str]) -> None:
    """Write the page: one file, nothing outside it; texts of the dataset are shown as text."""
    splits = inspection.splits
    intensities = {split.name: split.intensities for split in splits if split.intensities and split.intensities.rows}
    emotional = {name: counts for name, counts in intensities.items() if counts.mean_distribution}
    descriptions = {
        split.name: split.descriptions for split in splits if split.descriptions and split.descriptions.unique
    }
    lengths = _lengths(descriptions)
    means = inspection.faces.mean_by_emotion.values() if inspection.faces else ()
    write_page(
        "inspect.html.jinja",
        path,
        inspection=inspection,
        table=tabulate(splits),
        colours={split.name: f"c{place % 6}" for place, split in enumerate(splits)},
        emotions=(*EMOTIONS, TIED),
        intensities=intensities,
        top_intensity=_tops(intensities.values()),
        dominant={name: _shares(counts.dominant) for name, counts in emotional.items()},
        distributions={name: counts.mean_distribution for name, counts in emotional.items()},
        regions=face_regions(),
        top_mean=max(chain.from_iterable(means), default=0),
        descriptions=descriptions,
        lengths=lengths,
        top_length=max((share for _, shares in lengths for _, share in shares), default=0),
        groups=_groups(splits),
        films=film_strips(inspection),
    )


def _tops(intensities: Collection[Intensities]) -> dict[str, float]:
    """Emotion -> the largest share of any bin of any split."""
    return {
        emotion: max((n / counts.rows for counts in intensities for n in counts.histogram[emotion]), default=0)
        for emotion in EMOTIONS
    }


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    return {name: count / sum(counts.values()) for name, count in counts.items()}


def _lengths(descriptions: Mapping[str, Descriptions]) -> list[tuple[str, list[tuple[str, float]]]]:
    """Columns of a histogram of words per description: (label, [(split, share of its different texts)])."""
    longest = max((max(texts.words) for texts in descriptions.values()), default=0)
    width = math.ceil(longest / _BINS) or 1
    columns = []
    for first in range(1, longest + 1, width):
        last = first + width - 1
        shares = [
            (name, sum(n for words, n in texts.words.items() if first <= words <= last) / texts.unique)
            for name, texts in descriptions.items()
        ]
        columns.append((str(first) if width == 1 else f"{first}-{last}", shares))
    return columns


def _groups(splits: Sequence[Split]) -> dict[str, tuple[list[str], int]]:
    """Column -> its most frequent values over all splits, and how many more there are."""
    totals: dict[str, Counter[str]] = {}
    for split in splits:
        for column, values in split.groups.items():
            totals.setdefault(column, Counter()).update(values)
    return {
        column: ([value for value, _ in counter.most_common(_VALUES)], max(len(counter) - _VALUES, 0))
        for column, counter in totals.items()
    }
