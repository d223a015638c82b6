"""The audit as a section of a card."""

from __future__ import annotations

import textwrap

from emo3d_lab.audit.figures import Estimate, Gap
from emo3d_lab.audit.result import Audit
from emo3d_lab.audit.verdict import difference, findings, holds_for, number, p_value
from emo3d_lab.markup import markdown_code, markdown_text

_MOST = 3  # conditions, and slices, in the table


def card_section(audit: Audit) -> str:
    """Markdown for a card of a model, metric or dataset, without a heading: a table, and the findings."""
    faces = audit.identities
    panel = sum(condition.kind == "panel" for condition in faces.conditions)
    table: list[tuple[str, int, Estimate, Gap | None]] = [
        ("all rows, default face", audit.n, audit.kl, None),
        *([("some of them, default face", faces.n, faces.default, None)] if faces.n < audit.n else []),
        (f"mean of {panel} faces", faces.n, faces.panel, None),
    ]
    conditions = [(f"{face.kind} {face.name}", faces.n, face.kl, face.gap) for face in faces.conditions]
    slices = [(f"{rows.factor}: {rows.name}", rows.n, rows.kl, rows.gap) for rows in audit.slices if rows.gap]
    for comparisons in (conditions, slices):
        claims = [row for row in comparisons if row[-1].is_claim]
        table += sorted(claims, key=lambda row: -abs(row[-1].difference.value))[:_MOST]
    lines = [
        f"| | n | KL ↓ ({audit.confidence:.0%} interval) | gap | corrected p |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, n, kl, gap in table:
        cells = f"{difference(gap)} | {p_value(gap)}" if gap else " | "
        lines.append(f"| {markdown_text(name)} | {n:,} | {number(kl)} | {cells} |")
    topics = findings(audit)
    sentences = [
        *topics.get("sentinels", []),
        *topics["faces"][:2],
        *topics["descriptions"],
        *topics.get("swapped words", []),
        holds_for(audit),
    ]
    items = [  # a `<` before a space, as of our p-values, begins no tag
        textwrap.fill(f"- {markdown_text(sentence).replace('&lt; ', '< ')}", width=120, subsequent_indent="  ")
        for sentence in sentences
    ]
    return "\n".join([*lines, "", *items, "", markdown_code(audit.signature)])
