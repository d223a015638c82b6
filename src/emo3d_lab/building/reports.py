"""`build_report.json`, which a finished folder says of itself, and the record of each file until it is finished."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from emo3d.dataset.archives import PictureError, as_picture_error, open_binary
from emo3d.dataset.tally import Problem, Tally
from emo3d.documents import read_json

logger = logging.getLogger(__name__)

REPORT = "build_report.json"
"""What a finished folder says of itself: source, rows per split, problems, files with their SHA-256."""


class RowError(ValueError):
    """A row that cannot be used; `kind` is a word to count by, `column` the file's own name of it."""

    def __init__(self, kind: str, column: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.column = kind, column


@dataclass(frozen=True)
class ShardFile:
    """A shard that has been written.

    Attributes:
        config, split, path: see `emo3d_lab.building.shards.Shard`.
        rows: in the file.
        bytes: of the file.
        sha256: of the file, hexadecimal.
        tally: what was counted and what was left out.
    """

    config: str
    split: str
    path: str
    rows: int
    bytes: int
    sha256: str
    tally: Tally = field(repr=False)


def make_report(source: Mapping[str, Any], files: Sequence[ShardFile]) -> dict[str, Any]:
    """Add up what was written."""
    splits: dict[str, dict[str, Counter[str]]] = {}
    problems = []
    for file in files:
        counts = splits.setdefault(file.config, {}).setdefault(file.split, Counter())
        counts["rows"] += file.rows
        counts.update(file.tally.counts)
        problems += [{"config": file.config, "split": file.split, **asdict(problem)} for problem in file.tally.problems]
    return {
        "source": source,
        "splits": {config: {split: dict(counts) for split, counts in of.items()} for config, of in splits.items()},
        "problem_kinds": dict(sorted(Counter(problem["kind"] for problem in problems).items())),
        "problems": problems,
        "files": [{"path": file.path, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256} for file in files],
    }


def describe_file(path: str) -> dict[str, Any]:
    """Name, size and content of a file: its SHA-256, or for a ZIP that of its directory, which holds checksums."""
    with open_binary(path) as file:
        content = hashlib.sha256()
        try:
            if path.lower().endswith(".zip"):
                with as_picture_error(path), zipfile.ZipFile(file) as archive:
                    for info in archive.infolist():
                        entry = repr((info.filename, info.CRC, info.file_size, info.header_offset))
                        content.update(entry.encode(errors="surrogatepass"))
            else:
                while block := file.read(1 << 20):
                    content.update(block)
        except PictureError:
            content.update(b"broken")
        size = file.seek(0, io.SEEK_END)
    return {"name": path.rsplit("/", 1)[-1], "bytes": size, "sha256": content.hexdigest()}


def read_report(folder: Path) -> dict[str, Any] | None:
    """Read the report of a folder; None without one.

    Raises:
        ValueError: it is damaged, or names files outside of the folder, which would be replaced.
    """
    try:
        report = read_json(folder / REPORT)
        _check_report(report)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{folder} has a {REPORT} that cannot be read, so what may be replaced is not known; "
            f"take another folder, or empty it ({error or type(error).__name__})"
        ) from None
    return report


def check_rows(report: Mapping[str, Any]) -> None:
    """Refuse a dataset of which one config has no row at all though there were some to read.

    Raises:
        ValueError: the message has the first problem of each kind.
    """
    for config, splits in report["splits"].items():
        problems = {problem["kind"]: problem for problem in reversed(report["problems"]) if problem["config"] == config}
        if problems and not any(counts["rows"] for counts in splits.values()):
            first = "; ".join(str(as_problem(problem)) for problem in list(problems.values())[:3])
            raise ValueError(f"expected rows for {config}, none could be read: {first}")


def as_problem(values: Mapping[str, Any]) -> Problem:
    """A problem as a report has it."""
    return Problem(**{name: values[name] for name in Problem.__dataclass_fields__})


def read_records(state: Path) -> dict[str, ShardFile]:
    """Read the records of a begun folder, by their number; files whose record cannot be read are written anew."""
    records = {}
    for path in state.glob("*.record"):
        try:
            values = read_json(path)
            record = ShardFile(**{**values, "tally": _tally(values["tally"])})
            _check_file(vars(record))
            report = make_report({}, [record])
            _check_report({**report, "texts": []})
            files = (path.with_suffix(".parquet"), state.parent / record.path)
            if not any(file.is_file() and file.stat().st_size == record.bytes for file in files):
                raise ValueError(f"expected {record.bytes} bytes of {record.path}")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            logger.warning("%s cannot be used, its file is written again (%s)", path.name, error)
            continue
        records[path.stem] = record
    return records


def as_record(file: ShardFile) -> str:
    """A file's record as `read_records` takes it."""
    tally = {
        "counts": dict(sorted(file.tally.counts.items())),
        "problems": [asdict(problem) for problem in file.tally.problems],
    }
    return json.dumps({**vars(file), "tally": tally})


def _tally(values: Mapping[str, Any]) -> Tally:
    problems = [Problem(**problem) for problem in values["problems"]]
    return Tally(counts=Counter(values["counts"]), problems=problems)


def _check_report(report: Any) -> None:
    """Raise any of several errors where a report is not as `make_report` makes it."""
    _check_kind(report["source"], dict)
    for counts in (counts for splits in report["splits"].values() for counts in splits.values()):
        for count in (counts["rows"], *counts.values()):
            _check_kind(count, int)
    for count in report["problem_kinds"].values():
        _check_kind(count, int)
    kinds = dict.fromkeys(("config", "split", "kind", "file", "column", "message"), str) | {"count": int}
    for problem in _check_kind(report["problems"], list):
        for name, kind in kinds.items():
            _check_kind(problem[name], kind)
        if problem["row"] is not None:
            _check_kind(problem["row"], int)
        if problem["kind"] not in report["problem_kinds"]:
            raise ValueError(f"expected a count of {problem['kind']!r}")
    if set(report["problem_kinds"]) - {problem["kind"] for problem in report["problems"]}:
        raise ValueError("expected a problem of each kind that is counted")
    for file in _check_kind(report["files"], list):
        _check_file(file)
    for text in _check_kind(report["texts"], list):
        _check_inside(text)


def _check_file(file: Any) -> None:
    _check_inside(file["path"])
    for name, kind in (("rows", int), ("bytes", int), ("sha256", str)):
        _check_kind(file[name], kind)


def _check_inside(name: Any) -> None:
    path = PurePosixPath(_check_kind(name, str))
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts:
        raise ValueError(f"expected names of files inside of the folder, got {name!r:.80}")


def _check_kind(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"expected {kind.__name__}, got {json.dumps(value)[:40]}")
    return value
