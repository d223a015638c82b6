"""Scoring on Ray beside the plain run: what an engine costs on one machine, and what a second node brings, in one run.

    python benchmarks/cluster.py [--rows 10000] [--backbone quickstart | vit-b-32]

Each row of the table is the command `emo3d score` in a process of its own, from start to end, on the same files:

- `plain`: one process with all cores;
- `Ray, all cores`: a Ray that the command starts on this machine, a process per core, and stops;
- `Ray, one node` and `two nodes` of one core each: nodes of a cluster that runs already, simulated on this machine.

`start` is what Ray takes before and after the work, included in the seconds: a call that does nothing, on the same
cluster. `vit-b-32` has random weights. All results must be equal. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from pyarrow import parquet
from random_clip import save_random_clip
from rich.console import Console
from rich.table import Table

from emo3d_lab.sample import make_rows

NOTHING = """
import os, sys
from emo3d_lab.engines import Ray
if __name__ == "__main__":
    list(Ray(address=sys.argv[1] or None).run(os.getpid, [()]))
"""


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """Address of a head without work and nodes of one core."""
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(nodes):
        started.add_node(num_cpus=1)
    try:
        yield started.address
    finally:
        started.shutdown()


def seconds(*arguments: str) -> float:
    """How long this Python takes for arguments."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - start


def write_files(folder: Path, rows: int) -> list[str]:
    """Write references, and as predictions their expressions turned round; give the descriptions."""
    made = make_rows("train", rows)
    columns = {"description": [row.description for row in made], "intensities": [list(row.intensities) for row in made]}
    parquet.write_table(pa.table(columns), folder / "references.parquet", row_group_size=5000)
    expressions = pa.table({"blendshapes": [list(row.blendshapes) for row in reversed(made)]})
    parquet.write_table(expressions, folder / "predictions.parquet", row_group_size=5000)
    return columns["description"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--backbone", choices=("quickstart", "vit-b-32"), default="quickstart")
    arguments = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with TemporaryDirectory() as name:
        folder = Path(name)
        descriptions = write_files(folder, arguments.rows)
        backbone = arguments.backbone
        if backbone != "quickstart":
            backbone = save_random_clip(folder / "clip", descriptions, with_pictures=True)

        def run(run_name: str, *options: str) -> float:
            out = str(folder / f"{run_name}.json")
            given = [str(folder / "predictions.parquet"), "--references", str(folder / "references.parquet")]
            taken = seconds("-m", "emo3d", "score", *given, "--backbone", backbone, "--out", out, *options)
            return taken

        def on_ray(run_name: str, *address: str) -> tuple[float, float]:
            samples = str(folder / f"{run_name} samples")
            at = ["--address", *address] if address else []
            start = seconds("-c", NOTHING, *(address or ("",)))
            return run(run_name, "--engine", "ray", "--samples", samples, *at), start

        seconds("-m", "emo3d", "score", "--help")  # files read once; and the face is built and cached:
        seconds("-c", "from emo3d.face import FaceRig, render; render([[0.0] * 51])")
        measured: dict[str, tuple[float, float | None]] = {"plain": (run("plain"), None)}
        measured["Ray, all cores"] = on_ray("Ray, all cores")
        for nodes, called in ((1, "Ray, one node of one core"), (2, "Ray, two nodes of one core")):
            with cluster(nodes) as address:
                measured[called] = on_ray(called, address)
        results = [json.loads((folder / f"{name}.json").read_text()) for name in measured]
    same = all(abs(one["kl_divergence"] - results[0]["kl_divergence"]) < 1e-6 for one in results)
    plain, one_node = (measured[name][0] for name in ("plain", "Ray, one node of one core"))
    table = Table(title=f"{arguments.rows:,} rows, {arguments.backbone}, {os.cpu_count()} cores; equal results: {same}")
    for heading in ("", "seconds", "start", "x plain", "x plain, without start", "x one node"):
        table.add_column(heading, justify="right" if heading else "left")
    for called, (taken, start) in measured.items():
        beside = "" if start is None else f"{(taken - start) / plain:.2f}"
        shown = [f"{taken:.1f}", "" if start is None else f"{start:.1f}", f"{taken / plain:.2f}", beside]
        table.add_row(called, *shown, f"{taken / one_node:.2f}" if "node" in called else "")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
