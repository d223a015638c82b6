"""A table of any columns, read through a column mapping: what its cells say, checked one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import layout_names, parse_scores
from emo3d.dataset.plan import Shard
from emo3d.dataset.tally import Problem, Tally
from emo3d.documents import parse_json
from emo3d.emotions import EMOTIONS
from emo3d.names import blendshape_names, nearest
from emo3d_lab.building.reports import RowError
from emo3d_lab.neighbours.facs import read_units, units_to_expression
from emo3d_lab.neighbours.formats import read_records
from emo3d_lab.neighbours.mapping import ColumnMapping
from emo3d_lab.neighbours.rows import Rule, ScoreReader, numbers, within
from emo3d_lab.neighbours.tags import intensities_of, strength_of_level


@dataclass(frozen=True)
class TableShard(Shard):
    """A table to import as one file.

    Attributes:
        table: path.
        kind: becomes `prompt_type`.
        mapping: which columns hold what.
        description: of every row, where the mapping has none.
        emotion: tag of every row, where the mapping has none.
        rule: how scores are read, and which blendshapes ("tongueOut") and units ("AU38") may be left out.
    """

    table: str
    kind: str
    mapping: ColumnMapping
    description: str | None
    emotion: str | None
    rule: Rule

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """See `Shard.rows`: one row per description."""
        name = Path(self.table).name
        reader = ScoreReader(name, self.rule)
        for number, record in enumerate(read_records(self.table, list(self.mapping.columns))):
            count = 1
            counted = Tally()
            try:
                if isinstance(record, str):
                    raise RowError("row", "", record)
                descriptions = self._descriptions(record)
                count = len(descriptions)
                strength = self._strength(record)
                intensities = self._intensities(record, strength, counted)
                blendshapes = self._expression(record, strength, counted, reader, number)
            except RowError as error:
                tally.report(Problem(error.kind, name, number, error.column, str(error), count))
            else:
                for key, n in counted.counts.items():
                    tally.count(key, n * count)
                for description in descriptions:
                    yield {
                        "sample_id": number,
                        "variant": 1,
                        "prompt_type": self.kind,
                        "description": description,
                        "intensities": intensities,
                        "blendshapes": blendshapes,
                    }
            tally.count("rows_in", count)
        reader.close()

    def _descriptions(self, record: Mapping[str, Any]) -> list[str]:
        if self.description is not None:
            return [self.description]
        texts: list[str] = []
        for column in self.mapping.description:
            for text in record[column] if isinstance(record[column], list) else [record[column]]:
                if text is not None and not isinstance(text, str):
                    raise RowError("description", column, f"expected text, got {text!r:.200}")
                try:
                    (text or "").encode("utf-8")
                except UnicodeEncodeError:
                    raise RowError("description", column, "expected UTF-8, got other bytes") from None
                texts += [text.strip()] if text and text.strip() else []
        if not texts:
            raise RowError("description", self.mapping.description[0], "expected a description, got none")
        return texts

    def _strength(self, record: Mapping[str, Any]) -> float:
        if self.mapping.level is None:
            return 1.0
        try:
            return strength_of_level(record[self.mapping.level], self.mapping.levels)
        except ValueError as error:
            raise RowError("level", self.mapping.level, str(error)) from None

    def _intensities(self, record: Mapping[str, Any], strength: float, tally: Tally) -> list[float]:
        if self.mapping.intensities:
            columns = list(self.mapping.intensities.values())
            values = numbers([record[column] for column in columns], columns)
            within(values, columns)
            by_emotion = dict(zip(self.mapping.intensities, values.tolist(), strict=True))
            return [by_emotion.get(emotion, 0.0) for emotion in EMOTIONS]
        column = self.mapping.emotion
        tag = self.emotion if column is None else record[column]
        if column is None and tag is None:
            tally.count("without_emotion")
            return [0.0] * len(EMOTIONS)
        try:
            return intensities_of("" if tag is None else tag, strength, self.mapping.emotions)
        except ValueError as error:
            raise RowError("emotion", column or "", str(error)) from None

    def _expression(
        self, record: Mapping[str, Any], strength: float, tally: Tally, reader: ScoreReader, number: int
    ) -> list[float]:
        scores = self._scores(record, reader)
        if scores is not None:
            tally.count("from_blendshapes")
            return reader.expression(*scores, tally, number)
        columns = self.mapping.action_units
        where = columns if isinstance(columns, str) else ""
        cells = {unit: record[column] for unit, column in columns.items()} if isinstance(columns, Mapping) else None
        value = record[columns] if isinstance(columns, str) else cells
        if _empty(value):
            raise RowError("no expression", where, "expected blendshapes or action units, got neither")
        try:
            units = read_units(value, self.mapping.scale, strength)
            for unit in set(units) & {name.upper().removeprefix("AU") for name in self.rule.drop}:
                if units.pop(unit):
                    tally.count(f"dropped_AU{unit}")
            expression = units_to_expression(units).tolist()
        except ValueError as error:
            raise RowError("action units", where, str(error)) from None
        tally.count("from_action_units")
        return expression

    def _scores(
        self, record: Mapping[str, Any], reader: ScoreReader
    ) -> tuple[np.ndarray, Sequence[str], Sequence[str]] | None:
        """Scores, the names of their blendshapes and of their columns; None where the row has none."""
        columns = self.mapping.blendshapes
        if columns is None:
            return None
        if isinstance(columns, Mapping):
            cells = [record[column] for column in columns.values()]
            if all(map(_empty, cells)):
                return None
            return numbers(cells, list(columns.values())), list(columns), list(columns.values())
        value = record[columns]
        if _empty(value):
            return None
        try:
            if isinstance(value, str):
                value = parse_json(value) if value.lstrip().startswith("{") else parse_scores(value)
        except ValueError as error:
            raise RowError("scores", columns, str(error)) from None
        if isinstance(value, Mapping):
            try:
                by_name = blendshape_names(value, self.rule.names)
            except ValueError as error:
                raise RowError("scores", columns, f"the mapping {error}") from None
            extras = [key for key in value if key not in by_name.values() and key not in (self.rule.names or ())]
            wrong = [key for key in extras if not by_name or nearest(key)]
            if wrong:
                near = f"; did you mean {nearest(wrong[0])}?" if by_name else ""
                raise RowError("scores", columns, f"expected ARKit blendshape names, got {wrong[0]!r:.100}{near}")
            reader.extras.update(dict.fromkeys(extras[: max(0, 20 - len(reader.extras))]))
            names: Sequence[str] = list(by_name)
            value = [value[key] for key in by_name.values()]
        elif isinstance(value, (list, np.ndarray)):
            names = self._layout(len(value), columns)
        else:
            raise RowError("scores", columns, f"expected a vector of scores, got {value!r:.200}")
        where = [f"{columns}.{name}" for name in names]
        return numbers(value, where), names, where

    def _layout(self, count: int, column: str) -> Sequence[str]:
        try:
            return layout_names(count, self.mapping.layout)  # type: ignore[arg-type]
        except ValueError as error:
            hint = "" if self.mapping.layout else "; --layout says mediapipe or arkit"
            raise RowError("scores", column, f"{error}{hint}") from None


def _empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_empty, value.values()))
    return value is None or (isinstance(value, str) and not value.strip())
