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
    known = _Known()
    counters = [_SplitCounter(source, known) for source in sources]
    for counter in counters:
        counter.read()
    samples = [f"row {s[1]}" if isinstance(s, tuple) else f"sample_id {s}" for s in known.samples]
    found = [counter.done(samples) for counter in counters]
    faces = known.faces.done() if any(split.faces for split in found) else None
    shared = [common for pair in combinations(counters, 2) for common in _in_common(*pair, known, samples)]
    return Inspection(
        dataset=str(dataset),
        config=config,
        findings=find(found, shared, faces),
        splits=tuple(found),
        shared=tuple(shared),
        faces=faces,
        ignored=tuple(dict.fromkeys(column for source in sources for column in source.ignored)),
    )


class _Known:
    """What all splits are counted with, so that they can be compared."""

    def __init__(self) -> None:
        self.texts, self.pictures, self.samples, self.faces = Texts(), Codes(), Codes(), FaceCounter()


class _SplitCounter:
    def __init__(self, source: Source, known: _Known) -> None:
        self.source, self._known = source, known
        self.descriptions = DescriptionCounter(known.texts)
        self.pictures = PictureCounter(known.pictures)
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
        sample = self._known.samples[row.sample]
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
        for counter in (self._faces, self._known.faces):
            counter.add(faces, [labels[place] for place in places], [dominant[place] for place in places])

    def done(self, samples: Sequence[str]) -> Split:
        problems: dict[str, Flags] = defaultdict(Flags)
        for problem in self.source.problems:
            problems[problem.kind].add(str(problem))
        return Split(
            name=self.source.name,
            rows=self._rows,
            samples=len(self.samples.things()) if self.has("sample_id") else None,
            repeated_rows=self._repeated.done(),
            descriptions=self.descriptions.done() if self.has("description", "descriptions") else None,
            intensities=self._intensities.done() if self.has("intensities") else None,
            faces=self._faces.done() if self.has("blendshapes") else None,
            pictures=self.pictures.done(samples) if self.has("image") else None,
            groups={name: dict(counter.most_common()) for name, counter in self._groups.items()},
            problems={kind: flags.done() for kind, flags in problems.items()},
        )


def _in_common(one: _SplitCounter, other: _SplitCounter, known: _Known, samples: Sequence[str]) -> list[Shared]:
    """What two splits share: descriptions, pictures, sample_ids."""

    def holders(picture: int) -> str:
        first, second = (samples[split.pictures.found.samples(picture)[0]] for split in (one, other))
        return f"{first} in {one.source.name} and {second} in {other.source.name}"

    kinds: list[tuple[str, Occurrences, Occurrences, Callable[[int], str]]] = [
        ("description", one.descriptions.found, other.descriptions.found, known.texts.spelling.__getitem__),
        ("picture", one.pictures.found, other.pictures.found, holders),
    ]
    if one.has("sample_id") and other.has("sample_id"):
        kinds.append(("sample_id", one.samples, other.samples, samples.__getitem__))
    shared = []
    for what, mine, others, name in kinds:
        both = np.intersect1d(mine.things(), others.things(), assume_unique=True)
        if len(both):
            examples = tuple(name(thing) for thing in both[:EXAMPLES])
            splits = (one.source.name, other.source.name)
            shared.append(Shared(what, splits, len(both), (mine.rows(both), others.rows(both)), examples))
    return shared
