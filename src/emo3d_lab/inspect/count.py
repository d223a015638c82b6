"""Counters that rows are added to: memory grows by a few numbers per row and by the texts, never with the pictures."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS
from emo3d_lab.inspect.result import TIED, Descriptions, Faces, Flagged, Intensities, Pictures, Score
from emo3d_lab.inspect.rows import BY_PATH, Row

EXAMPLES = 5
"""How many examples are kept of anything."""

NO_EMOTION = -1
"""In place of the dominant emotion of a row without distribution, or without eight numbers in 0..1."""

_GROUPS = (*EMOTIONS, TIED)
_STEPS = 1000  # per unit, for percentiles
_CLOSE, _OPEN = BLENDSHAPES.index("mouthClose"), BLENDSHAPES.index("jawOpen")


class Codes(dict[Any, int]):
    """Numbers things from 0, in the order in which they are first asked for."""

    def __missing__(self, thing: Any) -> int:
        self[thing] = code = len(self)
        return code


class Texts:
    """Different texts and their codes; case and white space make no difference."""

    def __init__(self) -> None:
        self._codes = Codes()
        self.spelling: list[str] = []
        """Code -> the text as it was first met."""

    def code(self, text: str) -> int:
        """The number of a text."""
        code = self._codes[" ".join(text.split()).casefold()]
        if code == len(self.spelling):
            self.spelling.append(text)
        return code


class Occurrences:
    """Which thing stands in which row, under which sample; all three are numbers."""

    def __init__(self) -> None:
        self._flat = array("q")

    def add(self, thing: int, row: int, sample: int) -> None:
        """Note that a row of a sample holds a thing."""
        self._flat.extend((thing, row, sample))

    def __len__(self) -> int:
        return len(self._flat) // 3

    def things(self) -> np.ndarray:
        """The different things, ascending."""
        return np.unique(self._table()[0])

    def duplicates(self) -> np.ndarray:
        """The things that stand under more than one sample, ascending."""
        things, counts = np.unique(np.unique(self._table()[::2], axis=1)[0], return_counts=True)
        return things[counts > 1]

    def rows(self, things: np.ndarray) -> int:
        """How many rows hold any of these things."""
        table = self._table()
        return len(np.unique(table[1, np.isin(table[0], things)]))

    def samples(self, thing: int) -> list[int]:
        """The samples that hold a thing, ascending."""
        table = self._table()
        return np.unique(table[2, table[0] == thing]).tolist()

    def _table(self) -> np.ndarray:
        return np.array(self._flat, np.int64).reshape(-1, 3).T


class Flags:
    """Counts cases and keeps the first few in words."""

    def __init__(self) -> None:
        self.count = 0
        self._examples: list[str] = []

    def add(self, example: str) -> None:
        """Count a case."""
        self.count += 1
        if len(self._examples) < EXAMPLES:
            self._examples.append(example)

    def result(self) -> Flagged:
        """All cases."""
        return Flagged(self.count, tuple(self._examples))


class DescriptionCounter:
    """Counts the texts of a split."""

    def __init__(self, texts: Texts) -> None:
        self.occurrences = Occurrences()
        self._texts = texts
        self._rows_without = 0

    def add(self, row: Row, number: int, sample: int) -> None:
        """Count the texts of a row."""
        texts = [text for text in row.descriptions if text.strip()]
        self._rows_without += not texts
        for text in texts:
            self.occurrences.add(self._texts.code(text), number, sample)

    def result(self) -> Descriptions:
        """What was counted."""
        unique, duplicates = self.occurrences.things(), self.occurrences.duplicates()
        lengths = [len(self._texts.spelling[code].split()) for code in unique]
        return Descriptions(
            total=len(self.occurrences),
            unique=len(unique),
            repeated=Flagged(len(duplicates), tuple(self._texts.spelling[code] for code in duplicates[:EXAMPLES])),
            rows_repeated=self.occurrences.rows(duplicates),
            rows_without=self._rows_without,
            words=dict(sorted(Counter(lengths).items())),
            quartiles=tuple(np.quantile(lengths, (0, 0.25, 0.5, 0.75, 1)).tolist()) if lengths else (),
        )


class PictureCounter:
    """Counts the pictures of a split by the hashes of their bytes."""

    def __init__(self, pictures: Codes) -> None:
        self.occurrences = Occurrences()
        self._pictures = pictures
        self._total = self._missing = self._by_path = 0

    def add(self, row: Row, number: int, sample: int) -> None:
        """Count the pictures of a row."""
        for picture in row.pictures:
            self._total += 1
            if picture is None:
                self._missing += 1
            elif picture == BY_PATH:
                self._by_path += 1
            else:
                self.occurrences.add(self._pictures[picture], number, sample)

    def result(self, labels: Sequence[str]) -> Pictures:
        """What was counted; `labels` name the samples."""
        duplicates = self.occurrences.duplicates()
        examples = (
            " and ".join(labels[s] for s in self.occurrences.samples(picture)[:2]) for picture in duplicates[:EXAMPLES]
        )
        return Pictures(
            total=self._total,
            missing=self._missing,
            by_path=self._by_path,
            unique=len(self.occurrences.things()),
            repeated=Flagged(len(duplicates), tuple(examples)),
        )


class IntensityCounter:
    """Counts intensities, many rows at a time."""

    def __init__(self) -> None:
        self._invalid = Flags()
        self._without = 0
        self._zero = np.zeros(len(EMOTIONS), np.int64)
        self._histogram = np.zeros((len(EMOTIONS), 10), np.int64)
        self._distributions = np.zeros(len(EMOTIONS))
        self._dominant = np.zeros(len(_GROUPS), np.int64)

    def add(self, intensities: Sequence[Any], labels: Sequence[str]) -> list[int]:
        """Count rows; return the dominant emotion of each: its place in `EMOTIONS`, 8 if tied, or `NO_EMOTION`."""
        values, places = _valid(intensities, EMOTIONS, labels, self._invalid)
        # Ends of bins belong to the lower one, so that intensities in steps of 0.1 have a bin each; float32's 0.3
        # is a little more than 0.3.
        bins = np.ceil(np.round(values * 10, 4)).astype(int)
        self._zero += (bins == 0).sum(0)
        for step in range(10):
            self._histogram[:, step] += (bins == step + 1).sum(0)
        sums = values.sum(1)
        positive = sums > 0
        self._without += int((~positive).sum())
        self._distributions += (values[positive] / sums[positive, None]).sum(0)

        highest = values == values.max(1, keepdims=True, initial=0)
        emotion = np.where(highest.sum(1) > 1, len(EMOTIONS), highest.argmax(1))
        emotion[~positive] = NO_EMOTION
        self._dominant += np.bincount(emotion[positive], minlength=len(_GROUPS))
        dominant = np.full(len(intensities), NO_EMOTION)
        dominant[places] = emotion
        return dominant.tolist()

    def result(self) -> Intensities:
        """What was counted."""
        rows = int(self._histogram[0].sum() + self._zero[0])
        n = rows - self._without
        return Intensities(
            rows=rows,
            invalid=self._invalid.result(),
            without_distribution=self._without,
            zero=dict(zip(EMOTIONS, self._zero.tolist(), strict=True)),
            histogram={name: tuple(bins) for name, bins in zip(EMOTIONS, self._histogram.tolist(), strict=True)},
            mean_distribution=_by_name(EMOTIONS, self._distributions / n) if n else {},
            dominant=dict(zip(_GROUPS, self._dominant.tolist(), strict=True)),
        )


class FaceCounter:
    """Counts expressions, many at a time."""

    def __init__(self) -> None:
        n = len(BLENDSHAPES)
        self._total = self._missing = self._close_above_open = 0
        self._invalid = Flags()
        self._sum, self._squares, self._min, self._max = np.zeros(n), np.zeros(n), np.ones(n), np.zeros(n)
        self._active = np.zeros(n, np.int64)
        self._histogram = np.zeros((n, _STEPS + 1), np.int64)
        self._by_emotion = np.zeros(len(_GROUPS), np.int64)
        self._sum_by_emotion = np.zeros((len(_GROUPS), n))

    def add(self, faces: Sequence[Any], labels: Sequence[str], dominant: Sequence[int]) -> None:
        """Count expressions, each with the dominant emotion of its row (see `IntensityCounter.add`)."""
        self._total += len(faces)
        present = [place for place, face in enumerate(faces) if face is not None]
        self._missing += len(faces) - len(present)
        values, places = _valid([faces[p] for p in present], BLENDSHAPES, [labels[p] for p in present], self._invalid)
        self._sum += values.sum(0)
        self._squares += (values**2).sum(0)
        self._min = np.minimum(self._min, values.min(0, initial=1))
        self._max = np.maximum(self._max, values.max(0, initial=0))
        self._active += (values.astype(np.float32) > np.float32(0.1)).sum(0)
        self._close_above_open += int((values[:, _CLOSE] > values[:, _OPEN]).sum())
        steps = np.round(values * _STEPS).astype(int) + np.arange(len(BLENDSHAPES)) * (_STEPS + 1)
        self._histogram += np.bincount(steps.ravel(), minlength=self._histogram.size).reshape(self._histogram.shape)
        emotions = np.array([dominant[present[place]] for place in places], int)
        for emotion in range(len(_GROUPS)):
            self._by_emotion[emotion] += (emotions == emotion).sum()
            self._sum_by_emotion[emotion] += values[emotions == emotion].sum(0)

    def result(self) -> Faces:
        """What was counted."""
        n = self._total - self._missing - self._invalid.count
        means = {
            name: _figures(total / count)
            for name, total, count in zip(_GROUPS, self._sum_by_emotion, self._by_emotion, strict=True)
            if count
        }
        return Faces(
            total=self._total,
            missing=self._missing,
            invalid=self._invalid.result(),
            scores=self._scores(n) if n else {},
            close_above_open=self._close_above_open,
            by_emotion=dict(zip(_GROUPS, self._by_emotion.tolist(), strict=True)),
            mean_by_emotion=means,
        )

    def _scores(self, n: int) -> dict[str, Score]:
        mean = self._sum / n
        std = np.sqrt(np.maximum(self._squares / n - mean**2, 0))
        p95 = (self._histogram.cumsum(1) < 0.95 * n).sum(1) / _STEPS
        columns = map(_figures, (mean, std, self._min, self._max, p95, self._active / n))
        return {name: Score(*figures) for name, *figures in zip(BLENDSHAPES, *columns, strict=True)}


def _valid(
    vectors: Sequence[Any], names: Sequence[str], labels: Sequence[str], invalid: Flags
) -> tuple[np.ndarray, np.ndarray]:
    """Those vectors that have a number in 0..1 for each name, (N, len(names)), and their places; flag the others."""
    full = [p for p, v in enumerate(vectors) if isinstance(v, (list, np.ndarray)) and len(v) == len(names)]
    values = np.array([vectors[place] for place in full], np.float64).reshape(-1, len(names))
    inside = ((values >= 0) & (values <= 1)).all(1)  # NaN, and None that becomes NaN, compare false
    places = np.array(full, int)[inside]
    for place in sorted(set(range(len(vectors))) - set(places.tolist())):
        invalid.add(f"{labels[place]}: {_fault(vectors[place], names)}")
    return values[inside], places


def _fault(vector: Any, names: Sequence[str]) -> str:
    if vector is None:
        return "null"
    if not isinstance(vector, (list, np.ndarray)):
        return f"expected {len(names)} numbers, got {vector!r:.40}"
    if len(vector) != len(names):
        return f"expected {len(names)} numbers, got {len(vector)}"
    name, value = next((n, v) for n, v in zip(names, vector, strict=True) if v is None or not 0 <= v <= 1)
    return f"{name} = {value if value is None else format(value, '.6g')}"


def _figures(values: np.ndarray) -> tuple[float, ...]:
    return tuple(np.round(values, 6).tolist())


def _by_name(names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return dict(zip(names, _figures(values), strict=True))
