"""The audit as a section of a card."""

from __future__ import annotations

import textwrap

from emo3d_lab.audit.result import Audit, Estimate, Gap
from emo3d_lab.audit.verdict import chance, found, holds_for, number, signed
from emo3d_lab.markup import markdown_code, markdown_text

_MOST = 3  # conditions, and slices, in the table


def card_section(audit: Audit) -> str:
    """Markdown for a card of a model, metric or dataset, without a heading: a table, and what was found."""
    faces = audit.identities
    rows: list[tuple[str, int, Estimate, Gap | None]] = [
        ("all rows, default face", audit.n, audit.kl, None),
        *([("some of them, default face", faces.n, faces.default, None)] if faces.n < audit.n else []),
        (f"mean of {sum(one.kind == 'panel' for one in faces.conditions)} faces", faces.n, faces.panel, None),
    ]
    conditions = [(f"{one.kind} {one.name}", faces.n, one.kl, one.gap) for one in faces.conditions if one.gap.is_claim]
    slices = [
        (f"{one.factor}: {one.name}", one.n, one.kl, one.gap) for one in audit.slices if one.gap and one.gap.is_claim
    ]
    for claims in (conditions, slices):
        rows += sorted(claims, key=lambda row: -abs(row[-1].difference.value))[:_MOST]
    lines = [
        f"| | n | KL ↓ ({audit.confidence:.0%} interval) | gap | corrected p |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for what, n, kl, gap in rows:
        difference, p_value = (signed(gap.difference), chance(gap)) if gap else ("", "")
        lines.append(f"| {markdown_text(what)} | {n:,} | {number(kl)} | {difference} | {p_value} |")
    said = found(audit)
    sentences = [*said["faces"][:2], *said["descriptions"], *said.get("swapped words", []), holds_for(audit)]
    listed = [  # a `<` before a space, as of our p-values, begins no tag
        textwrap.fill(f"- {markdown_text(sentence).replace('&lt; ', '< ')}", width=120, subsequent_indent="  ")
        for sentence in sentences
    ]
    return "\n".join([*lines, "", *listed, "", markdown_code(audit.signature)])
