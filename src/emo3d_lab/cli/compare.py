"""`emo3d compare`: two scores on the same references."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from emo3d.cli.app import app, console, end_with, print_table


@app.command(epilog="Example: [bold]emo3d compare mine.json theirs.json[/]")
def compare(
    a: Annotated[Path, typer.Argument(help="A result written by `emo3d score --out`.")],
    b: Annotated[Path, typer.Argument(help="Another, of the same references and settings.")],
    n_resamples: Annotated[int, typer.Option(help="Behind every interval and p-value.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the resampling.")] = 0,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
) -> None:
    """Compare two systems pair by pair; exit code 1 where their settings or references differ."""
    from emo3d_lab.clips.scoring.result import load_result
    from emo3d_lab.comparison import compare as compute

    results = [load_result(path) for path in (a, b)]
    try:
        comparison = compute(*results, n_resamples=n_resamples, seed=seed, confidence=confidence)
    except ValueError as error:
        end_with(str(error), code=1)
    rows = []
    readers = {
        f"{name} {number}": paired for name, pairs in comparison.readers.items() for number, paired in pairs.items()
    }
    for name, paired in (comparison.differences | readers).items():
        ends = "{:+.4f} to {:+.4f}".format(*paired.interval) if paired.interval else "-"
        numbers = (f"{paired.a:.4f}", f"{paired.b:.4f}", f"{paired.difference:+.4f}", ends, f"{paired.p_value:.4f}")
        rows.append((escape(name), *numbers))
    if comparison.amplitudes:
        a_amplitude, b_amplitude = map("{:.4f}".format, comparison.amplitudes)
        rows.append(("amplitude", a_amplitude, b_amplitude, "-", "-", "-"))
    headings = ("", "A", "B", "B - A", f"{confidence:.0%} interval", "p")
    print_table(headings, rows, title=f"B against A, n = {comparison.n}")
    console.print(
        "Lower is better, but for recall_at_k, top1 and order. Jerk, flicker, frozen, blinks and fdd say how clips "
        "move; a face at rest has least of most. Pairs are resampled for the interval, swapped at random for p."
    )
    if comparison.amplitudes:
        console.print("Of amplitudes 1 is best; they are medians, whose difference is not tested.")
    for note in filter(None, (comparison.left_out, *comparison.notes)):
        console.print(escape(note), highlight=False, soft_wrap=True)
    console.print(comparison.signature, highlight=False, soft_wrap=True, markup=False, emoji=False)
