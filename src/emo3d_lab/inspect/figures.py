"""The counts of splits as the lines of a small table, which is printed and stands on the page."""

from __future__ import annotations

from collections.abc import Sequence

from emo3d_lab.inspect.result import Split


def tabulate(splits: Sequence[Split]) -> list[tuple[str, list[str]]]:
    """Lines of (what, its figure in each split); an indented line belongs to the one above, "-" is no such column."""
    columns = [_figures(split) for split in splits]
    lines = dict.fromkeys(line for column in columns for line in column)
    return [(line, [column.get(line, "-") for column in columns]) for line in lines]


def _figures(split: Split) -> dict[str, str]:
    counts = {"rows": split.rows}
    if split.samples is not None:
        counts |= {"sample_ids": split.samples}
    if split.descriptions:
        counts |= {"descriptions": split.descriptions.total, "  different": split.descriptions.unique}
    if split.pictures:
        held = split.pictures.total - split.pictures.missing
        counts |= {"pictures": held, "  missing": split.pictures.missing}
    if split.faces:
        found = split.faces
        counts |= {"expressions": found.counted, "  no face": found.missing, "  invalid scores": found.invalid.count}
    if split.intensities:
        rated = split.intensities
        counts |= {
            "rows with emotion": rated.rows - rated.without_distribution,
            "  all eight zero": rated.without_distribution,
            "  invalid intensities": rated.invalid.count,
        }
    return {line: f"{count:,}" for line, count in counts.items()}
