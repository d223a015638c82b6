"""Scores of several systems in one table, in Markdown or as a page, if their settings and references are the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emo3d.scoring import signature_difference
from emo3d.scoring.consistency import check_result
from emo3d_lab.comparison import check_comparable
from emo3d_lab.markup import markdown_code, markdown_text
from emo3d_lab.pages import write_page
from emo3d_lab.sentinels import verdict_of
from emo3d_lab.training.evaluate import Evaluation

_MEASURES = {
    "emo3d": ("Emo3D ↓", ".3f"),
    "kl_divergence": ("KL ↓", ".3f"),
    "mse": ("MSE ↓", ".4f"),
    "amplitude": ("amplitude → 1", ".2f"),
}


@dataclass(frozen=True)
class Table:
    """Evaluations under the same settings on the same references, the lowest Emo3D score first."""

    entries: Sequence[Evaluation]

    @property
    def settings(self) -> dict[str, str]:
        """The signature of all its scores, setting by setting."""
        return self.entries[0].settings

    @property
    def note(self) -> str | None:
        """The reason why mean squared errors and amplitudes are missing, or None."""
        hashes = {entry.result.reference_expressions for entry in self.entries if entry.result.mse is not None}
        if len(hashes - {None}) > 1:
            return "no MSE and amplitude: the references' expressions, which they compare with, are not all the same"
        return None

    @property
    def verdicts(self) -> list[str]:
        """A sentence for each system that does not beat all its sentinels, as far as its file has them."""
        said = ((entry.model, verdict_of(entry.result.kl_divergence, entry.sentinels)) for entry in self.entries)
        return [f"{model}: {'; '.join(sentences)}" for model, sentences in said if sentences]

    @property
    def headings(self) -> list[str]:
        """Of the columns."""
        measures = [heading for heading, _ in _MEASURES.values()]
        return ["model", *measures, f"recall@{self.settings.get('k', 'k')} ↑", "n", "date"]

    @property
    def rows(self) -> list[list[tuple[str, str]]]:
        """Text of each cell, and of its interval (empty without one)."""
        return [
            [
                (entry.model, ""),
                *(
                    ("–", "") if name in ("mse", "amplitude") and self.note else _cell(entry, name, form)
                    for name, (_, form) in _MEASURES.items()
                ),
                _cell(entry, "recall_at_k", ".0%"),
                (f"{entry.result.n:,}", ""),
                (entry.date or "–", ""),
            ]
            for entry in self.entries
        ]

    @property
    def spans(self) -> list[tuple[float, float, float]]:
        """Lower end, upper end and score of each row, on an axis from 0 to 100 that spans all rows."""
        spans = []
        for entry in self.entries:
            score = entry.result.emo3d
            spans.append((*entry.result.intervals.get("emo3d", (score, score)), score))
        lowest, highest = min(map(min, spans)), max(map(max, spans))
        scale = 100 / (highest - lowest or 1)
        return [tuple((value - lowest) * scale for value in span) for span in spans]  # type: ignore[misc]


def rank(evaluations: Sequence[Evaluation], *, group: bool = False) -> list[Table]:
    """Sort evaluations by their Emo3D score, in one table.

    Args:
        evaluations: at least one.
        group: make a table of each set that can be compared, in order of their first, instead of refusing.

    Raises:
        ValueError: none, or two that differ in settings or references and `group` is not set; the message names both
            and the first difference; a result that contradicts itself.
    """
    if not evaluations:
        raise ValueError("expected at least one result, got none")
    tables: list[list[Evaluation]] = []
    for evaluation in evaluations:
        try:
            check_result(evaluation.result)
        except ValueError as error:
            raise ValueError(f"{evaluation.model}: {error}") from error
        for table in tables:
            try:
                check_comparable(table[0].result, evaluation.result)
            except ValueError as error:
                if not group:
                    raise ValueError(
                        f"{table[0].model} and {evaluation.model} cannot be in one table: {error}"
                    ) from error
            else:
                table.append(evaluation)
                break
        else:
            tables.append([evaluation])
    return [Table(sorted(table, key=lambda entry: (entry.result.emo3d, entry.model))) for table in tables]


def to_markdown(tables: Sequence[Table]) -> str:
    """Tables as Markdown, each with its signature below it; names are escaped."""
    parts = []
    for table in tables:
        lines = [table.headings, ["---"] + ["---:"] * (len(table.headings) - 1)]
        for (model, _), *numbers in table.rows:
            cells = [f"{value} [{ends}]" if ends else value for value, ends in numbers]
            lines.append([markdown_text(model), *cells[:-1], markdown_text(cells[-1])])
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        if table.note:
            parts.append(table.note)
        if table.verdicts:
            parts.append("\n".join(f"- {markdown_text(sentence)}" for sentence in table.verdicts))
        parts.append(f"Signature: {markdown_code(table.entries[0].result.signature)}")
    return "\n\n".join(parts) + "\n"


def write_leaderboard(tables: Sequence[Table], path: str | os.PathLike[str]) -> None:
    """Write tables as Markdown or as a page that asks for nothing outside it.

    Args:
        tables: from `rank`.
        path: ends in `.md` or `.html`.

    Raises:
        ValueError: another ending.
    """
    path = Path(path)
    if path.suffix.lower() == ".html":
        first, *_ = signatures = [table.entries[0].result.signature for table in tables]
        differences = [signature_difference(first, signature) for signature in signatures]
        write_page("leaderboard.html.jinja", path, tables=tables, differences=differences)
    elif path.suffix.lower() == ".md":
        path.write_text(to_markdown(tables), encoding="utf-8")
    else:
        raise ValueError(f"expected a file of .md, .html, got {path.name}")


def _cell(entry: Evaluation, name: str, form: str) -> tuple[str, str]:
    value = getattr(entry.result, name)
    if value is None:
        return "–", ""
    ends = entry.result.intervals.get(name, ())
    return f"{value:{form}}", "–".join(f"{end:{form}}" for end in ends)
