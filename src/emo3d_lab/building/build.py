"""`emo3d build`: the published release becomes Parquet that every version of `datasets` loads in one line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import emo3d
from emo3d.dataset.archives import MAX_PIXELS
from emo3d.dataset.builder import SHARD_SIZE, Emo3D
from emo3d.dataset.plan import Shard
from emo3d.dataset.release import PRIMITIVE, ReleaseFiles, data_folder, download_release
from emo3d.files import check_output_folder
from emo3d.hints import did_you_mean
from emo3d_lab.building.card import release_card
from emo3d_lab.building.reports import ShardFile, describe_file
from emo3d_lab.building.shards import Run, write_dataset
from emo3d_lab.checklist.table import ChecklistShard
from emo3d_lab.entries import BENCHMARK_FILE, SPLIT, benchmark_yaml

CONFIGS = ("default", "pairs", "primitive", "sample", "clips", "checklist")
"""What can be built; `sample` and `clips`, the embedded synthetic ones, and `checklist` are for a folder that holds all
that is published."""

_OURS = ("sample", "clips", "checklist")  # not of the release


def build(
    release: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    configs: Sequence[str] | None = None,
    revision: str = "main",
    num_proc: int = 1,
    shard_size: int | str = SHARD_SIZE,
    max_pixels: int = MAX_PIXELS,
    columns: Mapping[str, str] | None = None,
    engine: str = "processes",
    address: str | None = None,
    strict: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """Build typed Parquet files, a card and a report from the published release.

    Pictures are passed through byte for byte. Whatever cannot be read is left out, counted and listed in the report:
    for every split, `rows_in` is `rows` plus the problems' `count` (plus `without_face` in `pairs`, which holds no pair
    without an expression). A run that was killed goes on where it stopped; the same release and options give the same
    bytes, whatever the number of processes.

    Args:
        release: a folder with a copy of the release, or its id on the Hub.
        out: folder for `data/CONFIG/SPLIT-*.parquet`, `README.md`, `build_report.json` and, where a config is a task of
            the benchmark, `eval.yaml`.
        configs: of `CONFIGS`; by default `default`, `pairs`, and `primitive` where the release has its table.
        revision: of a release on the Hub: a branch, tag or commit.
        num_proc: processes; a script that asks for more than one needs a `__main__` guard.
        shard_size: of a Parquet file, about: bytes, or e.g. `"500MB"`.
        max_pixels: pictures with more are left out.
        columns: the tables' names of columns -> the release's, for tables that call them otherwise.
        engine: `"processes"` or `"ray"`; see `emo3d_lab.building.shards.write_dataset`, also for `address`.
        address: of a running Ray cluster.
        strict: stop at the first problem.
        force: replace what another release or other options have built in `out`.

    Returns:
        The report, as in `build_report.json`.

    Raises:
        FileNotFoundError: no such release, or a table or all pictures of a config are missing.
        ValueError: an unknown config, see `emo3d_lab.building.shards.write_dataset`; when strict, the first problem.
    """
    from datasets.utils.py_utils import convert_file_size_to_int

    size = convert_file_size_to_int(shard_size)
    unknown = set(configs or ()) - set(CONFIGS)
    if unknown:
        hint = did_you_mean(min(unknown), CONFIGS)
        raise ValueError(f"expected configs of {', '.join(CONFIGS)}, got {', '.join(sorted(unknown))}{hint}")
    if columns is not None and not all(isinstance(name, str) for pair in columns.items() for name in pair):
        raise ValueError("expected columns as a mapping from a table's name of a column to the release's")
    check_output_folder(out)
    folder, origin = _locate(release, revision, configs or CONFIGS)
    data = data_folder(folder)
    configs = tuple(configs or ("default", "pairs", *["primitive"] * (data / PRIMITIVE).is_file()))
    files = {name: ReleaseFiles.of_folder(data, name) for name in configs if name not in _OURS}
    for name, of in files.items():
        if name != "pairs" and not of.archives:
            raise FileNotFoundError(f"expected the release's ZIP archives in {data} for config {name}, found none")
    source = {
        "command": "build",
        "release": origin,
        "files": _describe(files),
        "configs": configs,
        "shard_size": size,
        "max_pixels": max_pixels,
        "columns": columns,
        "emo3d": emo3d.__version__,
    }
    shards: list[Shard] = []
    for name in configs:
        if name == "checklist":
            shards.append(ChecklistShard(name, "test", 0, 1, "weights"))
        else:
            shards += _builder(name, data, size, max_pixels, columns).shards()
    return write_dataset(
        out,
        shards,
        source=source,
        finish=_finish,
        run=Run(num_proc, engine, address, strict=strict, force=force, label="Building"),
    )


def _finish(files: Sequence[ShardFile]) -> dict[str, str]:
    """The card, and what makes the folder a benchmark on the Hub."""
    benchmark = benchmark_yaml({file.config for file in files if file.split == SPLIT and file.rows})
    return {"README.md": release_card(files)} | ({BENCHMARK_FILE: benchmark} if benchmark else {})


def _locate(release: str | os.PathLike[str], revision: str, configs: Sequence[str]) -> tuple[Path, dict[str, str]]:
    """A local folder with the release, and what the report calls it."""
    path = Path(release).absolute()
    if path.exists():
        return path, {"folder": path.resolve().name}
    if str(release).count("/") != 1:
        raise FileNotFoundError(f"expected a folder or an id on the Hub like llm-lab/Emo3D, found nothing at {release}")
    folder = download_release(str(release), revision, configs)
    return folder, {"id": str(release), "revision": folder.name}  # the cache names snapshots by commit


def _builder(name: str, data: Path, shard_size: int, max_pixels: int, columns: Mapping[str, str] | None) -> Emo3D:
    return Emo3D(config_name=name, data_dir=str(data), shard_size=shard_size, max_pixels=max_pixels, columns=columns)


def _describe(files: Mapping[str, ReleaseFiles]) -> list[dict[str, Any]]:
    paths = {path for of in files.values() for tables in of.tables.values() for path in tables}
    paths |= {path for of in files.values() for path in of.archives.values()}
    return [describe_file(path) for path in sorted(paths)]
