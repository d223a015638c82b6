"""What the answers to a study say so far, as HTML for the Judge tab."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from emo3d_lab.judging.agreement import PUBLISHED_AGREEMENT, measure_agreement
from emo3d_lab.judging.answers import Answer
from emo3d_lab.judging.exporting import Judgements, export_judgements
from emo3d_lab.judging.study import Study

HOW = """<p>Whether a metric agrees with these people:
<code>emo3d study export {folder} --out judgements.csv</code>, then
<code>emo3d meta judgements.csv --metrics {folder}/metrics.csv</code>.</p>"""


def agreement_page(study: Study, answers: Sequence[Answer], folder: Path | None = None) -> str:
    """Write how many people answered, which systems they preferred, and how far they agree.

    Args:
        study: with systems by name; which of them made a face is not said.
        answers: one for each annotator and task, as `Answers.latest` returns them.
        folder: of the study, None for the packaged one.

    Raises:
        ValueError: all answers are to another study.
    """
    if not answers:
        return "<p>No answers yet.</p>"
    judgements = export_judgements(answers, study)
    passed, checks = (sum(column) for column in zip(*judgements.checks.values(), strict=True))
    caption = (
        f"Answers: {len(judgements.rows)}; people: {len(judgements.checks)}; "
        f"attention checks passed: {passed} of {checks}"
        + (f"; left out, to tasks that this study does not have: {judgements.unknown}" if judgements.unknown else "")
    )
    parts = [f"<p>{escape(caption)}.</p>", _preferences(judgements), _fits(study, answers)]
    return "".join(parts) + (HOW.format(folder=escape(folder.name)) if folder else "")


def _table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th scope='col'>{escape(heading)}</th>" for heading in headings)
    lines = [
        f"<tr><th scope='row'>{escape(first)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for first, *cells in rows
    ]
    return (
        f"<table class='agreement'><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _preferences(judgements: Judgements) -> str:
    counts = Counter(
        (row["system_a"], row["system_b"], row["preferred"])
        for row in judgements.rows
        if row["preferred"] and row["attention"] == "false"
    )
    pairs = sorted({(a, b) for a, b, _ in counts})
    rows = [(f"{a} and {b}", *(str(counts[a, b, answer]) for answer in ("a", "b", "same"))) for a, b in pairs]
    headings = ("Systems", "the first fits better", "the second", "about the same")
    return _table("Which face fits the sentence better?", headings, rows) if rows else ""


def _fits(study: Study, answers: Sequence[Answer]) -> str:
    result = measure_agreement(answers, study)
    values = {
        "Agreement with the distributions": ("agreement", f"published: {PUBLISHED_AGREEMENT:.0%}"),
        "Krippendorff's alpha": ("alpha", "1: people agree with each other, 0: as by chance"),
        "Distance of corrections": ("correction", "total variation, 0 to 1"),
    }
    rows = []
    for label, (name, note) in values.items():
        if (value := getattr(result, name)) is not None:
            ends = result.intervals.get(name)
            rows.append((label, f"{value:.2f}" + (f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else ""), note))
    return _table("Do the emotions fit? (95% intervals)", ("", "value", ""), rows) if rows else ""
