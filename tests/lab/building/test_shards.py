"""The resumable writer: real kills of a real process, and folders that it must not touch."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emo3d.dataset.tally import Problem, Tally
from emo3d_lab.building.shards import REPORT, Run, Shard, write_dataset


@dataclass(frozen=True)
class Slow(Shard):
    """Rows that take their time, so that a kill finds the run in every phase."""

    size: int = 120
    pause: float = 0.0

    def rows(self, tally):
        for number in range(self.size):
            time.sleep(self.pause)
            if number % 50 == 49:
                tally.report(Problem("example", "table.csv", number, "", "expected another row"))
                continue
            picture = {"bytes": sha256(f"{self.index} {number}".encode()).digest() * 200, "path": f"{number}.jpeg"}
            yield {
                "sample_id": 1000 * self.index + number,
                "variant": 1,
                "prompt_type": "test",
                "descriptions": ["a face"],
                "intensities": [0.5] * 8,
                "image": picture,
                "blendshapes": None if number % 3 == 0 else [0.1] * 51,
            }


def shards(count=5, **arguments):
    return [Slow("default", "train", index, count, "reading", **arguments) for index in range(count)]


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


RUN = """
import sys
from tests_shards import shards
from emo3d_lab.building.shards import Run, write_dataset
if __name__ == "__main__":
    write_dataset(sys.argv[1], shards(pause=0.0005), source={"a": 1}, run=Run(int(sys.argv[2])),
                  finish=lambda files: {"README.md": "card"})
"""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(child) for child in found.stdout.split()]


def test_kills_at_random_moments(tmp_path):
    """Half of the runs with one process, half with two; a run that is killed leaves no worker behind."""
    script = tmp_path / "run.py"
    script.write_text(RUN)
    (tmp_path / "tests_shards.py").write_text(Path(__file__).read_text("utf-8"))
    write_dataset(tmp_path / "whole", shards(), source={"a": 1}, finish=lambda files: {"README.md": "card"})
    expected = digests(tmp_path / "whole")
    assert len(expected) == 5 + 2

    dice, kills, moments, orphans = random.Random(0), 0, set(), []
    out = tmp_path / "killed"
    while kills < 10:
        command = [sys.executable, str(script), str(out), dice.choice("12")]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)
        state = out / ".emo3d-build"
        goal = len(list(state.glob("*.record"))) + dice.randrange(3)  # so that a busy machine is killed as far on
        end = time.monotonic() + dice.uniform(0.2, 1.5)
        while run.poll() is None and (time.monotonic() < end or len(list(state.glob("*.record"))) < goal):
            time.sleep(0.002)
        if run.poll() is None:
            orphans += children(run.pid)
            run.send_signal(signal.SIGKILL)
            kills += 1
        run.wait()
        moments.add(len(list(state.glob("*.record"))) if state.is_dir() else -1)
        if (out / REPORT).exists() and not state.exists():
            # Killed while the state of a finished run was removed; what is left of it, no reader sees.
            shutil.rmtree(out / ".emo3d-done", ignore_errors=True)
            assert digests(out) == expected
            subprocess.run(["rm", "-r", str(out)], check=True)  # whole: begin again
    assert len(moments) > 2  # kills met runs that had nothing, some and all files done
    subprocess.run([sys.executable, str(script), str(out), "1"], check=True, cwd=tmp_path, capture_output=True)
    assert digests(out) == expected
    deadline = time.monotonic() + 900
    while any(map(alive, orphans)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in orphans if alive(pid)]


def test_a_begun_folder_is_gone_on_with(tmp_path, monkeypatch):
    """Files that are whole are not written again."""
    first = [*shards(4)]
    with pytest.raises(RuntimeError, match="stopped"):
        write_dataset(tmp_path, [*first[:2], Stopping("default", "train", 2, 4, "reading"), first[3]], source={})
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / ".emo3d-build").glob("*.parquet")}
    assert sorted(before) == ["00000.parquet", "00001.parquet"]
    write_dataset(tmp_path, first, source={})
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "data/default").iterdir()}
    assert [after["train-00000-of-00004.parquet"], after["train-00001-of-00004.parquet"]] == [*before.values()]
    assert not (tmp_path / ".emo3d-build").exists()


@dataclass(frozen=True)
class Stopping(Shard):
    def rows(self, tally):
        raise RuntimeError("stopped")
        yield


def test_the_report_counts_and_lists(tmp_path):
    report = write_dataset(tmp_path, shards(2), source={"release": "none"})
    assert report == json.loads((tmp_path / REPORT).read_text("utf-8"))
    assert report["splits"] == {"default": {"train": {"rows": 236}}}
    assert report["problem_kinds"] == {"example": 4}
    assert [problem["row"] for problem in report["problems"]] == [49, 99, 49, 99]
    for file in report["files"]:
        data = (tmp_path / file["path"]).read_bytes()
        assert (len(data), sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    table = pq.ParquetFile(tmp_path / report["files"][0]["path"])
    assert [table.metadata.row_group(group).num_rows for group in range(table.num_row_groups)] == [100, 18]
    assert table.schema_arrow.metadata[b"space"] == b"reading"
    nulls = table.read()["blendshapes"].null_count
    assert nulls == sum(number % 3 == 0 for number in range(120) if number % 50 != 49)


def test_a_finished_folder_is_left_alone_or_replaced(tmp_path):
    write_dataset(tmp_path, shards(3), source={"a": 1}, finish=lambda files: {"README.md": "one", "old.md": ""})
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    write_dataset(tmp_path, shards(3), source={"a": 1})
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == made
    with pytest.raises(ValueError, match="finished dataset of another source"):
        write_dataset(tmp_path, shards(2), source={"a": 2})
    write_dataset(tmp_path, shards(2), source={"a": 2}, run=Run(force=True), finish=lambda files: {"README.md": "two"})
    assert sorted(digests(tmp_path)) == [
        "README.md",
        REPORT,
        "data/default/train-00000-of-00002.parquet",
        "data/default/train-00001-of-00002.parquet",
    ]  # no file of the three-file build is left to double the rows
    assert (tmp_path / "README.md").read_text("utf-8") == "two"


def test_a_damaged_folder_is_made_again(tmp_path):
    write_dataset(tmp_path, shards(2), source={"a": 1})
    whole = digests(tmp_path)
    (tmp_path / "data/default/train-00001-of-00002.parquet").write_bytes(b"cut")
    write_dataset(tmp_path, shards(2), source={"a": 1})
    assert digests(tmp_path) == whole


def test_what_another_source_began_is_dropped(tmp_path, caplog):
    with pytest.raises(RuntimeError, match="stopped"):
        write_dataset(tmp_path, [*shards(3), Stopping("default", "test", 0, 1, "reading")], source={"a": 1})
    write_dataset(tmp_path, shards(2), source={"a": 2})
    assert "beginning anew" in caplog.text
    assert len(list((tmp_path / "data/default").iterdir())) == 2


def test_other_people_s_files_are_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"new or empty folder.*holds thesis\.txt"):
        write_dataset(tmp_path, shards(1), source={}, run=Run(force=True))
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_strict_stops_at_the_first_problem(tmp_path):
    with pytest.raises(ValueError, match=r"^table\.csv row 49: expected another row$"):
        write_dataset(tmp_path, shards(2), source={}, run=Run(strict=True))
    write_dataset(tmp_path, shards(2), source={})
    with pytest.raises(ValueError, match=r"^table\.csv row 49"):  # what is there already was not built strictly
        write_dataset(tmp_path, shards(2), source={}, run=Run(strict=True))
    with pytest.raises(ValueError, match="expected at least one file"):
        write_dataset(tmp_path / "none", [], source={})


def test_two_runs_do_not_meet(tmp_path):
    from filelock import FileLock

    (tmp_path / ".emo3d-build").mkdir()
    with FileLock(tmp_path / ".emo3d-build" / "lock"), pytest.raises(BlockingIOError, match="another run is writing"):
        write_dataset(tmp_path, shards(1), source={})


def test_large_pictures_make_small_groups(tmp_path):
    report = write_dataset(tmp_path, [Large("default", "train", 0, 1, "reading")], source={})
    file = pq.ParquetFile(tmp_path / report["files"][0]["path"])
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [4, 2]


@dataclass(frozen=True)
class Large(Shard):
    def rows(self, tally):
        row = next(Slow("default", "train", 0, 1, "reading").rows(Tally()))
        for _ in range(6):
            yield {**row, "image": {"bytes": bytes(8 << 20), "path": "large.png"}}  # 4 fill a group of 32 MiB
