"""The README.md of a folder of Parquet files: what `load_dataset` and the Hub need to know, and a text for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from emo3d_lab.building.reports import ShardFile
from emo3d_lab.building.schema import card_features
from emo3d_lab.markup import links_inside, markdown_code, markdown_text

_SIZES = {"n<1K": 10**3, "1K<n<10K": 10**4, "10K<n<100K": 10**5, "100K<n<1M": 10**6, "1M<n<10M": 10**7}


def folder_card(files: Sequence[ShardFile], *, title: str, text: str, schemas: Mapping[str, str] | None = None) -> str:
    """Write the card of a folder that was extracted or imported.

    Args:
        files: what lies in the folder, as `write_dataset` hands it to `finish`.
        title: of the card and of the dataset.
        text: Markdown: where the rows come from, the space of the blendshapes, the licence as far as it is known.
        schemas: config -> the key of `FEATURES` with its columns, where that is not its name.

    Returns:
        Markdown with a YAML header: the configs that were written and no others, and the rows of each split, which
        `load_dataset` checks. The same files give the same text.

    Raises:
        ValueError: no files.

    Example:
        >>> from emo3d.dataset.tally import Tally
        >>> file = ShardFile("default", "train", "data/default/train-00000-of-00001.parquet", 3, 99, "ab", Tally())
        >>> print(folder_card([file], title="Faces", text="Ours.").partition("# ")[2])
        Faces
        <BLANKLINE>
        Ours.
        <BLANKLINE>
        | config | split | rows | without face | left out |
        |---|---|---:|---:|---:|
        | `default` | train | 3 | 0 | 0 |
        <BLANKLINE>
    """
    header = {"pretty_name": title, "tags": ["blendshapes", "facial-expression"], **_contents(files, schemas or {})}
    return _card(header, f"# {markdown_text(title)}\n\n{text.strip()}\n\n{_counts(files)}\n")


def release_card(files: Sequence[ShardFile]) -> str:
    """Write the card of a build of the release: the dataset artifact's own, with the configs and counts of this build.

    See `folder_card`. The picture and the links of the artifact's card that lead out of its folder are left out.
    """
    header, body = _artifact()
    body = re.sub(r"^!\[.*?\n\n\*.*?\*\n\n", "", body, flags=re.DOTALL | re.MULTILINE)
    body = links_inside(body)
    counts = f"## This build\n\n{_counts(files)}\n\n`build_report.json` lists what was left out.\n\n"
    licences = (
        ["mit", "apache-2.0"] if any(file.config in ("sample", "clips", "checklist") for file in files) else "mit"
    )
    return _card({**header, "license": licences, **_contents(files, {})}, body.replace("## ", f"{counts}## ", 1))


def citation() -> str:
    """BibTeX of the publication, as the dataset artifact's card has it."""
    match = re.search(r"```bibtex\n(.*?)```", _artifact()[1], re.DOTALL)
    assert match is not None
    return match[1]


@cache
def _artifact() -> tuple[dict[str, Any], str]:
    """Header and text of the artifact's card, which the package carries."""
    from huggingface_hub import DatasetCard

    text = resources.files("emo3d_lab").joinpath("assets", "dataset_card.md").read_text(encoding="utf-8")
    card = DatasetCard(text)
    return card.data.to_dict(), card.text.lstrip("\n")


def _contents(files: Sequence[ShardFile], schemas: Mapping[str, str]) -> dict[str, Any]:
    """Entries of the header that say what lies in the folder."""
    if not files:
        raise ValueError("expected at least one file to describe, got none")
    configs, infos, rows = [], [], 0
    for config in dict.fromkeys(file.config for file in files):
        of = [file for file in files if file.config == config]
        splits = list(dict.fromkeys(file.split for file in of))
        default = {"default": True} if config == "default" else {}
        patterns = [{"split": split, "path": f"data/{config}/{split}-*.parquet"} for split in splits]
        configs.append({"config_name": config, **default, "data_files": patterns})
        # `datasets` wants bytes per split. Those in memory are not known; the files', mostly pictures, come near.
        counts = [
            {
                "name": split,
                "num_bytes": sum(file.bytes for file in of if file.split == split),
                "num_examples": sum(file.rows for file in of if file.split == split),
            }
            for split in splits
        ]
        size = sum(file.bytes for file in of)
        columns = card_features(schemas.get(config, config))
        infos.append(
            {
                "config_name": config,
                "features": columns,
                "splits": counts,
                "download_size": size,
                "dataset_size": size,
            }
        )
        rows = max(rows, sum(file.rows for file in of))
    category = next((name for name, limit in _SIZES.items() if rows < limit), "n>10M")
    return {"size_categories": [category], "configs": configs, "dataset_info": infos}


def _counts(files: Sequence[ShardFile]) -> str:
    lines = ["| config | split | rows | without face | left out |", "|---|---|---:|---:|---:|"]
    for config, split in dict.fromkeys((file.config, file.split) for file in files):
        of = [file for file in files if (file.config, file.split) == (config, split)]
        faceless = sum(file.tally.counts["without_face"] for file in of)
        left_out = sum(problem.count for file in of for problem in file.tally.problems)
        name = f"{markdown_code(config)} | {markdown_text(split)}"
        lines.append(f"| {name} | {sum(file.rows for file in of):,} | {faceless:,} | {left_out:,} |")
    return "\n".join(lines)


def _card(header: Mapping[str, Any], text: str) -> str:
    from huggingface_hub import DatasetCardData

    return f"---\n{DatasetCardData(**header).to_yaml()}\n---\n\n{text}"


__all__ = ["citation", "folder_card", "release_card"]
