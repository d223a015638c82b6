"""Parquet files written so that a run that is killed at any moment goes on where it stopped, to the same bytes.

Every shard is written under a name of its own in a hidden state folder, flushed to disk, and becomes part of the result
when its record (rows, SHA-256, what was left out) is there. When all are, everything moves into place. Which rows a
shard holds is decided before the first one is written, so neither kills nor the number of processes move a byte.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from emo3d.dataset.plan import Shard
from emo3d.dataset.tally import Problem, Tally
from emo3d.documents import read_json
from emo3d_lab.building.reports import (
    REPORT,
    ShardFile,
    as_problem,
    as_record,
    check_rows,
    make_report,
    read_records,
    read_report,
)
from emo3d_lab.building.schema import FEATURES, parquet_schema
from emo3d_lab.engines import choose_engine

logger = logging.getLogger(__name__)

_STATE = ".emo3d-build"
_LEFT = ".emo3d-done"  # the state of a finished run, about to be removed
_SOURCE = "source.json"
_GROUP_ROWS = 5_000  # per Parquet row group
_GROUP_PICTURES = 100
_GROUP_BYTES = 32 << 20  # of pictures, or of clips' frames; keeps memory flat whatever their size


@dataclass(frozen=True)
class Run:
    """How files are written, which moves no byte of them.

    Attributes:
        num_proc: processes; with more than one, a script needs the `__main__` guard of `multiprocessing`.
        engine: `"processes"`, or `"ray"`: a Ray with `num_proc` processes on this machine, or the cluster at `address`.
            All of its nodes need `out`, and what the shards read, at the same place on a file system that they share.
        address: of a Ray cluster, see `emo3d_lab.engines.Ray`.
        device: `"cuda"` for a process per GPU of a Ray cluster.
        strict: stop at the first problem.
        force: replace a finished folder of another source.
        label: of the progress bar.
    """

    num_proc: int = 1
    engine: str = "processes"
    address: str | None = None
    device: str = "cpu"
    strict: bool = False
    force: bool = False
    label: str = "Writing"


def write_dataset(
    out: str | os.PathLike[str],
    shards: Sequence[Shard],
    *,
    source: Mapping[str, Any],
    finish: Callable[[Sequence[ShardFile]], Mapping[str, str]] | None = None,
    prepare: Callable[[Path], object] | None = None,
    run: Run = Run(),
) -> dict[str, Any]:
    """Write shards as Parquet files into a folder, together with `build_report.json`.

    Args:
        out: a folder that is new, empty, or was begun or finished by an earlier run.
        shards: what to write.
        source: JSON-able; all that decides the bytes (inputs by content, options, version). A begun folder is gone on
            with when its source is the same, and begun anew otherwise.
        finish: gives further text files, relative path -> text, from the files written (a card, for example).
        prepare: fills `shared_folder(out)`, which shards may read as long as they are written.
        run: processes, engine, and whether to stop at problems.

    Returns:
        The report: `source`, `splits` (config -> split -> counts), `problems` (a list), `problem_kinds` (kind -> how
        many) and `files`.

    Raises:
        ValueError: nothing to write, a folder that holds other files, a finished one of another source without `force`,
            a config of which no row could be read, or, when strict, a problem.
        OSError: the disk is full, or cannot be written; the message says where. Run it again: it goes on.
        BlockingIOError: another run is writing there.
        ClusterUnavailableError: see `emo3d_lab.engines.Ray`; an OSError.
        concurrent.futures.process.BrokenProcessPool: a worker was killed; run it again.
    """
    from filelock import FileLock, Timeout

    call = choose_engine(run.engine, num_proc=run.num_proc, address=run.address, device=run.device).run
    source = json.loads(json.dumps(source))
    folder = Path(out).absolute()  # processes elsewhere start in other folders
    state, remains = folder / _STATE, folder / _LEFT
    shutil.rmtree(remains, ignore_errors=True)
    before = None if state.exists() else read_report(folder)
    if before and before["source"] == source:
        if _whole(folder, before):
            logger.info("%s is complete", folder)
            if run.strict:
                _raise_first(map(as_problem, before["problems"]))
            return before
        logger.warning("files of %s are missing or cut off; writing all of them again", folder)
    elif before and not run.force:
        raise ValueError(f"{folder} holds a finished dataset of another source or other options; force replaces it")
    if not shards:
        raise ValueError("expected at least one file to write, got none")
    if not state.exists():
        _check_folder(folder, before)
    state.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state / "lock")
    try:
        with lock.acquire(timeout=0):
            _begin(folder, state, source)
            if prepare:
                prepare(shared_folder(folder))
            files = _write_missing(state, shards, call, run)
            report = make_report(source, files)
            try:
                check_rows(report)
            except ValueError:
                shutil.rmtree(state)
                raise
            _publish(folder, state, files, report, dict(finish(files)) if finish else {})
    except Timeout:
        raise BlockingIOError(f"another run is writing to {folder}") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(f"the disk of {folder} is full: make room and run it again, to go on from here") from error
        raise
    state.replace(remains)  # at once, so that a kill cannot leave half a state behind
    shutil.rmtree(remains)
    return report


def shared_folder(out: str | os.PathLike[str]) -> Path:
    """Where `prepare` of `write_dataset` puts what all shards need; gone with the state when everything is written."""
    return Path(out).absolute() / _STATE / "shared"


def _whole(folder: Path, report: Mapping[str, Any]) -> bool:
    try:
        return all((folder / file["path"]).stat().st_size == file["bytes"] for file in report["files"])
    except FileNotFoundError:
        return False


def _check_folder(folder: Path, before: Mapping[str, Any] | None) -> None:
    ours = {file["path"] for file in before["files"]} | {*before["texts"], REPORT} if before else set()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() not in ours:
            raise ValueError(f"expected a new or empty folder, or one that emo3d wrote; {folder} holds {path.name}")


def _begin(folder: Path, state: Path, source: Mapping[str, Any]) -> None:
    """Keep what an earlier run of the same source has written; drop that of another source, and half-written files."""
    source_file = state / _SOURCE
    if source_file.exists() and _read_source(source_file) != source:
        logger.warning("%s was begun from another source or with other options; beginning anew", folder)
        for record in read_records(state).values():
            (folder / record.path).unlink(missing_ok=True)
        source_file.unlink()
    if not source_file.exists():
        for path in state.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()
        _write_text(source_file, json.dumps(source), state)
    for path in state.glob("*.part"):
        path.unlink()


def _read_source(path: Path) -> Any:
    try:
        return read_json(path)
    except ValueError:  # damaged, and so another one
        return None


def _write_missing(
    state: Path, shards: Sequence[Shard], call: Callable[..., Iterator[Any]], run: Run
) -> list[ShardFile]:
    records = read_records(state)
    missing = [(index, shard) for index, shard in enumerate(shards) if f"{index:05}" not in records]
    if run.strict:  # what an earlier, lenient run wrote down
        _raise_first(problem for record in records.values() for problem in record.tally.problems)
    with tqdm(desc=run.label, total=len(shards), initial=len(records), unit=" files", delay=1) as progress:
        calls = [(state, index, shard, run.strict) for index, shard in missing]
        for place, record in call(_write, calls):
            records[f"{missing[place][0]:05}"] = record
            progress.update()
    return [records[f"{index:05}"] for index in range(len(shards))]


def _raise_first(problems: Iterable[Problem]) -> None:
    for problem in problems:
        raise ValueError(str(problem))


def _write(state: Path, index: int, shard: Shard, strict: bool) -> ShardFile:
    from huggingface_hub.utils.sha import sha_fileobj

    if not (state / _SOURCE).is_file():
        raise FileNotFoundError(f"expected {state.parent} on a file system that all nodes share, it is not seen")
    tally = Tally(strict)
    schema = parquet_schema(shard.schema, shard.about)
    part = state / f"{index:05}.{uuid4().hex}.part"
    rows = 0
    try:
        with pq.ParquetWriter(part, schema, compression=_compression(schema), use_dictionary=["prompt_type"]) as writer:
            for group in _groups(shard, tally):
                writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=len(group))
                rows += len(group)
        with part.open("r+b") as file:
            digest = sha_fileobj(file).hex()
            size = file.tell()
            os.fsync(file.fileno())
        part.replace(state / f"{index:05}.parquet")
    finally:
        part.unlink(missing_ok=True)  # half a file takes room on a disk that may be full
    record = ShardFile(shard.config, shard.split, shard.path, rows, size, digest, tally)
    try:
        _write_text(state / f"{index:05}.record", as_record(record), state)
    except OSError:  # without its record the file only takes room
        (state / f"{index:05}.parquet").unlink()
        raise
    return record


def _groups(shard: Shard, tally: Tally) -> Iterator[list[dict[str, Any]]]:
    """Rows in the groups in which they are written: small enough to stream, and to hold in memory."""
    pictures = "image" in FEATURES[shard.schema]
    tables = [name for name in ("frames", "flame") if name in FEATURES[shard.schema]]
    limit = _GROUP_PICTURES if pictures else _GROUP_ROWS
    group: list[dict[str, Any]] = []
    size = 0
    for row in shard.rows(tally):
        group.append(row)
        size += len((row["image"] or {}).get("bytes") or b"") if pictures else 0
        size += sum(4 * len(row[name]) * len(row[name][0]) for name in tables if row[name])
        if len(group) == limit or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _compression(schema: pa.Schema) -> dict[str, str]:
    """Codec per column; pictures are compressed already."""
    empty = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), empty)
    leaves = pq.ParquetFile(empty.getvalue()).schema
    paths = [leaves.column(index).path for index in range(len(leaves))]
    return {path: "NONE" if path == "image.bytes" else "ZSTD" for path in paths}


def _publish(
    folder: Path, state: Path, files: Sequence[ShardFile], report: dict[str, Any], texts: Mapping[str, str]
) -> None:
    """Move everything into place; every step can be done again after a kill."""
    report["texts"] = sorted(texts)
    paths = {file.path for file in files}
    before = read_report(folder) or {"files": [], "texts": []}
    for path in (*(file["path"] for file in before["files"]), *before["texts"]):
        if path not in paths:
            (folder / path).unlink(missing_ok=True)
    for index, file in enumerate(files):
        shard = state / f"{index:05}.parquet"
        if shard.exists():  # otherwise an interrupted run has moved it
            (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
            shard.replace(folder / file.path)
    for name, text in {**texts, REPORT: json.dumps(report, indent=1, ensure_ascii=False) + "\n"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write_text(folder / name, text, state)


def _write_text(path: Path, text: str, state: Path) -> None:
    part = state / f"{path.name}.{uuid4().hex}.part"
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
