"""Numbers of a score as tables of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from emo3d.cli.app import console, print_table
from emo3d.emotions import EMOTIONS

if TYPE_CHECKING:
    from emo3d.scoring import Emo3DResult
    from emo3d.scoring.readers import ReaderResult
    from emo3d_lab.sentinels import Sentinel


def print_result(result: Emo3DResult, confidence: float) -> None:
    """Print every number of a score with its interval."""
    print_table(("", "value", f"{confidence:.0%} interval"), _number_rows(result), title=f"Emo3D, n = {result.n}")


def _number_rows(result: Emo3DResult | ReaderResult) -> list[tuple[str, str, str]]:
    return [(name, f"{number:.4f}", _ends(result.intervals.get(name))) for name, number in result.numbers.items()]


def print_readers(result: Emo3DResult, confidence: float) -> None:
    """Print what emotion readers say of the same faces; nothing where none was asked."""
    for name, reader in result.readers.items():
        left_out = result.n - reader.n - reader.not_found
        lacking = ", ".join(emotion for emotion in EMOTIONS if emotion not in reader.emotions) or "nothing"
        title = escape(f"{name}, n = {reader.n}")
        print_table(("", "value", f"{confidence:.0%} interval"), _number_rows(reader), title=title)
        counts = f"no face found: {reader.not_found}; left out, described first of all as {lacking}: {left_out}"
        console.print(counts, highlight=False, soft_wrap=True)


def print_baselines(name: str, result: Emo3DResult, baselines: dict[str, Emo3DResult], has_training: bool) -> None:
    """Print the numbers of a system beside those of what learns nothing."""
    rows = []
    for label, row in {Path(name).name: result, **baselines}.items():
        errors = ("-" if value is None else f"{value:.4f}" for value in (row.mse, row.amplitude))
        ends = _ends(row.intervals.get("emo3d"))
        rows.append((escape(label), f"{row.emo3d:.4f}", ends, f"{row.kl_divergence:.4f}", *errors))
    caption = "there is no split to learn from: prior and mean are those of the references themselves"
    print_table(
        ("", "emo3d", "interval", "kl_divergence", "mse", "amplitude"),
        rows,
        title="Beside what learns nothing",
        caption=None if has_training else caption,
        caption_justify="left",
    )


def print_sentinels(result: Emo3DResult, sentinels: Sequence[Sentinel]) -> None:
    """Print the mean KL of sentinels beside a system's, and which of them it does not beat."""
    from emo3d_lab.sentinels import format_p, readings_of, verdict_line

    systems = [("this system", result.kl_divergence, "", readings_of(result.readers))]
    systems += [(row.name, row.kl_divergence, format_p(row.p_value), row.readings) for row in sentinels]
    rows = [
        [name, f"{kl:.4f}", p, *("-" if x is None else f"{x:.4f}" for one in readings for x in one.numbers)]
        for name, kl, p, readings in systems
    ]
    headings = ["", "kl_divergence", "p"]
    headings += [f"{escape(name)} {number}" for name in result.readers for number in ("KL", "top1")]
    print_table(headings, rows, title="Beside sentinels")
    said = verdict_line(result.kl_divergence, sentinels, readings_of(result.readers))
    console.print(f"Lower is better: {said}.", highlight=False, soft_wrap=True)


def _ends(interval: tuple[float, float] | None) -> str:
    return "{:.4f} to {:.4f}".format(*interval) if interval else "-"  # of few faces there is none


def print_signature(result: Emo3DResult) -> None:
    """Print the settings that a score was computed with, and how many descriptions of its bank were cut."""
    from emo3d.scoring.settings import signature_fields

    if result.truncated:
        console.print(f"{result.truncated} descriptions were longer than the backbone's window and were cut")
    signatures = [result.signature, *(f"{name}: {reader.signature}" for name, reader in result.readers.items())]
    settings = signature_fields(result.signature)
    if settings.get("bank") == result.references and result.n < 10 * int(settings.get("k", 0)):
        few = f"The references are the bank, and every face retrieves {settings['k']} of {result.n}: of so few"
        console.print(f"{few} numbers say little; 100 or more order as large banks do (docs/validity.md).")
    if result.protocol:
        signatures.insert(0, f"protocol:{result.protocol}")
    for signature in signatures:
        console.print(signature, highlight=False, soft_wrap=True, markup=False, emoji=False)


def print_groups(
    title: str, groups: dict[str, dict[str, Any]], names: tuple[str, str] = ("kl_divergence", "emo3d")
) -> None:
    """Print two numbers of each group of a result, with their intervals."""
    rows = []
    for group, values in groups.items():
        row = [group, str(values["n"])]
        for name in names:
            row += [f"{values[name]:.4f}", _ends(values["intervals"].get(name))]
        rows.append(row)
    print_table(("", "n", names[0], "interval", names[1], "interval"), rows, title=escape(title))
