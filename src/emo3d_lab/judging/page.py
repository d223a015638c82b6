"""What the answers to a study say so far, as HTML for the Judge tab."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from emo3d.hints import MissingExtraError
from emo3d_lab.judging.agreement import PUBLISHED_AGREEMENT, measure_agreement
from emo3d_lab.judging.answers import Answer
from emo3d_lab.judging.clips import clips_of as clips_of
from emo3d_lab.judging.clips import open_study as open_study
from emo3d_lab.judging.design import make_study as make_study
from emo3d_lab.judging.exporting import Judgements, export_judgements, meta_options, write_judgements
from emo3d_lab.judging.packaged import packaged_study as packaged_study
from emo3d_lab.judging.study import METRICS, Study

RESAMPLES = 200
HOW = """<p>Whether a metric agrees with these people:
<code>emo3d study export {folder} --out judgements.csv</code>, then
<code>emo3d meta judgements.csv --metrics {folder}/metrics.csv{options}</code>.</p>"""


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
    if folder:
        options = "".join(f" {option}" for option in meta_options(judgements, folder))
        parts += [HOW.format(folder=escape(folder.name), options=options), _metrics(judgements, folder)]
    return "".join(parts)


def _metrics(judgements: Judgements, folder: Path) -> str:
    """The page of `emo3d meta`, or why there is none yet."""

    try:
        from emo3d_lab.meta import measure_metrics, read_judgements, read_metrics
        from emo3d_lab.meta.page import write_agreement

        with TemporaryDirectory() as temporary:
            table, page = Path(temporary, "judgements.csv"), Path(temporary, "agreement.html")
            write_judgements(judgements, table)
            people = read_judgements(table, use=next(iter(judgements.uses), None))
            values = read_metrics([folder / METRICS])
            write_agreement(measure_metrics(people, values, drop_missing=True, n_resamples=RESAMPLES), page)
            content = page.read_text(encoding="utf-8")
    except (ValueError, OSError, MissingExtraError) as error:
        return f"<p>No agreement with metrics yet: {escape(str(error))}</p>"
    return (
        f'<iframe class="metrics" title="Agreement of metrics with people" sandbox srcdoc="{escape(content)}"></iframe>'
    )


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
