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
        pictures = split.pictures.total - split.pictures.missing
        counts |= {"pictures": pictures, "  missing": split.pictures.missing}
    if split.faces:
        faces = split.faces
        counts |= {"expressions": faces.counted, "  no face": faces.missing, "  invalid scores": faces.invalid.count}
    if split.intensities:
        intensities = split.intensities
        counts |= {
            "rows with emotion": intensities.rows - intensities.without_distribution,
            "  all eight zero": intensities.without_distribution,
            "  invalid intensities": intensities.invalid.count,
        }
    return {line: f"{count:,}" for line, count in counts.items()}
