"""The inspection: every split in one pass, then what the splits have in common."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations, islice

import numpy as np
from tqdm.auto import tqdm

from emo3d_lab.inspect.count import (
    EXAMPLES,
    NO_EMOTION,
    Codes,
    DescriptionCounter,
    FaceCounter,
    Flags,
    IntensityCounter,
    Occurrences,
    PictureCounter,
    Texts,
)
from emo3d_lab.inspect.result import Inspection, Shared, Split
from emo3d_lab.inspect.rows import GROUPS, Row, Source, open_dataset
from emo3d_lab.inspect.verdict import find

_ROWS = 1000  # counted at a time


def inspect_dataset(dataset: str, config: str | None = None, splits: Sequence[str] = ()) -> Inspection:
    """Count what a user should know before training on a dataset, in one pass that decodes no picture.

    Looked at are the columns `sample_id`, `variant`, `prompt_type`, `identity`, `description` or `descriptions`,
    `intensities`, `blendshapes` and `image`, as far as the dataset has them.

    Args:
        dataset: what `load_dataset` takes (a folder such as `emo3d build` writes, a folder of Parquet files, an id on
            the Hub), a `.parquet` file, `"sample"` for the embedded one, or a folder of the published release as it is.
        config: of the dataset; its default one when left out.
        splits: those to look at; all when empty.

    Raises:
        ValueError: an unknown config or split, or a split without any such column.
        OSError: no such dataset.

    Example:
        >>> inspection = inspect_dataset("sample", splits=["test"])
        >>> inspection.splits[0].rows, inspection.splits[0].descriptions.unique, inspection.shared
        (250, 250, ())
    """
    sources = open_dataset(str(dataset), config, splits)
    whole = _Whole()
    counters = [_SplitCounter(source, whole) for source in sources]
    for counter in counters:
        counter.read()
    samples = [f"row {s[1]}" if isinstance(s, tuple) else f"sample_id {s}" for s in whole.samples]
    results = [counter.result(samples) for counter in counters]
    faces = whole.faces.result() if any(split.faces for split in results) else None
    overlaps = [common for pair in combinations(counters, 2) for common in _in_common(*pair, whole, samples)]
    return Inspection(
        dataset=str(dataset),
        config=config,
        findings=find(results, overlaps, faces),
        splits=tuple(results),
        shared=tuple(overlaps),
        faces=faces,
        ignored=tuple(dict.fromkeys(column for source in sources for column in source.ignored)),
    )


class _Whole:
    """What all splits are counted with, so that they can be compared."""

    def __init__(self) -> None:
        self.texts, self.pictures, self.samples, self.faces = Texts(), Codes(), Codes(), FaceCounter()


class _SplitCounter:
    def __init__(self, source: Source, whole: _Whole) -> None:
        self.source, self._whole = source, whole
        self.descriptions = DescriptionCounter(whole.texts)
        self.pictures = PictureCounter(whole.pictures)
        self.samples = Occurrences()
        self._intensities, self._faces, self._repeated = IntensityCounter(), FaceCounter(), Flags()
        self._keys: set[tuple] = set()
        self._groups: dict[str, Counter[str]] = {name: Counter() for name in GROUPS if name in source.columns}
        self._rows = 0

    def has(self, *columns: str) -> bool:
        return not self.source.columns.isdisjoint(columns)

    def read(self) -> None:
        source = self.source
        rows = iter(tqdm(source.rows, f"Inspecting {source.name}", total=source.total, unit=" rows", delay=3))
        while chunk := list(islice(rows, _ROWS)):
            for row in chunk:
                self._add(row)
            self._add_numbers(chunk)

    def _add(self, row: Row) -> None:
        sample = self._whole.samples[row.sample]
        self.samples.add(sample, self._rows, sample)
        self.descriptions.add(row, self._rows, sample)
        self.pictures.add(row, self._rows, sample)
        if row.key in self._keys:
            self._repeated.add(row.label)
        elif row.key is not None:
            self._keys.add(row.key)
        for name, counter in self._groups.items():
            counter[row.groups[name]] += 1
        self._rows += 1

    def _add_numbers(self, rows: Sequence[Row]) -> None:
        labels = [row.label for row in rows]
        dominant = [NO_EMOTION] * len(rows)
        if self.has("intensities"):
            dominant = self._intensities.add([row.intensities for row in rows], labels)
        faces = [face for row in rows for face in row.faces]
        places = [place for place, row in enumerate(rows) for _ in row.faces]
        for counter in (self._faces, self._whole.faces):
            counter.add(faces, [labels[place] for place in places], [dominant[place] for place in places])

    def result(self, samples: Sequence[str]) -> Split:
        problems: dict[str, Flags] = defaultdict(Flags)
        for problem in self.source.problems:
            problems[problem.kind].add(str(problem))
        return Split(
            name=self.source.name,
            rows=self._rows,
            samples=len(self.samples.things()) if self.has("sample_id") else None,
            repeated_rows=self._repeated.result(),
            descriptions=self.descriptions.result() if self.has("description", "descriptions") else None,
            intensities=self._intensities.result() if self.has("intensities") else None,
            faces=self._faces.result() if self.has("blendshapes") else None,
            pictures=self.pictures.result(samples) if self.has("image") else None,
            groups={name: dict(counter.most_common()) for name, counter in self._groups.items()},
            problems={kind: flags.result() for kind, flags in problems.items()},
        )


def _in_common(left: _SplitCounter, right: _SplitCounter, whole: _Whole, samples: Sequence[str]) -> list[Shared]:
    """What two splits share: descriptions, pictures, sample_ids."""

    def holders(picture: int) -> str:
        first, second = (samples[split.pictures.occurrences.samples(picture)[0]] for split in (left, right))
        return f"{first} in {left.source.name} and {second} in {right.source.name}"

    kinds: list[tuple[str, Occurrences, Occurrences, Callable[[int], str]]] = [
        (
            "description",
            left.descriptions.occurrences,
            right.descriptions.occurrences,
            whole.texts.spelling.__getitem__,
        ),
        ("picture", left.pictures.occurrences, right.pictures.occurrences, holders),
    ]
    if left.has("sample_id") and right.has("sample_id"):
        kinds.append(("sample_id", left.samples, right.samples, samples.__getitem__))
    overlaps = []
    for kind, ours, theirs, name in kinds:
        things = np.intersect1d(ours.things(), theirs.things(), assume_unique=True)
        if len(things):
            examples = tuple(name(thing) for thing in things[:EXAMPLES])
            splits = (left.source.name, right.source.name)
            overlaps.append(Shared(kind, splits, len(things), (ours.rows(things), theirs.rows(things)), examples))
    return overlaps
