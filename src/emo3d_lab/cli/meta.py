"""`emo3d meta`: does a metric agree with people?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from emo3d.cli.app import app, console, print_table

if TYPE_CHECKING:
    from emo3d_lab.meta import Agreement, MetricValues
    from emo3d_lab.meta.figures import Estimate


@app.command(
    epilog="Examples: [bold]emo3d meta judgements.csv --metrics values.csv --out agreement.html[/] · "
    "[bold]emo3d meta judgements.csv --result mine=mine.json --result theirs=theirs.json[/]",
)
def meta(
    judgements: Annotated[
        Path,
        typer.Argument(
            help="Table (.csv, .jsonl, .parquet): item, judge, and system_a, system_b, preferred (a, b, same), "
            "or system, rating."
        ),
    ],
    metrics: Annotated[
        list[Path] | None,
        typer.Option(help="Table of item, system and a column for each metric; may be given more than once."),
    ] = None,
    result: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SYSTEM=FILE", help="What emo3d score --out wrote of a system; in place of --metrics, for each."
        ),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(
            help="With --result: table whose column item says what the rows are called.", show_default="numbers from 0"
        ),
    ] = None,
    higher: Annotated[list[str] | None, typer.Option(help="Metric of which more is better.")] = None,
    lower: Annotated[list[str] | None, typer.Option(help="Metric of which less is better.")] = None,
    use: Annotated[
        str | None, typer.Option(help="Of a table that has both: pairs or ratings.", show_default="pairs")
    ] = None,
    kind: Annotated[str, typer.Option(help="Whose judgements count: person, machine or all.")] = "person",
    least_passed: Annotated[
        float, typer.Option(help="Leave out judges who passed a smaller share of their attention checks, 0 to 1.")
    ] = 0.0,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Leave out judgements of faces without a value of every metric.")
    ] = False,
    n_resamples: Annotated[int, typer.Option(help="Behind every interval and p-value.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the resampling.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write a page with plots as .html.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write every figure as .json.")] = None,
) -> None:
    """Measure how far metrics agree with people who judged the same faces; docs/meta.md says what each number is."""
    from emo3d.files import check_output
    from emo3d_lab.meta import measure_metrics, read_judgements

    for path, ending in ((out, ".html"), (json, ".json")):
        if path:
            check_output(path, (ending,), folder_is_made=True)
    for name, value, choices in (
        ("use", use, (None, "pairs", "ratings")),
        ("kind", kind, ("person", "machine", "all")),
    ):
        if value not in choices:
            raise ValueError(f"expected --{name} {' or '.join(filter(None, choices))}, got {value!r}")
    table = read_judgements(judgements, use=use, kind=kind, least_passed=least_passed)  # type: ignore[arg-type]
    values = _values(metrics or (), result or (), items, higher or (), lower or ())
    agreement = measure_metrics(table, values, drop_missing=drop_missing, n_resamples=n_resamples, seed=seed)
    _print(agreement)
    if json:
        json.parent.mkdir(parents=True, exist_ok=True)
        agreement.save(json)
        console.print(f"wrote {json}")
    if out:
        from emo3d_lab.meta.page import write_agreement

        write_agreement(agreement, out)
        console.print(f"wrote {out}")


def _values(
    metrics: Sequence[Path], results: Sequence[str], items: Path | None, higher: Sequence[str], lower: Sequence[str]
) -> MetricValues:
    from emo3d_lab.meta import read_metrics, read_results
    from emo3d_lab.meta.tables import read_items

    if bool(metrics) == bool(results):
        raise ValueError("expected metric values, either by --metrics TABLE or by --result SYSTEM=FILE for each system")
    if metrics:
        return read_metrics(metrics, higher=higher, lower=lower)
    paths = {}
    for entry in results:
        system, equals, path = entry.partition("=")
        if not (system and equals and path):
            raise ValueError(f"expected --result SYSTEM=FILE, got {entry!r}")
        if system in paths:
            raise ValueError(f"expected each system once, got --result {system}=... again")
        paths[system] = path
    return read_results(paths, items=read_items(items) if items else None, higher=higher, lower=lower)


def _print(agreement: Agreement) -> None:
    from emo3d_lab.meta.findings import findings

    is_ranking, has_ratings = len(agreement.systems) > 2, not agreement.pairs
    headings = ["metric", "rank", "accuracy, 95% interval"]
    headings += ["systems: soft", "Spearman"] if is_ranking else []
    headings += ["in items"] if is_ranking and has_ratings else []
    rows = []
    for metric in (*agreement.metrics, *agreement.sentinels):
        low, high = metric.accuracy.low, metric.accuracy.high
        interval = "" if low is None or high is None else f", {low:.2f} to {high:.2f}"
        row = [escape(metric.name), str(metric.rank or ""), f"{metric.accuracy.value:.3f}{interval}"]
        row += [f"{metric.soft_accuracy.value:.3f}", _number(metric.spearman)] if is_ranking else []
        rows.append(row + ([_number(metric.item_spearman)] if is_ranking and has_ratings else []))
    counts = f"{agreement.judgements:,} judgements, {agreement.judges} judges, {agreement.items:,} items"
    print_table(headings, rows, title=f"{counts}, {len(agreement.systems)} systems")
    ceiling = agreement.ceiling
    people = (
        f"accuracy {_number(ceiling.accuracy)} of {ceiling.comparisons:,} comparisons, alpha {_number(ceiling.alpha)}"
    )
    halves = "" if ceiling.halves is None else f", Spearman of halves of judges {ceiling.halves:.3f}"
    console.print(f"people: {people}{halves}", highlight=False)
    for sentence in (*findings(agreement), *agreement.cautions, *agreement.notes):
        console.print(escape(sentence), highlight=False)


def _number(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.3f}"
