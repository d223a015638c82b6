"""The short form of a report, for `build`, `extract` and `import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from emo3d.cli.app import console


def print_report(report: dict[str, Any], out: Path) -> None:
    """Show what was written, what was left out, and the first problem of each kind."""
    from emo3d_lab.building.reports import as_problem

    problems = report["problems"]
    splits = {(config, split): counts for config, of in report["splits"].items() for split, counts in of.items()}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column()
    for config, split in splits:
        table.add_column(f"{config}\n{split}", justify="right")
    names = dict.fromkeys(("rows_in", "rows", *(name for counts in splits.values() for name in counts)))
    for name in names:
        table.add_row(name.replace("_", " "), *(f"{counts.get(name, 0):,}" for counts in splits.values()))
    losses = (sum(p["count"] for p in problems if (p["config"], p["split"]) == key) for key in splits)
    table.add_row("left out", *(f"{count:,}" for count in losses))
    console.print(table)
    for kind, count in report["problem_kinds"].items():
        first = next(problem for problem in problems if problem["kind"] == kind)
        sentence = escape(f"{kind}, {count:,} x; the first: {as_problem(first)}")
        console.print(sentence, style="yellow", highlight=False, soft_wrap=True)
    for name, reason in report["source"].get("not_read", {}).items():
        console.print(escape(f"not read: {name}: {reason}"), highlight=False, soft_wrap=True)
    console.print(f"wrote {escape(str(out))}; build_report.json lists every file and every problem", soft_wrap=True)
