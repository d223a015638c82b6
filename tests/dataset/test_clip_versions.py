"""The config `clips`, loaded from its files and by the loading script, by each version of `datasets`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hanging import HANGS

ROOT = Path(__file__).parents[2]
PYTHONS = {"5": Path(sys.executable)}
PYTHONS |= {version: ROOT / ".venv-datasets" / version / "bin" / "python" for version in ("4", "3.6", "2.19")}
LOAD = """
import json, sys
from datasets import load_dataset
path, trusted = sys.argv[1], len(sys.argv) > 2
more = {"trust_remote_code": True} if trusted else {}
data = load_dataset(path, "clips", split="test", **more)
streamed = [row for row in load_dataset(path, "clips", split="test", streaming=True, **more)]
print(json.dumps({
    "columns": data.column_names,
    "rows": data[:3],
    "null": data.features.arrow_schema.field("beats").type.value_type.field("intensities").nullable,
    "numpy": [list(data.with_format("numpy")[0]["frames"].shape), str(data.with_format("numpy")[0]["frames"].dtype)],
    "streamed": [streamed[:3] == [data[k] for k in range(3)], len(streamed)],
}))
"""
CASES = [(version, "folder") for version in PYTHONS] + [(version, "script") for version in ("3.6", "2.19")]


@pytest.mark.parametrize(("version", "form"), CASES)
def test_clips_are_loaded_with_their_types(tmp_path, version, form):
    python = PYTHONS[version]
    if not python.is_file():
        pytest.skip(f"no datasets {version}: `make environments`")
    path = ROOT / "dataset_script" if form == "folder" else ROOT / "dataset_script" / "emo3d.py"
    variables = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT / "src")}
    command = [python, "-c", LOAD, str(path), *["trusted"] * (form == "script")]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr[-2000:]
    got = json.loads(done.stdout.splitlines()[-1])
    table = pq.read_table(ROOT / "dataset_script/data/clips/test.parquet")
    assert got["columns"] == table.column_names
    assert got["rows"] == table[:3].to_pydict()
    assert got["numpy"] == [[table["length"][0].as_py(), 61], "float32"]
    assert got["streamed"] == [True, len(table)]
    assert got["null"]
