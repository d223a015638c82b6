"""`emo3d checklist`: whether a generator understands what it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from emo3d.cli.app import app, console
from emo3d.files import check_output, whole_file
from emo3d_lab.cli import options

if TYPE_CHECKING:
    from emo3d_lab.checklist import ChecklistResult, Tally


@app.command(
    epilog="Examples: [bold]emo3d checklist --generator quickstart[/] · "
    "[bold]emo3d checklist --families sides,parts --failures[/] · "
    "[bold]emo3d checklist --write checklist.parquet[/], then [bold]emo3d checklist --predictions mine.parquet[/]",
)
def checklist(
    generator: Annotated[
        str, typer.Option(help="quickstart (packaged), a folder, or an id on the Hub; asked for weights.")
    ] = "quickstart",
    revision: options.ModelRevision = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Instead of a generator, a .parquet file with the columns description and blendshapes (weights), "
            "with a row for every description of the checklist, in any order."
        ),
    ] = None,
    families: Annotated[
        str | None, typer.Option(help="Only these, with commas between: negation,sides.", show_default="all ten")
    ] = None,
    backbone: options.Backbone = "quickstart",
    backbone_revision: options.BackboneRevision = None,
    reader: Annotated[
        str | None,
        typer.Option(help="An emotion reader, by name or folder, which reads emotions instead of the score: face-api."),
    ] = None,
    device: options.Device = "cpu",
    details: Annotated[bool, typer.Option(help="Print the parts of each family, too.")] = False,
    failures: Annotated[bool, typer.Option(help="Print the pairs that did not hold, too.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write figures and the answer to every pair as .json.")] = None,
    write: Annotated[
        Path | None, typer.Option(help="Only write the pairs as .parquet: the config `checklist` of the dataset.")
    ] = None,
) -> None:
    """Ask a generator minimal pairs of descriptions, and count those whose faces differ, or agree, as they must."""
    for path, suffix in ((output, ".json"), (write, ".parquet")):
        if path:
            check_output(path, (suffix,))

    from emo3d_lab.checklist import read_checklist, run_checklist, write_checklist
    from emo3d_lab.checklist.distributions import by_reader, by_score

    pairs = read_checklist([name.strip() for name in families.split(",")] if families else None)
    if write:
        write_checklist(write, pairs)
        console.print(f"wrote {len(pairs):,} pairs to {write}")
        return
    distributions = None
    if any(pair.check.is_of_emotions for pair in pairs):
        distributions = by_reader(reader) if reader else by_score(backbone, backbone_revision, device)
    generate = _recorded(predictions) if predictions else _generated(generator, revision, device)
    result = run_checklist(generate, pairs, distributions=distributions)
    name = predictions.name if predictions else generator
    _print(result.families, f"Checklist, {name}", interval=True)
    if details:
        _print(result.subfamilies, "Parts of the families", interval=False)
    if distributions:
        console.print(f"emotions read by {result.reader}", highlight=False, soft_wrap=True)
    if failures:
        _print_failures(result)
    if output:
        with whole_file(output) as part:
            part.write_text(json.dumps({"generator": name, **result.to_dict()}, indent=1) + "\n", encoding="utf-8")
        console.print(f"wrote {output}")


def _generated(name: str, revision: str | None, device: str) -> Any:
    from emo3d.generation import load_generator

    model: Any = load_generator(name, revision)
    model.to(device)
    return lambda texts: model.generate(texts, space="weights")


def _recorded(path: Path) -> Any:
    """A generator that looks up what another one answered."""
    from emo3d_lab.cli.files import open_predictions

    expressions, space, keys = open_predictions(str(path), None)
    if "description" not in keys:
        raise ValueError(f"expected a column 'description' in {path.name}, which says whose face a row is")
    if space == "reading":
        raise ValueError(f"expected weights in {path.name}, it says that it holds readings")
    rows = dict(zip(keys["description"], expressions, strict=True))

    def generate(texts: list[str]) -> Any:
        missing = [text for text in texts if text not in rows]
        if missing:
            raise ValueError(f"{path.name} has no row for {len(missing)} descriptions, such as {missing[0]!r}")
        return [rows[text] for text in texts]

    return generate


def _print(tallies: dict[str, Tally], title: str, *, interval: bool) -> None:
    """Print tallies by name, without columns that would be empty."""
    columns: dict[str, list[str]] = {
        "": list(tallies),
        "n": [str(tally.n) for tally in tallies.values()],
        "held": [str(tally.passed) for tally in tallies.values()],
        "share": [_percent(tally.share) for tally in tallies.values()],
        "norm ratio": [
            "-" if tally.median_ratio is None else f"{tally.median_ratio:.2f}" for tally in tallies.values()
        ],
        "> neutral": [_percent(tally.outright) for tally in tallies.values()],
        "left out": [str(tally.left_out or "-") for tally in tallies.values()],
    }
    if interval:
        ends = ["{:.0%} to {:.0%}".format(*tally.interval) if tally.interval else "-" for tally in tallies.values()]
        columns["interval"] = ends
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    columns = {heading: cells for heading, cells in columns.items() if set(cells) != {"-"}}
    for heading in columns:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    console.print(table)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _print_failures(result: ChecklistResult) -> None:
    for answer in result.failures:
        pair = answer.pair
        sentences = " | ".join(filter(None, (pair.first, pair.second)))
        console.print(escape(f"{pair.id}  {pair.check}  {answer.value:.2f}  {sentences}"), soft_wrap=True, emoji=False)
