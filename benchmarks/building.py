"""Building the dataset: rows and megabytes a second beside a plain copy and the published notebook's way, in one run.

A synthetic release in the published layout is written first (`emo3d_lab.sample.mock`). Then, one after the other:

- a plain sequential copy of its archives, in blocks of 1 MiB, flushed to disk: what the machine can do;
- `emo3d build` with pictures (`default`) and without (`pairs`), each in a process of its own, flushed to disk;
- the published notebook's way: unpack every archive, read the tables with pandas, parse the printed arrays row by row
  (it ends with folders of pictures and arrays in memory, not with a dataset).

Peak memory is that of the largest process, times their number. Run it on an idle machine.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from emo3d_lab.sample.mock import write_release

BLOCK = 1 << 20


def sequential_copy(paths, out):
    out.mkdir()
    for path in paths:
        with path.open("rb") as source, (out / path.name).open("wb") as target:
            while block := source.read(BLOCK):
                target.write(block)
            target.flush()
            os.fsync(target.fileno())


def notebook(data, out):
    """As the release's notebook goes about it, written anew: `extractall`, `read_csv`, one array at a time."""
    for path in sorted(data.glob("*_images*.zip")):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(out / path.stem)
    os.sync()
    arrays = []
    for name in ("train_data.csv", "val_data.csv", "test_data.csv"):
        for _, row in pd.read_csv(data / name).iterrows():
            for n in (1, 2, 3, 4):
                printed = row[f"blenshape_score_{n}"]
                if isinstance(printed, str):
                    arrays.append(np.array([float(score) for score in printed.strip("[]").split()]))
    return arrays


def build(release, out, config, processes):
    command = [sys.executable, "-c", "from emo3d.cli import main; main()", "build", release, out]
    subprocess.run([*map(str, command), "--config", config, "--num-proc", str(processes)], check=True)


def timed(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_100, help="rows of the release: 5,100 are 2 GB")
    parser.add_argument("--picture-bytes", type=int, default=160_000, help="of a picture; 160,000 as published")
    parser.add_argument(
        "--table-rows", type=int, default=20_000, help="rows of the release that is built without pictures"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work; some 10 GB are needed")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="emo3d-bench-", dir=options.folder))
    table = Table(title=f"{options.processes} processes")
    for heading in ("", "seconds", "MB/s", "release rows/s", "x plain copy", "GB written", "peak MB"):
        table.add_column(heading, justify="right" if heading else "left")
    try:
        release = write_release(folder / "release", rows=options.rows, picture_bytes=options.picture_bytes, primitive=0)
        tables = write_release(folder / "tables", rows=options.table_rows, primitive=0)
        archives = sorted((release / "data").glob("*_images*.zip"))
        megabytes = sum(path.stat().st_size for path in archives) / 1e6
        os.sync()

        copy = timed(sequential_copy, archives, folder / "copy")
        table.add_row("plain copy of the archives", *row(copy, megabytes, None, copy, folder / "copy"))
        shutil.rmtree(folder / "copy")
        for config, source, rows in (("default", release, options.rows), ("pairs", tables, options.table_rows)):
            for processes in dict.fromkeys((1, options.processes)):
                seconds = timed(build, source, folder / "out", config, processes)
                peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3 * (processes + (processes > 1))
                cells = row(seconds, megabytes if config == "default" else None, rows, copy, folder / "out")
                table.add_row(f"emo3d build --config {config}, {processes} process(es)", *cells, f"{peak:,.0f}")
                shutil.rmtree(folder / "out")
        seconds = timed(notebook, release / "data", folder / "out")
        table.add_row("the notebook's way", *row(seconds, megabytes, options.rows, copy, folder / "out"))
    finally:
        shutil.rmtree(folder)
    Console(width=140).print(table)


def row(seconds, megabytes, rows, copy, out):
    return (
        f"{seconds:.1f}",
        f"{megabytes / seconds:,.0f}" if megabytes else "",
        f"{rows / seconds:,.0f}" if rows else "",
        f"{copy / seconds:.2f}" if megabytes else "",
        f"{size(out) / 1e9:.2f}",
    )


if __name__ == "__main__":
    main()
